//! The SoftAP's DHCP server.

use core::net::Ipv4Addr;

use edge_dhcp::server::{Server, ServerOptions};
use edge_dhcp::{DhcpOption, Options, Packet};
use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::Instant;

use crate::network::{self, SOFT_AP_ADDRESS};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// First and last address that is given away: no more than [`LEASES`], because `edge-dhcp` looks
/// for an expired lease only when no address is left. ESP-IDF goes up to 101.
const RANGE: (Ipv4Addr, Ipv4Addr) = (
    Ipv4Addr::new(192, 168, 4, 2),
    Ipv4Addr::new(192, 168, 4, 1 + LEASES as u8),
);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// ESP-IDF's default of 120 minutes, in s.
const LEASE: u32 = 7_200;
/// More than the SoftAP has stations, because phones come and go.
const LEASES: usize = 16;
/// Longest DHCP message without special agreement, rounded up (RFC 2131 §2).
const MESSAGE: usize = 600;
const MESSAGES: usize = 4;

/// Serves for ever.
pub(crate) async fn serve(stack: Stack<'static>) {
    let mut receive_meta = [PacketMetadata::EMPTY; MESSAGES];
    let mut send_meta = [PacketMetadata::EMPTY; MESSAGES];
    let mut receive = alloc::vec![0; MESSAGES * MESSAGE];
    let mut send = alloc::vec![0; MESSAGES * MESSAGE];
    let mut socket = UdpSocket::new(
        stack,
        &mut receive_meta,
        &mut receive,
        &mut send_meta,
        &mut send,
    );
    if socket.bind(SERVER_PORT).is_err() {
        log::error!(target: "dhcps", "port {SERVER_PORT} is taken, no addresses are given away");
        return core::future::pending().await;
    }
    let mut leases = Leases::new(|| Instant::now().as_secs());
    let (mut request, mut reply) = ([0; MESSAGE], [0; MESSAGE]);
    loop {
        // Longer messages are dropped by the stack.
        let Ok((length, _)) = socket.recv_from(&mut request).await else {
            continue;
        };
        if let Some((answer, to)) = leases.answer(&request[..length], &mut reply) {
            // A lost answer is asked for again by the client.
            network::send(&mut socket, SERVER_PORT, answer, (to, CLIENT_PORT)).await;
        }
    }
}

/// Who has which address. `now` tells the time in s.
struct Leases<F> {
    server: Server<F, LEASES>,
}

impl<F: FnMut() -> u64> Leases<F> {
    fn new(now: F) -> Self {
        let mut server = Server::new(now, SOFT_AP_ADDRESS);
        (server.range_start, server.range_end) = RANGE;
        Self { server }
    }

    /// The answer to a message, and where it goes.
    fn answer<'r>(&mut self, message: &[u8], reply: &'r mut [u8]) -> Option<(&'r [u8], Ipv4Addr)> {
        let request = Packet::decode(message).ok()?;
        let gateways = [SOFT_AP_ADDRESS];
        let mut options = ServerOptions::new(SOFT_AP_ADDRESS, None);
        options.gateways = &gateways;
        options.subnet = Some(MASK);
        options.lease_duration_secs = LEASE;
        let mut buffer = Options::buf();
        let answer = self
            .server
            .handle_request(&mut buffer, &options, &request)?;
        if is_ack(&answer) {
            let address = answer.yiaddr;
            log::info!(
                target: "esp_netif_lwip",
                "DHCP server assigned IP to a client, IP is: {address}"
            );
        }
        // A client without an address cannot be asked for its MAC address, so it hears a
        // broadcast.
        let to = match request.ciaddr {
            Ipv4Addr::UNSPECIFIED => Ipv4Addr::BROADCAST,
            address => address,
        };
        Some((answer.encode(reply).ok()?, to))
    }
}

fn is_ack(packet: &Packet<'_>) -> bool {
    packet
        .options
        .iter()
        .any(|option| option == DhcpOption::MessageType(edge_dhcp::MessageType::Ack))
}

#[cfg(test)]
mod tests {
    use edge_dhcp::MessageType;
    use proptest::prelude::*;

    use super::*;

    /// A request of a client with this MAC address.
    fn message(mac: u8, options: &[DhcpOption<'_>]) -> alloc::vec::Vec<u8> {
        let mac = [2, 0, 0, 0, 0, mac];
        let packet = Packet::new_request(mac, 7, 0, None, true, Options::new(options));
        let mut buffer = [0; MESSAGE];
        packet.encode(&mut buffer).unwrap().to_vec()
    }

    fn discover(mac: u8) -> alloc::vec::Vec<u8> {
        message(mac, &[DhcpOption::MessageType(MessageType::Discover)])
    }

    fn request(mac: u8, address: Ipv4Addr) -> alloc::vec::Vec<u8> {
        message(
            mac,
            &[
                DhcpOption::MessageType(MessageType::Request),
                DhcpOption::RequestedIpAddress(address),
                DhcpOption::ServerIdentifier(SOFT_AP_ADDRESS),
            ],
        )
    }

    fn answer(
        leases: &mut Leases<impl FnMut() -> u64>,
        message: &[u8],
    ) -> Option<(MessageType, Ipv4Addr)> {
        let mut reply = [0; MESSAGE];
        let (bytes, _) = leases.answer(message, &mut reply)?;
        let packet = Packet::decode(bytes).unwrap();
        let kind = packet.options.iter().find_map(|option| match option {
            DhcpOption::MessageType(kind) => Some(kind),
            _ => None,
        });
        Some((kind.unwrap(), packet.yiaddr))
    }

    #[test]
    fn a_client_is_offered_an_address_and_gets_it() {
        let mut leases = Leases::new(|| 0);
        let first = Ipv4Addr::new(192, 168, 4, 2);
        assert_eq!(
            answer(&mut leases, &discover(1)),
            Some((MessageType::Offer, first))
        );
        assert_eq!(
            answer(&mut leases, &request(1, first)),
            Some((MessageType::Ack, first))
        );
    }

    #[test]
    fn a_client_keeps_its_address() {
        let mut leases = Leases::new(|| 0);
        let (_, address) = answer(&mut leases, &discover(1)).unwrap();
        answer(&mut leases, &request(1, address));
        assert_eq!(answer(&mut leases, &discover(1)).unwrap().1, address);
        assert_ne!(answer(&mut leases, &discover(2)).unwrap().1, address);
    }

    #[test]
    fn an_address_of_another_client_is_refused() {
        let mut leases = Leases::new(|| 0);
        let (_, address) = answer(&mut leases, &discover(1)).unwrap();
        answer(&mut leases, &request(1, address));
        for wrong in [address, Ipv4Addr::new(192, 168, 43, 7), SOFT_AP_ADDRESS] {
            let (kind, _) = answer(&mut leases, &request(2, wrong)).unwrap();
            assert_eq!(kind, MessageType::Nak, "{wrong}");
        }
    }

    #[test]
    fn mask_and_router_are_told() {
        let mut leases = Leases::new(|| 0);
        let wanted = [DhcpOption::CODE_SUBNET, DhcpOption::CODE_ROUTER];
        let discover = message(
            1,
            &[
                DhcpOption::MessageType(MessageType::Discover),
                DhcpOption::ParameterRequestList(&wanted),
            ],
        );
        let mut reply = [0; MESSAGE];
        let (bytes, to) = leases.answer(&discover, &mut reply).unwrap();
        assert_eq!(to, Ipv4Addr::BROADCAST);
        let packet = Packet::decode(bytes).unwrap();
        let mut options = packet.options.iter();
        assert!(options.any(|option| option == DhcpOption::SubnetMask(MASK)));
        let mut options = packet.options.iter();
        assert!(options.any(|option| match option {
            DhcpOption::Router(routers) => routers.iter().eq([SOFT_AP_ADDRESS]),
            _ => false,
        }));
    }

    #[test]
    fn an_expired_address_is_given_to_the_next() {
        let now = core::cell::Cell::new(0_u64);
        let mut leases = Leases::new(|| now.get());
        for mac in 0..LEASES as u8 {
            let (_, address) = answer(&mut leases, &discover(mac)).unwrap();
            answer(&mut leases, &request(mac, address));
        }
        now.set(u64::from(LEASE) + 1);
        let (_, address) = answer(&mut leases, &discover(99)).unwrap();
        let ack = answer(&mut leases, &request(99, address));
        assert_eq!(ack, Some((MessageType::Ack, address)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut reply = [0; MESSAGE];
            Leases::new(|| 0).answer(&bytes, &mut reply);
        }

        #[test]
        fn a_damaged_message_is_answered_without_panic(at in 0..300_usize, byte: u8) {
            let mut bytes = request(1, RANGE.0);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let mut reply = [0; MESSAGE];
            Leases::new(|| 0).answer(&bytes, &mut reply);
        }
    }
}
