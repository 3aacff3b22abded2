//! The board under test, as the harness sees it.
//!
//! A board's log goes into the trace that it was made with, as [`trace::LogLine`] of the device that
//! it carries; everything else is done through [`Board`].

pub mod command;
pub mod conformance;
pub mod defmt;
mod error;
pub mod fake;
mod identity;
pub mod lease;
mod names;
pub mod power;
pub mod process;
pub mod rig;
pub mod serial;
pub mod state;

pub mod on_target;
pub mod probe;

use futures_util::future::BoxFuture;

pub use error::BoardError;
pub use identity::SYSTEM_BUS;
pub use trace::{Exited, Garbage, ImageFlashed, Power, PowerChanged, RestartCause, Restarted};

/// What runs the firmware.
///
/// What follows is owed by every implementer; [`conformance`] checks it on all of them.
///
/// # State
/// A board is *off* or *on*. It is off when it is made, after [`power_off`](Self::power_off), and
/// after a cut that [`cut_power_in_write`](Self::cut_power_in_write) had asked for. It is on after
/// [`power_on`](Self::power_on), and stays so when its firmware ends by itself ([`Exited`]): a board
/// whose firmware has crashed has power. Off means what the board can do: without power, held in
/// reset, or, where the rig gives no control over it, not listened to.
///
/// A call that does not fit the state is refused with [`BoardError::State`], one that this board
/// can do in no state with [`BoardError::Unable`], or an error of its probe that names what its
/// image lacks; that goes first. Both leave the board as it was
/// and append nothing to the trace.
///
/// # Events
/// They carry the name that [`device`](Self::device) gives, in this order:
///
/// - [`ImageFlashed`], if the board has an image of its own, once, before the first start.
/// - [`PowerChanged`] with [`Power::On`] once for each start that was asked for, by `power_on` or
///   `reset`: after the last line of the firmware before, before the first of the new one. If the
///   call fails before its start is attempted, there is none.
/// - [`PowerChanged`] with [`Power::Off`] once for each change from on to off. A board that is off
///   already is not switched and says nothing. After it there is no event of the device until the
///   next start.
/// - [`Exited`] when the firmware has ended by itself, after the lines that it said before, among
///   them that of its panic.
/// - [`Restarted`] once for each start that was not asked for, and no [`PowerChanged`] for it: after
///   what was said before, and after [`Exited`] if it was a panic. Where the first lines of the new
///   start tell of it, it comes after the line that told. The banner of a start that was asked for
///   is no restart.
/// - [`Garbage`] where bytes came that are no log: at the place where the line would stand. It
///   changes no state, unless an [`Exited`] follows it.
/// - [`UnreadLines`](trace::UnreadLines), from boards whose log has several formats, before the
///   `PowerChanged` that ends what it counts.
///
/// # Errors
/// Every other error is the host's or the board's, never the device's: [`BoardError::Io`],
/// [`BoardError::Timeout`], and those of command, probe, port and flasher. What was done by then is
/// unknown. The board is on if [`Power::On`] was told and [`Power::Off`] was not, and `power_off`
/// may be tried at any time, again and again.
///
/// # Time
/// Every call ends within a bound of the board's own: the limits of its probe, of its commands, of
/// the kernel. Dropping a future that a call gave is like an error: the next call finds the board
/// sound, in the state that the trace tells. Dropping a board appends nothing.
pub trait Board: Send {
    /// The device's name in the scenario.
    fn device(&self) -> &str;

    /// What this board can do. The same as long as it lives.
    fn abilities(&self) -> Abilities;

    /// Writes factory data, which replace those of before and count from the next start on. The
    /// board must be off; it may be called again before the start.
    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>>;

    /// Starts the firmware; on return it runs, or is on its way to its first instruction. Storage is
    /// as it was left. The board must be off.
    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Takes the power away at once, in the middle of whatever the firmware does. May be called in
    /// every state; a board that is off stays off, without an event. Ends a cut that was asked for.
    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Takes the power away in the middle of a write to storage: `after` whole bytes of what is
    /// written from now on are kept, then the board is off and says so. Returns at once. The
    /// firmware must run: with one that has ended it is refused as with a board that is off. The
    /// next start or `power_off` calls it off. A later call replaces the number of bytes.
    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Starts the firmware anew without taking the power away, whether it runs or has ended. The
    /// board must be on.
    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// All of storage: its bytes, those that are erased as 0xFF; or, where it is a folder, the files
    /// in it, which are none once it is erased. The board must be off, and stays so; the firmware does
    /// not run meanwhile. May be called again.
    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>>;

    /// Erases all of storage, not the factory data. The board must be off, and stays so. May be
    /// called again.
    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Puts `image` in the place of what [`read_storage`](Self::read_storage) gives, from which it has its
    /// length. The board must be off, and stays so. A board that is not ours cannot.
    fn write_storage<'b>(&'b mut self, _image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        Box::pin(async {
            Err(BoardError::Unable {
                board: "this",
                what: "have its storage written",
            })
        })
    }
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
    /// Its TLS can ask a server for short records (RFC 6066 §4), as rustls cannot.
    pub short_records: bool,
}
