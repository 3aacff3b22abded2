//! The boards that a run can use, and what each can do.

use std::collections::BTreeSet;

use board::Abilities;

use crate::language::Need;

/// A kind of board in its rig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardModel {
    /// What `--board` and reports call it.
    pub name: &'static str,
    /// What the board itself can do.
    pub abilities: Abilities,
    /// Whether its access points are the lab's own, so that they can be switched and set.
    pub own_access_points: bool,
}

impl BoardModel {
    /// The reference device as a host process, in an air of the lab's.
    pub const NATIVE: Self = Self {
        name: "native",
        abilities: Abilities {
            power: true,
            torn_write: true,
            storage: true,
            scaled_time: true,
            bugs: true,
        },
        own_access_points: true,
    };

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
            Need::Isolate | Need::SwitchAccessPoint => self.own_access_points,
        }
    }
}
