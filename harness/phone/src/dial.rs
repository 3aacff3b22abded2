//! How a phone reaches the network that it has joined.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, wherever it goes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A phone's place on a network: the host's own sockets, or an endpoint on the air.
pub trait Dial: Send + Sync {
    /// The phone's own address on that network.
    fn address(&self) -> Ipv4Addr;

    /// Where datagrams for everybody on that network go.
    fn broadcast(&self) -> Ipv4Addr;

    /// Opens a TCP connection.
    fn tcp(&self, to: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;

    /// Binds a UDP port; 0 for any. Datagrams to the broadcast address arrive too.
    fn udp(&self, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>>;
}

/// A bound UDP port.
pub trait Datagrams: Send + Sync {
    /// The port.
    fn port(&self) -> u16;

    /// Sends one datagram.
    fn send<'d>(&'d self, bytes: &'d [u8], to: SocketAddrV4) -> BoxFuture<'d, io::Result<()>>;

    /// The next datagram and who sent it. Cancel safe.
    fn receive(&self) -> BoxFuture<'_, io::Result<(Vec<u8>, SocketAddrV4)>>;
}
