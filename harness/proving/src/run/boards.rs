//! The boards that a run can use, and what each can do.

use std::collections::BTreeSet;

use board::Abilities;
use serde::{Deserialize, Serialize};

use crate::language::Need;

/// So much faster than the host's an emulated board's time runs. The emulated core is some ten times
/// slower than the real one would be on this scale, and still quick enough for every protocol.
const QEMU_TIME_FACTOR: u16 = 10;

/// A board in its rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardModel {
    /// What `--board` and reports call it.
    pub name: String,
    /// What runs the firmware.
    pub kind: BoardKind,
    /// What the board itself can do.
    pub abilities: Abilities,
    /// Whether its access points are the lab's own, so that they can be switched and set.
    pub own_access_points: bool,
    /// Whether it has a UART for the console scheme, at whose other end the lab is.
    pub console: bool,
    /// Whether it has a Bluetooth radio, and its phones have one too.
    pub bluetooth: bool,
}

/// A debug probe that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenProbe {
    /// Its cable is out.
    LinkDropped,
    /// The target answers WAIT, for ever.
    WaitForever,
    /// It takes commands and answers none.
    Hung,
    /// Another chip is attached.
    WrongIdcode,
    /// The core is locked up, whatever is done.
    LockedUp,
    /// The target loses its power in the middle of flashing.
    PowerLostInFlash,
}

/// What runs the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKind {
    /// A host process.
    Native,
    /// An emulated Cortex-M behind a debug probe.
    Qemu,
}

impl BoardModel {
    /// The reference device as a host process, in an air of the lab's.
    pub fn native() -> Self {
        Self {
            name: "native".into(),
            kind: BoardKind::Native,
            abilities: Abilities {
                power: true,
                torn_write: true,
                storage: true,
                scaled_time: true,
                bugs: true,
            },
            own_access_points: true,
            console: true,
            bluetooth: cfg!(feature = "ble"),
        }
    }

    /// The reference device's image on an emulated board, in an air of the lab's.
    pub fn qemu() -> Self {
        Self {
            name: "qemu".into(),
            kind: BoardKind::Qemu,
            abilities: Abilities {
                scaled_time: false,
                bugs: false,
                ..Self::native().abilities
            },
            ..Self::native()
        }
    }

    /// The board that `name` calls.
    pub fn named(name: &str) -> Option<Self> {
        [Self::native(), Self::qemu()]
            .into_iter()
            .find(|model| model.name == name)
    }

    /// How many times faster than the host's its time runs while somebody works; `speed` is the most
    /// that is wanted.
    pub fn time_factor(&self, speed: f64) -> u16 {
        match self.kind {
            BoardKind::Native => 1,
            // The bounds make this exact.
            BoardKind::Qemu => speed.clamp(1.0, f64::from(QEMU_TIME_FACTOR)) as u16,
        }
    }

    /// Why a case that needs `needs` cannot run here, such as `needs isolate, torn-write`.
    pub(super) fn lacks(&self, needs: &BTreeSet<Need>) -> Option<String> {
        let missing: Vec<String> = needs
            .iter()
            .filter(|need| !self.meets(**need))
            .map(ToString::to_string)
            .collect();
        (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
    }

    fn meets(&self, need: Need) -> bool {
        match need {
            Need::Power => self.abilities.power,
            Need::TornWrite => self.abilities.torn_write,
            Need::Storage => self.abilities.storage,
            Need::Isolate | Need::SwitchAccessPoint | Need::OwnRadio => self.own_access_points,
            Need::Console => self.console,
            Need::Bluetooth => self.bluetooth,
        }
    }
}
