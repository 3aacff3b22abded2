//! Sessions that begin and end in a device's log.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use crate::read::{MQTT_CONNECTED, MQTT_DISCONNECTED, device, is_boot, number};
use crate::{Found, Moment, Watch};

/// How much earlier than the broker a device may know of the end.
const EARLIER: Duration = Duration::from_secs(10);

/// Each device's sessions.
#[derive(Default)]
pub struct Turns(BTreeMap<String, Device>);

#[derive(Default)]
struct Device {
    /// The line by which it said that it is connected, unless it has said the contrary since.
    connected: Option<u64>,
    /// Connection of the session that the broker has.
    session: Option<u64>,
    /// When it said that this session is over, and by which line.
    ended: Option<(LabTime, u64)>,
    /// It has left its network since the session began, so that the broker cannot know of the end.
    left: bool,
}

impl Watch for Turns {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        if let Some(line) = event.line() {
            match line.text {
                MQTT_CONNECTED => {
                    let device = self.0.entry(device(event).to_owned()).or_default();
                    match device.connected.replace(event.seq) {
                        Some(seq) => found.broken(
                            "says twice that it is connected, and of no end between",
                            [seq, event.seq],
                        ),
                        None => found.held(),
                    }
                }
                MQTT_DISCONNECTED => {
                    let device = self.0.entry(device(event).to_owned()).or_default();
                    // Without the first line it speaks of an attempt that came to nothing.
                    let said = device.connected.take().is_some();
                    if said && device.session.is_some() && !device.left {
                        device.ended = Some((event.at(), event.seq));
                    }
                }
                _ => {}
            }
            return;
        }
        let connection = number(event, "/connection");
        match &*event.kind {
            "session_opened" => {
                let device = self.0.entry(device(event).to_owned()).or_default();
                device.session = connection;
                device.ended = None;
                device.left = false;
            }
            "left" => {
                if let Some(device) = self.0.get_mut(device(event)) {
                    device.left = true;
                    device.ended = None;
                }
            }
            // One that leaves of its own accord need not say so.
            "disconnect" => {
                if let Some(device) = self.0.get_mut(device(event)) {
                    device.connected = None;
                }
            }
            _ => {
                for device in self.0.values_mut() {
                    if device.session == connection {
                        device.session = None;
                        device.ended = None;
                    }
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let ended = self.0.values().filter_map(|device| device.ended);
        ended.map(|(at, _)| at + EARLIER).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        for device in self.0.values_mut() {
            let Some((at, seq)) = device.ended.filter(|(at, _)| *at + EARLIER < now) else {
                continue;
            };
            device.ended = None;
            if moment.calm_from(at) {
                found.broken(
                    "says that it is disconnected, and its session stands",
                    [seq],
                );
            }
        }
    }
}
