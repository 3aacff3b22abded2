//! The air's self-check.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use trace::{Witness, WitnessReport};

use super::access_point::AccessPoint;
use super::frame::Mac;
use super::segment::Owner;
use super::stack::{Addressing, OpenGate, Seat, Stack};
use super::world::AirInner;

/// Port without a listener (RFC 863, discard), so a gateway that works refuses.
const CLOSED_PORT: u16 = 9;
/// In lab time; the host's lag has a witness of its own.
const LIMIT: Duration = Duration::from_secs(2);

impl AirInner {
    pub(super) async fn check(&self) -> WitnessReport {
        let probes = self.probes();
        let mut answered = Vec::new();
        for (role, stack, gateway) in probes {
            let answer = async {
                let connection = stack.core().connect(gateway)?;
                connection.established(LIMIT).await
            };
            let refused = answer
                .await
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !refused {
                return report(false, format!("the gateway of {role} did not answer"));
            }
            answered.push(role);
        }
        report(
            true,
            format!("gateways that answered: {}", answered.join(", ")),
        )
    }

    /// A station beside each access point that is on and not broken on purpose.
    fn probes(&self) -> Vec<(String, Stack, SocketAddrV4)> {
        let mut world = self.world();
        let mac = world.new_mac();
        world
            .access_points
            .iter()
            .filter(|(_, access_point)| access_point.on && access_point.segment.is_sound())
            // Of what is behind a bridge, nothing is known.
            .filter(|(_, access_point)| access_point.gateway().is_some())
            .map(|(role, access_point)| {
                let (stack, gateway) = self.probe(access_point, mac);
                (role.clone(), stack, gateway)
            })
            .collect()
    }

    fn probe(&self, access_point: &AccessPoint, mac: Mac) -> (Stack, SocketAddrV4) {
        let gateway = access_point.address();
        let [a, b, c, _] = gateway.octets();
        // Below what the DHCP server gives away.
        let own = Ipv4Addr::new(a, b, c, 2);
        let seat = Seat {
            segment: &access_point.segment,
            owner: Owner::Forward,
            mac,
            addressing: Addressing::Fixed(own),
        };
        let stack = Stack::start(self.clock(), seat, Arc::new(OpenGate));
        // So that no device hears it ask.
        stack.core().learn(own, gateway, access_point.bssid);
        (stack, SocketAddrV4::new(gateway, CLOSED_PORT))
    }
}

fn report(sound: bool, detail: String) -> WitnessReport {
    WitnessReport {
        witness: Witness::Air,
        sound,
        detail,
    }
}
