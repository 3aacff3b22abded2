//! The logs of one incident: a device's, its broker's.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::names::NAME_BLOCKED;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::watch::told;
use crate::{Cause, Certainty, Diagnosis, Kind, Milestone, Stage, peers};

/// What the logs of one incident tell together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// The first cause, of whichever log tells most of it.
    pub cause: Option<Named>,
    /// Each log for itself.
    pub logs: Vec<Diagnosis>,
}

/// A cause, and the log that tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Which log, from 0.
    pub log: usize,
    /// The cause.
    pub cause: Cause,
}

impl Incident {
    /// Weighs the logs of one incident.
    pub fn of(logs: Vec<Diagnosis>) -> Self {
        // A broker's log is of many clients: what it says of the stage that the device fails in is of this one.
        let has_device = logs.iter().any(|log| !is_shared(log.kind));
        let of_devices = || {
            let is_of_device = |diagnosis: &&Diagnosis| match diagnosis.kind {
                Some(Kind::Network) => !has_device,
                kind => kind != Some(Kind::Broker),
            };
            logs.iter().filter(is_of_device)
        };
        let fails_in = of_devices()
            .find_map(|diagnosis| diagnosis.causes.first())
            .map(|cause| cause.stage);
        let devices: BTreeSet<Ipv4Addr> = of_devices().filter_map(address).collect();
        let ids: BTreeSet<String> = of_devices().flat_map(|device| device.ids.clone()).collect();
        let are_well = has_device && of_devices().all(is_well);
        let named = logs.iter().enumerate().filter_map(|(log, diagnosis)| {
            let cause = match diagnosis.kind {
                Some(Kind::Broker) => {
                    let mut cause = told_of(diagnosis, fails_in, &devices, &ids)?;
                    if are_well && !names(&cause, &devices) && !is_repeated(diagnosis, &cause) {
                        // A scan of the broker's ports, a check of whether it lives.
                        if is_of_stranger(&cause) {
                            return None;
                        }
                        cause.certainty = Certainty::Possible;
                    }
                    cause
                }
                Some(Kind::Network) if has_device => {
                    let first = diagnosis.causes.first()?;
                    of_devices()
                        .all(|device| may_have(device, first))
                        .then(|| first.clone())?
                }
                _ => {
                    let mut cause = diagnosis.causes.first()?.clone();
                    if is_of_one_try(&cause) && logs.iter().any(|log| lets_in(log, &devices)) {
                        cause.certainty = Certainty::Possible;
                    }
                    cause
                }
            };
            Some((diagnosis.kind, Named { log, cause }))
        });
        // A name that is blocked says why it has no address.
        let blocked = blocked(&logs, fails_in).map(|named| (None, named));
        let mut named: Vec<(Option<Kind>, Named)> = blocked.into_iter().chain(named).collect();
        let is_echo = is_echo_of_clock(&named);
        named.sort_by_key(|(kind, named)| rank(*kind, &named.cause, is_echo));
        Self {
            cause: named.into_iter().next().map(|(_, named)| named),
            logs,
        }
    }
}

/// Whether a log is of many: clients of a broker, stations of a network.
fn is_shared(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Broker | Kind::Network))
}

/// Whether a device tells no trouble, and the broker has let it in.
fn is_well(device: &Diagnosis) -> bool {
    device.causes.is_empty() && device.last.reached >= Some(Stage::Mqtt)
}

/// Whether a device came no further than to the broker's door, once.
fn is_of_one_try(cause: &Cause) -> bool {
    let is_at_door = (Stage::Tcp..=Stage::Mqtt).contains(&cause.stage);
    is_at_door && cause.evidence.iter().all(|line| line.count == 1)
}

/// Whether a broker tells no trouble, and has let in these devices last, as far as it names any.
fn lets_in(log: &Diagnosis, devices: &BTreeSet<Ipv4Addr>) -> bool {
    let is_well = log.causes.is_empty() && log.last.reached >= Some(Stage::Mqtt);
    let is_of_them = log.peers.is_empty() || !log.peers.is_disjoint(devices);
    log.kind == Some(Kind::Broker) && is_well && is_of_them
}

/// Whether a cause's lines name one of these addresses.
fn names(cause: &Cause, devices: &BTreeSet<Ipv4Addr>) -> bool {
    let mut peers = cause.evidence.iter().flat_map(|line| peers::of(&line.text));
    peers.any(|peer| devices.contains(&peer))
}

/// Whether strangers do so at any server, and one did once.
fn is_of_stranger(cause: &Cause) -> bool {
    let rule = rules().named(&cause.id);
    rule.is_some_and(|rule| rule.text.strangers)
        && cause.evidence.iter().all(|line| line.count == 1)
}

/// Whether a trouble came again and again.
fn is_repeated(log: &Diagnosis, cause: &Cause) -> bool {
    let enough = rules().named(&cause.id).and_then(|rule| rule.text.repeats);
    let past = log.history.iter().filter(|past| past.id == cause.id);
    let before: u64 = past.map(|past| past.evidence.count).sum();
    let now: u64 = cause.evidence.iter().map(|line| line.count).sum();
    enough.is_some_and(|enough| before + now >= enough)
}

/// Whether what the log of the network tells can be of this device: it has not come past that stage.
fn may_have(device: &Diagnosis, cause: &Cause) -> bool {
    let is_past = |milestone: &Milestone| {
        milestone.stage > cause.stage || (milestone.stage == cause.stage && milestone.passed)
    };
    let fails_there = device.causes.first().map(|first| first.stage) == Some(cause.stage);
    fails_there || !device.last.proved.iter().any(is_past)
}

/// A name that a device which comes no further than to connect wants, and a filter in the log of the
/// network blocks. What it has asked for without a word counts as long as no server has answered.
fn blocked(logs: &[Diagnosis], fails_in: Option<Stage>) -> Option<Named> {
    let stage = fails_in.filter(|stage| (Stage::Dns..=Stage::Tls).contains(stage))?;
    let rule = rules().named(NAME_BLOCKED)?;
    logs.iter().enumerate().find_map(|(log, filter)| {
        let devices = logs.iter().enumerate().filter(|(other, _)| *other != log);
        let mut lines = devices.filter_map(|(_, device)| {
            let asked = || {
                let station = address(device).filter(|_| stage < Stage::Tls)?;
                filter.names.blocks_for(station)
            };
            filter.names.blocks(&device.names).or_else(asked)
        });
        let evidence = lines.next()?.clone();
        let cause = told(rule, vec![evidence]);
        Some(Named { log, cause })
    })
}

/// The address that a device had.
fn address(diagnosis: &Diagnosis) -> Option<Ipv4Addr> {
    let given = diagnosis.last.proved.iter();
    given
        .filter(|milestone| milestone.stage == Stage::Dhcp)
        .find_map(|milestone| peers::own(&milestone.evidence.text))
}

/// What a broker's log tells of the device: of the stage that it fails in, if there is something, and
/// nothing that another client did.
fn told_of(
    broker: &Diagnosis,
    fails_in: Option<Stage>,
    devices: &BTreeSet<Ipv4Addr>,
    ids: &BTreeSet<String>,
) -> Option<Cause> {
    // Behind a router the broker sees another address than the device's.
    let is_seen = !broker.peers.is_disjoint(devices);
    let is_others = |peers: &[Ipv4Addr]| {
        is_seen && !peers.is_empty() && !peers.iter().any(|peer| devices.contains(peer))
    };
    let is_of_other_client = |text: &str| {
        broker.clients.is_of_other(text, devices) || broker.clients.is_beside(text, ids)
    };
    let is_of_device = |cause: &&Cause| {
        let lines = || cause.evidence.iter();
        let peers: Vec<Ipv4Addr> = lines().flat_map(|line| peers::of(&line.text)).collect();
        let are_other_clients =
            lines().count() > 0 && lines().all(|line| is_of_other_client(&line.text));
        !is_others(&peers) && !are_other_clients
    };
    let is_there = |stage: Stage| Some(stage) == fails_in;
    let all = broker.causes.iter().chain(&broker.consequences);
    let mut of_device = all.filter(is_of_device).peekable();
    let first = of_device
        .peek()
        .filter(|cause| is_seen || broker.clients.names(ids) || broker.causes.contains(cause))
        .map(|cause| (*cause).clone());
    let of_stage = of_device.find(|cause| is_there(cause.stage)).cloned();
    let before = || {
        let past = broker.history.iter().filter(|past| is_there(past.stage));
        let past =
            past.filter(|past| !is_others(&past.peers) && !is_of_other_client(&past.evidence.text));
        let most = past.max_by_key(|past| (!past.peers.is_empty(), past.evidence.count))?;
        Some(told(rules().named(&most.id)?, vec![most.evidence.clone()]))
    };
    of_stage.or_else(before).or(first)
}

/// Whether a device's clock is the reason for what the broker tells of the handshake, or of credentials with a
/// date.
fn is_echo_of_clock(named: &[(Option<Kind>, Named)]) -> bool {
    let tells = |of_broker: bool, stage: Stage| {
        named.iter().any(|(kind, named)| {
            (*kind == Some(Kind::Broker)) == of_broker && named.cause.stage == stage
        })
    };
    let of_broker = [Stage::Tls, Stage::Mqtt];
    of_broker.iter().any(|stage| tells(true, *stage)) && tells(false, Stage::Clock)
}

/// The device's own trouble before it reaches the broker comes first, and its clock before what it makes of
/// the handshake; of what happens between the two, the log that is surer of it, or that
/// names it, or tells most of it.
fn rank(
    kind: Option<Kind>,
    cause: &Cause,
    is_echo: bool,
) -> (u8, std::cmp::Reverse<Certainty>, bool, bool, u8) {
    let of_broker = kind == Some(Kind::Broker);
    let is_clock = is_echo && cause.stage == Stage::Clock;
    let before_it = (cause.stage < Stage::Tcp || is_clock) && !of_broker;
    let place = if before_it && cause.certainty > Certainty::Possible {
        0
    } else {
        1
    };
    (
        place,
        std::cmp::Reverse(cause.certainty),
        cause.id == UNNAMED,
        cause.is_general(),
        u8::from(!of_broker),
    )
}
