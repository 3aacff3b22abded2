//! Scans, beside what the air saw of them.

use std::collections::BTreeMap;

use serde_json::Value;
use trace::Event;

use crate::read::{device, flag, is_boot, number, text};
use crate::{Found, Moment, Watch};

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
