//! The faults that are on.

use std::collections::BTreeSet;

/// Faults that are over as soon as they have happened: nothing mends them.
const MOMENTARY: [&str; 2] = ["session_ended", "stations_lost"];

/// Names of the faults that are on, as the engine tells them.
#[derive(Default)]
pub struct Faults(BTreeSet<String>);

impl Faults {
    /// A fault begins or ends.
    pub fn note(&mut self, name: &str, on: bool) {
        match on {
            true if is_momentary(name) => {}
            true => {
                self.0.insert(name.to_owned());
            }
            false => {
                self.0.remove(name);
            }
        }
    }

    /// Whether none is on.
    pub fn is_calm(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a fault of this name is over as soon as it has happened.
pub fn is_momentary(fault: &str) -> bool {
    MOMENTARY.contains(&fault)
}
