//! Messages of which a device logs the packet identifier.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use crate::read::{MQTT_DISCONNECTED, device, flag, is_boot, number, text};
use crate::{Found, Moment, Watch};

/// How long a message may take in a session that stands.
const SOON: Duration = Duration::from_secs(10);
/// What stands for the number of a message at QoS 0, which has none.
const UNACKNOWLEDGED: u64 = 0;
/// Messages of one device that are followed.
const MOST: usize = 256;

/// What each device has logged and not published, and the other way round.
#[derive(Default)]
pub struct Sent(BTreeMap<String, Device>);

#[derive(Default)]
struct Device {
    /// Since when there is a session.
    session: Option<LabTime>,
    logged: VecDeque<(u64, LabTime, u64)>,
    /// The line may come behind the message.
    published: VecDeque<u64>,
}

impl Device {
    /// The session ends, and with it what nobody would acknowledge: that may have been lost on its way.
    fn ends(&mut self) {
        self.session = None;
        self.logged.retain(|(id, ..)| *id != UNACKNOWLEDGED);
    }

    /// When the oldest message that was logged has to be published.
    fn due(&self) -> Option<LabTime> {
        let (_, at, _) = self.logged.front()?;
        Some((*at).max(self.session?) + SOON)
    }
}

impl Watch for Sent {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if name.is_empty() {
            return;
        }
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if let Some(line) = event.line() {
            // The broker may not have noticed yet.
            if line.text.starts_with(MQTT_DISCONNECTED) {
                self.0.entry(name.to_owned()).or_default().ends();
                return;
            }
            let id = line.text.strip_prefix("sent publish successful, msg_id=");
            let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) else {
                return;
            };
            let device = self.0.entry(name.to_owned()).or_default();
            match device.published.iter().position(|other| *other == id) {
                Some(place) => {
                    device.published.remove(place);
                    found.held();
                }
                None if id == UNACKNOWLEDGED && device.session.is_none() => {}
                None => device.logged.push_back((id, event.at(), event.seq)),
            }
            if device.logged.len() > MOST {
                device.logged.pop_front();
            }
            return;
        }
        let device = self.0.entry(name.to_owned()).or_default();
        match &*event.kind {
            "session_opened" => device.session = Some(event.at()),
            "connection_closed" | "left" => device.ends(),
            "publish" if text(event, "/direction") == Some("in") => {
                let id = number(event, "/id").unwrap_or_default();
                match device.logged.iter().position(|(other, ..)| *other == id) {
                    Some(place) => {
                        device.logged.remove(place);
                        found.held();
                    }
                    // What comes again was logged before it came at first, which may have been lost.
                    None if flag(event, "/duplicate") => {}
                    None => device.published.push_back(id),
                }
                if device.published.len() > MOST {
                    device.published.pop_front();
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0.values().filter_map(Device::due).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        for device in self.0.values_mut() {
            while device.due().is_some_and(|due| due < now) {
                let Some((id, at, seq)) = device.logged.pop_front() else {
                    break;
                };
                if moment.calm_from(at.max(device.session.unwrap_or(at))) {
                    found.broken(
                        format!("it says that message {id} is sent, and no such message came"),
                        [seq],
                    );
                }
            }
        }
    }
}
