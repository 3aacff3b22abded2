//! Events of boards.

use serde::{Deserialize, Serialize};

use crate::{Payload, Source};

/// Whether a board has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// The firmware runs.
    On,
    /// It does not.
    Off,
}

/// A board was switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerChanged {
    /// To what.
    pub power: Power,
    /// By whom and how, such as `reset` or `cut in a write`.
    pub how: String,
}

impl Payload for PowerChanged {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "power";
}

/// The image is on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFlashed {
    /// The file, or several with commas between them.
    pub image: String,
    /// True if it was there already.
    pub skipped: bool,
    /// Bytes of it.
    pub bytes: u64,
    /// ms of the host's time that it took.
    pub took_ms: u64,
}

impl Payload for ImageFlashed {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "image_flashed";
}

/// The firmware ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// How: exit code or signal.
    pub how: String,
    /// What a panic said, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
}

impl Payload for Exited {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "exited";
}

/// The device started anew without being asked: no step switched or reset it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// Why, as far as the board can tell.
    pub cause: RestartCause,
    /// What told it: the line of a ROM banner, of a panic, or the way in which the board saw it.
    pub said: String,
}

impl Payload for Restarted {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "restarted";
}

/// Why a device started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartCause {
    /// The power came back.
    PowerOn,
    /// The reset pin.
    External,
    /// The firmware asked for it.
    Software,
    /// A panic, an abort or an exception of the firmware.
    Panic,
    /// A watchdog bit.
    Watchdog,
    /// The supply voltage was too low.
    Brownout,
    /// The chip woke from deep sleep.
    DeepSleep,
    /// Nothing tells.
    Unknown,
}

/// The device sent something that no device should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garbage {
    /// On which link.
    pub link: String,
    /// What is wrong with it.
    pub problem: String,
    /// Its first bytes in hex.
    pub bytes: String,
}

impl Payload for Garbage {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "garbage";
}
