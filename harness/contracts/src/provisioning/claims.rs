//! What a device says of its station, beside what the air saw.

use std::collections::BTreeMap;

use trace::{Event, Source};

use crate::read::{device, is_boot, left_by_itself, number, text};
use crate::{Found, Moment, Watch};

/// Reasons of the air (802.11 §9.4.1.7, and ESP-IDF's own from 200 on) that are about the
/// passphrase.
const AUTH_REASONS: &[u64] = &[2, 3, 6, 14, 15, 23, 202, 204];
/// No access point of that name.
const NOT_FOUND: u64 = 201;

/// Network and address that each device has, and by which events.
#[derive(Default)]
pub struct Connected(BTreeMap<String, Seat>);

#[derive(Default)]
struct Seat {
    ssid: String,
    /// BSSID, channel and authentication, where the air tells them.
    particulars: [Option<String>; 3],
    address: String,
    events: Vec<u64>,
}

impl Watch for Connected {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let seat = self.0.entry(device(event).to_owned()).or_default();
        if is_boot(event) || (event.source == Source::Air && event.kind == "left") {
            *seat = Seat::default();
            return;
        }
        match &*event.kind {
            "joined" => {
                seat.ssid = text(event, "/ssid").unwrap_or_default().to_owned();
                seat.particulars = PARTICULARS.map(|name| told(event, &format!("/{name}")));
                seat.events = vec![event.seq];
                return;
            }
            "leased" => {
                seat.address = text(event, "/address").unwrap_or_default().to_owned();
                seat.events.push(event.seq);
                return;
            }
            _ => {}
        }
        if text(event, "/answer/station") != Some("connected") {
            return;
        }
        let address = text(event, "/answer/connected/ip").unwrap_or_default();
        let ssid = text(event, "/answer/connected/ssid").unwrap_or_default();
        let events = || seat.events.iter().copied().chain([event.seq]);
        if seat.address.is_empty() {
            found.broken(
                format!("says that it has {address} in `{ssid}`; the air leased it nothing"),
                events(),
            );
        } else if seat.address != address {
            let leased = &seat.address;
            found.broken(
                format!("says that it has {address}; the air leased it {leased}"),
                events(),
            );
        } else if seat.ssid != ssid {
            let joined = &seat.ssid;
            found.broken(
                format!("says that it is in `{ssid}`; the air saw it in `{joined}`"),
                events(),
            );
        } else {
            let said = PARTICULARS.map(|name| told(event, &format!("/answer/connected/{name}")));
            for ((name, said), seen) in PARTICULARS.iter().zip(&said).zip(&seat.particulars) {
                if let (Some(said), Some(seen)) = (said, seen) {
                    found.check(
                        said == seen,
                        || format!("says {name} {said}; the air saw {seen}"),
                        events(),
                    );
                }
            }
            found.held();
        }
    }
}

/// What a device says of its access point besides the name.
const PARTICULARS: [&str; 3] = ["bssid", "channel", "auth"];

/// A text or number at this place.
fn told(event: &Event, pointer: &str) -> Option<String> {
    text(event, pointer)
        .map(str::to_owned)
        .or_else(|| number(event, pointer).map(|number| number.to_string()))
}

/// The reason for which each device left the air last.
#[derive(Default)]
pub struct Reason(BTreeMap<String, (u64, u64)>);

impl Watch for Reason {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        if event.source == Source::Air {
            let reason = number(event, "/reason").unwrap_or_default();
            self.0.insert(device(event).to_owned(), (reason, event.seq));
            return;
        }
        let Some(said) = text(event, "/answer/reason") else {
            return;
        };
        let Some((reason, seq)) = self.0.get(device(event)).copied() else {
            found.broken(format!("says {said}; the air saw no failure"), [event.seq]);
            return;
        };
        let fits = match said {
            "auth_error" => AUTH_REASONS.contains(&reason),
            "network_not_found" => reason == NOT_FOUND,
            _ => true,
        };
        found.check(
            fits,
            || format!("says {said}; the air saw reason {reason}"),
            [seq, event.seq],
        );
    }
}

/// Credentials that each device has agreed to try, and by which event, until the air has refused it.
#[derive(Default)]
pub struct FailureFollows(BTreeMap<String, u64>);

impl Watch for FailureFollows {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if event.source == Source::Air {
            if !left_by_itself(event) {
                self.0.remove(name);
            }
            return;
        }
        let is_granted = text(event, "/answer/status") == Some("success");
        if text(event, "/request/message") == Some("cmd_apply_config") && is_granted {
            self.0.insert(name.to_owned(), event.seq);
        }
        // Bytes of a scenario's own may have taken the credentials away.
        if text(event, "/request/raw").is_some() {
            self.0.remove(name);
        }
        let Some(station) = text(event, "/answer/station") else {
            return;
        };
        if let Some(seq) = self.0.get(name) {
            found.check(
                station != "connection_failed",
                || {
                    "says that its credentials failed; the air has refused none since it took them"
                        .into()
                },
                [*seq, event.seq],
            );
        }
    }
}

/// Attempts that each device says remain.
#[derive(Default)]
pub struct Attempts(BTreeMap<String, (u64, u64)>);

impl Watch for Attempts {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let set = matches!(
            text(event, "/request/message"),
            Some("cmd_set_config" | "cmd_ctrl_reset" | "cmd_ctrl_reprov")
        );
        if is_boot(event) || set {
            self.0.remove(device(event));
            return;
        }
        let Some(remain) = number(event, "/answer/attempts_remaining") else {
            return;
        };
        if let Some((before, seq)) = self.0.insert(device(event).to_owned(), (remain, event.seq)) {
            found.check(
                remain <= before,
                || format!("{before} remained, then {remain}"),
                [seq, event.seq],
            );
        }
    }
}

/// How often each device has failed to join since it was told to.
pub struct Tries {
    allowed: u64,
    failed: BTreeMap<String, Vec<u64>>,
    /// How often it had failed before it was told anew: ESP-IDF 5.5 counts on after a reset, and
    /// `network_provisioning` 1.2.2 does not.
    earlier: BTreeMap<String, u64>,
}

impl Tries {
    /// A device that may try `allowed` times; 0 stands for once.
    pub fn new(allowed: u64) -> Self {
        Self {
            allowed: allowed.max(1),
            failed: BTreeMap::new(),
            earlier: BTreeMap::new(),
        }
    }
}

impl Watch for Tries {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.failed.remove(name);
            self.earlier.remove(name);
            return;
        }
        if event.source == Source::Air {
            if let Some(failed) = self.failed.get_mut(name) {
                failed.push(event.seq);
            }
            return;
        }
        if text(event, "/request/message") == Some("cmd_apply_config") {
            if text(event, "/answer/status") == Some("success") {
                let before = self.failed.insert(name.to_owned(), Vec::new());
                let before = before.map_or(0, |failed| failed.len() as u64);
                *self.earlier.entry(name.to_owned()).or_default() += before;
            }
            return;
        }
        let Some(failed) = self.failed.get(name) else {
            return;
        };
        let seen = failed.len() as u64;
        let earlier = self.earlier.get(name).copied().unwrap_or_default();
        let counted_on = (seen + earlier).min(self.allowed);
        let events = || failed.iter().copied().chain([event.seq]);
        if let Some(remain) = number(event, "/answer/attempts_remaining") {
            let told = self.allowed.saturating_sub(remain);
            // The air knows of a failure a moment before the device does.
            found.check(
                [seen, counted_on]
                    .iter()
                    .any(|seen| [told, told + 1].contains(seen)),
                || {
                    format!(
                        "says that {remain} of {} tries remain; the air saw {seen}",
                        self.allowed
                    )
                },
                events(),
            );
        } else if text(event, "/answer/station") == Some("connection_failed") {
            found.check(
                counted_on >= self.allowed,
                || format!("gave up after {seen} of {} tries", self.allowed),
                events(),
            );
        }
    }
}
