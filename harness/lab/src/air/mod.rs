//! The virtual network: layer-2 segments, access points, DHCP, DNS and the way to the host.
//!
//! An [`Air`] is the network of one world. Devices are on it through a [`RadioLink`] each, phones through
//! a [`PhoneSeat`] each. Every access point is a segment of its own with a gateway that gives
//! addresses away, answers for names, and leads to those services of the host's loopback that were
//! published with [`Air::publish`], and to nothing else.

mod access_point;
mod authentication;
mod connection;
mod dhcp;
mod dns;
mod error;
mod ethernet;
mod forward;
mod forward_udp;
mod frame;
mod gateway;
mod hosting;
mod interface;
mod joining;
mod link;
mod names;
mod nat;
mod phone_join;
mod phone_seat;
mod queue;
mod radio;
mod reason;
mod relay;
mod requests;
mod segment;
mod soft_ap;
mod stack;
mod station;
mod udp_ports;
mod wire;
mod witness;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use trace::{Trace, WitnessReport};

pub use access_point::{AccessPointChange, AccessPointSettings};
pub use dhcp::{DhcpFaults, Taken};
pub use error::AirError;
pub use ethernet::Ethernet;
pub use forward::ForwardTarget;
pub use link::RadioLink;
pub use names::{NameFault, Protocol};
pub use phone_seat::PhoneSeat;
pub use segment::SegmentFaults;
pub use trace::air::{
    AccessPointChanged, AddressAsked, ConnectionClosed, ConnectionEnd, ConnectionOpened, Forwarded,
    Joined, Leased, Left, NameAsked, PhoneJoined, PhoneLeft, ScanBegun, SoftApStarted,
    SoftApStopped,
};

use access_point::AccessPoint;
use world::AirInner;

/// The virtual network of one world; cheap to clone, all clones are the same network.
///
/// Lives on the runtime that it is used from; its time is that of its trace.
#[derive(Clone)]
pub struct Air {
    inner: Arc<AirInner>,
}

impl Air {
    /// An empty network whose events go into `trace` and whose time is that trace's clock.
    pub fn new(trace: Trace) -> Self {
        Self {
            inner: Arc::new(AirInner::new(trace)),
        }
    }

    /// Sets up an access point and switches it on. One of the same role is replaced, and with it
    /// goes everybody who was joined.
    pub fn add_access_point(&self, role: &str, settings: AccessPointSettings) {
        let air = &self.inner;
        air.install(role, |bssid| {
            AccessPoint::start(role, settings, bssid, air.trace(), air.clock(), &air.names)
        });
    }

    /// Sets up an access point that is bridged with an Ethernet, as [`Self::add_access_point`] does one
    /// with a gateway. It authenticates stations and isolates them; addresses, names and services are
    /// those of the Ethernet, and its subnet means nothing.
    pub fn add_bridged_access_point(
        &self,
        role: &str,
        settings: AccessPointSettings,
        ethernet: &Ethernet,
    ) {
        let air = &self.inner;
        air.install(role, |bssid| {
            AccessPoint::bridged(settings, bssid, air.clock(), ethernet)
        });
    }

    /// Bridges the SoftAP of `device` with an Ethernet, also those that it starts later. Stations there
    /// are associated from their first frame on; who may join is up to the access point that they really
    /// use.
    pub fn bridge_soft_ap(&self, device: &str, ethernet: &Ethernet) {
        self.inner.bridge_soft_ap(device, ethernet);
    }

    /// An Ethernet outside of the lab: a program that connects to `listener` sends and receives its
    /// frames. Ends with the air.
    pub fn open_ethernet(&self, listener: UnixListener) -> Ethernet {
        Ethernet::start(&self.inner, listener)
    }

    /// Changes an access point; fails if the world has none of that role.
    pub fn set_access_point(&self, role: &str, change: AccessPointChange) -> Result<(), AirError> {
        let air = &self.inner;
        let mut world = air.world();
        let Some(access_point) = world.access_points.get_mut(role) else {
            return Err(AirError::NoAccessPoint { role: role.into() });
        };
        if matches!(
            change,
            AccessPointChange::Dhcp(_) | AccessPointChange::Internet(_)
        ) {
            access_point.gateway_of(role)?;
        }
        air.trace().emit(
            None,
            &AccessPointChanged {
                access_point: role.to_owned(),
                change: change.describe(),
            },
        );
        match change {
            AccessPointChange::On(on) => {
                access_point.on = on;
                if !on {
                    access_point.segment.unplug_stations();
                    air.lose_stations(&mut world, role);
                }
            }
            AccessPointChange::Passphrase(passphrase) => {
                access_point.settings.passphrase = passphrase;
                access_point.segment.unplug_stations();
                air.dismiss_stations(&mut world, role, reason::AUTH_LEAVE);
            }
            AccessPointChange::Isolation(on) => access_point.segment.set_isolated(on),
            AccessPointChange::Dhcp(faults) => access_point.gateway_of(role)?.set_dhcp(faults),
            AccessPointChange::Rssi(rssi) => {
                let was_heard = access_point.is_heard();
                access_point.settings.rssi = rssi;
                if was_heard && !access_point.is_heard() {
                    access_point.segment.unplug_stations();
                    air.lose_stations(&mut world, role);
                }
            }
            AccessPointChange::AnswersJoins(answers) => access_point.answers_joins = answers,
            AccessPointChange::Dismiss(reason) => {
                access_point.segment.unplug_stations();
                match reason {
                    reason::BEACON_TIMEOUT => air.lose_stations(&mut world, role),
                    reason => air.dismiss_stations(&mut world, role, reason),
                }
            }
            AccessPointChange::Internet(on) => access_point.gateway_of(role)?.set_internet(on),
            AccessPointChange::Faults(faults) => access_point.segment.set_faults(faults),
        }
        Ok(())
    }

    /// Breaks the frames between a device's SoftAP and its stations, also of SoftAPs that it starts
    /// later; the default repairs them.
    pub fn set_soft_ap_faults(&self, device: &str, faults: SegmentFaults) {
        let mut world = self.inner.world();
        let radio = world.radio(device);
        radio.soft_ap_faults = faults;
        if let Some(soft_ap) = &radio.soft_ap {
            soft_ap.segment.set_faults(faults);
        }
    }

    /// Whether every access point that should carry frames does: one is sent to its gateway and
    /// back. Devices do not notice, and the trace is the caller's business.
    pub async fn check(&self) -> WitnessReport {
        self.inner.check().await
    }

    /// Offers a service of the host's loopback on the air as `host:port`. The name gets an address
    /// there, unless it is one. An older offer of the same name, port and protocol is replaced.
    pub fn publish(&self, host: &str, port: u16, protocol: Protocol, target: SocketAddr) {
        self.inner.names.publish(host, port, protocol, target);
    }

    /// The address that a published name stands for on the air.
    pub fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        self.inner.names.address(host)
    }

    /// Breaks a name; none repairs it.
    pub fn set_name_fault(&self, host: &str, fault: impl Into<Option<NameFault>>) {
        self.inner.names.set_fault(host, fault.into());
    }

    /// A published host moves to another address, where nothing else is, or back.
    pub fn set_moved(&self, host: &str, moved: bool) {
        self.inner.names.set_moved(host, moved);
    }

    /// The air's end of the radio of `device`. Two of the same device share its frames.
    pub fn attach(&self, device: &str) -> RadioLink {
        let queue = self.inner.world().radio(device).queue.clone();
        RadioLink::new(self.clone(), device, queue)
    }

    /// The address of a device's station on the network that it is joined to, once it has one.
    pub fn station_address(&self, device: &str) -> Option<Ipv4Addr> {
        let mut world = self.inner.world();
        let (role, mac) = world.radio(device).joined()?;
        let (role, mac) = (role.to_owned(), mac?);
        let (gateway, _) = world.access_points.get(&role)?.gateway()?;
        gateway.address_of(mac)
    }

    /// Has a phone join the SoftAP `ssid`: waits until a device offers it, associates, and gets an
    /// address from the device's DHCP server. Bounded in lab time.
    pub async fn join_soft_ap(
        &self,
        phone: &str,
        ssid: &[u8],
        passphrase: &str,
    ) -> Result<PhoneSeat, AirError> {
        self.inner.join_soft_ap(phone, ssid, passphrase).await
    }

    /// Has a phone join the network of an access point, and get an address there. Bounded in lab
    /// time.
    pub async fn join_access_point(&self, phone: &str, role: &str) -> Result<PhoneSeat, AirError> {
        self.inner.join_access_point(phone, role).await
    }

    /// Listens on `listen` of the host; each connection becomes one TCP connection to the device's
    /// `port`, with closing and resets carried over. A connection is reset while the device is not
    /// there. Ends with the air. The address that is listened on.
    pub async fn forward(
        &self,
        listen: SocketAddr,
        to: ForwardTarget,
        port: u16,
    ) -> io::Result<SocketAddr> {
        self.inner.forward(listen, to, port).await
    }

    /// The same for as long as what it returns is polled: without it nothing listens.
    pub async fn forwarding(
        &self,
        listen: SocketAddr,
        to: ForwardTarget,
        port: u16,
    ) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let listener = TcpListener::bind(listen).await?;
        Ok(self.inner.accepting(listener, to, port))
    }

    /// Receives datagrams on `listen` of the host and sends them to the device's `port`, each
    /// client from a port of its own, to which the device can answer for two minutes after the last
    /// datagram of either. Datagrams are lost while the device is not there. Ends with the air. The
    /// address that is listened on.
    pub async fn forward_udp(
        &self,
        listen: SocketAddr,
        to: ForwardTarget,
        port: u16,
    ) -> io::Result<SocketAddr> {
        self.inner.forward_udp(listen, to, port).await
    }
}
