//! Ports of the host that lead to a device, for clients that know nothing of the air.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};
use std::time::Duration;

use airlink::Notice;
use tokio::net::{TcpListener, TcpStream};

use super::events::Forwarded;
use super::relay::{self, OPENING, RelayEnd, relay};
use super::segment::Owner;
use super::stack::{Addressing, OpenGate, Seat, Stack, StackCore};
use super::world::AirInner;

/// Where a device's SoftAP is, as ESP-IDF has it.
const SOFT_AP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
/// The end of that network: the device's DHCP server gives it to nobody while there are few.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 254);
/// Out of descriptors and the like: the host may recover.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Where a forwarded port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardTarget {
    /// To the device's SoftAP.
    SoftAp {
        /// Which device.
        device: String,
    },
    /// To the device's station, wherever it is joined.
    Station {
        /// Which device.
        device: String,
    },
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
        let air = Arc::downgrade(self);
        self.spawn(accept(air, listener, target, port));
        Ok(address)
    }

    fn forward_route(
        self: &Arc<Self>,
        target: &ForwardTarget,
    ) -> Option<(Arc<StackCore>, Ipv4Addr)> {
        match target {
            ForwardTarget::SoftAp { device } => Some((self.forward_station(device)?, SOFT_AP)),
            // The gateway reaches its stations, isolated or not.
            ForwardTarget::Station { device } => {
                let mut world = self.world();
                let (role, mac) = world.radio(device).joined()?;
                let (role, mac) = (role.to_owned(), mac?);
                let access_point = world.access_points.get(&role)?;
                let address = access_point.gateway().address_of(mac)?;
                Some((access_point.stack().clone(), address))
            }
        }
    }

    /// The station through which the host reaches a SoftAP; it joins when it is first needed.
    fn forward_station(&self, device: &str) -> Option<Arc<StackCore>> {
        let mut world = self.world();
        let mac = world.new_mac();
        let radio = world.radio(device);
        let soft_ap = radio.soft_ap.as_mut()?;
        if let Some(stack) = &soft_ap.forward {
            return Some(stack.core().clone());
        }
        let seat = Seat {
            segment: &soft_ap.segment,
            owner: Owner::Forward,
            mac,
            addressing: Addressing::Fixed(OWN),
        };
        let stack = Stack::start(self.clock(), seat, Arc::new(OpenGate));
        let core = stack.core().clone();
        soft_ap.forward = Some(stack);
        soft_ap.stations.insert(mac, "forward".to_owned());
        radio.notify(&Notice::StationJoined(mac));
        Some(core)
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
    let how = match route(&air, &target) {
        None => {
            relay::reset(&host);
            "the device is not there".to_owned()
        }
        Some((stack, address)) => join(&stack, host, SocketAddrV4::new(address, port)).await,
    };
    if let Some(air) = air.upgrade() {
        air.trace().emit(
            Some(target.device()),
            &Forwarded {
                interface: target.interface().to_owned(),
                port,
                how,
            },
        );
    }
}

fn route(air: &Weak<AirInner>, target: &ForwardTarget) -> Option<(Arc<StackCore>, Ipv4Addr)> {
    air.upgrade()?.forward_route(target)
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
            RelayEnd::NetworkGone => "the network is gone".to_owned(),
        },
        Err(error) => {
            relay::reset(&host);
            format!("not opened: {error}")
        }
    }
}
