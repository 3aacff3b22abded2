//! The UARTs: the console's, and the one that leads to the Bluetooth controller.

use core::convert::Infallible;

use cmsdk_uart::{Mmio, Receiver, State, Transmitter, Uart};
use embassy_time::{Duration, Timer};
use embedded_io_async::{ErrorType, Read, Write};
use virtual_parts::H4;

use crate::{clock, interrupts};

/// Application note AN386, table 4-1.
const UART0: usize = 0x4000_4000;
const UART1: usize = 0x4000_5000;
/// From the processor's clock to the 115 200 baud of a console.
const CONSOLE_DIVIDER: u32 = 25_000_000 / 115_200;
/// To the fastest that the UART can.
const HCI_DIVIDER: u32 = 16;
/// A line of the largest limit, and more than a controller has under way.
const ROOM: usize = 8 * 1024;
/// Silence after which a burst is over, in µs of the oscillator. An emulator hands bytes over one by
/// one, with pauses in between whenever its host has something else to do.
const SILENCE_US: u32 = 2_000;

static CONSOLE: State<ROOM> = State::new();
static HCI: State<ROOM> = State::new();

/// The line to the Bluetooth controller.
pub type Hci = H4<Watched, Transmitter<Mmio, ROOM>>;

/// The console's UART, whose reads return whole bursts.
pub fn console() -> Console {
    let uart = Uart::new(console_registers(), &CONSOLE, CONSOLE_DIVIDER);
    interrupts::UART0.into_iter().for_each(interrupts::unmask);
    let (receiver, transmitter) = uart.split();
    Console {
        receiver: Watched::new("console", receiver),
        transmitter,
    }
}

/// The line to the Bluetooth controller.
pub fn hci() -> Hci {
    let uart = Uart::new(hci_registers(), &HCI, HCI_DIVIDER);
    interrupts::UART1.into_iter().for_each(interrupts::unmask);
    let (receiver, transmitter) = uart.split();
    H4::new(Watched::new("HCI", receiver), transmitter)
}

/// The handler of the first UART's interrupts.
pub(crate) extern "C" fn on_console_interrupt() {
    CONSOLE.on_interrupt(&mut console_registers());
}

/// The handler of the second UART's interrupts.
pub(crate) extern "C" fn on_hci_interrupt() {
    HCI.on_interrupt(&mut hci_registers());
}

fn console_registers() -> Mmio {
    // SAFETY: the machine has the UART there; `console` makes the only driver.
    unsafe { Mmio::new(UART0) }
}

fn hci_registers() -> Mmio {
    // SAFETY: as above, with `hci`.
    unsafe { Mmio::new(UART1) }
}

/// What comes in on a UART; says in the log when bytes were lost.
#[derive(Debug)]
pub struct Watched {
    name: &'static str,
    receiver: Receiver<Mmio, ROOM>,
    overruns: u32,
}

impl Watched {
    fn new(name: &'static str, receiver: Receiver<Mmio, ROOM>) -> Self {
        let overruns = receiver.overruns();
        Self {
            name,
            receiver,
            overruns,
        }
    }

    fn look(&mut self) {
        let overruns = self.receiver.overruns();
        let new = overruns.wrapping_sub(self.overruns);
        if new > 0 {
            self.overruns = overruns;
            log::warn!(target: "uart", "{}: overrun {new} times, bytes are lost", self.name);
        }
    }
}

impl ErrorType for Watched {
    type Error = Infallible;
}

impl Read for Watched {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let length = self.receiver.read(buffer).await?;
        self.look();
        Ok(length)
    }
}

/// The console's UART. Reads are cancel safe.
#[derive(Debug)]
pub struct Console {
    receiver: Watched,
    transmitter: Transmitter<Mmio, ROOM>,
}

impl ErrorType for Console {
    type Error = Infallible;
}

impl Read for Console {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let receiver = &self.receiver.receiver;
        let mut seen = receiver.wait_until(|waiting| waiting.length > 0).await;
        while seen.length < buffer.len() && !seen.is_full {
            Timer::after(silence()).await;
            let now = receiver.wait_until(|_| true).await;
            if now.arrived == seen.arrived {
                break;
            }
            seen = now;
        }
        self.receiver.read(buffer).await
    }
}

impl Write for Console {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.transmitter.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        self.transmitter.flush().await
    }
}

/// What passes of the device's time meanwhile.
fn silence() -> Duration {
    Duration::from_micros(u64::from(SILENCE_US) * u64::from(clock::factor()))
}
