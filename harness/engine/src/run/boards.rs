//! The boards that a run can use, and what each can do.

use std::path::{Path, PathBuf};

use board::Abilities;
use board::rig::{Ability, BoardLink, Rig, RigBoard};
use language;
use serde::{Deserialize, Serialize};

use super::around::{self, InRig};

/// So much faster than the host's an emulated board's time runs. The emulated core is some ten times
/// slower than the real one would be on this scale, and still quick enough for every protocol.
const QEMU_TIME_FACTOR: u16 = 10;

/// However busy the host is, it goes no slower: cases that wait have to come to an end.
const QEMU_LEAST_FACTOR: u16 = 3;

/// How fast the board called `name` should be run now, if `wanted` is the most: an emulated board's
/// time does not wait for a host that has other things to do.
pub(super) fn speed(name: &str, wanted: f64) -> f64 {
    match BoardModel::named(name) {
        Some(model) if model.kind == BoardKind::Qemu => {
            let most = f64::from(QEMU_TIME_FACTOR) * share();
            wanted.min(most.max(f64::from(QEMU_LEAST_FACTOR)))
        }
        _ => wanted,
    }
}

/// So many times longer an attempt on this board may take at `speed` than it usually may.
pub(super) fn patience(name: &str, speed: f64) -> f64 {
    match BoardModel::named(name) {
        Some(model) if model.kind == BoardKind::Qemu => {
            (f64::from(QEMU_TIME_FACTOR) / speed.max(1.0)).max(1.0)
        }
        _ => 1.0,
    }
}

/// The part of its time that a program which always wants a core gets now.
fn share() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|load| load.split(' ').next()?.parse::<f64>().ok());
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    cores / load.unwrap_or_default().max(cores)
}

/// A board in its rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardModel {
    /// What `--board` and reports call it.
    pub name: String,
    /// What runs the firmware.
    pub kind: BoardKind,
    /// What the board itself can do.
    pub abilities: Abilities,
    /// What it is flashed with, if the run does that.
    pub image: Option<PathBuf>,
    /// What has the firmware's files already, so that the user cannot name others: the words for it
    /// in a sentence.
    pub own_firmware: Option<&'static str>,
    /// What stands around a real board; a virtual one has the lab.
    pub rig: Option<InRig>,
    /// What this host has not got and the board cannot run without, in a sentence. Every case is
    /// skipped with it.
    pub missing: Option<String>,
}

/// A debug probe that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenProbe {
    /// The probe's cable is unplugged.
    LinkDropped,
    /// The target answers every transfer with WAIT.
    WaitForever,
    /// The probe takes commands and answers none.
    Hung,
    /// Another chip is attached.
    WrongIdcode,
    /// The core stays locked up after every reset.
    LockedUp,
    /// The target loses its power in the middle of flashing.
    PowerLostInFlash,
}

impl BrokenProbe {
    /// Each: its name, and what it means in a few words.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (
            Self::LinkDropped,
            "link-dropped",
            "The probe's cable is unplugged",
        ),
        (
            Self::WaitForever,
            "wait-forever",
            "The target answers every transfer with WAIT",
        ),
        (
            Self::Hung,
            "hung",
            "The probe takes commands and answers none",
        ),
        (
            Self::WrongIdcode,
            "wrong-idcode",
            "Another chip is attached",
        ),
        (
            Self::LockedUp,
            "locked-up",
            "The core stays locked up after every reset",
        ),
        (
            Self::PowerLostInFlash,
            "power-lost-in-flash",
            "The target loses its power in the middle of flashing",
        ),
    ];
}

/// What runs the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKind {
    /// A host process.
    Native,
    /// An emulated Cortex-M behind a debug probe.
    Qemu,
    /// A board of the rig file.
    Rig,
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
                short_records: false,
            },
            image: None,
            own_firmware: Some("it is a program of this host"),
            rig: None,
            missing: None,
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
                short_records: true,
                ..Self::native().abilities
            },
            own_firmware: None,
            ..Self::native()
        }
    }

    /// `board`, which stands in the rig file `file`.
    pub fn real(board: &RigBoard, rig: &Rig, file: &Path) -> Self {
        let can = |ability| board.can.contains(&ability);
        let is_probe = matches!(board.link, BoardLink::Probe(_));
        Self {
            name: board.name.clone(),
            kind: BoardKind::Rig,
            abilities: Abilities {
                power: can(Ability::Power),
                torn_write: is_probe && can(Ability::TornWrite),
                storage: can(Ability::Storage),
                scaled_time: false,
                bugs: false,
                // Images of the reference device have MbedTLS; what a serial port or a program has, nobody knows.
                short_records: is_probe,
            },
            image: match &board.link {
                BoardLink::Probe(probe) => probe.image.clone(),
                BoardLink::Serial(_) | BoardLink::Process(_) => None,
            },
            own_firmware: match &board.link {
                BoardLink::Probe(probe) => probe
                    .image
                    .as_ref()
                    .map(|_| "`image` in the rig file names it"),
                BoardLink::Serial(serial) => Some(match &serial.flash {
                    Some(_) => "`flash.images` in the rig file names it",
                    None => "it has no `flash` in the rig file",
                }),
                BoardLink::Process(_) => Some("`command` in the rig file names it"),
            },
            rig: Some(InRig::of(board, rig, file)),
            missing: None,
        }
    }

    /// Whether only one attempt at a time can have it.
    pub fn is_single(&self) -> bool {
        self.kind == BoardKind::Rig
    }

    /// Whether its storage holds what an earlier attempt left there, unless it is erased.
    pub fn remembers(&self) -> bool {
        self.kind == BoardKind::Rig && self.abilities.storage
    }

    /// The board that `name` calls.
    pub fn named(name: &str) -> Option<Self> {
        [Self::native(), Self::qemu()]
            .into_iter()
            .find(|model| model.name == name)
    }

    /// How many times faster than the host's its time runs while a task is busy; `speed` is the most
    /// that is wanted.
    pub fn time_factor(&self, speed: f64) -> u16 {
        match self.kind {
            BoardKind::Native | BoardKind::Rig => 1,
            // The bounds make this exact.
            BoardKind::Qemu => speed.clamp(1.0, f64::from(QEMU_TIME_FACTOR)) as u16,
        }
    }

    /// What is missing for `case` to run here, such as `isolate` or `log component app`.
    pub fn missing_for(&self, case: &language::Case) -> Vec<String> {
        match &self.missing {
            Some(missing) => vec![missing.clone()],
            None => around::lacks(self.abilities, self.rig.as_ref(), case),
        }
    }

    /// Why `case` cannot run here, such as `needs isolate, torn-write`.
    pub(super) fn lacks(&self, case: &language::Case) -> Option<String> {
        if self.missing.is_some() {
            return self.missing.clone();
        }
        let missing = self.missing_for(case);
        (!missing.is_empty()).then(|| format!("needs {}", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_board_gets_more_time() {
        assert_eq!(patience("native", 0.5), 1.0);
        assert_eq!(patience("qemu", 1000.0), 1.0);
        assert_eq!(patience("qemu", 10.0), 1.0);
        assert_eq!(patience("qemu", 4.0), 2.5);
        assert_eq!(patience("qemu", 0.1), 10.0);
    }
}
