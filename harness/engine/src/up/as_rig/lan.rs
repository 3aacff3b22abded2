//! The LAN of the rig on this host's loopback: CoAP of the device is at an address of the loopback that is
//! its alone, and phones are at the loopback's own.
//!
//! A station in the LAN of the home network stands for them there, so that what the access point does to
//! its clients (isolation, no power) is done to them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use lab::air::{Air, PhoneSeat};
use phone::{Datagrams, Dial};
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::DEVICE;
use super::access_points::HOME;

/// CoAP (RFC 7252 §6.1).
const COAP: u16 = 5683;
/// Where phones of this host hear the device.
const PHONES: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, COAP);
/// Where a phone of this host asks everybody.
const EVERYBODY: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
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
}

/// Carries CoAP between `lan`, the device's address on the loopback, and the home network, with a task in
/// `tasks`.
pub fn open(air: &Air, clock: &Clock, lan: Ipv4Addr, tasks: &mut JoinSet<()>) -> io::Result<()> {
    let ends = Arc::new(Ends {
        device: bind(SocketAddrV4::new(lan, COAP))?,
        everybody: bind(SocketAddrV4::new(EVERYBODY, COAP))?,
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
    let (mut one, mut all) = (vec![0; LONGEST], vec![0; LONGEST]);
    loop {
        let (bytes, from, to) = tokio::select! {
            received = ends.device.recv_from(&mut one) => {
                let (length, from) = received?;
                (&one[..length], from, air.station_address(DEVICE))
            }
            received = ends.everybody.recv_from(&mut all) => {
                let (length, from) = received?;
                (&all[..length], from, Some(seat.broadcast()))
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
            let _ = client.port.send(bytes, SocketAddrV4::new(to, COAP)).await;
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
        while let Ok((bytes, from)) = heard.receive().await {
            if air.station_address(DEVICE) == Some(*from.ip()) {
                // The client may be gone.
                let _ = ends.device.send_to(&bytes, at).await;
            }
        }
    });
    Ok(Client { port, answers })
}

/// Binds a port that other rigs of this host may bind, too: each gets its copy of a broadcast.
fn bind(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
