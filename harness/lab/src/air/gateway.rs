//! What an access point does for its stations: addresses, names and the way out.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use trace::Trace;

use super::dhcp::{CLIENT_PORT, DhcpFaults, DhcpServer, MASK, SERVER_PORT, Taken};
use super::dns::{Question, Resolution};
use super::frame::{self, Datagram, Mac, Segment as TcpSegment};
use super::names::Names;
use super::nat::Nat;
use super::segment::{Owner, Segment};
use super::stack::{Gate, StackCore};
use super::udp_ports::Ports;
use trace::air::{AddressAsked, AddressProbed, Leased, NameAsked};

/// The port of name servers.
const DNS_PORT: u16 = 53;
/// Answers that a fault may hold back at once; what comes on top is lost.
const MOST_HELD_BACK: usize = 64;

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
    /// Answers that a fault holds back.
    held_back: Arc<AtomicUsize>,
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
            held_back: Arc::default(),
            internet_on: AtomicBool::new(true),
        }
    }

    /// Breaks the server of addresses, or repairs it.
    pub(super) fn set_dhcp(&self, faults: DhcpFaults) {
        self.dhcp().set_faults(faults);
    }

    fn dhcp(&self) -> MutexGuard<'_, DhcpServer> {
        self.dhcp.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.dhcp().address_of(mac)
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
        let owner = self.segment.owner_of(datagram.from_mac);
        let (answered, delay) = {
            let mut dhcp = self.dhcp();
            // A phone of the lab would ask as fast as it is refused: it gets no answer instead.
            if dhcp.faults().refuses && matches!(owner, Some(Owner::Phone(_))) {
                return;
            }
            (dhcp.answer(datagram.payload), dhcp.faults().delay)
        };
        let Some((asked, answer)) = answered else {
            return;
        };
        let by = match &owner {
            Some(Owner::Device(name)) => format!("device {name}"),
            Some(Owner::Phone(name)) => format!("phone {name}"),
            _ => format!("{:02x?}", datagram.from_mac),
        };
        let device = device(owner);
        self.trace.emit(
            device.as_deref(),
            &AddressAsked {
                access_point: self.role.clone(),
                by: by.clone(),
                message: asked.message.to_owned(),
                wanted: asked.wanted.map(|address| address.to_string()),
                answer: asked.answered.map(str::to_owned),
            },
        );
        let Some(answer) = answer else {
            return;
        };
        if let Some((address, lease_s)) = answer.leased {
            self.trace.emit(
                device.as_deref(),
                &Leased {
                    access_point: self.role.clone(),
                    to: by,
                    address: address.to_string(),
                    mask: Some(MASK.to_string()),
                    router: answer.router.map(|router| router.to_string()),
                    name_server: Some(self.address.to_string()),
                    lease_s,
                },
            );
        }
        let reply = Datagram {
            from_mac: stack.mac(),
            to_mac: answer.to_mac,
            from: SocketAddrV4::new(self.address, SERVER_PORT),
            to: SocketAddrV4::new(answer.to, CLIENT_PORT),
            payload: &answer.payload,
        };
        self.reply(stack, &reply, delay);
    }

    fn name(&self, stack: &Arc<StackCore>, datagram: &Datagram<'_>) {
        let Some(question) = Question::parse(datagram.payload) else {
            return;
        };
        let resolution = self.names.resolve(&question.name);
        let answer = match resolution {
            Resolution::Address(address)
            | Resolution::Several([address, _])
            | Resolution::Alias(address) => address.to_string(),
            Resolution::Unknown => "unknown".to_owned(),
            Resolution::Failure => "failure".to_owned(),
            Resolution::Silence => "silence".to_owned(),
        };
        self.trace.emit(
            self.device(datagram.from_mac).as_deref(),
            &NameAsked {
                name: question.name.clone(),
                answer,
                server: Some(datagram.to.ip().to_string()),
            },
        );
        if let Some(answer) = question.answer(datagram.payload, resolution) {
            let reply = Datagram {
                from_mac: stack.mac(),
                to_mac: datagram.from_mac,
                from: datagram.to,
                to: datagram.from,
                payload: &answer,
            };
            self.reply(stack, &reply, self.names.delay(&question.name));
        }
    }

    /// Sends an answer, now or after a fault's delay.
    fn reply(&self, stack: &Arc<StackCore>, reply: &Datagram<'_>, delay: Duration) {
        let Some(frame) = reply.encode() else {
            return;
        };
        if delay.is_zero() {
            stack.send_frame(frame);
            return;
        }
        if self.held_back.fetch_add(1, Ordering::Relaxed) >= MOST_HELD_BACK {
            self.held_back.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let sleep = self.trace.clock().sleep(delay);
        let (stack, held_back) = (Arc::downgrade(stack), Arc::clone(&self.held_back));
        tokio::spawn(async move {
            sleep.await;
            held_back.fetch_sub(1, Ordering::Relaxed);
            if let Some(stack) = stack.upgrade() {
                stack.clock().touch();
                stack.send_frame(frame);
            }
        });
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

    /// Records that a device asks for its own address.
    fn probed(&self, frame: &[u8]) {
        let Some((target, (from, asker))) = frame::arp_target(frame).zip(frame::arp_asker(frame))
        else {
            return;
        };
        let Some(device) = self.device(asker) else {
            return;
        };
        if self.address_of(asker) == Some(target) {
            let probed = AddressProbed {
                access_point: self.role.clone(),
                address: target.to_string(),
                sender: (!from.is_unspecified()).then(|| from.to_string()),
            };
            self.trace.emit(Some(&device), &probed);
        }
    }

    /// What a host says that has taken the address which `frame` asks for.
    fn answer_of_another_host(&self, stack: &StackCore, frame: &[u8]) -> Option<Vec<u8>> {
        let target = frame::arp_target(frame)?;
        let (from, asker) = frame::arp_asker(frame)?;
        let dhcp = self.dhcp();
        if !dhcp.is_occupied(target) {
            return None;
        }
        Some(match dhcp.faults().taken {
            Some(Taken::Announced) => frame::arp_announcement(target, stack.mac()),
            _ => frame::arp_reply(target, stack.mac(), from, asker),
        })
    }

    /// Whether `address` lies beyond a way out that is closed, or its host has moved away.
    fn is_cut_off(&self, address: Ipv4Addr) -> bool {
        (!self.internet_on.load(Ordering::Relaxed) && !self.is_local(address))
            || self.names.is_left(address)
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
        self.probed(&frame);
        if let Some(answer) = self.answer_of_another_host(stack, &frame) {
            stack.send_frame(answer);
            return None;
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
