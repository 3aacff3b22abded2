//! Serial Wire Debug, bit by bit.

use lab::probe::swd::{Acknowledgement, Port, Request, Slave};
use proptest::prelude::*;

/// A port with one register.
#[derive(Default)]
struct OneRegister {
    value: u32,
    answer: Option<Acknowledgement>,
    damaged: u32,
}

impl Port for OneRegister {
    fn read(&mut self, request: Request) -> Result<u32, Acknowledgement> {
        let salt = u32::from(request.access_port) << 31 | u32::from(request.address);
        self.answer.map_or(Ok(self.value ^ salt), Err)
    }

    fn accepts(&mut self, _: Request) -> Result<(), Acknowledgement> {
        self.answer.map_or(Ok(()), Err)
    }

    fn write(&mut self, _: Request, value: u32) {
        self.value = value;
    }

    fn parity_error(&mut self) {
        self.damaged += 1;
    }
}

/// Start, APnDP, RnW, A2, A3, parity, stop, park; lowest bit first.
fn request(access_port: bool, read: bool, address: u8) -> u32 {
    let fields = u32::from(access_port) | u32::from(read) << 1 | u32::from(address >> 2) << 2;
    0x81 | fields << 1 | (fields.count_ones() & 1) << 5
}

fn connected(port: &mut OneRegister) -> Slave {
    let mut slave = Slave::default();
    slave.output(port, u32::MAX, 32);
    slave.output(port, 0x7FFFF, 22);
    slave
}

fn read(slave: &mut Slave, port: &mut OneRegister, request: u32) -> (u32, u64) {
    slave.output(port, request, 8);
    let first = slave.input(32);
    let second = slave.input(4);
    let bits = u64::from(first) | u64::from(second) << 32;
    (first & 7, bits >> 3)
}

#[test]
fn nobody_answers_before_the_line_is_reset() {
    let mut port = OneRegister::default();
    let mut slave = Slave::default();
    assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 7);
    let mut slave = connected(&mut port);
    assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 1);
}

#[test]
fn a_damaged_request_is_answered_by_silence_until_the_line_is_reset() {
    let mut port = OneRegister::default();
    let mut slave = connected(&mut port);
    assert_eq!(
        read(&mut slave, &mut port, request(false, true, 0) ^ 0x20).0,
        7
    );
    assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 7);
    slave.output(&mut port, u32::MAX, 32);
    slave.output(&mut port, 0x7FFFF, 22);
    assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 1);
}

#[test]
fn the_switch_from_jtag_does_not_confuse_it() {
    let mut port = OneRegister {
        value: 0x2BA0_1477,
        ..OneRegister::default()
    };
    let mut slave = connected(&mut port);
    slave.output(&mut port, 0xE79E, 16);
    slave.output(&mut port, u32::MAX, 32);
    slave.output(&mut port, 0x7FFFF, 22);
    let (acknowledgement, data) = read(&mut slave, &mut port, request(false, true, 0));
    assert_eq!((acknowledgement, data as u32), (1, 0x2BA0_1477));
}

#[test]
fn a_write_with_wrong_parity_is_not_made() {
    let mut port = OneRegister::default();
    let mut slave = connected(&mut port);
    slave.output(&mut port, request(false, false, 8), 8);
    assert_eq!(slave.input(3), 1);
    slave.output(&mut port, 1, 32);
    slave.output(&mut port, 0, 1);
    assert_eq!((port.value, port.damaged), (0, 1));
}

#[test]
fn the_data_of_a_refused_write_is_for_nobody() {
    let mut port = OneRegister {
        answer: Some(Acknowledgement::Wait),
        ..OneRegister::default()
    };
    let mut slave = connected(&mut port);
    slave.output(&mut port, request(true, false, 4), 8);
    assert_eq!(slave.input(3), 2);
    slave.output(&mut port, u32::MAX, 32);
    slave.output(&mut port, 0, 1);
    port.answer = None;
    assert_eq!(port.value, 0);
    assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 1);
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in any::<u32>(), idle in 0_u8..20, address in 0_u8..4, ap in any::<bool>()) {
        let mut port = OneRegister::default();
        let mut slave = connected(&mut port);
        slave.output(&mut port, request(ap, false, address << 2), 8);
        prop_assert_eq!(slave.input(3), 1);
        slave.output(&mut port, value, 32);
        slave.output(&mut port, value.count_ones() & 1, 1 + idle);
        let (acknowledgement, data) = read(&mut slave, &mut port, request(ap, true, address << 2));
        prop_assert_eq!(acknowledgement, 1);
        let expected = value ^ (u32::from(ap) << 31 | u32::from(address) << 2);
        prop_assert_eq!(data as u32, expected);
        prop_assert_eq!((data >> 32) as u32 & 1, expected.count_ones() & 1);
    }

    #[test]
    fn any_bits_leave_it_able_to_connect(
        noise in prop::collection::vec((any::<u32>(), 0_u8..40, any::<bool>()), 0..50),
    ) {
        let mut port = OneRegister::default();
        let mut slave = Slave::default();
        for (bits, count, output) in noise {
            if output {
                slave.output(&mut port, bits, count);
            } else {
                slave.input(count);
            }
        }
        slave.output(&mut port, u32::MAX, 32);
        slave.output(&mut port, 0x7FFFF, 22);
        prop_assert_eq!(read(&mut slave, &mut port, request(false, true, 0)).0, 1);
    }
}
