//! Connections: what two controllers carry for their hosts.

use std::collections::VecDeque;
use std::time::Duration;

use clock::LabTime;

use super::h4::{Acl, Packet};
use super::medium::Medium;
use super::radio::{Address, Initiating, RadioId, Timing};
use trace::air::{BleConnected, BleDisconnected, BleLinkDropped};

/// Octets of a link-layer packet before anybody has asked for longer ones (Core 5.4 Vol 6 Part B
/// §4.5.10).
pub(super) const SHORTEST: u16 = 27;
/// The most that can be asked for.
pub(super) const LONGEST: u16 = 251;
/// Packets of a host that can be on the air at once.
pub(super) const BUFFERS: usize = 8;

/// The link was lost.
const TIMEOUT: u8 = 0x08;
const REMOTE_ENDED: u8 = 0x13;
const LOCAL_ENDED: u8 = 0x16;

const DISCONNECTION_COMPLETE: u8 = 0x05;
const NUMBER_OF_COMPLETED_PACKETS: u8 = 0x13;
const DATA_BUFFER_OVERFLOW: u8 = 0x1A;
const LE_CONNECTION_COMPLETE: u8 = 0x01;
const LE_CONNECTION_UPDATE_COMPLETE: u8 = 0x03;
const LE_DATA_LENGTH_CHANGE: u8 = 0x07;
const LE_ENHANCED_CONNECTION_COMPLETE: u8 = 0x0A;

/// Which connection.
pub(super) type LinkId = u32;

/// A connection.
pub(super) struct LeLink {
    /// The central, then the peripheral.
    pub(super) ends: [End; 2],
    pub(super) timing: Timing,
    carried: u64,
    /// Once it is lost: when both sides notice.
    lost_at: Option<LabTime>,
}

/// One side of a connection.
pub(super) struct End {
    /// None once that controller is gone.
    pub(super) radio: Option<RadioId>,
    name: String,
    address: Address,
    pub(super) handle: u16,
    /// The longest link-layer packet that it sends.
    pub(super) octets: u16,
    flying: VecDeque<Flight>,
    /// When the radio has sent everything before.
    free_at: LabTime,
}

/// A fragment on the air.
struct Flight {
    arrives: LabTime,
    continues: bool,
    data: Vec<u8>,
}

impl LeLink {
    /// The side of a radio.
    pub(super) fn side(&self, radio: RadioId) -> Option<usize> {
        self.ends.iter().position(|end| end.radio == Some(radio))
    }

    /// When something happens by itself.
    pub(super) fn next(&self) -> Option<LabTime> {
        if self.lost_at.is_some() {
            return self.lost_at;
        }
        let front = |end: &End| end.flying.front().map(|flight| flight.arrives);
        self.ends.iter().filter_map(front).min()
    }
}

impl Medium {
    /// Connects two controllers, and says so to both.
    pub(super) fn connect(
        &mut self,
        central: RadioId,
        wish: &Initiating,
        peripheral: RadioId,
        now: LabTime,
    ) {
        let id = self.new_link_id();
        let end = |medium: &mut Self, radio: RadioId, own: u8| {
            let radio_state = medium.radio(radio)?;
            let handle = radio_state.free_handle();
            radio_state.handles.insert(handle, id);
            Some(End {
                radio: Some(radio),
                name: radio_state.name.clone(),
                address: radio_state.own_address(own).unwrap_or(Address {
                    kind: 0,
                    bytes: radio_state.public,
                }),
                handle,
                octets: SHORTEST,
                flying: VecDeque::new(),
                free_at: now,
            })
        };
        let Some(own) = self.radio(peripheral).map(|radio| radio.advertising.own) else {
            return;
        };
        let Some(central) = end(self, central, wish.own) else {
            return;
        };
        let Some(peripheral) = end(self, peripheral, own) else {
            return;
        };
        let timing = wish.parameters;
        self.trace.emit(
            Some(&peripheral.name),
            &BleConnected {
                central: central.name.clone(),
                interval_us: u32::from(timing.interval) * 1250,
                supervision_ms: u32::from(timing.supervision) * 10,
            },
        );
        let link = LeLink {
            ends: [central, peripheral],
            timing,
            carried: 0,
            lost_at: None,
        };
        for side in 0..2 {
            let (own, peer) = (&link.ends[side], &link.ends[1 - side]);
            let parameters = completed(0, own.handle, side as u8, peer.address, timing);
            self.connection_complete(own.radio, parameters);
        }
        self.links.insert(id, link);
        for side in 0..2 {
            self.lengthen(id, side, None);
        }
    }

    /// Says that there is a connection, or none, in the form that the host wants.
    pub(super) fn connection_complete(&mut self, radio: Option<RadioId>, parameters: [u8; 18]) {
        let Some(radio) = radio.and_then(|radio| self.radio(radio)) else {
            return;
        };
        // The newer form has both sides' private addresses behind the peer's (Core 5.4 Vol 4 Part E
        // §7.7.65.10).
        let (peer, rest) = parameters.split_at(11);
        let enhanced = [peer, &[0; 12], rest].concat();
        if !radio.le_event(LE_ENHANCED_CONNECTION_COMPLETE, &enhanced) {
            radio.le_event(LE_CONNECTION_COMPLETE, &parameters);
        }
    }

    /// A fragment from a host.
    pub(super) fn transmit(&mut self, from: RadioId, acl: Acl, now: LabTime) {
        let Some(radio) = self.radio(from) else {
            return;
        };
        let Some(id) = radio.handles.get(&acl.handle).copied() else {
            // The connection may have ended while this was under way.
            return;
        };
        if radio.on_air >= BUFFERS || acl.data.len() > usize::from(LONGEST) {
            // One byte: which kind of link, 1 for ACL (§7.7.26).
            return radio.event(DATA_BUFFER_OVERFLOW, vec![1]);
        }
        radio.on_air += 1;
        let Some((latency, pace)) = self.quality(id) else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(side) = link.side(from) else { return };
        let end = &mut link.ends[side];
        let took = pace.map_or(Duration::ZERO, |bytes_per_second| {
            Duration::from_secs(acl.data.len() as u64) / bytes_per_second.max(1)
        });
        end.free_at = end.free_at.max(now) + took;
        end.flying.push_back(Flight {
            arrives: end.free_at + latency,
            continues: acl.continues,
            data: acl.data,
        });
        self.carry(id, now);
    }

    /// How slow a connection is.
    fn quality(&self, id: LinkId) -> Option<(Duration, Option<u32>)> {
        let link = self.links.get(&id)?;
        let faults = link.ends.each_ref().map(|end| self.faults_of(&end.name));
        let latency = faults[0].latency + faults[1].latency;
        let paces = faults.iter().filter_map(|faults| faults.bytes_per_second);
        Some((latency, paces.min()))
    }

    /// Delivers what has arrived and whatever else is due on a connection.
    pub(super) fn carry(&mut self, id: LinkId, now: LabTime) {
        for side in 0..2 {
            let mut completed = 0;
            while self.deliver_one(id, side, now) {
                completed += 1;
            }
            self.confirm(id, side, completed);
        }
        let lost = self.links.get(&id).and_then(|link| link.lost_at);
        if lost.is_some_and(|at| at <= now) {
            self.end(id, None, [TIMEOUT; 2]);
        }
    }

    /// Delivers the first fragment that `side` has on the air, if it has arrived and the other side
    /// can take it.
    fn deliver_one(&mut self, id: LinkId, side: usize, now: LabTime) -> bool {
        let Some(link) = self.links.get(&id) else {
            return false;
        };
        let (own, peer) = (&link.ends[side], &link.ends[1 - side]);
        let Some(flight) = own.flying.front() else {
            return false;
        };
        let room = peer
            .radio
            .and_then(|radio| self.radios.get(&radio))
            .is_some_and(|radio| radio.has_room());
        if link.lost_at.is_some() || flight.arrives > now || !room {
            return false;
        }
        let length = flight.data.len() as u64;
        let names = [own.name.clone(), peer.name.clone()];
        let Some(receiver) = peer.radio else {
            return false;
        };
        let (handle, octets) = (peer.handle, usize::from(own.octets));
        if !self.afford(&names, length) {
            self.lose(id, now);
            return false;
        }
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        link.carried += length;
        let Some(flight) = link.ends[side].flying.pop_front() else {
            return false;
        };
        let Some(radio) = self.radio(receiver) else {
            return false;
        };
        // A link-layer packet is one fragment to the host that hears it.
        for (index, piece) in flight.data.chunks(octets).enumerate() {
            radio.send(&Packet::Acl(Acl {
                handle,
                continues: flight.continues || index > 0,
                data: piece.to_vec(),
            }));
        }
        true
    }

    fn confirm(&mut self, id: LinkId, side: usize, completed: usize) {
        if completed == 0 {
            return;
        }
        let Some(end) = self.links.get(&id).map(|link| &link.ends[side]) else {
            return;
        };
        let (radio, handle) = (end.radio, end.handle);
        let Some(radio) = radio.and_then(|radio| self.radio(radio)) else {
            return;
        };
        radio.on_air = radio.on_air.saturating_sub(completed);
        let mut parameters = vec![1];
        parameters.extend(handle.to_le_bytes());
        parameters.extend((completed as u16).to_le_bytes());
        radio.event(NUMBER_OF_COMPLETED_PACKETS, parameters);
    }

    /// Takes bytes from what the faults of these radios leave them. False if there is not enough.
    fn afford(&mut self, names: &[String; 2], length: u64) -> bool {
        for name in names {
            let Some(faults) = self.faults.get_mut(name) else {
                continue;
            };
            match &mut faults.drop_after {
                Some(left) if *left < length => {
                    faults.drop_after = None;
                    return false;
                }
                Some(left) => *left -= length,
                None => {}
            }
        }
        true
    }

    /// From now on nothing gets through; both sides notice when their timers say so.
    pub(super) fn lose(&mut self, id: LinkId, now: LabTime) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.lost_at.is_some() {
            return;
        }
        link.lost_at = Some(now + link.timing.supervision());
        let dropped = BleLinkDropped {
            carried: link.carried,
        };
        let [_, peripheral] = &link.ends;
        self.trace.emit(Some(&peripheral.name), &dropped);
    }

    /// A controller is gone; its peers notice by and by.
    pub(super) fn abandon(&mut self, radio: RadioId, now: LabTime) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else {
                continue;
            };
            let Some(side) = link.side(radio) else {
                continue;
            };
            link.ends[side].radio = None;
            let at = now + link.timing.supervision();
            link.lost_at.get_or_insert(at);
            if link.ends.iter().all(|end| end.radio.is_none()) {
                self.end(id, None, [TIMEOUT; 2]);
            }
        }
    }

    /// A host ends a connection for this reason.
    pub(super) fn hang_up(&mut self, id: LinkId, radio: RadioId, reason: u8, now: LabTime) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(side) = link.side(radio) else { return };
        if link.lost_at.is_some() {
            // The other side hears nothing any more. This one gives up.
            let handle = link.ends[side].handle;
            let name = link.ends[side].name.clone();
            link.ends[side].radio = None;
            self.disconnected(radio, handle, LOCAL_ENDED);
            if self.links[&id].ends.iter().all(|end| end.radio.is_none()) {
                self.end(id, Some(name), [LOCAL_ENDED; 2]);
            }
            return;
        }
        // What was sent before still arrives.
        for end in &mut link.ends {
            for flight in &mut end.flying {
                flight.arrives = now;
            }
        }
        self.carry(id, now);
        let mut reasons = [LOCAL_ENDED; 2];
        reasons[1 - side] = if reason == 0 { REMOTE_ENDED } else { reason };
        let name = self.links.get(&id).map(|link| link.ends[side].name.clone());
        self.end(id, name, reasons);
    }

    /// Takes a connection away and tells both hosts why.
    fn end(&mut self, id: LinkId, by: Option<String>, reasons: [u8; 2]) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        let [central, peripheral] = &link.ends;
        let reason = match &by {
            Some(name) if *name == peripheral.name => reasons[0],
            _ => reasons[1],
        };
        self.trace.emit(
            Some(&peripheral.name),
            &BleDisconnected {
                central: central.name.clone(),
                by,
                reason,
                carried: link.carried,
            },
        );
        for (end, reason) in link.ends.iter().zip(reasons) {
            if let Some(id) = end.radio {
                if let Some(radio) = self.radio(id) {
                    radio.on_air = radio.on_air.saturating_sub(end.flying.len());
                }
                self.disconnected(id, end.handle, reason);
            }
        }
    }

    fn disconnected(&mut self, radio: RadioId, handle: u16, reason: u8) {
        let Some(radio) = self.radio(radio) else {
            return;
        };
        radio.handles.remove(&handle);
        let [low, high] = handle.to_le_bytes();
        radio.event(DISCONNECTION_COMPLETE, vec![0, low, high, reason]);
    }

    /// Changes a connection's timing, and tells both hosts.
    pub(super) fn retime(&mut self, id: LinkId, timing: Timing) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.timing = timing;
        let ends = link.ends.each_ref().map(|end| (end.radio, end.handle));
        for (radio, handle) in ends {
            let Some(radio) = radio.and_then(|radio| self.radio(radio)) else {
                continue;
            };
            let mut parameters = vec![0];
            for word in [handle, timing.interval, timing.latency, timing.supervision] {
                parameters.extend(word.to_le_bytes());
            }
            radio.le_event(LE_CONNECTION_UPDATE_COMPLETE, &parameters);
        }
    }

    /// Has one side send packets of up to `octets`, or as long as it suggested, and tells both.
    pub(super) fn lengthen(&mut self, id: LinkId, side: usize, octets: Option<u16>) {
        let radio = self.links.get(&id).and_then(|link| link.ends[side].radio);
        let Some(radio) = radio.and_then(|radio| self.radio(radio)) else {
            return;
        };
        let octets = octets
            .unwrap_or(radio.default_octets)
            .clamp(SHORTEST, LONGEST);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.ends[side].octets == octets {
            return;
        }
        link.ends[side].octets = octets;
        let told = [0, 1].map(|side| {
            let (own, peer) = (&link.ends[side], &link.ends[1 - side]);
            let mut parameters = own.handle.to_le_bytes().to_vec();
            for octets in [own.octets, peer.octets] {
                parameters.extend(octets.to_le_bytes());
                parameters.extend(airtime(octets).to_le_bytes());
            }
            (own.radio, parameters)
        });
        for (radio, parameters) in told {
            if let Some(radio) = radio.and_then(|radio| self.radio(radio)) {
                radio.le_event(LE_DATA_LENGTH_CHANGE, &parameters);
            }
        }
    }
}

/// µs that a packet of so many octets takes at 1 Mbit/s (Core 5.4 Vol 6 Part B §4.5.10).
pub(super) const fn airtime(octets: u16) -> u16 {
    (octets + 14) * 8
}

/// Parameters of an LE Connection Complete event (§7.7.65.1); `role` 0 is the central.
pub(super) fn completed(
    status: u8,
    handle: u16,
    role: u8,
    peer: Address,
    timing: Timing,
) -> [u8; 18] {
    let mut parameters = [0; 18];
    parameters[0] = status;
    parameters[1..3].copy_from_slice(&handle.to_le_bytes());
    parameters[3] = role;
    parameters[4] = peer.kind;
    parameters[5..11].copy_from_slice(&peer.bytes);
    parameters[11..13].copy_from_slice(&timing.interval.to_le_bytes());
    parameters[13..15].copy_from_slice(&timing.latency.to_le_bytes());
    parameters[15..17].copy_from_slice(&timing.supervision.to_le_bytes());
    parameters
}
