//! The delay after which a device says that it connects again.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::facts::CloudFacts;
use crate::read::{MQTT_CONNECTED, device, is_boot, text};
use crate::{Found, Moment, Watch};

/// What a device may round, and the way takes.
const APART: Duration = Duration::from_secs(3);

/// What each device has said of its delays.
pub struct Delays {
    host: String,
    first: Duration,
    longest: Duration,
    backs_off: bool,
    /// Whether nothing but a failure ends its attempts: the client of a cloud's SDK may be destroyed.
    goes_on: bool,
    said: BTreeMap<String, Said>,
}

#[derive(Default)]
struct Said {
    /// The last delay of this row of failures.
    last: Option<Duration>,
    /// Whether a session may have stood since.
    is_over: bool,
    /// The delay that runs: since when, and by which line.
    runs: Option<(Duration, LabTime, u64)>,
}

impl Delays {
    /// None for a device that knows its broker by an address.
    pub fn new(cloud: &CloudFacts) -> Option<Self> {
        Some(Self {
            host: cloud.server_name.clone()?,
            first: cloud.reconnect,
            longest: cloud.reconnect_max.max(cloud.reconnect),
            backs_off: cloud.backs_off,
            goes_on: cloud.client_id.is_some(),
            said: BTreeMap::new(),
        })
    }

    fn line(&mut self, event: &Event, found: &mut Found) {
        let Some(line) = event.line() else { return };
        if line.text == MQTT_CONNECTED {
            self.said.remove(device(event));
            return;
        }
        let delay = line.text.strip_prefix("Reconnect after ");
        let delay = delay.and_then(|delay| delay.strip_suffix(" ms")?.parse().ok());
        let Some(delay) = delay.map(Duration::from_millis) else {
            return;
        };
        let said = self.said.entry(device(event).to_owned()).or_default();
        let grown = match said.last.filter(|_| self.backs_off) {
            Some(last) => (last * 2).min(self.longest),
            None => self.first,
        };
        let is_one = |wanted: Duration| delay.abs_diff(wanted) <= wanted / 4;
        found.check(
            is_one(grown) || said.is_over && is_one(self.first),
            || format!("says {delay:.1?}; it is {grown:.1?} by what it was told"),
            [event.seq],
        );
        said.last = Some(delay);
        said.is_over = false;
        said.runs = Some((delay, event.at(), event.seq));
    }
}

impl Watch for Delays {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Log {
            self.line(event, found);
            return;
        }
        let name = device(event);
        if is_boot(event) || event.kind == "disconnect" {
            self.said.remove(name);
            return;
        }
        let Some(said) = self.said.get_mut(name) else {
            return;
        };
        match &*event.kind {
            "session_opened" => {
                said.runs = None;
                // It may never hear of it.
                said.is_over = true;
            }
            "left" => said.runs = None,
            _ => {
                let host = text(event, "/host").or_else(|| text(event, "/name"));
                let is_refused = text(event, "/how").is_none_or(|how| how == "refused");
                if host != Some(&self.host) || !is_refused {
                    return;
                }
                if let Some((delay, at, seq)) = said.runs.take() {
                    let waited = event.at() - at;
                    found.check(
                        waited + APART / 30 >= delay * 9 / 10,
                        || format!("says {delay:.1?}, and came again after {waited:.1?}"),
                        [seq, event.seq],
                    );
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let runs = self.said.values().filter_map(|said| said.runs);
        runs.map(|(delay, at, _)| at + delay * 11 / 10 + APART)
            .min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        for said in self.said.values_mut() {
            let Some((delay, at, seq)) = said.runs else {
                continue;
            };
            if at + delay * 11 / 10 + APART < now {
                said.runs = None;
                if self.goes_on && moment.calm_from(at) {
                    found.broken(format!("says {delay:.1?}, and has not come again"), [seq]);
                }
            }
        }
    }
}
