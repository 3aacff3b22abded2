//! smoltcp's part of a stack.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use clock::{Clock, LabTime};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{
    DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, HardwareAddress, IpCidr, Ipv4Cidr,
};

use super::dhcp::CLIENT_PORT;
use super::frame::{Datagram, Mac};
use super::segment::Port;
use super::wire::Wire;

/// Each direction of a connection holds so many bytes; the largest window without scaling is 64 KiB.
const TCP_BUFFER: usize = 32 * 1024;
/// Ephemeral ports (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49_152;

/// The interface, its sockets and its wire, behind the stack's lock.
pub(super) struct State {
    pub(super) interface: Interface,
    pub(super) sockets: SocketSet<'static>,
    pub(super) wire: Wire,
    pub(super) port: Option<Port>,
    pub(super) dhcp: Option<SocketHandle>,
    /// What the last address was given with.
    pub(super) terms: Terms,
    /// Connections without a holder, and when to forget them at the latest.
    pub(super) orphans: BTreeMap<SocketHandle, LabTime>,
    next_port: u16,
}

/// What a DHCP server gives an address with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub(super) router: Option<Ipv4Addr>,
    pub(super) lease_s: Option<u32>,
}

impl State {
    pub(super) fn new(clock: &Clock, mac: Mac, port: Port) -> Self {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        config.random_seed = mac
            .iter()
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let interface = Interface::new(config, &mut wire, instant(clock.now()));
        Self {
            interface,
            sockets: SocketSet::new(Vec::new()),
            wire,
            port: Some(port),
            dhcp: None,
            terms: Terms::default(),
            orphans: BTreeMap::new(),
            next_port: first_port(),
        }
    }

    /// Has smoltcp deal with what has arrived and what is due.
    pub(super) fn poll(&mut self, now: LabTime) {
        self.interface
            .poll(instant(now), &mut self.wire, &mut self.sockets);
    }

    /// How long nothing will be due.
    pub(super) fn wait(&mut self, now: LabTime) -> Option<Duration> {
        let sockets = self
            .interface
            .poll_delay(instant(now), &self.sockets)
            .map(Into::into);
        let orphans = self.orphans.values().map(|at| *at - now).min();
        [sockets, orphans].into_iter().flatten().min()
    }

    /// Looks whether a frame on its way to smoltcp gives us an address, and keeps with what.
    pub(super) fn note_terms(&mut self, frame: &[u8]) {
        if self.dhcp.is_none() {
            return;
        }
        let datagram = Datagram::parse(frame).filter(|datagram| datagram.to.port() == CLIENT_PORT);
        let Some(packet) = datagram.and_then(|it| DhcpPacket::new_checked(it.payload).ok()) else {
            return;
        };
        if let Ok(answer) = DhcpRepr::parse(&packet)
            && answer.message_type == DhcpMessageType::Ack
            && HardwareAddress::Ethernet(answer.client_hardware_address)
                == self.interface.hardware_addr()
        {
            self.terms = Terms {
                router: answer.router,
                lease_s: answer.lease_duration,
            };
        }
    }

    /// What DHCP has changed, if anything.
    pub(super) fn take_lease(&mut self) -> Option<Option<Ipv4Cidr>> {
        let socket = self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.dhcp?);
        let (lease, router) = match socket.poll()? {
            dhcpv4::Event::Configured(config) => (Some(config.address), config.router),
            dhcpv4::Event::Deconfigured => (None, None),
        };
        match lease {
            Some(lease) => self.set_address(lease, router),
            None => self
                .interface
                .update_ip_addrs(|addresses| addresses.clear()),
        }
        Some(lease)
    }

    pub(super) fn set_address(&mut self, address: Ipv4Cidr, router: Option<Ipv4Addr>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // An interface has room for one address at least.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
        let routes = self.interface.routes_mut();
        match router {
            Some(router) => {
                // The table has room for one route at least.
                let _ = routes.add_default_ipv4_route(router);
            }
            None => {
                routes.remove_default_ipv4_route();
            }
        }
    }

    /// Forgets connections that are over, or whose peer is.
    pub(super) fn reap(&mut self, now: LabTime) {
        let sockets = &mut self.sockets;
        let mut aborted = false;
        self.orphans.retain(|handle, deadline| {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(*handle);
            match socket.state() {
                tcp::State::Closed | tcp::State::Listen => {
                    sockets.remove(*handle);
                    return false;
                }
                _ if *deadline <= now => {
                    socket.abort();
                    aborted = true;
                }
                _ => {}
            }
            true
        });
        if aborted {
            self.poll(now);
        }
    }

    /// A local port for a new connection.
    pub(super) fn ephemeral_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
        port
    }
}

/// Another one for each interface: a station that leaves a network and comes back must not be taken
/// for the connections that were left open there.
fn first_port() -> u16 {
    const STEP: u16 = 64;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    FIRST_EPHEMERAL + number.wrapping_mul(STEP) % (u16::MAX - FIRST_EPHEMERAL)
}

pub(super) fn new_tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    // Neither belongs to what is tested, and both would only add lab time.
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket
}

fn instant(now: LabTime) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}
