//! What a device owes the server that leases it an address.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Messages that a client sends in [`PACE`] at the most: two whole exchanges, all sent twice.
const MOST: usize = 10;
const PACE: Duration = Duration::from_secs(10);
/// What is on its way when a lease ends.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// From a lease to the first probe (RFC 5227 §1.1: PROBE_WAIT is a second).
const PROBED_WITHIN: Duration = Duration::from_secs(5);
/// From declining an address to the next message at the most.
const AFTER_DECLINE_BY: Duration = Duration::from_secs(30);
/// From declining an address to the next message.
const AFTER_DECLINE: Duration = Duration::from_secs(10);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "address-is-asked-for-with-pauses",
        needs: &[],
        says: "a device sends a DHCP server no more than ten messages in ten seconds, also when it refuses",
        source: "RFC 2131 §4.1: randomised exponential back-off",
        reads: since_boot![(Source::Air, "address_asked")],
        watch: |_| Some(Box::<Pace>::default()),
    },
    Contract {
        id: "address-is-renewed-in-time",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device asks for its address again before its lease is over",
        source: "RFC 2131 §4.4.5: T1 is half of the lease, T2 seven eighths",
        reads: LEASES,
        watch: |_| Some(Box::new(Leases::new(What::Renewal))),
    },
    Contract {
        id: "address-is-used-no-longer-than-leased",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device uses no address of which the lease is over, or is refused when it asks to keep it",
        source: "RFC 2131 §4.4.5: the client MUST stop network processing; §3.2 on DHCPNAK",
        reads: LEASES,
        watch: |_| Some(Box::new(Leases::new(What::Use))),
    },
    Contract {
        id: "address-is-declined-in-order",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device that declines an address names the one that it was leased, and waits ten seconds before it \
               asks for another",
        source: "RFC 2131 §4.4.4, table 5; §3.1, step 5: the client SHOULD wait a minimum of ten seconds",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Air, "address_asked"),
        ],
        watch: |_| Some(Box::<Declines>::default()),
    },
    Contract {
        id: "address-is-probed-by-nobody",
        needs: &[Sight::Air],
        says: "who asks whether a new address is taken does so without an address of its own, so that nobody takes it \
               for a claim",
        source: "RFC 5227 §2.1.1: the sender IP address field MUST be set to all zeroes",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Air, "address_probed"),
        ],
        watch: |_| Some(Box::<Probes>::default()),
    },
    Contract {
        id: "address-is-probed",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device that is leased a new address asks whether another host has it",
        source: "RFC 2131 §4.4.1: the client SHOULD perform a check on the suggested address; ESP-IDF: \
                 CONFIG_LWIP_DHCP_DOES_ARP_CHECK",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Air, "address_probed"),
        ],
        watch: |_| Some(Box::<Unprobed>::default()),
    },
    Contract {
        id: "address-is-asked-for-after-a-decline",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device that has declined an address asks for another one within half a minute",
        source: "RFC 2131 §3.1, step 5: the client restarts the configuration process",
        reads: since_boot![
            (Source::Air, "left"),
            (Source::Air, "joined"),
            (Source::Air, "address_asked"),
        ],
        watch: |_| Some(Box::<AsksAgain>::default()),
    },
];

const LEASES: &[(Source, &str)] = since_boot![
    (Source::Air, "leased"),
    (Source::Air, "left"),
    (Source::Air, "address_asked"),
    (Source::Air, "name_asked"),
    (Source::Air, "connection_opened"),
];

/// When each device has sent its last messages.
#[derive(Default)]
struct Pace(BTreeMap<String, VecDeque<(LabTime, u64)>>);

impl Watch for Pace {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        if device(event).is_empty() {
            return;
        }
        let sent = self.0.entry(device(event).to_owned()).or_default();
        sent.push_back((event.at(), event.seq));
        while let Some((at, _)) = sent.front()
            && *at + PACE < event.at()
        {
            sent.pop_front();
        }
        let first = sent.front().map_or(event.seq, |(_, seq)| *seq);
        found.check(
            sent.len() <= MOST,
            || format!("{} messages in ten seconds", sent.len()),
            [first, event.seq],
        );
        if sent.len() > MOST {
            // Told once for each ten.
            sent.clear();
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Renewal,
    Use,
}

/// The lease that each device has.
struct Leases {
    what: What,
    leases: BTreeMap<String, Lease>,
}

struct Lease {
    address: String,
    /// When it is to be renewed by, at the latest.
    renewed_by: LabTime,
    over: LabTime,
    seq: u64,
    /// Whether the device has asked for it again.
    asked: bool,
}

impl Leases {
    fn new(what: What) -> Self {
        Self {
            what,
            leases: BTreeMap::new(),
        }
    }
}

impl Watch for Leases {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) || event.kind == "left" {
            self.leases.remove(name);
            return;
        }
        if name.is_empty() {
            return;
        }
        match &*event.kind {
            "leased" => {
                let lasts = Duration::from_secs(number(event, "/lease_s").unwrap_or(86_400));
                let lease = Lease {
                    address: text(event, "/address").unwrap_or_default().to_owned(),
                    renewed_by: event.at() + lasts * 95 / 100,
                    over: event.at() + lasts,
                    seq: event.seq,
                    asked: false,
                };
                let before = self.leases.insert(name.to_owned(), lease);
                if self.what == What::Renewal && before.is_some() {
                    found.held();
                }
            }
            "address_asked" => {
                let is_refused = text(event, "/answer") == Some("nak");
                if text(event, "/message") == Some("decline")
                    || (is_refused && self.what == What::Renewal)
                {
                    self.leases.remove(name);
                } else if is_refused && let Some(lease) = self.leases.get_mut(name) {
                    lease.over = lease.over.min(event.at());
                } else if let Some(lease) = self.leases.get_mut(name) {
                    lease.asked = true;
                }
            }
            _ if self.what == What::Use => {
                let Some(lease) = self.leases.get(name) else {
                    return;
                };
                found.check(
                    event.at() <= lease.over + UNDER_WAY,
                    || format!("{} is used after its lease", lease.address),
                    [lease.seq, event.seq],
                );
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        if self.what == What::Use {
            return None;
        }
        let waiting = self.leases.values().filter(|lease| !lease.asked);
        waiting.map(|lease| lease.renewed_by).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        if self.what == What::Use {
            return;
        }
        for lease in self.leases.values_mut() {
            if !lease.asked && lease.renewed_by < now {
                lease.asked = true;
                found.broken(
                    format!("has not asked again for {}", lease.address),
                    [lease.seq],
                );
            }
        }
    }
}

/// The address that each device was leased last, and whether it has asked for it.
#[derive(Default)]
struct Probes(BTreeMap<String, Probed>);

struct Probed {
    address: String,
    leased: u64,
    asked: bool,
}

impl Watch for Probes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) || event.kind == "left" {
            self.0.remove(name);
            return;
        }
        let address = text(event, "/address").unwrap_or_default();
        let known = self
            .0
            .get_mut(name)
            .filter(|known| known.address == address);
        if event.kind == "leased" {
            // Renewed, it need not be asked for again.
            if known.is_none() && !name.is_empty() {
                let leased = Probed {
                    address: address.to_owned(),
                    leased: event.seq,
                    asked: false,
                };
                self.0.insert(name.to_owned(), leased);
            }
        } else if let Some(lease) = known.filter(|known| !known.asked) {
            lease.asked = true;
            let sender = text(event, "/sender");
            found.check(
                sender.is_none(),
                || format!("asks for {address} as {}", sender.unwrap_or_default()),
                [lease.leased, event.seq],
            );
        }
    }
}

/// The address that each device was leased last, and whether it has declined it.
#[derive(Default)]
struct Declines(BTreeMap<String, Declining>);

struct Declining {
    address: String,
    leased: u64,
    declined: Option<(LabTime, u64)>,
}

impl Watch for Declines {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) || event.kind == "left" {
            self.0.remove(name);
            return;
        }
        if name.is_empty() {
            return;
        }
        if event.kind == "leased" {
            let leased = Declining {
                address: text(event, "/address").unwrap_or_default().to_owned(),
                leased: event.seq,
                declined: None,
            };
            self.0.insert(name.to_owned(), leased);
            return;
        }
        let Some(lease) = self.0.get_mut(name) else {
            return;
        };
        if text(event, "/message") == Some("decline") {
            let wanted = text(event, "/wanted").unwrap_or("none");
            found.check(
                wanted == lease.address,
                || format!("was leased {} and declines {wanted}", lease.address),
                [lease.leased, event.seq],
            );
            lease.declined = Some((event.at(), event.seq));
        } else if let Some((at, seq)) = lease.declined.take() {
            let waited = event.at() - at;
            found.check(
                waited >= AFTER_DECLINE * 9 / 10,
                || {
                    format!(
                        "asks again {waited:.1?} after it declined {}",
                        lease.address
                    )
                },
                [seq, event.seq],
            );
        }
    }
}

/// The address that each device was leased last, and since when nobody was asked about it.
#[derive(Default)]
struct Unprobed(BTreeMap<String, (String, Option<LabTime>, u64)>);

impl Watch for Unprobed {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) || event.kind == "left" {
            self.0.remove(name);
            return;
        }
        if name.is_empty() {
            return;
        }
        let address = text(event, "/address").unwrap_or_default();
        let known = self.0.get_mut(name).filter(|known| known.0 == address);
        if event.kind == "leased" {
            // Renewed, it need not be asked for again.
            if known.is_none() {
                let leased = (address.to_owned(), Some(event.at()), event.seq);
                self.0.insert(name.to_owned(), leased);
            }
        } else if let Some((_, since, _)) = known
            && since.take().is_some()
        {
            found.held();
        }
    }

    fn due(&self) -> Option<LabTime> {
        let waiting = self.0.values().filter_map(|(_, since, _)| *since);
        waiting.min().map(|since| since + PROBED_WITHIN)
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        for (address, since, seq) in self.0.values_mut() {
            let Some(at) = since.take_if(|at| *at + PROBED_WITHIN < now) else {
                continue;
            };
            if moment.calm_from(at) {
                found.broken(format!("has not asked whether {address} is taken"), [*seq]);
            }
        }
    }
}

/// When each device has declined an address, until it asks for another.
#[derive(Default)]
struct AsksAgain(BTreeMap<String, (LabTime, u64)>);

impl Watch for AsksAgain {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if name.is_empty() {
            return;
        }
        if event.kind == "address_asked" && text(event, "/message") == Some("decline") {
            self.0.insert(name.to_owned(), (event.at(), event.seq));
        } else if self.0.remove(name).is_some() && event.kind == "address_asked" {
            found.held();
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0.values().map(|(at, _)| *at + AFTER_DECLINE_BY).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.0.retain(|_, (at, seq)| {
            let waits = *at + AFTER_DECLINE_BY >= now;
            if !waits {
                found.broken("has declined an address, and asked for none since", [*seq]);
            }
            waits
        });
    }
}
