//! The board under test, as the harness sees it.
//!
//! A board's log goes into the trace that it was made with, as [`trace::LogLine`] of the device that
//! it carries; everything else is done through [`Board`].

pub mod command;
#[cfg(feature = "probe")]
pub mod defmt;
mod error;
pub mod fake;
pub mod lease;
pub mod power;
pub mod process;
pub mod rig;
#[cfg(feature = "serial")]
pub mod serial;

#[cfg(feature = "probe")]
pub mod on_target;
#[cfg(feature = "probe")]
pub mod probe;

use futures_util::future::BoxFuture;

pub use error::BoardError;
pub use trace::{Exited, Garbage, ImageFlashed, Power, PowerChanged, RestartCause, Restarted};

/// What runs the firmware. Every call is bounded in time.
pub trait Board: Send {
    /// The device's name in the scenario.
    fn device(&self) -> &str;

    /// What this board can do.
    fn abilities(&self) -> Abilities;

    /// Writes factory data; it counts from the next power-on.
    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>>;

    /// Starts the firmware. Storage is as it was left.
    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Takes the power away at once, in the middle of whatever the firmware does.
    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Takes the power away in the middle of a write to storage: `after` whole bytes of what is
    /// written from now on are kept, then the board is dark.
    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Starts the firmware anew without taking the power away.
    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// All of storage, erased bytes as 0xFF. The board must be off.
    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>>;

    /// Erases all of storage, not the factory data. The board must be off.
    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;
}

/// What a board can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Its power can be switched.
    pub power: bool,
    /// Its power can be cut in the middle of a write.
    pub torn_write: bool,
    /// Its storage can be read and erased.
    pub storage: bool,
    /// Lab time can run ahead.
    pub scaled_time: bool,
    /// Bugs can be put into its firmware.
    pub bugs: bool,
}
