//! A debug probe that is a server: the remote protocol of the Black Magic Probe, version 4, in front
//! of a core that may be emulated.
//!
//! An unmodified debugger (probe-rs, driver `blackmagic`) opens it by its selector and finds what it
//! would find behind a real probe. The layers are those of the hardware, each in its own module:
//!
//! | module | what it stands for |
//! | --- | --- |
//! | [`server`](Server) | the probe's USB link; here TCP on loopback, one debugger at a time |
//! | [`bmp`] | the commands on that link |
//! | [`swd`] | the two-wire port of the target, bit by bit |
//! | [`dap`] | debug port and one memory access port (ADIv5.2) |
//! | [`cortexm`] | the debug registers of an ARMv7-M core, its breakpoint unit and its reset |
//! | [`Backend`] | the core itself: `qemu`, or [`fake`] |

pub mod bmp;
pub mod cortexm;
pub mod dap;
pub mod fake;
pub mod swd;

mod backend;
mod execute;
mod fault;
mod server;

pub use backend::{Backend, BackendError, Register, Stop, Supply};
pub use dap::Dap;
pub use fault::{Faults, ProbeFault};
pub use server::{Server, SharedTarget};
