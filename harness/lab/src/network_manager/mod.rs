//! A stand-in for NetworkManager: one Wi-Fi interface on a private D-Bus, and networks that it can
//! join, right or wrong.
//!
//! It carries no frames; it is there so that a program that asks NetworkManager to join a device's SoftAP
//! can be seen to do so, and to put back what was before.

mod objects;
mod state;

use std::sync::Arc;

use clock::Clock;
use tokio::runtime::Handle;
use trace::Trace;
pub use trace::air::HostWifiSwitched;
use zbus::Connection;

use crate::bluetooth::StandInError;
use crate::private_bus::linger::Linger;
use objects::{AccessPoint, Device, Ip4Config, Manager, Wireless};
use state::State;

const NAME: &str = "org.freedesktop.NetworkManager";
const ROOT: &str = "/org/freedesktop/NetworkManager";

/// A network that the interface hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNetwork {
    /// Its name.
    pub ssid: String,
    /// Its passphrase; none for an open one.
    pub passphrase: Option<String>,
    /// The address that its DHCP server gives; none if it gives none.
    pub address: Option<std::net::Ipv4Addr>,
}

/// The stand-in; see the module. Gone from the bus when dropped.
pub struct NetworkManagerStandIn {
    state: Arc<State>,
    connection: Connection,
}

impl NetworkManagerStandIn {
    /// Offers the interface `interface`, connected to the first of `networks`, on the bus with this
    /// address. Runs on the current tokio runtime.
    pub async fn start(
        trace: &Trace,
        bus: &str,
        interface: &str,
        networks: &[HostNetwork],
    ) -> Result<Self, StandInError> {
        let clock: Clock = trace.clock().clone();
        let _busy = clock.busy();
        let linger = Linger::new(clock, Handle::current());
        let state = Arc::new(State::new(trace.clone(), linger, interface, networks));
        let offered = offer(bus, &state).await;
        let connection = offered.map_err(|source| StandInError::Service {
            name: NAME,
            bus: bus.to_owned(),
            source,
        })?;
        Ok(Self { state, connection })
    }

    /// One more network is heard, or none: the one that was heard so before is gone. An interface that is
    /// connected to it loses it a while later.
    pub fn hear(&self, network: Option<HostNetwork>) {
        self.state.hear(&self.connection, network);
    }

    /// The network that the interface is connected to.
    pub fn connected_to(&self) -> Option<String> {
        self.state.connected_to()
    }
}

async fn offer(bus: &str, state: &Arc<State>) -> zbus::Result<Connection> {
    let mut builder = zbus::connection::Builder::address(bus)
        .allow_name_replacements(true)
        .replace_existing_names(true)
        .serve_at(ROOT, Manager(state.clone()))
        .serve_at(state::DEVICE, Device(state.clone()))
        .serve_at(state::DEVICE, Wireless(state.clone()))
        .serve_at(state::IP4_CONFIG, Ip4Config(state.clone()));
    for index in 0..state.room() {
        let access_point = AccessPoint(state.clone(), index);
        builder = builder.serve_at(state::access_point(index), access_point);
    }
    builder.name(NAME).build().await
}
