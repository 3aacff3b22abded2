//! The host's own sockets as a phone's place on the network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpSocket, UdpSocket};

use crate::{Datagrams, Dial, Stream, interface};

/// No datagram of UDP over IPv4 is longer.
const LONGEST_DATAGRAM: usize = 65_507;

/// A phone that lives on the host.
#[derive(Clone, Debug)]
pub struct HostDial {
    address: Ipv4Addr,
    broadcast: Ipv4Addr,
    /// The only interface that is used; none for whichever the host's routes choose.
    interface: Option<String>,
    clock: Clock,
}

impl HostDial {
    /// On the network that the host's routes choose; broadcasts go to 255.255.255.255.
    pub fn any(clock: Clock) -> Self {
        Self::new(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, clock)
    }

    /// At one of the host's addresses, which connections come from.
    pub fn new(address: Ipv4Addr, broadcast: Ipv4Addr, clock: Clock) -> Self {
        Self {
            address,
            broadcast,
            interface: None,
            clock,
        }
    }

    /// On the interface `name` alone, which has to have an IPv4 address.
    pub fn on_interface(name: &str, clock: Clock) -> io::Result<Self> {
        let Some((address, broadcast)) = interface::addresses(name)? else {
            let what = format!("{name} is no interface of this host that has an IPv4 address");
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what));
        };
        Ok(Self {
            interface: Some(name.to_owned()),
            ..Self::new(address, broadcast, clock)
        })
    }
}

impl Dial for HostDial {
    fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn broadcast(&self) -> Ipv4Addr {
        self.broadcast
    }

    fn tcp(&self, to: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async move {
            let socket = TcpSocket::new_v4()?;
            if let Some(interface) = &self.interface {
                socket.bind_device(Some(interface.as_bytes()))?;
            }
            if !self.address.is_unspecified() {
                socket.bind(SocketAddrV4::new(self.address, 0).into())?;
            }
            let stream = socket.connect(to.into()).await?;
            self.clock.touch();
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }
        .boxed()
    }

    fn udp(&self, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        async move {
            // A socket that is bound to an address of a LAN hears no broadcasts.
            let address = if self.address.is_loopback() {
                self.address
            } else {
                Ipv4Addr::UNSPECIFIED
            };
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            // First, so that the same port of another interface is not in the way.
            if let Some(interface) = &self.interface {
                socket.bind_device(Some(interface.as_bytes()))?;
            }
            socket.set_broadcast(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SocketAddrV4::new(address, port).into())?;
            let socket = UdpSocket::from_std(socket.into())?;
            let port = socket.local_addr()?.port();
            Ok(Box::new(HostDatagrams {
                socket,
                port,
                clock: self.clock.clone(),
            }) as Box<dyn Datagrams>)
        }
        .boxed()
    }
}

struct HostDatagrams {
    socket: UdpSocket,
    port: u16,
    clock: Clock,
}

impl Datagrams for HostDatagrams {
    fn port(&self) -> u16 {
        self.port
    }

    fn send<'d>(&'d self, bytes: &'d [u8], to: SocketAddrV4) -> BoxFuture<'d, io::Result<()>> {
        async move {
            self.socket.send_to(bytes, to).await?;
            self.clock.touch();
            Ok(())
        }
        .boxed()
    }

    fn receive(&self) -> BoxFuture<'_, io::Result<(Vec<u8>, SocketAddrV4)>> {
        async move {
            let mut bytes = vec![0; LONGEST_DATAGRAM];
            loop {
                let (length, from) = self.socket.recv_from(&mut bytes).await?;
                self.clock.touch();
                // The socket is an IPv4 one, so nothing else can come.
                if let SocketAddr::V4(from) = from {
                    bytes.truncate(length);
                    return Ok((bytes, from));
                }
            }
        }
        .boxed()
    }
}
