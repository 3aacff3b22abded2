//! The serial lines: bytes out, bytes in.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use airlink::tether::{Decoder, FromDevice};
use bt_hci_transport::{PacketKind, PacketToController, Transport};
use embassy_futures::{block_on, poll_once};
use embedded_io_async::{Read, Write};
use native::{Tether, Uart, hci};

fn tether() -> (UnixStream, Rc<Tether>) {
    let (lab, theirs) = UnixStream::pair().expect("a pair");
    (lab, Tether::new(theirs))
}

/// The message that the lab gets.
fn sent(lab: &mut UnixStream, tether: &Tether) -> FromDevice {
    tether.flush().expect("the lab listens");
    let mut chunk = vec![0; 64 * 1024];
    let length = lab.read(&mut chunk).expect("readable");
    let mut decoder = Decoder::default();
    decoder.push(&chunk[..length]);
    decoder.pop().expect("sound").expect("a message")
}

/// A reset.
struct Reset;

impl PacketToController for Reset {
    const KIND: PacketKind = PacketKind::Cmd;

    fn size(&self) -> usize {
        3
    }

    fn write_hci<W: embedded_io::Write>(&self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(&[0x03, 0x0C, 0])
    }

    async fn write_hci_async<W: Write>(&self, _: W) -> Result<(), W::Error> {
        panic!("there is nothing to wait for")
    }
}

#[test]
fn a_uart_sends_and_reads_what_has_come_together() {
    let (mut lab, tether) = tether();
    let mut uart = Uart::console(&tether);
    block_on(uart.write_all(b">> ")).expect("sent");
    assert_eq!(
        sent(&mut lab, &tether),
        FromDevice::Console(b">> ".to_vec())
    );

    let mut buffer = [0; 4];
    assert!(poll_once(uart.read(&mut buffer)).is_pending());
    uart.clone().receive(b"he");
    uart.clone().receive(b"lp\r");
    assert_eq!(block_on(uart.read(&mut buffer)), Ok(4));
    assert_eq!(&buffer, b"help");
    assert_eq!(block_on(uart.read(&mut buffer)), Ok(1));
}

#[test]
fn a_uart_that_is_not_read_overruns() {
    let (_lab, tether) = tether();
    let mut uart = Uart::console(&tether);
    uart.receive(&[b'a'; 4000]);
    uart.receive(&[b'b'; 4000]);
    let mut buffer = [0; 8000];
    assert_eq!(block_on(uart.read(&mut buffer)), Ok(4096));
}

#[test]
fn a_command_goes_out_with_its_indicator() {
    let (mut lab, tether) = tether();
    block_on(hci(&Uart::hci(&tether)).write(&Reset)).expect("sent");
    assert_eq!(
        sent(&mut lab, &tether),
        FromDevice::Hci(vec![1, 0x03, 0x0C, 0])
    );
}
