//! The time that a device says it was told.

use trace::{Event, Source};

use crate::read::{number, text};
use crate::{Found, Moment, Watch};

/// What a device may round, and the way takes.
const APART_S: u64 = 2;

/// The time that was told last. The time server sees no names; with several devices nothing is claimed.
#[derive(Default)]
pub struct Times {
    told: Option<(u64, u64)>,
    devices: Vec<String>,
}

impl Watch for Times {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match event.source {
            Source::Board => {
                let name = event.device.clone().unwrap_or_default();
                if !self.devices.contains(&name) {
                    self.devices.push(name);
                }
            }
            Source::Sntp => {
                let is_time =
                    text(event, "/kiss_of_death").is_none() && text(event, "/unusable").is_none();
                if let Some(unix_s) = number(event, "/unix_s").filter(|_| is_time) {
                    self.told = Some((unix_s, event.seq));
                }
            }
            _ => self.line(event, found),
        }
    }
}

impl Times {
    fn line(&self, event: &Event, found: &mut Found) {
        let Some(line) = event.line() else { return };
        let said = line.text.strip_prefix("Time is set: ");
        let Some(said) = said.and_then(|said| said.parse::<u64>().ok()) else {
            return;
        };
        if self.devices.len() > 1 {
            return;
        }
        match self.told {
            Some((told, seq)) => found.check(
                told.abs_diff(said) <= APART_S,
                || format!("says {said}; it was told {told}"),
                [seq, event.seq],
            ),
            None => found.broken(format!("says {said}; it was told no time"), [event.seq]),
        }
    }
}
