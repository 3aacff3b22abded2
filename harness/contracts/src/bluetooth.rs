//! What a Bluetooth peripheral owes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{POWER_IS_TOLD, device, flag, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Of advertising data, in which the flags say that a device can be discovered (Core Specification Supplement,
/// part A §1.3).
const FLAGS: u8 = 0x01;
const DISCOVERABLE: u8 = 0x03;
/// Of the flags: there is no classic Bluetooth, so that nobody tries to connect by that.
const LE_ONLY: u8 = 0x04;
/// Bytes that an advertisement, or a scan response, has room for (Core 5.4 Vol 6 Part B §2.3.1).
const ROOM: usize = 31;
/// From one advertisement to the next at the most: phones that listen in the background miss what is rarer
/// (Apple's Accessory Design Guidelines; ESP-IDF: 160 ms).
const LONGEST_INTERVAL_MS: u64 = 1_285;
/// Numbers of the endpoints of the provisioning manager, which stand in the first group of their
/// characteristics' UUIDs; those of the application have the ones that follow.
const NUMBERS: [(&str, u16); 5] = [
    ("prov-ctrl", 0xFF4F),
    ("prov-scan", 0xFF50),
    ("prov-session", 0xFF51),
    ("prov-config", 0xFF52),
    ("proto-ver", 0xFF53),
];
/// Opcodes of the Attribute Protocol (Core 5.4 Vol 3 Part F §3.4.8), and the bit of its commands.
const ERROR: u8 = 0x01;
const CONFIRMATION: u8 = 0x1E;
const COMMAND: u8 = 0x40;
/// Endpoints that are remembered.
const MOST_ENDPOINTS: usize = 64;
/// Until the link of a service that has ended is down.
const DOWN_WITHIN: Duration = Duration::from_secs(3);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "ble-advertisement-is-well-formed",
        needs: &[],
        says: "what a device advertises is a row of whole structures in 31 bytes, says that it can be \
               discovered, by Bluetooth LE alone, and is on the air often enough to be found",
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
    Contract {
        id: "ble-link-is-ended-in-order",
        needs: &[Sight::Air, Sight::Clock],
        says: "a link ends because one side says so; it is lost only with the power, or to a fault",
        source: "Bluetooth Core 5.4 Vol 6 Part B §5.1.6; ESP-IDF protocomm_nimble: ble_gap_terminate",
        reads: since_boot![
            (Source::Air, "ble_connected"),
            (Source::Air, "ble_disconnected"),
            (Source::Board, "switching"),
        ],
        watch: |_| Some(Box::<Lost>::default()),
    },
    Contract {
        id: "ble-endpoints-have-their-numbers",
        needs: &[],
        says: "an endpoint's characteristic has the service's UUID with the endpoint's number in the last four \
               digits of its first group, each one its own, and is described by the endpoint's name alone",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_init, endpoint_uuid_used; scheme_ble.c",
        reads: &[(Source::Provisioning, "exchange")],
        watch: |_| Some(Box::<Numbered>::default()),
    },
    Contract {
        id: "ble-error-names-its-request",
        needs: &[],
        says: "a device answers a request of the Attribute Protocol by the response of that request, or by an error that \
               names it and has a code that is defined; what is no request it does not answer",
        source: "Bluetooth Core 5.4 Vol 3 Part F §3.3.1, §3.4.1.1, §3.4.8",
        reads: &[(Source::Provisioning, "attribute_exchange")],
        watch: |_| Some(Box::new(Attributes)),
    },
];

/// Links that were lost: the power may have gone by itself, which is told a moment later, or have come back before
/// the other side noticed.
#[derive(Default)]
struct Lost {
    lost: BTreeMap<String, (LabTime, u64)>,
    /// Which phones have a link that began since the last boot, by device.
    links: BTreeSet<(String, String)>,
}

impl Watch for Lost {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let name = device(event);
        let booted = is_boot(event);
        if booted {
            self.lost.remove(name);
        }
        if booted || event.kind == "switching" {
            self.links.retain(|(device, _)| device != name);
            return;
        }
        let central = text(event, "/central").unwrap_or_default();
        let link = (name.to_owned(), central.to_owned());
        if event.kind == "ble_connected" {
            self.links.insert(link);
            return;
        }
        let is_of_this_life = self.links.remove(&link);
        if text(event, "/by").is_some() {
            found.held();
        } else if is_of_this_life && moment.calm_from(event.at()) {
            self.lost.insert(name.to_owned(), (event.at(), event.seq));
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.lost.values().map(|(at, _)| *at + POWER_IS_TOLD).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.lost.retain(|_, (at, seq)| {
            let waits = *at + POWER_IS_TOLD >= now;
            if !waits {
                found.broken("a link was lost, and nothing was done to it", [*seq]);
            }
            waits
        });
    }
}

/// Characteristics of each device's endpoints, by their UUIDs.
#[derive(Default)]
struct Numbered(BTreeMap<String, BTreeMap<String, (String, u64)>>);

impl Watch for Numbered {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(uuid) = text(event, "/characteristic") else {
            return;
        };
        let endpoint = text(event, "/endpoint").unwrap_or_default();
        let own = self.0.entry(device(event).to_owned()).or_default();
        if own.get(uuid).is_some_and(|(name, _)| name == endpoint) {
            return;
        }
        if let Some(said) = text(event, "/description").filter(|said| *said != endpoint) {
            let seen = format!("{endpoint} is described as {said:?}");
            found.broken(seen, [event.seq]);
        }
        let number = uuid
            .get(4..8)
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let known = NUMBERS.iter().find(|(name, _)| *name == endpoint);
        let fits = match known {
            Some((_, known)) => number == Some(*known),
            None => number.is_some_and(|number| NUMBERS.iter().all(|(_, known)| number > *known)),
        };
        let apart = |uuid: &str| Some((uuid.get(..4)?.to_owned(), uuid.get(8..)?.to_owned()));
        let others = own.iter().find(|(other, (name, _))| {
            *other == uuid || name == endpoint || apart(other) != apart(uuid)
        });
        if let Some((other, (name, seq))) = others {
            let seen = format!("{endpoint} has {uuid}; {name} has {other}");
            found.broken(seen, [*seq, event.seq]);
        } else {
            found.check(fits, || format!("{endpoint} has {uuid}"), [event.seq]);
        }
        if own.len() < MOST_ENDPOINTS {
            own.insert(uuid.to_owned(), (endpoint.to_owned(), event.seq));
        }
    }
}

/// What devices answer to bytes of the Attribute Protocol, sound or not.
struct Attributes;

impl Watch for Attributes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let sent = text(event, "/sent").and_then(bytes).unwrap_or_default();
        // A device has half a minute, and a scenario less: none yet is none of these.
        let Some(answer) = text(event, "/answer").and_then(bytes) else {
            return;
        };
        let request = sent.first().copied().filter(|opcode| is_request(*opcode));
        let Some(request) = request else {
            let seen = format!("answered {} bytes to what is no request", answer.len());
            found.broken(seen, [event.seq]);
            return;
        };
        match answer[..] {
            [ERROR, named, _, _, _] if named != request => {
                let seen = format!("was asked {request:#04x}, and its error names {named:#04x}");
                found.broken(seen, [event.seq]);
            }
            [ERROR, _, _, _, code] => found.check(
                text(event, "/error") != Some("reserved"),
                || format!("refused by {code:#04x}, which is reserved"),
                [event.seq],
            ),
            [opcode, ..] => found.check(
                opcode == request + 1,
                || format!("was asked {request:#04x}, and answered {opcode:#04x}"),
                [event.seq],
            ),
            [] => found.broken("answered a PDU without an opcode", [event.seq]),
        }
    }
}

/// Whether a PDU with this opcode is answered: those of clients are even, commands have their bit set, and a
/// confirmation is itself an answer.
fn is_request(opcode: u8) -> bool {
    opcode & COMMAND == 0 && opcode.is_multiple_of(2) && opcode != CONFIRMATION
}

struct Advertisement;

impl Watch for Advertisement {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let data = text(event, "/data").unwrap_or_default();
        let Some(bytes) = bytes(data) else { return };
        if let Some(ms) = number(event, "/interval_ms")
            && ms > LONGEST_INTERVAL_MS
        {
            found.broken(format!("advertises each {ms} ms"), [event.seq]);
            return;
        }
        if bytes.len() > ROOM {
            let length = bytes.len();
            found.broken(format!("{length} bytes in an advertisement"), [event.seq]);
            return;
        }
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
            flags.is_some_and(|flags| flags & DISCOVERABLE != 0 && flags & LE_ONLY != 0),
            || format!("{data} does not say that it can be discovered, or that it has LE alone"),
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
