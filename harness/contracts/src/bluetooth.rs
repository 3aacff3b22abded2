//! What a Bluetooth peripheral owes.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, flag, is_boot, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Of advertising data, in which the flags say that a device can be discovered (Core Specification Supplement,
/// part A §1.3).
const FLAGS: u8 = 0x01;
const DISCOVERABLE: u8 = 0x03;
/// Until the link of a service that has ended is down.
const DOWN_WITHIN: Duration = Duration::from_secs(3);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "ble-advertisement-is-well-formed",
        needs: &[],
        says: "what a device advertises is a row of whole structures, and says that it can be discovered",
        source: "Bluetooth Core 5.4 Vol 3 Part C §9.2, §11; CSS Part A §1.3",
        reads: &[(Source::Air, "ble_advertising_seen")],
        watch: |_| Some(Box::new(Advertisement)),
    },
    Contract {
        id: "ble-link-ends-with-the-service",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device that says that provisioning has stopped has no phone on a link any more",
        source: "ESP-IDF wifi_provisioning: scheme_ble.c, wifi_prov_scheme_ble_event_cb_free_ble",
        reads: since_boot![
            (Source::Air, "ble_connected"),
            (Source::Air, "ble_disconnected"),
            (Source::Log, "line"),
        ],
        watch: |_| Some(Box::<Links>::default()),
    },
];

struct Advertisement;

impl Watch for Advertisement {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let data = text(event, "/data").unwrap_or_default();
        let Some(bytes) = bytes(data) else { return };
        let mut flags = None;
        let mut rest = &bytes[..];
        while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
            let Some((structure, behind)) = after.split_at_checked(usize::from(*length)) else {
                found.broken(
                    format!("{data} ends in the middle of a structure"),
                    [event.seq],
                );
                return;
            };
            if let [FLAGS, value, ..] = structure {
                flags = Some(*value);
            }
            rest = behind;
        }
        if flag(event, "/scan_response") {
            found.held();
            return;
        }
        found.check(
            flags.is_some_and(|flags| flags & DISCOVERABLE != 0),
            || format!("{data} does not say that it can be discovered"),
            [event.seq],
        );
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Links of each device, and since when one is up that should be down.
#[derive(Default)]
struct Links {
    up: BTreeMap<String, u64>,
    stopped: BTreeMap<String, (LabTime, u64)>,
}

impl Watch for Links {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "ble_connected" => {
                self.up.insert(name.to_owned(), event.seq);
            }
            "ble_disconnected" => {
                self.up.remove(name);
                if self.stopped.remove(name).is_some() {
                    found.held();
                }
            }
            _ if is_boot(event) => {
                self.up.remove(name);
                self.stopped.remove(name);
            }
            _ => {
                let ends = event
                    .line()
                    .is_some_and(|line| line.text == "Provisioning stopped");
                match self.up.contains_key(name) {
                    true if ends => {
                        self.stopped
                            .insert(name.to_owned(), (event.at(), event.seq));
                    }
                    false if ends => found.held(),
                    _ => {}
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.stopped.values().map(|(at, _)| *at + DOWN_WITHIN).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        let up = &self.up;
        self.stopped.retain(|name, (at, seq)| {
            let waits = *at + DOWN_WITHIN >= now;
            if !waits {
                found.broken(
                    "says that provisioning has stopped, and holds a phone's link",
                    up.get(name).copied().into_iter().chain([*seq]),
                );
            }
            waits
        });
    }
}
