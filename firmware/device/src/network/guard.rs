//! What the stack's DHCP client leaves out, between the stack and the station's driver.
//!
//! - Refused an address (NAK), it asks anew at once, as fast as a server refuses. Its next question is held
//!   back here, so that it asks again only after its own time-out.
//! - It does not look whether another host has its address. That is probed here (RFC 5227), and declined.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::Ipv4Addr;
use core::task::Context;

use edge_dhcp::{DhcpOption, MessageType, Options, Packet};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant};
use heapless::Deque;

use crate::bugs::{self, Bug};

type Mac = [u8; 6];

const EVERYBODY: Mac = [0xFF; 6];
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Frames of our own that may wait for the driver.
const PENDING: usize = 2;
/// From a NAK on, a question is the immediate one, which is held back.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What the station and its driver share.
pub(crate) struct AddressGuard {
    state: RefCell<State>,
    conflict: Signal<NoopRawMutex, ()>,
}

#[derive(Default)]
struct State {
    mac: Mac,
    /// The address that no other host may have.
    watched: Option<Ipv4Addr>,
    /// The server that leased it.
    server: Option<Ipv4Addr>,
    refused_at: Option<Instant>,
    pending: Deque<Vec<u8>, PENDING>,
}

impl AddressGuard {
    /// For the station with this driver.
    pub(crate) fn new(driver: &impl Driver) -> Self {
        let mac = match driver.hardware_address() {
            HardwareAddress::Ethernet(mac) => mac,
            _ => Mac::default(),
        };
        Self {
            state: RefCell::new(State {
                mac,
                ..State::default()
            }),
            conflict: Signal::new(),
        }
    }

    /// Asks whether another host has `address`, and watches it from now on.
    pub(crate) fn watch(&self, address: Ipv4Addr) {
        self.conflict.reset();
        let mut state = self.state.borrow_mut();
        state.watched = Some(address);
        let probe = probe(state.mac, address);
        // Full, the driver takes no frames at all.
        let _ = state.pending.push_back(probe);
    }

    /// Ends when another host has the address. Cancel safe.
    pub(crate) async fn conflict(&self) {
        self.conflict.wait().await;
    }

    /// Tells the server that another host has the address, which is watched no more.
    pub(crate) fn decline(&self, number: u32) {
        let mut state = self.state.borrow_mut();
        let (Some(address), Some(server)) = (state.watched.take(), state.server) else {
            return;
        };
        if let Some(frame) = decline(state.mac, address, server, number) {
            let _ = state.pending.push_back(frame);
        }
    }

    /// The station has no address any more.
    pub(crate) fn forget(&self) {
        self.state.borrow_mut().watched = None;
        self.conflict.reset();
    }

    fn received(&self, frame: &[u8]) {
        let mut state = self.state.borrow_mut();
        if let Some((mac, address)) = arp_sender(frame) {
            let is_ours = mac == state.mac;
            if state.watched == Some(address) && !is_ours && !bugs::is(Bug::ConflictIgnored) {
                self.conflict.signal(());
            }
            return;
        }
        let Some(message) = dhcp(frame, CLIENT_PORT).and_then(Dhcp::read) else {
            return;
        };
        if message.mac != state.mac {
            return;
        }
        match message.kind {
            MessageType::Ack => state.server = message.server,
            MessageType::Nak => state.refused_at = Some(Instant::now()),
            _ => {}
        }
    }

    /// Whether there is a reason to look at what leaves.
    fn judges_what_leaves(&self) -> bool {
        self.state.borrow().refused_at.is_some() || bugs::is(Bug::LeaseNotRenewed)
    }

    /// Whether a frame of the stack's may leave.
    fn may_leave(&self, frame: &[u8]) -> bool {
        let Some(message) = dhcp(frame, SERVER_PORT).and_then(Dhcp::read) else {
            return true;
        };
        if message.kind == MessageType::Request && message.renews {
            return !bugs::is(Bug::LeaseNotRenewed);
        }
        let refused = self.state.borrow_mut().refused_at.take();
        let is_at_once = refused.is_some_and(|at| Instant::now() < at + AT_ONCE);
        !(is_at_once && message.kind == MessageType::Discover) || bugs::is(Bug::NakStorm)
    }

    fn next_pending(&self) -> Option<Vec<u8>> {
        self.state.borrow_mut().pending.pop_front()
    }

    fn put_back(&self, frame: Vec<u8>) {
        // It was in the queue a moment ago.
        let _ = self.state.borrow_mut().pending.push_front(frame);
    }
}

/// A driver of which the frames are seen by an [`AddressGuard`].
pub(crate) struct Guarded<D> {
    driver: D,
    guard: &'static AddressGuard,
}

impl<D: Driver> Guarded<D> {
    pub(crate) fn new(driver: D, guard: &'static AddressGuard) -> Self {
        Self { driver, guard }
    }

    fn send_pending(&mut self, cx: &mut Context<'_>) {
        while let Some(frame) = self.guard.next_pending() {
            match self.driver.transmit(cx) {
                Some(token) => token.consume(frame.len(), |bytes| bytes.copy_from_slice(&frame)),
                None => return self.guard.put_back(frame),
            }
        }
    }
}

impl<D: Driver> Driver for Guarded<D> {
    type RxToken<'a>
        = GuardedRx<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = GuardedTx<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.send_pending(cx);
        let guard = self.guard;
        let (token, answer) = self.driver.receive(cx)?;
        Some((
            GuardedRx { token, guard },
            GuardedTx {
                token: answer,
                guard,
            },
        ))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        let guard = self.guard;
        let token = self.driver.transmit(cx)?;
        Some(GuardedTx { token, guard })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.driver.link_state(cx)
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.driver.hardware_address()
    }
}

/// A received frame.
pub(crate) struct GuardedRx<T> {
    token: T,
    guard: &'static AddressGuard,
}

impl<T: RxToken> RxToken for GuardedRx<T> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let guard = self.guard;
        self.token.consume(|frame| {
            guard.received(frame);
            f(frame)
        })
    }
}

/// Room for a frame.
pub(crate) struct GuardedTx<T> {
    token: T,
    guard: &'static AddressGuard,
}

impl<T: TxToken> TxToken for GuardedTx<T> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let least = ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER + DHCP_LEAST;
        if len < least || !self.guard.judges_what_leaves() {
            return self.token.consume(len, f);
        }
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        if self.guard.may_leave(&frame) {
            self.token
                .consume(len, |bytes| bytes.copy_from_slice(&frame));
        }
        result
    }
}

/// A DHCP message without options (RFC 2131 §2).
const DHCP_LEAST: usize = 236;

/// What of a DHCP message matters here.
struct Dhcp {
    kind: MessageType,
    mac: Mac,
    server: Option<Ipv4Addr>,
    /// Whether the client names an address that it has.
    renews: bool,
}

impl Dhcp {
    fn read(message: &[u8]) -> Option<Self> {
        let packet = Packet::decode(message).ok()?;
        let mut kind = None;
        let mut server = None;
        for option in packet.options.iter() {
            match option {
                DhcpOption::MessageType(told) => kind = Some(told),
                DhcpOption::ServerIdentifier(told) => server = Some(told),
                _ => {}
            }
        }
        Some(Self {
            kind: kind?,
            mac: *packet.chaddr.first_chunk()?,
            server,
            renews: !packet.ciaddr.is_unspecified(),
        })
    }
}

/// The DHCP message in a frame to `port`.
fn dhcp(frame: &[u8], port: u16) -> Option<&[u8]> {
    let (header, packet) = frame.split_at_checked(ETHERNET_HEADER)?;
    if header[12..] != ETHERTYPE_IPV4 || packet.first()? >> 4 != 4 || *packet.get(9)? != 17 {
        return None;
    }
    let datagram = packet.get(usize::from(packet[0] & 0x0F) * 4..)?;
    let (header, message) = datagram.split_at_checked(UDP_HEADER)?;
    (header[2..4] == port.to_be_bytes()).then_some(message)
}

/// Who sent the ARP packet in a frame, and by which address.
fn arp_sender(frame: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    let (header, packet) = frame.split_at_checked(ETHERNET_HEADER)?;
    if header[12..] != ETHERTYPE_ARP || packet.get(..6)? != [0, 1, 0x08, 0x00, 6, 4] {
        return None;
    }
    let mac = packet.get(8..14)?.first_chunk()?;
    let address: &[u8; 4] = packet.get(14..18)?.first_chunk()?;
    Some((*mac, Ipv4Addr::from(*address)))
}

/// An ARP request from no address, so that no other host takes it for a claim (RFC 5227 §2.1.1).
fn probe(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(mac, ETHERTYPE_ARP);
    frame.extend([0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend([0; 4 + 6]);
    frame.extend(address.octets());
    frame
}

/// DHCPDECLINE (RFC 2131 §4.4.4), broadcast from no address.
fn decline(mac: Mac, address: Ipv4Addr, server: Ipv4Addr, number: u32) -> Option<Vec<u8>> {
    let options = [
        DhcpOption::MessageType(MessageType::Decline),
        DhcpOption::RequestedIpAddress(address),
        DhcpOption::ServerIdentifier(server),
    ];
    let packet = Packet::new_request(mac, number, 0, None, false, Options::new(&options));
    let mut buffer = [0; 400];
    let message = packet.encode(&mut buffer).ok()?;

    let udp_len = u16::try_from(UDP_HEADER + message.len()).ok()?;
    let ip_len = udp_len + IPV4_HEADER as u16;
    let mut frame = ethernet(mac, ETHERTYPE_IPV4);
    let mut header = [0_u8; IPV4_HEADER];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&ip_len.to_be_bytes());
    header[8] = 64;
    header[9] = 17;
    header[16..].fill(0xFF);
    let sum: u32 = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    frame.extend(header);
    for field in [CLIENT_PORT, SERVER_PORT, udp_len, 0] {
        // Without a checksum (RFC 768).
        frame.extend(field.to_be_bytes());
    }
    frame.extend(message);
    Some(frame)
}

fn ethernet(mac: Mac, ethertype: [u8; 2]) -> Vec<u8> {
    let mut frame = EVERYBODY.to_vec();
    frame.extend(mac);
    frame.extend(ethertype);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 1];
    const OTHER: Mac = [2, 0, 0, 0, 0, 2];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 100);
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 1);

    fn guard() -> AddressGuard {
        AddressGuard {
            state: RefCell::new(State {
                mac: MAC,
                ..State::default()
            }),
            conflict: Signal::new(),
        }
    }

    fn message(kind: MessageType, port: u16) -> Vec<u8> {
        let options = [
            DhcpOption::MessageType(kind),
            DhcpOption::ServerIdentifier(SERVER),
        ];
        let packet = Packet::new_request(MAC, 7, 0, None, false, Options::new(&options));
        let mut buffer = [0; 400];
        let message = packet.encode(&mut buffer).expect("it fits");
        let mut frame = ethernet(MAC, ETHERTYPE_IPV4);
        let mut header = [0; IPV4_HEADER + UDP_HEADER];
        (header[0], header[9]) = (0x45, 17);
        header[22..24].copy_from_slice(&port.to_be_bytes());
        frame.extend(header);
        frame.extend(message);
        frame
    }

    #[test]
    fn after_a_refusal_the_immediate_question_is_held_back_and_the_next_is_not() {
        let guard = guard();
        let discover = message(MessageType::Discover, SERVER_PORT);
        assert!(guard.may_leave(&discover));
        guard.received(&message(MessageType::Nak, CLIENT_PORT));
        assert!(!guard.may_leave(&discover));
        assert!(guard.may_leave(&discover));
    }

    #[test]
    fn another_host_with_the_address_is_noticed_and_we_ourselves_are_none() {
        let guard = guard();
        guard.watch(ADDRESS);
        let probe = guard.next_pending().expect("a probe");
        assert_eq!(arp_sender(&probe), Some((MAC, Ipv4Addr::UNSPECIFIED)));
        let claim = |mac: Mac, address: Ipv4Addr| {
            let mut frame = probe.clone();
            frame[22..28].copy_from_slice(&mac);
            frame[28..32].copy_from_slice(&address.octets());
            guard.received(&frame);
            guard.conflict.signaled()
        };
        assert!(!claim(MAC, ADDRESS));
        assert!(!claim(OTHER, SERVER));
        assert!(claim(OTHER, ADDRESS));
        guard.forget();
        assert!(!claim(OTHER, ADDRESS));
    }

    #[test]
    fn the_server_that_leased_the_address_is_told() {
        let guard = guard();
        guard.received(&message(MessageType::Ack, CLIENT_PORT));
        guard.watch(ADDRESS);
        let _ = guard.next_pending();
        guard.decline(7);
        let frame = guard.next_pending().expect("a message");
        let told = dhcp(&frame, SERVER_PORT)
            .and_then(Dhcp::read)
            .expect("DHCP");
        assert_eq!(
            (told.kind, told.server),
            (MessageType::Decline, Some(SERVER))
        );
        assert_eq!(frame.len() - ETHERNET_HEADER, {
            usize::from(u16::from_be_bytes([frame[16], frame[17]]))
        });
    }

    proptest! {
        #[test]
        fn any_frame_is_looked_at_without_a_panic(bytes: Vec<u8>, body: Vec<u8>) {
            let guard = guard();
            guard.watch(ADDRESS);
            for head in [
                Vec::new(),
                ethernet(MAC, ETHERTYPE_ARP),
                ethernet(MAC, ETHERTYPE_IPV4),
            ] {
                let frame = [&head[..], &bytes].concat();
                guard.received(&frame);
                guard.may_leave(&frame);
            }
            let mut frame = message(MessageType::Ack, CLIENT_PORT);
            frame.extend(body);
            guard.received(&frame);
        }
    }
}
