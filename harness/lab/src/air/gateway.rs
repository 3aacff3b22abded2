//! What an access point does for its stations: addresses, names and the way out.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use trace::Trace;

use super::dhcp::{CLIENT_PORT, DhcpServer, SERVER_PORT};
use super::dns::{Question, Resolution};
use super::frame::{self, Datagram, Mac, Segment as TcpSegment};
use super::names::Names;
use super::nat::Nat;
use super::segment::{Owner, Segment};
use super::stack::{Gate, StackCore};
use super::udp_ports::Ports;
use trace::air::{Leased, NameAsked};

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// The gate of an access point's stack: all of UDP and each request for a connection is dealt with
/// here, ARP, ping and TCP pass on to smoltcp.
pub(super) struct Gateway {
    role: String,
    address: Ipv4Addr,
    trace: Trace,
    segment: Segment,
    names: Arc<Names>,
    nat: Nat,
    /// Ports of the gateway's own, from which clients on the host reach the stations.
    forwards: Arc<Ports>,
    dhcp: Mutex<DhcpServer>,
    dhcp_on: AtomicBool,
    internet_on: AtomicBool,
}

impl Gateway {
    pub(super) fn new(
        role: &str,
        address: Ipv4Addr,
        segment: Segment,
        trace: Trace,
        names: Arc<Names>,
    ) -> Self {
        Self {
            role: role.to_owned(),
            address,
            nat: Nat::new(trace.clone(), names.clone()),
            trace,
            segment,
            names,
            forwards: Arc::default(),
            dhcp: Mutex::new(DhcpServer::new(address)),
            dhcp_on: AtomicBool::new(true),
            internet_on: AtomicBool::new(true),
        }
    }

    pub(super) fn set_dhcp(&self, on: bool) {
        self.dhcp_on.store(on, Ordering::Relaxed);
    }

    pub(super) fn set_internet(&self, on: bool) {
        self.internet_on.store(on, Ordering::Relaxed);
    }

    /// Ports of the gateway's own, from which clients on the host reach the stations.
    pub(super) fn forwards(&self) -> &Arc<Ports> {
        &self.forwards
    }

    /// The address that was leased to `mac`.
    pub(super) fn address_of(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.dhcp
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .address_of(mac)
    }

    fn udp(&self, stack: &Arc<StackCore>, datagram: &Datagram<'_>) {
        match datagram.to.port() {
            SERVER_PORT => self.lease(stack, datagram),
            // What stations tell each other is none of the gateway's business.
            _ if frame::is_group(datagram.to_mac) => {}
            _ if *datagram.to.ip() == self.address && self.forwards.take(datagram) => {}
            _ if !self.internet_on.load(Ordering::Relaxed) => {}
            // Whichever server is asked: real gateways of this kind exist, and the host's own
            // names stay out of reach.
            DNS_PORT => self.name(stack, datagram),
            _ => self
                .nat
                .datagram(stack, datagram, self.device(datagram.from_mac)),
        }
    }

    fn lease(&self, stack: &Arc<StackCore>, datagram: &Datagram<'_>) {
        if !self.dhcp_on.load(Ordering::Relaxed) {
            return;
        }
        let mut dhcp = self.dhcp.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answer) = dhcp.answer(datagram.payload) else {
            return;
        };
        drop(dhcp);
        let owner = self.segment.owner_of(datagram.from_mac);
        if let Some(address) = answer.leased {
            let to = match &owner {
                Some(Owner::Device(name)) => format!("device {name}"),
                Some(Owner::Phone(name)) => format!("phone {name}"),
                _ => format!("{:02x?}", datagram.from_mac),
            };
            self.trace.emit(
                device(owner).as_deref(),
                &Leased {
                    access_point: self.role.clone(),
                    to,
                    address: address.to_string(),
                },
            );
        }
        self.reply(
            stack,
            answer.to_mac,
            SocketAddrV4::new(self.address, SERVER_PORT),
            SocketAddrV4::new(answer.to, CLIENT_PORT),
            &answer.payload,
        );
    }

    fn name(&self, stack: &Arc<StackCore>, datagram: &Datagram<'_>) {
        let Some(question) = Question::parse(datagram.payload) else {
            return;
        };
        let resolution = self.names.resolve(&question.name);
        let answer = match resolution {
            Resolution::Address(address) => address.to_string(),
            Resolution::Unknown => "unknown".to_owned(),
            Resolution::Silence => "silence".to_owned(),
        };
        self.trace.emit(
            self.device(datagram.from_mac).as_deref(),
            &NameAsked {
                name: question.name.clone(),
                answer,
            },
        );
        if let Some(answer) = question.answer(datagram.payload, resolution) {
            self.reply(
                stack,
                datagram.from_mac,
                datagram.to,
                datagram.from,
                &answer,
            );
        }
    }

    fn reply(
        &self,
        stack: &StackCore,
        to_mac: Mac,
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: &[u8],
    ) {
        let reply = Datagram {
            from_mac: stack.mac(),
            to_mac,
            from,
            to,
            payload,
        };
        if let Some(frame) = reply.encode() {
            stack.send_frame(frame);
        }
    }

    fn tcp(&self, stack: &Arc<StackCore>, segment: TcpSegment, frame: Vec<u8>) -> Option<Vec<u8>> {
        if segment.to_mac != stack.mac() || self.is_cut_off(*segment.to.ip()) {
            return None;
        }
        if !segment.opens {
            return Some(frame);
        }
        stack.learn(self.address, *segment.from.ip(), segment.from_mac);
        if self.segment.owner_of(segment.from_mac) == Some(Owner::Forward) {
            // The lab itself, which only wants to know whether anybody answers.
            return Some(frame);
        }
        let device = self.device(segment.from_mac);
        let refused = !self.nat.open(stack, segment, frame.clone(), device);
        refused.then_some(frame)
    }

    /// Whether `address` lies beyond a way out that is closed.
    fn is_cut_off(&self, address: Ipv4Addr) -> bool {
        !self.internet_on.load(Ordering::Relaxed) && !self.is_local(address)
    }

    fn is_local(&self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == self.address.octets()[..3] || address.is_broadcast()
    }

    fn device(&self, mac: Mac) -> Option<String> {
        device(self.segment.owner_of(mac))
    }
}

impl Gate for Gateway {
    fn inbound(&self, stack: &Arc<StackCore>, frame: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(datagram) = Datagram::parse(&frame) {
            self.udp(stack, &datagram);
            return None;
        }
        if let Some(segment) = TcpSegment::parse(&frame) {
            return self.tcp(stack, segment, frame);
        }
        // Answering for every address must extend neither to those of the stations nor to those
        // that no host has.
        let asked = frame::arp_target(&frame).is_none_or(|target| target == self.address);
        let reachable = frame::ipv4_ends(&frame).is_none_or(|(_, to)| {
            self.is_local(to) || (self.names.is_published(to) && !self.is_cut_off(to))
        });
        (asked && reachable).then_some(frame)
    }

    fn outbound(&self, frame: &[u8]) -> bool {
        frame::ipv4_ends(frame).is_none_or(|(from, _)| !self.is_cut_off(from))
    }
}

fn device(owner: Option<Owner>) -> Option<String> {
    match owner {
        Some(Owner::Device(name)) => Some(name),
        _ => None,
    }
}
