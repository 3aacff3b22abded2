//! What the driver shares with the interrupt handler.

use core::cell::RefCell;
use core::fmt;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::WakerRegistration;
use heapless::Deque;

use crate::registers::{control, status};
use crate::{Bus, Register};

/// What the driver shares with the interrupt handler, with room for `ROOM` received bytes; one for
/// each UART, in a `static`.
pub struct State<const ROOM: usize> {
    shared: Mutex<CriticalSectionRawMutex, RefCell<Shared<ROOM>>>,
}

struct Shared<const ROOM: usize> {
    received: Deque<u8, ROOM>,
    /// Bytes that were ever received, from 0 again after 2³².
    arrived: u32,
    overruns: u32,
    /// A byte is left in the UART, as there was no room for it.
    is_held: bool,
    reader: WakerRegistration,
    writer: WakerRegistration,
}

impl<const ROOM: usize> State<ROOM> {
    /// For a UART that is not set up yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shared: Mutex::new(RefCell::new(Shared {
                received: Deque::new(),
                arrived: 0,
                overruns: 0,
                is_held: false,
                reader: WakerRegistration::new(),
                writer: WakerRegistration::new(),
            })),
        }
    }

    /// To be called by the handler of the receive and of the transmit interrupt, with access to the
    /// same registers.
    pub fn on_interrupt(&self, bus: &mut impl Bus) {
        self.with(|shared| {
            // First, so that what comes from here on raises it again.
            let raised = bus.read(Register::Interrupts);
            bus.write(Register::Interrupts, raised);
            shared.receive(bus);
            if bus.read(Register::State) & status::TRANSMITTER_FULL == 0 {
                disable(bus, control::TRANSMIT_INTERRUPT);
                shared.writer.wake();
            }
        });
    }

    /// Sets the UART up; bytes that it held before are dropped.
    pub(crate) fn start(&self, bus: &mut impl Bus, divider: u32) {
        self.with(|shared| {
            shared.received.clear();
            shared.is_held = false;
            bus.write(Register::Control, 0);
            bus.write(Register::Divider, divider);
            bus.read(Register::Data);
            bus.write(Register::State, status::RECEIVER_OVERRUN);
            bus.write(Register::Interrupts, u32::MAX);
            let both = control::TRANSMITTER | control::RECEIVER;
            bus.write(Register::Control, both | control::RECEIVE_INTERRUPT);
        });
    }

    /// Takes what has come, as far as it fits.
    pub(crate) fn take(&self, bus: &mut impl Bus, buffer: &mut [u8]) -> usize {
        self.with(|shared| {
            let mut length = 0;
            while length < buffer.len() {
                let Some(byte) = shared.received.pop_front() else {
                    break;
                };
                buffer[length] = byte;
                length += 1;
                if shared.is_held {
                    // There is room for it now.
                    shared.receive(bus);
                }
            }
            length
        })
    }

    /// Ready with the number of bytes that have come and were not taken, if `is_enough` finds so.
    pub(crate) fn poll_waiting(
        &self,
        context: &mut Context<'_>,
        is_enough: impl Fn(Waiting) -> bool,
    ) -> Poll<Waiting> {
        self.with(|shared| {
            let waiting = shared.waiting();
            if is_enough(waiting) {
                return Poll::Ready(waiting);
            }
            shared.reader.register(context.waker());
            Poll::Pending
        })
    }

    pub(crate) fn overruns(&self) -> u32 {
        self.with(|shared| shared.overruns)
    }

    /// Sends what the UART takes at once; ready with its length if that is anything.
    pub(crate) fn poll_send(
        &self,
        bus: &mut impl Bus,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<usize> {
        self.with(|shared| {
            let is_full =
                |bus: &mut _| Bus::read(bus, Register::State) & status::TRANSMITTER_FULL != 0;
            let mut sent = 0;
            while sent < bytes.len() && !is_full(bus) {
                bus.write(Register::Data, bytes[sent].into());
                sent += 1;
            }
            if sent > 0 {
                return Poll::Ready(sent);
            }
            shared.writer.register(context.waker());
            enable(bus, control::TRANSMIT_INTERRUPT);
            if is_full(bus) {
                return Poll::Pending;
            }
            // It got empty before the interrupt was enabled, and raises none.
            shared.writer.wake();
            Poll::Pending
        })
    }

    /// Ready when the UART has taken the last byte from its buffer.
    pub(crate) fn poll_empty(&self, bus: &mut impl Bus, context: &mut Context<'_>) -> Poll<()> {
        self.with(|shared| {
            shared.writer.register(context.waker());
            enable(bus, control::TRANSMIT_INTERRUPT);
            if bus.read(Register::State) & status::TRANSMITTER_FULL != 0 {
                return Poll::Pending;
            }
            disable(bus, control::TRANSMIT_INTERRUPT);
            Poll::Ready(())
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared<ROOM>) -> T) -> T {
        self.shared.lock(|shared| work(&mut shared.borrow_mut()))
    }
}

/// What has come and was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Bytes.
    pub length: usize,
    /// Bytes that were ever received, from 0 again after 2³².
    pub arrived: u32,
    /// No more fits.
    pub is_full: bool,
}

impl<const ROOM: usize> Shared<ROOM> {
    /// Takes bytes from the UART while there is room.
    fn receive(&mut self, bus: &mut impl Bus) {
        loop {
            let state = bus.read(Register::State);
            if state & status::RECEIVER_OVERRUN != 0 {
                bus.write(Register::State, status::RECEIVER_OVERRUN);
                self.overruns = self.overruns.saturating_add(1);
            }
            if state & status::RECEIVER_FULL == 0 {
                break;
            }
            if self.received.is_full() {
                if !self.is_held {
                    self.is_held = true;
                    disable(bus, control::RECEIVE_INTERRUPT);
                }
                break;
            }
            if self.is_held {
                self.is_held = false;
                enable(bus, control::RECEIVE_INTERRUPT);
            }
            // The upper bits are reserved. There is room, as was seen above.
            let _ = self.received.push_back(bus.read(Register::Data) as u8);
            self.arrived = self.arrived.wrapping_add(1);
        }
        self.reader.wake();
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            length: self.received.len(),
            arrived: self.arrived,
            is_full: self.received.is_full(),
        }
    }
}

fn enable(bus: &mut impl Bus, bit: u32) {
    let enabled = bus.read(Register::Control);
    bus.write(Register::Control, enabled | bit);
}

fn disable(bus: &mut impl Bus, bit: u32) {
    let enabled = bus.read(Register::Control);
    bus.write(Register::Control, enabled & !bit);
}

impl<const ROOM: usize> Default for State<ROOM> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ROOM: usize> fmt::Debug for State<ROOM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
