//! What a board behind a probe is made of.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::RestartCause;

/// A board behind a debug probe.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// The device's name in the scenario.
    pub device: String,
    /// Which probe: `VID:PID`, `VID:PID:SERIAL`, or `1d50:6018:HOST:PORT`. Empty: the only one.
    pub selector: String,
    /// The chip, by the name that probe-rs or the target description gives it.
    pub chip: String,
    /// A family of chips in probe-rs's YAML; without it, those that probe-rs has built in.
    pub target_description: Option<String>,
    /// The ELF file that is to run.
    pub image: PathBuf,
    /// How it logs.
    pub log: LogFormat,
    /// How long anything may take.
    pub limits: Limits,
    /// How the probe takes hold of the chip.
    pub attach: Attach,
    /// Speed of the wire in kHz; without it, the probe's own.
    pub speed_khz: Option<u32>,
    /// Addresses of the factory data; without them, `__factory_start` to `__factory_end` of the
    /// image.
    pub factory: Option<Range<u64>>,
    /// Addresses of storage; without them, `__storage_start` to `__storage_end` of the image.
    pub storage: Option<Range<u64>>,
    /// The cause of a reset of the core that no panic explains: [`RestartCause::Unknown`], since a
    /// Cortex-M does not tell, unless the chip's only other cause is its firmware.
    pub unexplained_reset: RestartCause,
}

/// How a firmware logs over RTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Frames of defmt on the channel `defmt`, or on the first one.
    #[default]
    Defmt,
    /// Lines of text on every channel.
    Text,
}

/// How the probe takes hold of the chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// While it runs.
    #[default]
    Normal,
    /// While its reset is held: for firmware that takes the pins of the debug port for itself.
    UnderReset,
}

/// How long anything may take, in the host's time. A probe that takes longer is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To open the probe and attach to the chip.
    pub attach: Duration,
    /// To erase, write and verify.
    pub flash: Duration,
    /// To reset, halt, run, or read and write little.
    pub command: Duration,
    /// From reset to `main`.
    pub boot: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attach: Duration::from_secs(10),
            flash: Duration::from_secs(180),
            command: Duration::from_secs(5),
            boot: Duration::from_secs(3),
        }
    }
}
