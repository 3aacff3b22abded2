//! What all controllers share: the medium, behind one lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use board::Garbage;
use capture::{Direction, LinkType};
use clock::LabTime;
use tokio::sync::Notify;
use trace::Trace;

use super::h4::{Packet, Side};
use super::link::{LeLink, LinkId};
use super::radio::{Address, Radio, RadioId};
use trace::air::RadioFaults;
use trace::air::{BleAdvertisingSeen, BleFaultsSet};

const LE_ADVERTISING_REPORT: u8 = 0x02;
/// Event type of a report of what came back on a scan request (Core 5.4 Vol 4 Part E §7.7.65.2).
const SCAN_RESPONSE: u8 = 4;
/// Bytes of garbage that are shown.
const SHOWN: usize = 64;

/// All controllers and what is between them, in the order of their making, so that every run does
/// the same.
pub(super) struct Medium {
    pub(super) trace: Trace,
    pub(super) radios: BTreeMap<RadioId, Radio>,
    pub(super) links: BTreeMap<LinkId, LeLink>,
    pub(super) faults: BTreeMap<String, RadioFaults>,
    next_radio: RadioId,
    next_link: LinkId,
}

impl Medium {
    pub(super) fn new(trace: Trace) -> Self {
        Self {
            trace,
            radios: BTreeMap::new(),
            links: BTreeMap::new(),
            faults: BTreeMap::new(),
            next_radio: 0,
            next_link: 0,
        }
    }

    pub(super) fn add(&mut self, name: &str, public: [u8; 6], bell: Arc<Notify>) -> RadioId {
        let id = self.next_radio;
        self.next_radio += 1;
        let mut radio = Radio::new(name, public, bell);
        let capture = self.trace.capture();
        radio.capture =
            capture.map(|capture| capture.interface(&format!("HCI {name}"), LinkType::BluetoothH4));
        self.radios.insert(id, radio);
        id
    }

    /// A controller goes dark.
    pub(super) fn remove(&mut self, id: RadioId, now: LabTime) {
        self.radios.remove(&id);
        self.abandon(id, now);
    }

    pub(super) fn radio(&mut self, id: RadioId) -> Option<&mut Radio> {
        self.radios.get_mut(&id)
    }

    pub(super) fn new_link_id(&mut self) -> LinkId {
        self.next_link += 1;
        self.next_link
    }

    pub(super) fn faults_of(&self, name: &str) -> RadioFaults {
        self.faults.get(name).copied().unwrap_or_default()
    }

    pub(super) fn set_faults(&mut self, name: &str, faults: RadioFaults) {
        self.trace.emit(Some(name), &BleFaultsSet { faults });
        self.faults.insert(name.to_owned(), faults);
    }

    /// A packet from a host.
    pub(super) fn hear(&mut self, from: RadioId, packet: Packet, now: LabTime) {
        let radio = self.radios.get(&from);
        if let Some(interface) = radio.and_then(|radio| radio.capture.as_ref())
            && packet != Packet::Other
        {
            interface.hci(Direction::Outbound, &packet.encode(Side::Host));
        }
        match packet {
            Packet::Command { opcode, parameters } => {
                let listened = self.is_listened_to();
                self.command(from, opcode, &parameters, now);
                if !listened && self.is_listened_to() {
                    for radio in self.radios.values_mut() {
                        radio.advertising.catch_up(now);
                    }
                }
            }
            Packet::Acl(acl) => self.transmit(from, acl, now),
            // Controllers send events; a host that does is not listened to.
            Packet::Event { .. } | Packet::Other => {}
        }
    }

    /// Bytes from a host that are no HCI.
    pub(super) fn garbage(&self, from: RadioId, problem: &str, bytes: &[u8]) {
        let name = self.radios.get(&from).map(|radio| radio.name.as_str());
        self.trace.emit(
            name,
            &Garbage {
                link: "hci".to_owned(),
                problem: problem.to_owned(),
                bytes: hex::encode(&bytes[..bytes.len().min(SHOWN)]),
            },
        );
    }

    /// What is for a host, as a stream. Taking it makes room for more.
    pub(super) fn take_outbox(&mut self, id: RadioId, now: LabTime) -> Vec<u8> {
        let Some(radio) = self.radio(id) else {
            return Vec::new();
        };
        let full = !radio.has_room();
        let stream = radio.take_outbox();
        if full {
            let links: Vec<LinkId> = radio.handles.values().copied().collect();
            for link in links {
                self.carry(link, now);
            }
        }
        stream
    }

    fn is_listened_to(&self) -> bool {
        self.radios.values().any(Radio::listens)
    }

    /// When something happens by itself, if it does.
    pub(super) fn next(&self, now: LabTime) -> Option<LabTime> {
        let listened = self.is_listened_to();
        let advertised = self
            .radios
            .values()
            .filter(|_| listened)
            .filter_map(|radio| radio.advertising.next());
        // What has arrived and is still there waits for its host, not for a moment.
        let carried = self.links.values().filter_map(LeLink::next);
        advertised.chain(carried.filter(|at| *at > now)).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: LabTime) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.carry(link, now);
        }
        if !self.is_listened_to() {
            return;
        }
        let ids: Vec<RadioId> = self.radios.keys().copied().collect();
        for id in ids {
            let due = self
                .radios
                .get(&id)
                .and_then(|radio| radio.advertising.next());
            if due.is_some_and(|at| at <= now) {
                self.advertise(id, now);
            }
        }
    }

    /// One advertising event: every scanner hears it.
    fn advertise(&mut self, id: RadioId, now: LabTime) {
        let Some(radio) = self.radio(id) else { return };
        let advertising = &mut radio.advertising;
        advertising.last = Some(now);
        let advertising = advertising.clone();
        let Some(address) = radio.advertised() else {
            return;
        };
        let name = radio.name.clone();
        let faults = self.faults_of(&name);
        if faults.unheard {
            return;
        }
        let listeners: Vec<RadioId> = self
            .radios
            .keys()
            .copied()
            .filter(|other| *other != id)
            .collect();
        for listener in listeners {
            if self.connects(listener, id, address, now) {
                return;
            }
            let Some(radio) = self.radios.get(&listener) else {
                continue;
            };
            let scanning = &radio.scanning;
            let wanted =
                scanning.on && (!scanning.filtered || radio.accept_list.contains(&address));
            let directed_elsewhere = advertising.is_directed()
                && radio.own_address(scanning.own) != Some(advertising.peer);
            if !wanted || directed_elsewhere {
                continue;
            }
            let active = scanning.active && advertising.is_scannable();
            let kind = advertising.kind.min(4);
            // Both directed kinds are reported alike.
            let kind = if kind == 4 { 1 } else { kind };
            self.report(
                listener,
                &name,
                address,
                kind,
                &advertising.data,
                faults.rssi,
            );
            if active {
                let data = &advertising.response;
                self.report(listener, &name, address, SCAN_RESPONSE, data, faults.rssi);
            }
        }
    }

    /// Connects a controller that waits for this one.
    fn connects(&mut self, central: RadioId, id: RadioId, address: Address, now: LabTime) -> bool {
        let Some(waiting) = self.radio(central) else {
            return false;
        };
        let Some(wish) = waiting.initiating.clone() else {
            return false;
        };
        let accepts = match wish.peer {
            Some(peer) => peer == address,
            None => waiting.accept_list.contains(&address),
        };
        let own = waiting.own_address(wish.own);
        let Some(radio) = self.radio(id) else {
            return false;
        };
        let advertising = &radio.advertising;
        let meant = !advertising.is_directed() || own == Some(advertising.peer);
        // Filter policies 2 and 3 take connections from the accept list only.
        let allowed =
            advertising.filter & 2 == 0 || own.is_some_and(|own| radio.accept_list.contains(&own));
        if !(accepts && advertising.is_connectable() && meant && allowed) {
            return false;
        }
        radio.advertising.since = None;
        if let Some(waiting) = self.radio(central) {
            waiting.initiating = None;
        }
        self.connect(central, &wish, id, now);
        true
    }

    fn report(
        &mut self,
        listener: RadioId,
        name: &str,
        address: Address,
        kind: u8,
        data: &[u8],
        rssi: i8,
    ) {
        let mut radios = self.radios.values();
        let advertiser = radios.find(|radio| radio.name == name);
        let interval = advertiser.map(|radio| radio.advertising.interval.as_millis());
        let Some(radio) = self.radios.get_mut(&listener) else {
            return;
        };
        let before = radio
            .scanning
            .reported
            .get(&(address, kind))
            .map(Vec::as_slice);
        if before != Some(data) {
            self.trace.emit(
                Some(name),
                &BleAdvertisingSeen {
                    by: radio.name.clone(),
                    address: address.to_string(),
                    scan_response: kind == SCAN_RESPONSE,
                    data: hex::encode(data),
                    rssi,
                    interval_ms: interval.and_then(|ms| u64::try_from(ms).ok()),
                },
            );
        }
        let again = before.is_some();
        radio
            .scanning
            .reported
            .insert((address, kind), data.to_vec());
        if (again && radio.scanning.without_duplicates) || !radio.has_room() {
            return;
        }
        let mut parameters = vec![1, kind, address.kind];
        parameters.extend(address.bytes);
        parameters.push(data.len() as u8);
        parameters.extend(data);
        parameters.push(rssi as u8);
        radio.le_event(LE_ADVERTISING_REPORT, &parameters);
        self.trace.clock().touch();
    }
}
