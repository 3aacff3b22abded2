//! Ports of the host that lead to a device, for clients that know nothing of the air: TCP, and the
//! way to the device for all.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};
use std::time::Duration;

use airlink::Notice;
use tokio::net::{TcpListener, TcpStream};

use super::names::Protocol;
use super::relay::{self, OPENING, RelayEnd, relay};
use super::segment::Owner;
use super::soft_ap::ForwardStation;
use super::stack::{Addressing, Seat, Stack, StackCore};
use super::udp_ports::Ports;
use super::world::AirInner;
use trace::air::Forwarded;

/// Where a device's SoftAP is, as ESP-IDF has it.
const SOFT_AP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
/// The end of that network: the device's DHCP server gives it to no client while there are few.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 254);
/// Out of descriptors and the like: the host may recover.
pub(super) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// What the trace says of a client that came too early or too late.
pub(super) const NOT_THERE: &str = "the device is not there";
/// The same of a device that left.
pub(super) const NETWORK_GONE: &str = "the network is gone";

/// Where a forwarded port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardTarget {
    /// To the device's SoftAP.
    SoftAp {
        /// Name of the device.
        device: String,
    },
    /// To the device's station, wherever it is joined.
    Station {
        /// Name of the device.
        device: String,
    },
}

/// How the host reaches a device.
pub(super) struct Route {
    /// The stack on the device's network.
    pub(super) stack: Arc<StackCore>,
    /// That stack's UDP ports.
    pub(super) ports: Arc<Ports>,
    /// That stack's address.
    pub(super) from: Ipv4Addr,
    /// The device's address.
    pub(super) to: Ipv4Addr,
}

impl ForwardTarget {
    fn device(&self) -> &str {
        match self {
            Self::SoftAp { device } | Self::Station { device } => device,
        }
    }

    fn interface(&self) -> &'static str {
        match self {
            Self::SoftAp { .. } => "softap",
            Self::Station { .. } => "sta",
        }
    }
}

impl AirInner {
    /// Listens on the host; each connection becomes one to the device's `port`.
    pub(super) async fn forward(
        self: &Arc<Self>,
        listen: SocketAddr,
        target: ForwardTarget,
        port: u16,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        self.spawn(self.accepting(listener, target, port));
        Ok(address)
    }

    /// What takes connections from `listener` to the device's `port`, for as long as it is polled.
    pub(super) fn accepting(
        self: &Arc<Self>,
        listener: TcpListener,
        target: ForwardTarget,
        port: u16,
    ) -> impl Future<Output = ()> + Send + use<> {
        accept(Arc::downgrade(self), listener, target, port)
    }

    /// The way to the device, if it is there.
    pub(super) fn forward_route(self: &Arc<Self>, target: &ForwardTarget) -> Option<Route> {
        match target {
            ForwardTarget::SoftAp { device } => self.soft_ap_route(device),
            // The gateway reaches its stations, isolated or not.
            ForwardTarget::Station { device } => {
                let mut world = self.world();
                let (role, mac) = world.radio(device).joined()?;
                let (role, mac) = (role.to_owned(), mac?);
                let access_point = world.access_points.get(&role)?;
                let (gateway, stack) = access_point.gateway()?;
                Some(Route {
                    stack: stack.clone(),
                    ports: gateway.forwards().clone(),
                    from: access_point.address(),
                    to: gateway.address_of(mac)?,
                })
            }
        }
    }

    /// Says how a forwarded connection or flow ended, or why there is none.
    pub(super) fn forward_ended(
        &self,
        target: &ForwardTarget,
        protocol: Protocol,
        port: u16,
        how: &str,
    ) {
        self.trace().emit(
            Some(target.device()),
            &Forwarded {
                protocol: protocol.name().to_owned(),
                interface: target.interface().to_owned(),
                port,
                how: how.to_owned(),
            },
        );
    }

    /// The way to a SoftAP leads through a station, which joins when it is first needed.
    fn soft_ap_route(&self, device: &str) -> Option<Route> {
        let mut world = self.world();
        let mac = world.new_mac();
        let radio = world.radio(device);
        let soft_ap = radio.soft_ap.as_mut()?;
        let route = |station: &ForwardStation| Route {
            stack: station.stack.core().clone(),
            ports: station.ports.clone(),
            from: OWN,
            to: SOFT_AP,
        };
        if let Some(station) = &soft_ap.forward {
            return Some(route(station));
        }
        let seat = Seat {
            segment: &soft_ap.segment,
            owner: Owner::Forward,
            mac,
            addressing: Addressing::Fixed(OWN),
        };
        let ports = Arc::new(Ports::default());
        let stack = Stack::start(self.clock(), seat, ports.clone());
        let station = soft_ap.forward.insert(ForwardStation { stack, ports });
        let route = route(station);
        soft_ap.stations.insert(mac, "forward".to_owned());
        radio.notify(&Notice::StationJoined(mac));
        Some(route)
    }
}

async fn accept(air: Weak<AirInner>, listener: TcpListener, target: ForwardTarget, port: u16) {
    loop {
        let accepted = listener.accept().await;
        let Some(air) = air.upgrade() else { return };
        air.clock().touch();
        match accepted {
            Ok((host, _)) => {
                let carried = carry(Arc::downgrade(&air), host, target.clone(), port);
                air.spawn(carried);
            }
            Err(_) => air.clock().sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn carry(air: Weak<AirInner>, host: TcpStream, target: ForwardTarget, port: u16) {
    let route = air.upgrade().and_then(|air| air.forward_route(&target));
    let how = match route {
        None => {
            relay::reset(&host);
            NOT_THERE.to_owned()
        }
        Some(route) => join(&route.stack, host, SocketAddrV4::new(route.to, port)).await,
    };
    if let Some(air) = air.upgrade() {
        air.forward_ended(&target, Protocol::Tcp, port, &how);
    }
}

async fn join(stack: &Arc<StackCore>, host: TcpStream, to: SocketAddrV4) -> String {
    let opened = async {
        let connection = stack.connect(to)?;
        connection.established(OPENING).await?;
        Ok::<_, io::Error>(connection)
    };
    match opened.await {
        Ok(connection) => match relay(connection, host, stack.clock()).await {
            RelayEnd::Closed => "closed".to_owned(),
            RelayEnd::AirReset => "reset by the device".to_owned(),
            RelayEnd::HostReset => "reset by the host's client".to_owned(),
            RelayEnd::NetworkGone => NETWORK_GONE.to_owned(),
        },
        Err(error) => {
            relay::reset(&host);
            format!("not opened: {error}")
        }
    }
}
