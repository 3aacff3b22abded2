//! A board with a UART: any device that logs there, whatever firmware it runs.
//!
//! Its log becomes [`trace::LogLine`]s. Level, tag and device time come from the formats
//! of the crate `dialect`; what is in no format gets the level `info` and the tag `uart`. Colours are left out, bytes
//! that are no text stand as `\xNN`, and a record of several lines is one [`trace::LogLine`]. A
//! line's place in the trace is its arrival at the host.
//!
//! The board is reset by the UART's control lines, a command or its power, flashed by a command, and
//! given factory data by a command: see [`crate::rig`].

mod board;
mod console;
mod control;
mod dump;
#[cfg(test)]
mod elf;
mod flash;
mod follow;
mod journal;
mod line;
mod parting;
mod port;
mod port_look;
mod pseudo_terminal;
mod reader;
mod record;
mod remember;
mod starts;
mod usb;

pub use crate::error::{FlashError, PortError};
pub use board::SerialBoard;
pub use console::LogConsole;
pub use control::{Channel, ControlLines, Dial};
pub use flash::{Flashed, flash, forget};
pub use follow::Follow;
pub use port::HostPort;
pub use port_look::{PortLook, look_at_port};
pub use pseudo_terminal::pseudo_terminal;
pub use reader::PortEvent;
pub use record::{Record, Records};
pub use usb::{AttachedPort, Usb, attached};
