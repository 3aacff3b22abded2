//! The names that the air knows, and the host's services behind them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dns::Resolution;

/// Names are given addresses from here on: the network for benchmarks (RFC 2544), so that none
/// can be taken for a real one.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// What [`NameFault::WrongAddress`] answers: no host has it (RFC 5737, TEST-NET-2).
const WRONG_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What is wrong with a name on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It does not exist.
    NxDomain,
    /// The server says that it failed (SERVFAIL).
    ServerFailure,
    /// Questions for it are not answered.
    Silent,
    /// Questions for it are answered so much later, in lab time.
    Slow(Duration),
    /// It stands for an address that no host has.
    WrongAddress,
    /// The server tells the address that the host had before it moved.
    Stale,
    /// It stands for the host's address first, and then for one that no host has.
    Several,
    /// It is another name for the host's own.
    Alias,
}

/// A service of the host as the air offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) target: SocketAddr,
}

/// All names of one air.
#[derive(Default)]
pub(super) struct Names {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    addresses: BTreeMap<String, Ipv4Addr>,
    faults: BTreeMap<String, NameFault>,
    services: BTreeMap<(Ipv4Addr, u16, Protocol), Service>,
    /// Hosts that have moved, and their addresses before that.
    moved: BTreeMap<String, Ipv4Addr>,
    /// Addresses given away.
    given: u32,
}

impl Names {
    /// Offers `target` as `host:port`; an older offer is replaced. A host that is an address
    /// keeps it.
    pub(super) fn publish(&self, host: &str, port: u16, protocol: Protocol, target: SocketAddr) {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        let known = state.addresses.get(&host).copied();
        let address = known.unwrap_or_else(|| host.parse().unwrap_or_else(|_| state.unused()));
        state.addresses.insert(host.clone(), address);
        state
            .services
            .insert((address, port, protocol), Service { host, target });
    }

    /// Breaks a name, or repairs it.
    pub(super) fn set_fault(&self, host: &str, fault: Option<NameFault>) {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        match fault {
            Some(fault) => state.faults.insert(host, fault),
            None => state.faults.remove(&host),
        };
    }

    /// A host moves to another address, and nothing is left at its old one; or it moves back. Nothing
    /// happens to one that is not known, or is there already.
    pub(super) fn set_moved(&self, host: &str, moved: bool) {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        let Some(from) = state.addresses.get(&host).copied() else {
            return;
        };
        let to = match (moved, state.moved.get(&host).copied()) {
            (true, None) => {
                state.moved.insert(host.clone(), from);
                state.unused()
            }
            (false, Some(before)) => {
                state.moved.remove(&host);
                before
            }
            _ => return,
        };
        state.addresses.insert(host, to);
        let services = std::mem::take(&mut state.services);
        state.services = services
            .into_iter()
            .map(
                |((address, port, protocol), service)| match address == from {
                    true => ((to, port, protocol), service),
                    false => ((address, port, protocol), service),
                },
            )
            .collect();
    }

    /// Whether a host was at `address` before it moved.
    pub(super) fn is_left(&self, address: Ipv4Addr) -> bool {
        self.state().moved.values().any(|left| *left == address)
    }

    /// The address of a published host.
    pub(super) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        let host = host.to_ascii_lowercase();
        self.state().addresses.get(&host).copied()
    }

    /// Whether a published name stands for `address`.
    pub(super) fn is_published(&self, address: Ipv4Addr) -> bool {
        self.state()
            .addresses
            .values()
            .any(|known| *known == address)
    }

    /// What the name server says about `name`.
    pub(super) fn resolve(&self, name: &str) -> Resolution {
        let state = self.state();
        match (state.faults.get(name), state.addresses.get(name)) {
            (Some(NameFault::Silent), _) => Resolution::Silence,
            (Some(NameFault::ServerFailure), _) => Resolution::Failure,
            (Some(NameFault::Stale), Some(address)) => {
                Resolution::Address(*state.moved.get(name).unwrap_or(address))
            }
            (Some(NameFault::WrongAddress), _) => Resolution::Address(WRONG_ADDRESS),
            (Some(NameFault::Several), Some(address)) => {
                Resolution::Several([*address, WRONG_ADDRESS])
            }
            (Some(NameFault::Alias), Some(address)) => Resolution::Alias(*address),
            (Some(NameFault::NxDomain), _) | (_, None) => Resolution::Unknown,
            (None | Some(NameFault::Slow(_)), Some(address)) => Resolution::Address(*address),
        }
    }

    /// How long the answer to a question for `name` takes.
    pub(super) fn delay(&self, name: &str) -> Duration {
        match self.state().faults.get(name) {
            Some(NameFault::Slow(delay)) => *delay,
            _ => Duration::ZERO,
        }
    }

    /// What is offered there.
    pub(super) fn service(
        &self,
        address: Ipv4Addr,
        port: u16,
        protocol: Protocol,
    ) -> Option<Service> {
        self.state()
            .services
            .get(&(address, port, protocol))
            .cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn unused(&mut self) -> Ipv4Addr {
        let next = u32::from(FIRST_ADDRESS) + self.given;
        self.given += 1;
        Ipv4Addr::from(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8883))
    }

    #[test]
    fn every_host_gets_an_address_of_its_own_and_keeps_it() {
        let names = Names::default();
        names.publish("broker.test", 8883, Protocol::Tcp, target());
        names.publish("time.test", 123, Protocol::Udp, target());
        names.publish("Broker.Test", 1883, Protocol::Tcp, target());
        assert_eq!(names.address("broker.test"), Some(FIRST_ADDRESS));
        assert_eq!(
            names.address("time.test"),
            Some(Ipv4Addr::new(198, 18, 0, 3))
        );
        assert!(names.service(FIRST_ADDRESS, 1883, Protocol::Tcp).is_some());
        assert!(names.service(FIRST_ADDRESS, 1883, Protocol::Udp).is_none());
    }

    #[test]
    fn a_host_that_is_an_address_keeps_it() {
        let names = Names::default();
        names.publish("10.1.2.3", 53, Protocol::Udp, target());
        assert_eq!(names.address("10.1.2.3"), Some(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn a_broken_name_is_sound_again_once_repaired() {
        let names = Names::default();
        names.publish("broker.test", 8883, Protocol::Tcp, target());
        let cases = [
            (Some(NameFault::NxDomain), Resolution::Unknown),
            (Some(NameFault::Silent), Resolution::Silence),
            (Some(NameFault::ServerFailure), Resolution::Failure),
            (
                Some(NameFault::Slow(Duration::from_secs(4))),
                Resolution::Address(FIRST_ADDRESS),
            ),
            (Some(NameFault::Stale), Resolution::Address(FIRST_ADDRESS)),
            (
                Some(NameFault::WrongAddress),
                Resolution::Address(WRONG_ADDRESS),
            ),
            (
                Some(NameFault::Several),
                Resolution::Several([FIRST_ADDRESS, WRONG_ADDRESS]),
            ),
            (Some(NameFault::Alias), Resolution::Alias(FIRST_ADDRESS)),
            (None, Resolution::Address(FIRST_ADDRESS)),
        ];
        for (fault, expected) in cases {
            names.set_fault("broker.test", fault);
            assert_eq!(names.resolve("broker.test"), expected);
        }
    }

    #[test]
    fn a_host_that_has_moved_leaves_nothing_behind_and_may_come_back() {
        let names = Names::default();
        names.publish("broker.test", 8883, Protocol::Tcp, target());
        names.publish("time.test", 123, Protocol::Udp, target());
        names.set_moved("broker.test", true);
        let moved = Ipv4Addr::new(198, 18, 0, 4);
        assert_eq!(names.resolve("broker.test"), Resolution::Address(moved));
        assert!(names.service(moved, 8883, Protocol::Tcp).is_some());
        assert!(!names.is_published(FIRST_ADDRESS));
        assert!(names.is_left(FIRST_ADDRESS));
        names.set_fault("broker.test", Some(NameFault::Stale));
        assert_eq!(
            names.resolve("broker.test"),
            Resolution::Address(FIRST_ADDRESS)
        );
        names.set_moved("broker.test", false);
        assert!(names.service(FIRST_ADDRESS, 8883, Protocol::Tcp).is_some());
        assert!(!names.is_published(moved));
    }
}
