//! Scans, beside what the air saw of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trace::{Event, Source};

use crate::faults::Faults;
use crate::read::{device, flag, is_boot, number, text};
use crate::{AccessPointFacts, Found, Moment, Watch};

/// Channels of a scan in groups.
const CHANNELS: std::ops::RangeInclusive<u64> = 1..=13;
/// Listenings that are remembered.
const MOST: usize = 64;
/// Access points that are remembered.
const MOST_POINTS: usize = 256;

/// What was asked of each device, and how it has listened since.
#[derive(Default)]
pub struct AsAsked(BTreeMap<String, Scan>);

#[derive(Default)]
struct Scan {
    asked: Option<Asked>,
    /// Channel, whether without probes, and the event.
    begun: Vec<(u64, bool, u64)>,
    /// Whether another scan may have been begun than the one that was asked for.
    is_unclear: bool,
}

struct Asked {
    passive: bool,
    grouped: bool,
    seq: u64,
}

impl Watch for AsAsked {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        let scan = self.0.entry(name.to_owned()).or_default();
        if event.kind == "scan_begun" {
            if scan.begun.len() < MOST {
                let channel = number(event, "/channel").unwrap_or_default();
                scan.begun
                    .push((channel, flag(event, "/passive"), event.seq));
            }
            return;
        }
        let is_scan = text(event, "/endpoint") == Some("prov-scan");
        // Bytes of a scenario's own may have begun one as well.
        if is_scan && text(event, "/request/raw").is_some() {
            *scan = Scan::default();
            return;
        }
        let granted = text(event, "/answer/status") == Some("success");
        match text(event, "/request/message") {
            Some("cmd_scan_start") if granted => {
                // Whether the one before has ended, nobody has asked.
                scan.is_unclear |= scan.asked.is_some();
                scan.asked = Some(Asked {
                    passive: flag(event, "/request/passive"),
                    grouped: number(event, "/request/group_channels").unwrap_or_default() & 0xFF
                        > 0,
                    seq: event.seq,
                });
                if flag(event, "/request/blocking") {
                    std::mem::take(scan).judge(event.seq, found);
                }
            }
            Some("cmd_scan_start") if event.data["answer"].is_null() => scan.is_unclear = true,
            Some("cmd_scan_status") if flag(event, "/answer/finished") => {
                std::mem::take(scan).judge(event.seq, found);
            }
            _ => {}
        }
    }
}

impl Scan {
    /// Judges a scan that has ended.
    fn judge(self, end: u64, found: &mut Found) {
        let Some(asked) = self.asked.as_ref().filter(|_| !self.is_unclear) else {
            return;
        };
        let events = || {
            self.begun
                .iter()
                .map(|(.., seq)| *seq)
                .chain([asked.seq, end])
        };
        let wrong = self
            .begun
            .iter()
            .find(|(_, passive, _)| *passive != asked.passive);
        if wrong.is_some() {
            let asked = if asked.passive { "without" } else { "with" };
            found.broken(
                format!("did not listen {asked} probes, as it was asked"),
                events(),
            );
            return;
        }
        let channels: Vec<u64> = self.begun.iter().map(|(channel, ..)| *channel).collect();
        let expected: Vec<u64> = match asked.grouped {
            true => CHANNELS.collect(),
            false => vec![0],
        };
        found.check(
            channels == expected,
            || format!("listened on channels {channels:?}; {expected:?} was asked for (0 stands for all)"),
            events(),
        );
    }
}

/// BSSIDs of access points by SSID and channel, as scans of each device have told them.
#[derive(Default)]
pub struct Bssids(BTreeMap<String, Told>);

type Told = BTreeMap<(String, u64), Vec<(String, u64)>>;

impl Watch for Bssids {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if event.kind == "access_point_changed" {
            self.0.clear();
            return;
        }
        if event.kind == "joined" {
            let place = (
                text(event, "/ssid").unwrap_or_default().to_owned(),
                number(event, "/channel").unwrap_or_default(),
            );
            let told = self.0.get(name).and_then(|told| told.get(&place));
            if let (Some(told), Some(seen)) = (told, text(event, "/bssid")) {
                found.check(
                    told.iter().any(|(bssid, _)| bssid == seen),
                    || format!("joined {seen}; a scan told {}", told[0].0),
                    told.iter().map(|(_, seq)| *seq).chain([event.seq]),
                );
            }
            return;
        }
        let entries = event.data.pointer("/answer/entries");
        let entries = entries.and_then(Value::as_array);
        let mut here = Vec::new();
        for entry in entries.into_iter().flatten() {
            let Some(bssid) = entry["bssid"].as_str() else {
                continue;
            };
            found.check(
                bssid.len() == 12 && !here.contains(&bssid),
                || format!("two results, or one without six bytes, have the BSSID {bssid:?}"),
                [event.seq],
            );
            here.push(bssid);
            let told = self.0.entry(name.to_owned()).or_default();
            if told.len() < MOST_POINTS {
                let ssid = entry["ssid"].as_str().unwrap_or_default().to_owned();
                let channel = entry["channel"].as_u64().unwrap_or_default();
                let points = told.entry((ssid, channel)).or_default();
                if !points.iter().any(|(known, _)| known == bssid) && points.len() < MOST {
                    points.push((bssid.to_owned(), event.seq));
                }
            }
        }
    }
}

/// Results that a scan keeps (ESP-IDF wifi_provisioning: MAX_SCAN_RESULTS).
const MOST_RESULTS: usize = 16;

/// Which access points are on, and which were off when the scan of each device began.
pub struct OnAir {
    points: Vec<AccessPointFacts>,
    /// Roles of those that are off.
    off: BTreeSet<String>,
    scans: BTreeMap<String, Running>,
    faults: Faults,
}

struct Running {
    /// Of the answer that granted it.
    seq: u64,
    /// Roles of those that were off when it began.
    off: BTreeSet<String>,
    /// Whether one was switched, or a fault began or ended, since.
    is_unclear: bool,
}

impl OnAir {
    pub fn new(points: Vec<AccessPointFacts>) -> Self {
        Self {
            points,
            off: BTreeSet::new(),
            scans: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    /// Takes an event that is no answer to a scan. Whether it is one.
    fn note(&mut self, event: &Event) -> bool {
        let name = device(event);
        if event.source == Source::Engine {
            let fault = text(event, "/name").unwrap_or_default();
            self.faults.note(fault, flag(event, "/on"));
            return false;
        }
        if is_boot(event) {
            self.scans.remove(name);
            return false;
        }
        if event.kind == "access_point_changed" {
            let role = text(event, "/access_point").unwrap_or_default();
            match text(event, "/change") {
                Some("power off") => self.off.insert(role.to_owned()),
                Some("power on") => self.off.remove(role),
                _ => false,
            };
            for scan in self.scans.values_mut() {
                scan.is_unclear = true;
            }
            return false;
        }
        if text(event, "/endpoint") != Some("prov-scan") {
            return false;
        }
        match text(event, "/request/message") {
            Some("cmd_scan_start") if text(event, "/answer/status") == Some("success") => {
                // A scan takes its time, in which an access point may have been switched.
                let is_blocking = flag(event, "/request/blocking");
                let scan = Running {
                    seq: event.seq,
                    off: self.off.clone(),
                    is_unclear: is_blocking && !self.faults.is_calm(),
                };
                self.scans.insert(name.to_owned(), scan);
                false
            }
            Some("cmd_scan_status" | "cmd_scan_result") => true,
            // A refused one, or bytes of a scenario's own, may have begun one as well.
            _ => {
                self.scans.remove(name);
                false
            }
        }
    }
}

/// No scan finds what is off.
pub struct Forgets(pub OnAir);

impl Watch for Forgets {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !self.0.note(event) {
            return;
        }
        let Some(scan) = self.0.scans.get(device(event)) else {
            return;
        };
        let entries = event.data.pointer("/answer/entries");
        for entry in entries.and_then(Value::as_array).into_iter().flatten() {
            let ssid = entry["ssid"].as_str().unwrap_or_default();
            let mut named = self.0.points.iter().filter(|point| point.ssid == ssid);
            let all_off = |role: &str| scan.off.contains(role);
            // Of several of one name, one may be on.
            let is_gone = named.clone().next().is_some() && named.all(|point| all_off(&point.role));
            found.check(
                !is_gone,
                || format!("a scan found `{ssid}`, which was off when it began"),
                [scan.seq, event.seq],
            );
        }
    }
}

/// A scan finds what is on.
pub struct Finds(pub OnAir);

impl Watch for Finds {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !self.0.note(event) || !flag(event, "/answer/finished") {
            return;
        }
        let Some(count) = number(event, "/answer/count") else {
            return;
        };
        let Some(scan) = self.0.scans.get(device(event)) else {
            return;
        };
        if scan.is_unclear || !self.0.faults.is_calm() {
            return;
        }
        let on = |point: &&AccessPointFacts| !scan.off.contains(&point.role);
        let there = self.0.points.iter().filter(on).count().min(MOST_RESULTS);
        found.check(
            count as usize == there,
            || format!("a scan found {count} access points; {there} are there"),
            [scan.seq, event.seq],
        );
    }
}
