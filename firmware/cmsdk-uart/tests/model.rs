//! The driver against a model of the UART.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cmsdk_uart::{Bus, Register, State, Uart};
use embassy_futures::{block_on, poll_once};
use embedded_io_async::{Read, Write};
use proptest::prelude::*;

const ROOM: usize = 8;

/// The UART, without the time that a byte takes.
#[derive(Default)]
struct Chip {
    control: u32,
    interrupts: u32,
    received: Option<u8>,
    overrun: bool,
    outgoing: Option<u8>,
    /// Whether the other end takes what is sent at once.
    is_blocked: bool,
    sent: Vec<u8>,
}

impl Chip {
    fn arrive(&mut self, byte: u8) {
        assert_ne!(self.control & 2, 0, "the receiver is disabled");
        self.overrun |= self.received.is_some();
        self.received = Some(byte);
        self.interrupts |= u32::from(self.control & 8 != 0) << 1;
    }

    fn send(&mut self) {
        if let Some(byte) = self.outgoing.take_if(|_| !self.is_blocked) {
            self.sent.push(byte);
            self.interrupts |= u32::from(self.control & 4 != 0);
        }
    }
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Chip>>);

impl Bus for Shared {
    fn read(&mut self, register: Register) -> u32 {
        let mut chip = self.0.borrow_mut();
        match register {
            Register::Data => chip.received.take().unwrap_or(0).into(),
            Register::State => {
                u32::from(chip.outgoing.is_some())
                    | u32::from(chip.received.is_some()) << 1
                    | u32::from(chip.overrun) << 3
            }
            Register::Control => chip.control,
            Register::Interrupts => chip.interrupts,
            Register::Divider => panic!("the driver reads its own setting"),
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        let mut chip = self.0.borrow_mut();
        match register {
            Register::Data => {
                assert!(chip.outgoing.is_none(), "the transmitter is overrun");
                chip.outgoing = Some(value as u8);
                chip.send();
            }
            Register::State => chip.overrun &= value & 8 == 0,
            Register::Control => chip.control = value,
            Register::Interrupts => chip.interrupts &= !value,
            Register::Divider => assert!(value >= 16),
        }
    }
}

struct World {
    chip: Shared,
    state: &'static State<ROOM>,
    uart: Uart<Shared, ROOM>,
}

impl World {
    fn new() -> Self {
        let chip = Shared::default();
        let state: &'static State<ROOM> = Box::leak(Box::default());
        Self {
            uart: Uart::new(chip.clone(), state, 217),
            chip,
            state,
        }
    }

    fn arrive(&mut self, byte: u8) {
        self.chip.0.borrow_mut().arrive(byte);
        self.interrupt();
    }

    /// Whether the UART holds a byte, so that a sender with flow control waits.
    fn is_full(&self) -> bool {
        self.chip.0.borrow().received.is_some()
    }

    fn unblock(&mut self) {
        self.chip.0.borrow_mut().is_blocked = false;
        self.chip.0.borrow_mut().send();
        self.interrupt();
    }

    fn interrupt(&mut self) {
        if self.chip.0.borrow().interrupts != 0 {
            self.state.on_interrupt(&mut self.chip);
        }
        assert_eq!(self.chip.0.borrow().interrupts, 0, "it would storm");
    }

    fn read(&mut self, most: usize) -> Vec<u8> {
        let mut buffer = vec![0; most];
        let length = block_on(self.uart.read(&mut buffer)).expect("infallible");
        buffer.truncate(length);
        buffer
    }

    fn sent(&self) -> Vec<u8> {
        self.chip.0.borrow().sent.clone()
    }
}

#[test]
fn a_read_waits_for_the_first_byte_and_returns_what_is_there() {
    let mut world = World::new();
    let mut buffer = [0; 4];
    assert!(poll_once(world.uart.read(&mut buffer)).is_pending());
    for byte in *b"abcde" {
        world.arrive(byte);
    }
    assert_eq!(world.read(4), b"abcd");
    assert_eq!(world.read(4), b"e");
}

#[test]
fn a_full_ring_leaves_the_next_byte_in_the_uart_until_it_is_read() {
    let mut world = World::new();
    (0..=ROOM as u8).for_each(|byte| world.arrive(byte));
    assert!(world.is_full());
    assert_eq!(world.read(1), [0]);
    assert!(!world.is_full());
    assert_eq!(world.read(2 * ROOM), (1..=ROOM as u8).collect::<Vec<_>>());
    world.arrive(99);
    assert_eq!(world.read(1), [99]);
    assert_eq!(world.uart.split().0.overruns(), 0);
}

#[test]
fn what_is_overrun_is_counted() {
    let mut world = World::new();
    (0..=ROOM as u8).for_each(|byte| world.arrive(byte));
    world.arrive(100);
    world.arrive(101);
    assert_eq!(
        world.read(2 * ROOM),
        [0, 1, 2, 3, 4, 5, 6, 7, 101],
        "the last one is kept"
    );
    assert_eq!(world.uart.split().0.overruns(), 1);
}

#[test]
fn a_write_waits_until_the_other_end_takes_it() {
    let mut world = World::new();
    assert_eq!(block_on(world.uart.write(b"abc")), Ok(3));
    world.chip.0.borrow_mut().is_blocked = true;
    assert_eq!(block_on(world.uart.write(b"def")), Ok(1));
    assert!(poll_once(world.uart.write(b"ef")).is_pending());
    assert!(poll_once(world.uart.flush()).is_pending());
    assert_eq!(world.sent(), b"abc");
    world.unblock();
    assert_eq!(block_on(world.uart.write(b"ef")), Ok(2));
    assert_eq!(block_on(world.uart.flush()), Ok(()));
    assert_eq!(world.sent(), b"abcdef");
}

#[test]
fn bytes_from_before_the_driver_are_dropped() {
    let mut world = World::new();
    world.arrive(1);
    world.uart = Uart::new(world.chip.clone(), world.state, 217);
    let mut buffer = [0; 4];
    assert!(poll_once(world.uart.read(&mut buffer)).is_pending());
}

proptest! {
    #[test]
    fn with_flow_control_every_byte_comes_once_and_in_order(
        turns in prop::collection::vec((0_usize..40, 0_usize..20), 0..60),
    ) {
        let mut world = World::new();
        let mut to_come: VecDeque<u8> = (0..=255).cycle().take(turns.iter().map(|turn| turn.0).sum()).collect();
        let sent: Vec<u8> = to_come.iter().copied().collect();
        let mut read = Vec::new();
        let mut waiting = 0;
        let mut arrive = |world: &mut World| {
            while !world.is_full() && let Some(byte) = to_come.pop_front() {
                world.arrive(byte);
                waiting += 1;
            }
            waiting
        };
        for (_, most) in turns {
            if arrive(&mut world) > read.len() && most > 0 {
                read.extend(world.read(most));
            }
        }
        while arrive(&mut world) > read.len() {
            read.extend(world.read(ROOM));
        }
        prop_assert_eq!(read, sent);
        prop_assert_eq!(world.uart.split().0.overruns(), 0);
    }
}
