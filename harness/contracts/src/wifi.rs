//! What a station owes to the air.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::read::{device, is_boot, left_by_itself, since_boot, text};
use crate::{AccessPointFacts, Contract, Facts, Found, Moment, Sight, Watch};

/// Until a station that has joined has an address, or gives up (RFC 2131 §4.4.1: four tries).
const LEASE_WITHIN: Duration = Duration::from_secs(35);

/// Until the board tells that it was switched, which takes the station out of its network, too, or the phone has
/// the answer to what it said.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(3);
/// From what a phone says until the station leaves for it.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// What a station that tries a network takes to hear of the end of it.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// Networks that a device may still hold from before.
const MOST_EARLIER: usize = 16;

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "joins-only-what-it-was-told",
        needs: &[Sight::Air, Sight::Phones],
        says: "a station joins the network whose credentials were set last, and no other",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_configure_sta",
        reads: since_boot![(Source::Air, "joined"), (Source::Provisioning, "exchange"),],
        watch: |facts| Some(Box::new(Joins::new(facts))),
    },
    Contract {
        id: "forgotten-network-is-left-alone",
        needs: &[Sight::Air, Sight::Phones],
        says: "a device that has agreed to forget its credentials tries no network until it is told another, also when it \
               was started in between",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_reset_sm_state_on_failure, esp_wifi_restore",
        reads: since_boot![
            (Source::Air, "joined"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<Forgotten>::default()),
    },
    Contract {
        id: "joined-then-addressed",
        needs: &[Sight::Air, Sight::Clock],
        says: "a station that has joined asks for an address within half a minute, or leaves",
        source: "RFC 2131 §4.4.1",
        reads: since_boot![
            (Source::Air, "joined"),
            (Source::Air, "leased"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<Leases>::default()),
    },
    Contract {
        id: "stays-in-its-network",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a station that has an address does not leave its network of its own accord",
        source: "ESP-IDF esp_wifi: a station stays until esp_wifi_disconnect; house: every leave ends all connections",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<Stays>::default()),
    },
    Contract {
        id: "scan-tells-what-is-there",
        needs: &[Sight::Air],
        says: "a scan result is an access point that is there, with its channel, level and authentication",
        source: "ESP-IDF wifi_provisioning: WiFiScanResult; 802.11 §9.3.3.2",
        reads: &[
            (Source::Provisioning, "exchange"),
            (Source::Air, "access_point_changed"),
        ],
        watch: |facts| {
            Some(Box::new(Scans {
                points: facts.access_points.clone()?,
                changed: BTreeSet::new(),
            }))
        },
    },
];

/// SSIDs that each device was told.
struct Joins {
    provisioned: bool,
    told: BTreeMap<String, Told>,
}

/// What a device was told last, and what it may have kept from before.
struct Told {
    last: (String, u64),
    /// What it was told before, while it is open which of them its storage holds.
    earlier: Vec<String>,
    /// Whether it has agreed to use that, or may have: until then it may still join what it was told before.
    applied: bool,
    /// Whether it was started since: then it joins what its storage holds, and a power cut may have
    /// come before the last was kept.
    started: bool,
}

impl Joins {
    fn new(facts: &Facts) -> Self {
        Self {
            provisioned: facts.provisioned,
            told: BTreeMap::new(),
        }
    }
}

impl Watch for Joins {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "exchange" {
            if takes_away(event) {
                self.told.remove(device(event));
                self.provisioned = false;
            }
            // An answer that was lost may have been heeded all the same.
            if let Some(ssid) = told(event).filter(|_| !is_refused(event)) {
                self.note(device(event), ssid, event);
            }
            if applies(event)
                && let Some(told) = self.told.get_mut(device(event))
            {
                told.applied = true;
            }
            return;
        }
        if is_boot(event) {
            if let Some(told) = self.told.get_mut(device(event)) {
                told.started = true;
            }
            return;
        }
        let joined = text(event, "/ssid").unwrap_or_default();
        match self.told.get_mut(device(event)) {
            Some(told) => {
                let (ssid, seq) = &told.last;
                let may_be_earlier = told.started || !told.applied;
                let is_kept = may_be_earlier && told.earlier.iter().any(|ssid| ssid == joined);
                found.check(
                    ssid == joined || is_kept,
                    || format!("was told `{ssid}` and joined `{joined}`"),
                    [*seq, event.seq],
                );
            }
            None if self.provisioned => {}
            None => found.broken(format!("joined `{joined}` without being told"), [event.seq]),
        }
    }
}

impl Joins {
    fn note(&mut self, device: &str, ssid: String, event: &Event) {
        let before = self.told.remove(device);
        let mut earlier = Vec::new();
        if let Some(before) = before {
            earlier = before.earlier;
            if !earlier.contains(&before.last.0) && earlier.len() < MOST_EARLIER {
                earlier.push(before.last.0);
            }
        }
        let told = Told {
            last: (ssid, event.seq),
            earlier,
            // Linkkit's message sets and applies.
            applied: text(event, "/request/ssid").is_none(),
            started: false,
        };
        self.told.insert(device.to_owned(), told);
    }
}

/// Whether the device has agreed to forget what it was told.
fn takes_away(event: &Event) -> bool {
    text(event, "/request/message") == Some("cmd_ctrl_reset")
        && text(event, "/answer/status") == Some("success")
}

/// Whether the device was told to use what was set, and did not refuse.
fn applies(event: &Event) -> bool {
    text(event, "/request/message") == Some("cmd_apply_config")
        && matches!(text(event, "/answer/status"), None | Some("success"))
}

/// Whether the device has said that it does not take what it was told, in Espressif's messages or by a code
/// of Linkkit's.
pub fn is_refused(event: &Event) -> bool {
    let status = text(event, "/answer/status");
    let raw = text(event, "/answer/raw");
    status.is_some_and(|status| status != "success")
        || raw.is_some_and(|raw| raw.contains("\"code\":-"))
}

/// The SSID that an exchange tells the device, in Espressif's messages or in Linkkit's `switchap`.
fn told(event: &Event) -> Option<String> {
    if let Some(ssid) = text(event, "/request/ssid") {
        return Some(ssid.to_owned());
    }
    let raw = text(event, "/request/raw")?;
    if let Ok(switch) = serde_json::from_str::<Value>(raw) {
        return Some(switch.pointer("/params/ssid")?.as_str()?.to_owned());
    }
    // The trace shows the first bytes of a long one.
    let (ssid, _) = raw.split_once(r#""ssid":""#)?.1.split_once('"')?;
    Some(ssid.to_owned())
}

/// When each device has agreed to forget its credentials, and by which event.
#[derive(Default)]
struct Forgotten(BTreeMap<String, (LabTime, u64)>);

impl Watch for Forgotten {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if event.kind == "exchange" {
            if takes_away(event) {
                self.0.insert(name.to_owned(), (event.at(), event.seq));
            } else if told(event).is_some() || text(event, "/request/raw").is_some() {
                // An answer that was lost, or a refusal that came late, may have been heeded all the same.
                self.0.remove(name);
            }
            return;
        }
        let Some((at, seq)) = self.0.get(name) else {
            return;
        };
        if event.source == Source::Board {
            found.held();
            return;
        }
        // It may have been about to try again.
        let was_under_way = event.at() <= *at + UNDER_WAY;
        if !was_under_way && !left_by_itself(event) {
            let ssid = text(event, "/ssid").unwrap_or_default();
            found.broken(
                format!("tries `{ssid}`, and has agreed to forget what it was told"),
                [*seq, event.seq],
            );
        }
    }
}

/// What a scan can find.
struct Scans {
    points: Vec<AccessPointFacts>,
    /// Strengths that access points have had besides, in dBm.
    changed: BTreeSet<i64>,
}

impl Watch for Scans {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "access_point_changed" {
            let change = text(event, "/change").unwrap_or_default();
            let rssi = change
                .strip_suffix(" dBm")
                .and_then(|dbm| dbm.parse::<i64>().ok());
            self.changed.extend(rssi);
            return;
        }
        let entries = event.data.pointer("/answer/entries");
        for entry in entries.and_then(Value::as_array).into_iter().flatten() {
            let ssid = entry["ssid"].as_str().unwrap_or_default();
            let level = entry["rssi"].as_i64().unwrap_or_default();
            let is_it = |point: &&AccessPointFacts| {
                point.ssid == ssid
                    && entry["channel"] == point.channel
                    && (entry["rssi"] == point.rssi || self.changed.contains(&level))
                    && entry["auth"] == *point.auth
            };
            found.check(
                self.points.iter().any(|point| is_it(&point)),
                || format!("a scan found {entry}, which is not there so"),
                [event.seq],
            );
        }
    }
}

/// Who has joined and has no address yet.
#[derive(Default)]
struct Leases(BTreeMap<String, (LabTime, u64)>);

impl Watch for Leases {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match &*event.kind {
            "joined" => {
                self.0
                    .insert(device(event).to_owned(), (event.at(), event.seq));
            }
            "leased" => {
                if self.0.remove(device(event)).is_some() {
                    found.held();
                }
            }
            _ => {
                self.0.remove(device(event));
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0.values().map(|(at, _)| *at + LEASE_WITHIN).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|_, (at, seq)| {
            let waits = *at + LEASE_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken("has no address", [*seq]);
            }
            waits
        });
    }
}

/// Which devices have an address, when phones have spoken to them last, and which have left.
#[derive(Default)]
struct Stays {
    addressed: BTreeMap<String, u64>,
    spoke: BTreeMap<String, LabTime>,
    left: BTreeMap<String, (LabTime, [u64; 2])>,
}

impl Watch for Stays {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.addressed.remove(name);
            self.left.remove(name);
            return;
        }
        match &*event.kind {
            "exchange" => {
                self.spoke.insert(name.to_owned(), event.at());
                self.left.remove(name);
            }
            "leased" if !name.is_empty() => {
                self.addressed.insert(name.to_owned(), event.seq);
                found.held();
            }
            "left" => {
                let leased = self.addressed.remove(name);
                let was_told = self
                    .spoke
                    .get(name)
                    .is_some_and(|at| *at + TOLD_WITHIN >= event.at());
                if let Some(leased) = leased
                    && left_by_itself(event)
                    && !was_told
                {
                    let left = (event.at(), [leased, event.seq]);
                    self.left.insert(name.to_owned(), left);
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.left
            .values()
            .map(|(at, _)| *at + EXPLAINED_WITHIN)
            .min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.left.retain(|_, (at, events)| {
            let waits = *at + EXPLAINED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken("has left, and nobody told it to", *events);
            }
            waits
        });
    }
}
