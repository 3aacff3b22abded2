//! A server of addresses (RFC 2131), one for each access point.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};

use super::frame::{EVERYBODY, Mac};

/// The port that servers listen on.
pub(super) const SERVER_PORT: u16 = 67;
/// The port that clients listen on.
pub(super) const CLIENT_PORT: u16 = 68;
/// Longer than any scenario, so that no lease ends by itself.
const LEASE_S: u32 = 86_400;
pub(super) const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// Last byte of the first address that is given away.
const FIRST_HOST: u8 = 100;
const LAST_HOST: u8 = 254;

/// What is wrong with a server of addresses on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DhcpFaults {
    /// It answers nothing.
    pub silent: bool,
    /// It refuses each address that it has offered (NAK).
    pub refuses: bool,
    /// It names no router.
    pub no_router: bool,
    /// Its leases end after this time, unless they are renewed.
    pub lease: Option<Duration>,
    /// It answers so much later, in lab time.
    pub delay: Duration,
    /// Another host has the first address that each station is offered.
    pub taken: Option<Taken>,
}

/// How a host that has an address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It answers those who ask for it.
    Answering,
    /// It answers nobody, but announces itself (RFC 5227 §2.3) whenever somebody does.
    Announced,
}

/// Gives addresses of one /24 network; a station keeps the one that it once got, unless it declines it.
pub(super) struct DhcpServer {
    own: Ipv4Addr,
    leases: BTreeMap<Mac, Ipv4Addr>,
    /// Addresses that other hosts have taken, as stations say.
    declined: BTreeSet<Ipv4Addr>,
    /// Addresses that another host has.
    occupied: BTreeSet<Ipv4Addr>,
    faults: DhcpFaults,
}

/// What a client has asked, and got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// In words: `discover`, `request`, `decline`, `release`, `inform`.
    pub(super) message: &'static str,
    /// The address that it wants.
    pub(super) wanted: Option<Ipv4Addr>,
    /// The answer, in words: `offer`, `ack`, `nak`; none for silence.
    pub(super) answered: Option<&'static str>,
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DhcpAnswer {
    pub(super) payload: Vec<u8>,
    pub(super) to: Ipv4Addr,
    pub(super) to_mac: Mac,
    /// The address that is the client's from now on, and for how many seconds.
    pub(super) leased: Option<(Ipv4Addr, u32)>,
    /// The router that it names.
    pub(super) router: Option<Ipv4Addr>,
}

fn name(message: DhcpMessageType) -> &'static str {
    match message {
        DhcpMessageType::Discover => "discover",
        DhcpMessageType::Offer => "offer",
        DhcpMessageType::Request => "request",
        DhcpMessageType::Decline => "decline",
        DhcpMessageType::Ack => "ack",
        DhcpMessageType::Nak => "nak",
        DhcpMessageType::Release => "release",
        DhcpMessageType::Inform => "inform",
        DhcpMessageType::Unknown(_) => "unknown",
    }
}

impl DhcpServer {
    /// A server at `own`, which is also the router and the name server.
    pub(super) fn new(own: Ipv4Addr) -> Self {
        Self {
            own,
            leases: BTreeMap::new(),
            declined: BTreeSet::new(),
            occupied: BTreeSet::new(),
            faults: DhcpFaults::default(),
        }
    }

    /// Breaks it, or repairs it.
    pub(super) fn set_faults(&mut self, faults: DhcpFaults) {
        if faults.taken.is_none() {
            self.occupied.clear();
        }
        self.faults = faults;
    }

    /// What is wrong with it.
    pub(super) fn faults(&self) -> DhcpFaults {
        self.faults
    }

    /// Whether another host than the stations has this address.
    pub(super) fn is_occupied(&self, address: Ipv4Addr) -> bool {
        self.occupied.contains(&address)
    }

    /// The address that `mac` got.
    pub(super) fn address_of(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.leases.get(&mac).copied()
    }

    /// What a client's message asks, and the answer, if it gets one; none if it is no message.
    pub(super) fn answer(&mut self, message: &[u8]) -> Option<(Asked, Option<DhcpAnswer>)> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let asked = DhcpRepr::parse(&packet).ok()?;
        let mac = asked.client_hardware_address.0;
        // A client that renews names its address in another field (§4.3.2).
        let wanted = asked
            .requested_ip
            .or(Some(asked.client_ip).filter(|ip| !ip.is_unspecified()));
        let is_for_us = asked.server_identifier.is_none_or(|id| id == self.own);
        let answer = if self.faults.silent || !is_for_us {
            None
        } else {
            match asked.message_type {
                DhcpMessageType::Discover => self.lease(mac).map(|offer| {
                    if self.faults.taken.is_some() && self.declined.is_empty() {
                        self.occupied.insert(offer);
                    }
                    (DhcpMessageType::Offer, Some(offer))
                }),
                DhcpMessageType::Request => self.lease(mac).map(|lease| {
                    match wanted == Some(lease) && !self.faults.refuses {
                        true => (DhcpMessageType::Ack, Some(lease)),
                        false => (DhcpMessageType::Nak, None),
                    }
                }),
                DhcpMessageType::Decline => {
                    if let Some(lease) = self.leases.remove(&mac) {
                        self.declined.insert(lease);
                    }
                    None
                }
                _ => None,
            }
        };
        let told = Asked {
            message: name(asked.message_type),
            wanted,
            answered: answer.map(|(kind, _)| name(kind)),
        };
        let answer = answer.and_then(|(kind, yours)| self.reply(&asked, kind, yours));
        Some((told, answer))
    }

    fn lease(&mut self, mac: Mac) -> Option<Ipv4Addr> {
        if let Some(lease) = self.leases.get(&mac) {
            return Some(*lease);
        }
        let [a, b, c, _] = self.own.octets();
        let address = (FIRST_HOST..=LAST_HOST)
            .map(|host| Ipv4Addr::new(a, b, c, host))
            .filter(|address| !self.declined.contains(address))
            .find(|address| self.leases.values().all(|taken| taken != address))?;
        self.leases.insert(mac, address);
        Some(address)
    }

    fn lease_s(&self) -> u32 {
        let lease = self.faults.lease.map(|lease| lease.as_secs());
        lease.map_or(LEASE_S, |s| u32::try_from(s).unwrap_or(LEASE_S))
    }

    fn reply(
        &self,
        asked: &DhcpRepr<'_>,
        message_type: DhcpMessageType,
        yours: Option<Ipv4Addr>,
    ) -> Option<DhcpAnswer> {
        let router = yours.filter(|_| !self.faults.no_router).map(|_| self.own);
        let reply = DhcpRepr {
            message_type,
            transaction_id: asked.transaction_id,
            secs: 0,
            client_hardware_address: asked.client_hardware_address,
            client_ip: asked.client_ip,
            your_ip: yours.unwrap_or(Ipv4Addr::UNSPECIFIED),
            server_ip: self.own,
            router,
            subnet_mask: yours.map(|_| MASK),
            relay_agent_ip: asked.relay_agent_ip,
            broadcast: asked.broadcast,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(self.own),
            parameter_request_list: None,
            dns_servers: yours.map(|_| [self.own].into_iter().collect()),
            max_size: None,
            lease_duration: yours.map(|_| self.lease_s()),
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
        let leased = yours
            .filter(|_| message_type == DhcpMessageType::Ack)
            .map(|address| (address, self.lease_s()));
        Some(DhcpAnswer {
            payload,
            to,
            to_mac,
            leased,
            router,
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

    fn ask(server: &mut DhcpServer, message: &[u8]) -> Option<DhcpAnswer> {
        server.answer(message).expect("a message").1
    }

    fn kind(answer: &DhcpAnswer) -> DhcpMessageType {
        let packet = DhcpPacket::new_checked(&answer.payload[..]).expect("a packet");
        DhcpRepr::parse(&packet).expect("a message").message_type
    }

    #[test]
    fn a_station_keeps_its_address() {
        let mut server = DhcpServer::new(OWN);
        let first = ask(&mut server, &message(DhcpMessageType::Discover, 1, None));
        let other = ask(&mut server, &message(DhcpMessageType::Discover, 2, None));
        let again = ask(&mut server, &message(DhcpMessageType::Discover, 1, None));
        assert_eq!(first, again);
        assert_ne!(first.map(|a| a.to), other.map(|a| a.to));
    }

    #[test]
    fn the_offered_address_is_granted_and_another_refused() {
        let mut server = DhcpServer::new(OWN);
        let offer =
            ask(&mut server, &message(DhcpMessageType::Discover, 1, None)).expect("an offer");
        assert_eq!((kind(&offer), offer.leased), (DhcpMessageType::Offer, None));
        let request = message(DhcpMessageType::Request, 1, Some(offer.to));
        let granted = ask(&mut server, &request).expect("an answer");
        assert_eq!(kind(&granted), DhcpMessageType::Ack);
        assert_eq!(granted.leased, Some((offer.to, LEASE_S)));
        let request = message(
            DhcpMessageType::Request,
            1,
            Some(Ipv4Addr::new(10, 0, 0, 9)),
        );
        let refused = ask(&mut server, &request).expect("an answer");
        assert_eq!(
            (kind(&refused), refused.to),
            (DhcpMessageType::Nak, Ipv4Addr::BROADCAST)
        );
    }

    #[test]
    fn a_network_without_free_addresses_offers_none() {
        let mut server = DhcpServer::new(OWN);
        let offers = (0..=LAST_HOST - FIRST_HOST + 1)
            .map(|mac| ask(&mut server, &message(DhcpMessageType::Discover, mac, None)))
            .collect::<Vec<_>>();
        assert!(offers[..offers.len() - 1].iter().all(Option::is_some));
        assert_eq!(offers.last(), Some(&None));
    }

    #[test]
    fn each_fault_is_told_in_the_answer() {
        let mut server = DhcpServer::new(OWN);
        let discover = message(DhcpMessageType::Discover, 1, None);
        let offer = ask(&mut server, &discover).expect("an offer").to;
        let request = message(DhcpMessageType::Request, 1, Some(offer));
        let read = |answer: Option<DhcpAnswer>| {
            let payload = answer.expect("an answer").payload;
            let packet = DhcpPacket::new_checked(&payload[..]).expect("a packet");
            let repr = DhcpRepr::parse(&packet).expect("a message");
            (repr.message_type, repr.router, repr.lease_duration)
        };
        let cases = [
            (
                DhcpFaults {
                    refuses: true,
                    ..DhcpFaults::default()
                },
                (DhcpMessageType::Nak, None, None),
            ),
            (
                DhcpFaults {
                    no_router: true,
                    ..DhcpFaults::default()
                },
                (DhcpMessageType::Ack, None, Some(LEASE_S)),
            ),
            (
                DhcpFaults {
                    lease: Some(Duration::from_secs(60)),
                    ..DhcpFaults::default()
                },
                (DhcpMessageType::Ack, Some(OWN), Some(60)),
            ),
        ];
        for (faults, expected) in cases {
            server.set_faults(faults);
            assert_eq!(read(ask(&mut server, &request)), expected);
        }
        server.set_faults(DhcpFaults {
            silent: true,
            ..DhcpFaults::default()
        });
        assert_eq!(ask(&mut server, &request), None);
    }

    #[test]
    fn an_address_that_is_taken_and_declined_is_not_offered_again() {
        let mut server = DhcpServer::new(OWN);
        server.set_faults(DhcpFaults {
            taken: Some(Taken::Answering),
            ..DhcpFaults::default()
        });
        let discover = message(DhcpMessageType::Discover, 1, None);
        let first = ask(&mut server, &discover).expect("an offer").to;
        assert!(server.is_occupied(first));
        let decline = message(DhcpMessageType::Decline, 1, Some(first));
        assert_eq!(ask(&mut server, &decline), None);
        let second = ask(&mut server, &discover).expect("an offer").to;
        assert_ne!(first, second);
        assert!(!server.is_occupied(second));
    }

    proptest! {
        #[test]
        fn garbage_is_ignored_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = DhcpServer::new(OWN).answer(&bytes);
        }
    }
}
