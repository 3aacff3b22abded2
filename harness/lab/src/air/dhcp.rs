//! A server of addresses (RFC 2131), one for each access point.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};

use super::frame::{EVERYBODY, Mac};

/// The port that servers listen on.
pub(super) const SERVER_PORT: u16 = 67;
/// The port that clients listen on.
pub(super) const CLIENT_PORT: u16 = 68;
/// Longer than any scenario, so that no lease ends by itself.
const LEASE_S: u32 = 86_400;
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// Last byte of the first address that is given away.
const FIRST_HOST: u8 = 100;
const LAST_HOST: u8 = 254;

/// Gives addresses of one /24 network; a station keeps the one that it once got.
pub(super) struct DhcpServer {
    own: Ipv4Addr,
    leases: BTreeMap<Mac, Ipv4Addr>,
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DhcpAnswer {
    pub(super) payload: Vec<u8>,
    pub(super) to: Ipv4Addr,
    pub(super) to_mac: Mac,
    /// The address that is the client's from now on.
    pub(super) leased: Option<Ipv4Addr>,
}

impl DhcpServer {
    /// A server at `own`, which is also the router and the name server.
    pub(super) fn new(own: Ipv4Addr) -> Self {
        Self {
            own,
            leases: BTreeMap::new(),
        }
    }

    /// The address that `mac` got.
    pub(super) fn address_of(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.leases.get(&mac).copied()
    }

    /// The answer to a client's message, if it wants one.
    pub(super) fn answer(&mut self, message: &[u8]) -> Option<DhcpAnswer> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let asked = DhcpRepr::parse(&packet).ok()?;
        let mac = asked.client_hardware_address.0;
        match asked.message_type {
            DhcpMessageType::Discover => {
                let offer = self.lease(mac)?;
                self.reply(&asked, DhcpMessageType::Offer, Some(offer))
            }
            DhcpMessageType::Request => {
                if asked.server_identifier.is_some_and(|id| id != self.own) {
                    return None;
                }
                // A client that renews names its address in another field (§4.3.2).
                let wanted = asked
                    .requested_ip
                    .or(Some(asked.client_ip).filter(|ip| !ip.is_unspecified()));
                let lease = self.lease(mac)?;
                if wanted == Some(lease) {
                    self.reply(&asked, DhcpMessageType::Ack, Some(lease))
                } else {
                    self.reply(&asked, DhcpMessageType::Nak, None)
                }
            }
            _ => None,
        }
    }

    fn lease(&mut self, mac: Mac) -> Option<Ipv4Addr> {
        if let Some(lease) = self.leases.get(&mac) {
            return Some(*lease);
        }
        let [a, b, c, _] = self.own.octets();
        let address = (FIRST_HOST..=LAST_HOST)
            .map(|host| Ipv4Addr::new(a, b, c, host))
            .find(|address| self.leases.values().all(|taken| taken != address))?;
        self.leases.insert(mac, address);
        Some(address)
    }

    fn reply(
        &self,
        asked: &DhcpRepr<'_>,
        message_type: DhcpMessageType,
        yours: Option<Ipv4Addr>,
    ) -> Option<DhcpAnswer> {
        let reply = DhcpRepr {
            message_type,
            transaction_id: asked.transaction_id,
            secs: 0,
            client_hardware_address: asked.client_hardware_address,
            client_ip: asked.client_ip,
            your_ip: yours.unwrap_or(Ipv4Addr::UNSPECIFIED),
            server_ip: self.own,
            router: yours.map(|_| self.own),
            subnet_mask: yours.map(|_| MASK),
            relay_agent_ip: asked.relay_agent_ip,
            broadcast: asked.broadcast,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(self.own),
            parameter_request_list: None,
            dns_servers: yours.map(|_| [self.own].into_iter().collect()),
            max_size: None,
            lease_duration: yours.map(|_| LEASE_S),
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut payload = vec![0; reply.buffer_len()];
        reply
            .emit(&mut DhcpPacket::new_unchecked(&mut payload[..]))
            .ok()?;
        let mac = asked.client_hardware_address.0;
        // Whom to send it to: RFC 2131 §4.1.
        let (to, to_mac) = match yours {
            Some(_) if !asked.client_ip.is_unspecified() => (asked.client_ip, mac),
            Some(address) if !asked.broadcast => (address, mac),
            _ => (Ipv4Addr::BROADCAST, EVERYBODY),
        };
        let leased = yours.filter(|_| message_type == DhcpMessageType::Ack);
        Some(DhcpAnswer {
            payload,
            to,
            to_mac,
            leased,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smoltcp::wire::EthernetAddress;

    const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 1);

    fn message(kind: DhcpMessageType, mac: u8, wanted: Option<Ipv4Addr>) -> Vec<u8> {
        let repr = DhcpRepr {
            message_type: kind,
            transaction_id: 7,
            secs: 0,
            client_hardware_address: EthernetAddress([2, 0, 0, 0, 0, mac]),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            requested_ip: wanted,
            client_identifier: None,
            server_identifier: None,
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut bytes = vec![0; repr.buffer_len()];
        repr.emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
            .expect("it fits");
        bytes
    }

    fn kind(answer: &DhcpAnswer) -> DhcpMessageType {
        let packet = DhcpPacket::new_checked(&answer.payload[..]).expect("a packet");
        DhcpRepr::parse(&packet).expect("a message").message_type
    }

    #[test]
    fn a_station_keeps_its_address() {
        let mut server = DhcpServer::new(OWN);
        let first = server.answer(&message(DhcpMessageType::Discover, 1, None));
        let other = server.answer(&message(DhcpMessageType::Discover, 2, None));
        let again = server.answer(&message(DhcpMessageType::Discover, 1, None));
        assert_eq!(first, again);
        assert_ne!(first.map(|a| a.to), other.map(|a| a.to));
    }

    #[test]
    fn the_offered_address_is_granted_and_another_refused() {
        let mut server = DhcpServer::new(OWN);
        let offer = server
            .answer(&message(DhcpMessageType::Discover, 1, None))
            .expect("an offer");
        assert_eq!((kind(&offer), offer.leased), (DhcpMessageType::Offer, None));
        let granted = server
            .answer(&message(DhcpMessageType::Request, 1, Some(offer.to)))
            .expect("an answer");
        assert_eq!(kind(&granted), DhcpMessageType::Ack);
        assert_eq!(granted.leased, Some(offer.to));
        let refused = server
            .answer(&message(
                DhcpMessageType::Request,
                1,
                Some(Ipv4Addr::new(10, 0, 0, 9)),
            ))
            .expect("an answer");
        assert_eq!(
            (kind(&refused), refused.to),
            (DhcpMessageType::Nak, Ipv4Addr::BROADCAST)
        );
    }

    #[test]
    fn a_network_without_free_addresses_offers_none() {
        let mut server = DhcpServer::new(OWN);
        let offers = (0..=LAST_HOST - FIRST_HOST + 1)
            .map(|mac| server.answer(&message(DhcpMessageType::Discover, mac, None)))
            .collect::<Vec<_>>();
        assert!(offers[..offers.len() - 1].iter().all(Option::is_some));
        assert_eq!(offers.last(), Some(&None));
    }

    proptest! {
        #[test]
        fn garbage_is_ignored_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = DhcpServer::new(OWN).answer(&bytes);
        }
    }
}
