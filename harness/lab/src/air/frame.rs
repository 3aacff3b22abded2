//! What the air must understand of a frame, and the few frames that it makes itself.

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpPacket, UdpPacket, UdpRepr,
};

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// Everybody on a segment.
pub(super) const EVERYBODY: Mac = [0xFF; 6];

const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// What fits behind the headers into one frame.
const MAX_UDP_PAYLOAD: usize = airlink::MAX_FRAME - ETHERNET_HEADER - IPV4_HEADER - UDP_HEADER;

/// Where a frame goes; none if it is no frame.
pub(super) fn destination(frame: &[u8]) -> Option<Mac> {
    frame.first_chunk().copied()
}

/// Where a frame comes from; none if it is no frame.
pub(super) fn source(frame: &[u8]) -> Option<Mac> {
    frame.get(6..)?.first_chunk().copied()
}

/// Whether `mac` stands for several receivers (IEEE 802.3 §3.2.3: the I/G bit).
pub(super) fn is_group(mac: Mac) -> bool {
    mac[0] & 1 == 1
}

/// A UDP datagram and the frame that carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'f> {
    pub(super) from_mac: Mac,
    pub(super) to_mac: Mac,
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) payload: &'f [u8],
}

impl<'f> Datagram<'f> {
    /// The whole datagram in `frame`; none for fragments and for anything damaged.
    pub(super) fn parse(frame: &'f [u8]) -> Option<Self> {
        let (ip, body) = ipv4(frame)?;
        if ip.next_header != IpProtocol::Udp {
            return None;
        }
        let udp = UdpPacket::new_checked(body).ok()?;
        UdpRepr::parse(
            &udp,
            &ip.src_addr.into(),
            &ip.dst_addr.into(),
            &ChecksumCapabilities::default(),
        )
        .ok()?;
        Some(Self {
            from_mac: source(frame)?,
            to_mac: destination(frame)?,
            from: SocketAddrV4::new(ip.src_addr, udp.src_port()),
            to: SocketAddrV4::new(ip.dst_addr, udp.dst_port()),
            payload: udp.payload(),
        })
    }

    /// The frame that carries it; none if it does not fit into one.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        if self.payload.len() > MAX_UDP_PAYLOAD {
            return None;
        }
        let udp_length = UDP_HEADER + self.payload.len();
        let mut frame = vec![0; ETHERNET_HEADER + IPV4_HEADER + udp_length];
        ethernet(
            &mut frame,
            self.from_mac,
            self.to_mac,
            EthernetProtocol::Ipv4,
        );
        let checksums = ChecksumCapabilities::default();
        let (source, destination) = (*self.from.ip(), *self.to.ip());
        Ipv4Repr {
            src_addr: source,
            dst_addr: destination,
            next_header: IpProtocol::Udp,
            payload_len: udp_length,
            hop_limit: 64,
        }
        .emit(
            &mut Ipv4Packet::new_unchecked(&mut frame[ETHERNET_HEADER..]),
            &checksums,
        );
        UdpRepr {
            src_port: self.from.port(),
            dst_port: self.to.port(),
        }
        .emit(
            &mut UdpPacket::new_unchecked(&mut frame[ETHERNET_HEADER + IPV4_HEADER..]),
            &source.into(),
            &destination.into(),
            self.payload.len(),
            |payload| payload.copy_from_slice(self.payload),
            &checksums,
        );
        Some(frame)
    }
}

/// A TCP segment's ends, and whether it asks for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from_mac: Mac,
    pub(super) to_mac: Mac,
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) opens: bool,
}

impl Segment {
    /// The segment in `frame`; none for fragments and for anything damaged.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let (ip, body) = ipv4(frame)?;
        if ip.next_header != IpProtocol::Tcp {
            return None;
        }
        let tcp = TcpPacket::new_checked(body).ok()?;
        Some(Self {
            from_mac: source(frame)?,
            to_mac: destination(frame)?,
            from: SocketAddrV4::new(ip.src_addr, tcp.src_port()),
            to: SocketAddrV4::new(ip.dst_addr, tcp.dst_port()),
            opens: tcp.syn() && !tcp.ack(),
        })
    }
}

/// The addresses of the IPv4 packet in `frame`.
pub(super) fn ipv4_ends(frame: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    ipv4(frame).map(|(ip, _)| (ip.src_addr, ip.dst_addr))
}

/// Whose hardware address the ARP packet in `frame` asks for or tells.
pub(super) fn arp_target(frame: &[u8]) -> Option<Ipv4Addr> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let packet = ArpPacket::new_checked(ethernet.payload()).ok()?;
    match ArpRepr::parse(&packet).ok()? {
        ArpRepr::EthernetIpv4 {
            target_protocol_addr,
            ..
        } => Some(target_protocol_addr),
        _ => None,
    }
}

/// Who sent the ARP request in `frame`: address and hardware address. A probe comes from no address.
pub(super) fn arp_asker(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let packet = ArpPacket::new_checked(ethernet.payload()).ok()?;
    match ArpRepr::parse(&packet).ok()? {
        ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            ..
        } => Some((source_protocol_addr, source_hardware_addr.0)),
        _ => None,
    }
}

/// The ARP reply by which `who` at `mac` makes itself known to `to`.
pub(super) fn arp_reply(who: Ipv4Addr, mac: Mac, to: Ipv4Addr, to_mac: Mac) -> Vec<u8> {
    let reply = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(mac),
        source_protocol_addr: who,
        target_hardware_addr: EthernetAddress(to_mac),
        target_protocol_addr: to,
    };
    arp(&reply, mac, to_mac)
}

/// The ARP request by which `who` at `mac` makes itself known to everybody (RFC 5227 §2.3).
pub(super) fn arp_announcement(who: Ipv4Addr, mac: Mac) -> Vec<u8> {
    let request = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac),
        source_protocol_addr: who,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: who,
    };
    arp(&request, mac, EthernetAddress::BROADCAST.0)
}

fn arp(packet: &ArpRepr, from: Mac, to: Mac) -> Vec<u8> {
    let mut frame = vec![0; ETHERNET_HEADER + packet.buffer_len()];
    ethernet(&mut frame, from, to, EthernetProtocol::Arp);
    packet.emit(&mut ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER..]));
    frame
}

/// The hardware address that a multicast group is sent to (RFC 1112 §6.4).
pub(super) fn multicast_mac(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5E, b & 0x7F, c, d]
}

fn ipv4(frame: &[u8]) -> Option<(Ipv4Repr, &[u8])> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    let ip = Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).ok()?;
    (!packet.more_frags() && packet.frag_offset() == 0).then(|| (ip, packet.payload()))
}

fn ethernet(frame: &mut [u8], from: Mac, to: Mac, ethertype: EthernetProtocol) {
    EthernetRepr {
        src_addr: EthernetAddress(from),
        dst_addr: EthernetAddress(to),
        ethertype,
    }
    .emit(&mut EthernetFrame::new_unchecked(frame));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_datagram_comes_back(
            payload in proptest::collection::vec(any::<u8>(), 0..MAX_UDP_PAYLOAD + 1),
            from in any::<[u8; 4]>(),
            to in any::<[u8; 4]>(),
            ports in (any::<u16>(), 1_u16..),
        ) {
            let datagram = Datagram {
                from_mac: [2, 0, 0, 0, 0, 1],
                to_mac: EVERYBODY,
                from: SocketAddrV4::new(from.into(), ports.0),
                to: SocketAddrV4::new(to.into(), ports.1),
                payload: &payload,
            };
            let frame = datagram.encode().expect("it fits");
            prop_assert_eq!(Datagram::parse(&frame), Some(datagram));
            prop_assert_eq!(Segment::parse(&frame), None);
        }

        #[test]
        fn garbage_is_understood_without_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            ethertype in prop_oneof![Just([8_u8, 0]), Just([8, 6]), any::<[u8; 2]>()],
        ) {
            let frame = [&[0; 12][..], &ethertype, &body].concat();
            let _ = (Datagram::parse(&frame), Segment::parse(&frame), arp_target(&frame));
            let _ = (ipv4_ends(&frame), source(&body), destination(&body));
        }
    }
}
