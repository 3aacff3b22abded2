//! The faults that are on.

use std::collections::BTreeMap;

/// Faults that are over as soon as they have happened: nothing mends them.
const MOMENTARY: [&str; 2] = ["session_ended", "stations_lost"];

/// Faults of one access point, of which there can be several.
const OF_ONE_PLACE: [&str; 3] = ["access_point_off", "internet_off", "isolation"];

/// Names of the faults that are on, as the engine tells them, and at how many places.
#[derive(Default)]
pub struct Faults(BTreeMap<String, usize>);

impl Faults {
    /// A fault begins or ends.
    pub fn note(&mut self, name: &str, on: bool) {
        match on {
            true if is_momentary(name) => {}
            true => {
                let places = self.0.entry(name.to_owned()).or_default();
                *places = match OF_ONE_PLACE.contains(&name) {
                    true => *places + 1,
                    false => 1,
                };
            }
            false => {
                if let Some(places) = self.0.get_mut(name) {
                    *places -= 1;
                    if *places == 0 {
                        self.0.remove(name);
                    }
                }
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
