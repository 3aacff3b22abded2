//! Events of boards.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Board:
    Switching => "switching",
    PowerChanged => "power",
    ImageFlashed => "image_flashed",
    Exited => "exited",
    Restarted => "restarted",
    Garbage => "garbage",
    Crash => "crash",
    UnreadLines => "unread_lines",
    FirmwareBooted => "firmware_booted",
    Spinning => "spinning",
    Resources => "resources",
}

/// Whether a board has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// The firmware runs.
    On,
    /// It does not.
    Off,
}

/// A board was switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PowerChanged {
    /// To what.
    pub power: Power,
    /// By whom and how, such as `reset` or `cut in a write`.
    pub how: String,
}

/// A board is about to be switched off or reset. What is lost from here on goes with its power, which is told when
/// it is gone: a hub takes a second or two, and a scaled clock makes more of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switching {
    /// What is done to it, `power off` or `reset`.
    pub how: String,
}

/// The image is on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The firmware ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exited {
    /// How: exit code or signal.
    pub how: String,
    /// What a panic said, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
}

/// The device started anew without being asked: no step switched or reset it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    /// Why, as far as the board can tell.
    pub cause: RestartCause,
    /// What told it: the line of a ROM banner, of a panic, or the way in which the board saw it.
    pub said: String,
}

/// Why a device started anew.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
    /// A glitch of the supply or of the clock.
    Glitch,
    /// The processor locked up: an exception while it handled another.
    Lockup,
    /// The chip woke from deep sleep.
    DeepSleep,
    /// Nothing tells.
    Unknown,
}

/// The device sent something that no device should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Garbage {
    /// On which link.
    pub link: String,
    /// What is wrong with it.
    pub problem: String,
    /// Its first bytes in hex.
    pub bytes: String,
}

/// Lines of the log that were in no known form since the device was started, or in one without levels,
/// so that nothing tells their level. They stand in the trace as `info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadLines {
    /// Number of lines in no known form.
    pub unknown: u64,
    /// Of so many lines.
    pub of: u64,
}

/// Which firmware runs, as its boot log tells: the lines of ESP-IDF's `app_init` or `cpu_start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirmwareBooted {
    /// The first digits of the SHA-256 of its ELF, in hex.
    pub elf_sha256: String,
    /// Its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it is the one of the image that was flashed; none if no image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_the_image: Option<bool>,
}

/// A virtual device has computed for long without becoming idle, as no firmware does whose tasks wait
/// for each other; or it has become idle after that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spinning {
    /// False once it has become idle.
    pub spins: bool,
    /// For how long it had computed by then, in ms of lab time.
    pub for_ms: u64,
    /// Whether it had not been idle since it was started.
    pub since_start: bool,
}

/// What the firmware holds of the board at this moment, as the host sees it; told each ten seconds or less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Memory of its own, in KiB.
    pub memory_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets.
    pub files: u64,
    /// Whether storage was written since it was told last, or since the start.
    #[serde(default)]
    pub storage_written: bool,
}

/// What the processor was doing when the firmware ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    /// What happened, such as `hard fault: an instruction that does not exist`.
    pub what: String,
    /// The registers that tell of it, in hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<String, String>,
    /// Who called whom, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<Frame>,
}

/// One function of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// Its name, or its address if the image does not name it.
    pub function: String,
    /// The file, if the image says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
