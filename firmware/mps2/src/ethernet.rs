//! The Ethernet controller, which carries the virtual radio.

use embedded::radio;
use lan9118::{Config, InitError, Lan9118, Mmio, State};

use crate::interrupts;

/// Application note AN386, table 4-1.
const BASE: usize = 0x4020_0000;

static STATE: State = State::new();

/// What the radio's frames go through.
pub type Wire = Lan9118<Mmio>;
/// The radio of this board.
pub type Radio = radio::Radio<Wire>;

/// The radio of the station address `mac`.
pub fn radio(mac: [u8; 6]) -> Result<Radio, InitError> {
    Ok(radio::radio(wire(mac)?, mac))
}

/// The controller with the address `mac`.
pub fn wire(mac: [u8; 6]) -> Result<Wire, InitError> {
    let config = Config {
        mac,
        // Both interfaces of the radio have an address of their own.
        promiscuous: true,
    };
    let wire = Lan9118::new(registers(), &STATE, config)?;
    interrupts::unmask(interrupts::ETHERNET);
    Ok(wire)
}

/// The handler of its interrupt.
pub(crate) extern "C" fn on_interrupt() {
    STATE.on_interrupt(&mut registers());
}

fn registers() -> Mmio {
    // SAFETY: the machine has the chip there. `wire` makes the only driver, as a second one would
    // take the first one's frames; the handler uses them for `on_interrupt` alone.
    unsafe { Mmio::new(BASE) }
}
