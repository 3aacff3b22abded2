//! The LAN of the rig on this host's loopback: the device's CoAP and its web server are at an address of the
//! loopback that is its alone, it answers mDNS there, and phones are at the loopback's own.
//!
//! A station in the LAN of the home network stands for them there, so that what the access point does to
//! its clients (isolation, no power) is done to them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use lab::air::{Air, ForwardTarget, PhoneSeat};
use phone::{Datagrams, Dial};
use proto::linkkit::MULTICAST;
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::access_points::HOME;
use super::{DEVICE, narration};

/// CoAP (RFC 7252 §6.1).
const COAP: u16 = 5683;
/// Where phones of this host hear the device.
const PHONES: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, COAP);
/// Where a phone of this host asks everybody.
const EVERYBODY: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
/// Where it asks all devices that know CoAP (RFC 7252 §12.8).
const DEVICES: SocketAddrV4 = SocketAddrV4::new(MULTICAST, COAP);
/// Where it asks by mDNS (RFC 6762 §3).
const MDNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// Ports of web servers.
const WEB: [u16; 2] = [80, 443];
/// Name of the station.
const STATION: &str = "phones of the host";
/// How often the station looks for its network while that has no power.
const LOOK: Duration = Duration::from_millis(500);
/// Clients at other ports than CoAP's that are remembered; the first are forgotten for others.
const MOST_CLIENTS: usize = 16;
/// The longest datagram that UDP has.
const LONGEST: usize = 65_535;

/// The sockets of the host.
struct Ends {
    /// At the device's address.
    device: UdpSocket,
    /// Where broadcasts come.
    everybody: UdpSocket,
    /// Where what is for every device that knows CoAP comes.
    devices: UdpSocket,
    /// Where questions by mDNS come.
    mdns: UdpSocket,
    /// The device's address on the loopback.
    lan: Ipv4Addr,
}

/// Carries CoAP, mDNS and what web servers are asked between `lan`, the device's address on the loopback, and
/// the home network, with a task in `tasks`.
pub async fn open(
    air: &Air,
    clock: &Clock,
    lan: Ipv4Addr,
    tasks: &mut JoinSet<()>,
) -> io::Result<()> {
    let ends = Arc::new(Ends {
        device: bind(SocketAddrV4::new(lan, COAP))?,
        everybody: bind(SocketAddrV4::new(EVERYBODY, COAP))?,
        devices: bind_group(DEVICES)?,
        mdns: bind_group(MDNS)?,
        lan,
    });
    let (air, clock) = (air.clone(), clock.clone());
    tasks.spawn(async move {
        loop {
            if let Ok(seat) = air.join_access_point(STATION, HOME).await {
                tokio::select! {
                    () = seat.lost() => {}
                    // What it could not bind or receive, it can once it has joined anew.
                    _ = carry(&air, &seat, &ends) => {}
                }
            }
            clock.sleep(LOOK).await;
        }
    });
    Ok(())
}

/// Carries what the device's web server is asked, while the device has power: no host is at its address without.
pub struct Web {
    air: Air,
    lan: Ipv4Addr,
    listening: JoinSet<()>,
    is_on: bool,
}

impl Web {
    pub fn new(air: &Air, lan: Ipv4Addr) -> Self {
        Self {
            air: air.clone(),
            lan,
            listening: JoinSet::new(),
            is_on: false,
        }
    }

    /// Listens, or no longer. Not every user may listen at these ports.
    pub async fn power(&mut self, on: bool) -> io::Result<()> {
        if on == self.is_on {
            return Ok(());
        }
        self.is_on = on;
        self.listening.shutdown().await;
        if !on {
            return Ok(());
        }
        for port in WEB {
            let device = ForwardTarget::Station {
                device: DEVICE.to_owned(),
            };
            let at = SocketAddr::from((self.lan, port));
            match self.air.forwarding(at, device, port).await {
                Ok(forwarding) => {
                    self.listening.spawn(forwarding);
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    narration::say(&format!(
                        "no phone reaches the device's web server, as this user may not listen at port {port}: \
                         sudo sysctl net.ipv4.ip_unprivileged_port_start={}",
                        WEB[0]
                    ))
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A client of the host, as the station stands for it.
struct Client {
    port: Arc<dyn Datagrams>,
    answers: tokio::task::AbortHandle,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

async fn carry(air: &Air, seat: &PhoneSeat, ends: &Arc<Ends>) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    let mut clients: BTreeMap<SocketAddr, Client> = BTreeMap::new();
    // What the device tells everybody comes to this port.
    let phones = SocketAddr::from(PHONES);
    clients.insert(phones, client(air, seat, ends, phones, &mut tasks).await?);
    loop {
        let (bytes, from, to) = tokio::select! {
            received = receive(&ends.device) => {
                let (bytes, from) = received?;
                let device = air.station_address(DEVICE);
                (bytes, from, device.map(|device| SocketAddrV4::new(device, COAP)))
            }
            received = receive(&ends.everybody) => {
                let (bytes, from) = received?;
                (bytes, from, Some(SocketAddrV4::new(seat.broadcast(), COAP)))
            }
            received = receive(&ends.devices) => {
                let (bytes, from) = received?;
                (bytes, from, Some(DEVICES))
            }
            received = receive(&ends.mdns) => {
                let (bytes, from) = received?;
                (bytes, from, Some(MDNS))
            }
        };
        while tasks.try_join_next().is_some() {}
        if !clients.contains_key(&from) {
            if clients.len() >= MOST_CLIENTS {
                clients.retain(|known, _| *known == phones);
            }
            clients.insert(from, client(air, seat, ends, from, &mut tasks).await?);
        }
        if let (Some(client), Some(to)) = (clients.get(&from), to) {
            // Lost if it does not fit into a frame, as any datagram may be.
            let _ = client.port.send(&bytes, to).await;
        }
    }
}

/// A port of the station for the client of the host at `at`.
async fn client(
    air: &Air,
    seat: &PhoneSeat,
    ends: &Arc<Ends>,
    at: SocketAddr,
    tasks: &mut JoinSet<()>,
) -> io::Result<Client> {
    let is_phone = at == SocketAddr::from(PHONES);
    let port: Arc<dyn Datagrams> = seat.udp(if is_phone { COAP } else { 0 }).await?.into();
    let (air, ends, heard) = (air.clone(), ends.clone(), port.clone());
    let answers = tasks.spawn(async move {
        while let Ok((mut bytes, from)) = heard.receive().await {
            if air.station_address(DEVICE) == Some(*from.ip()) {
                if from.port() == MDNS.port() {
                    readdress(&mut bytes, *from.ip(), ends.lan);
                }
                // The client may be gone.
                let _ = ends.device.send_to(&bytes, at).await;
            }
        }
    });
    Ok(Client { port, answers })
}

async fn receive(socket: &UdpSocket) -> io::Result<(Vec<u8>, SocketAddr)> {
    loop {
        // There are several sockets, and room is made for what has come alone.
        socket.readable().await?;
        let mut bytes = vec![0; LONGEST];
        match socket.try_recv_from(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => {
                let (length, from) = received?;
                bytes.truncate(length);
                return Ok((bytes, from));
            }
        }
    }
}

/// Puts the address that the device has here in the place of that which it has on the air.
fn readdress(answer: &mut [u8], on_air: Ipv4Addr, lan: Ipv4Addr) {
    let mut rest = answer;
    while let Some(at) = rest.windows(4).position(|four| four == on_air.octets()) {
        rest[at..at + 4].copy_from_slice(&lan.octets());
        rest = &mut rest[at + 4..];
    }
}

/// Binds a group's port on the loopback.
fn bind_group(group: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = bind(group)?;
    socket.join_multicast_v4(*group.ip(), Ipv4Addr::LOCALHOST)?;
    Ok(socket)
}

/// Binds a port that other rigs of this host may bind, too: each gets its copy of a broadcast.
fn bind(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
