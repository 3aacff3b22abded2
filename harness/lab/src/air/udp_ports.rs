//! UDP ports on a stack.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use clock::Clock;
use futures_util::future::BoxFuture;
use phone::Datagrams;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp;
use tokio::sync::Notify;

use super::frame::{self, Datagram, EVERYBODY, Mac};
use super::stack::{Gate, StackCore, gone};

/// Datagrams that a bound port holds; what comes on top is lost.
const MAX_WAITING: usize = 256;

/// The bound UDP ports of one stack. As its gate it takes their datagrams before smoltcp, which drops
/// those to broadcast addresses of other networks, and devices do send such (for example to the
/// class A broadcast 192.255.255.255).
#[derive(Default)]
pub(super) struct Ports {
    bound: Mutex<BTreeMap<u16, Arc<Inbox>>>,
}

#[derive(Default)]
struct Inbox {
    waiting: Mutex<VecDeque<(Vec<u8>, SocketAddrV4)>>,
    arrived: Notify,
}

impl Ports {
    /// Takes a datagram to a port that is bound; false if none is.
    pub(super) fn take(&self, datagram: &Datagram<'_>) -> bool {
        let inbox = self.bound().get(&datagram.to.port()).cloned();
        if let Some(inbox) = &inbox {
            inbox.put(datagram.payload.to_vec(), datagram.from);
        }
        inbox.is_some()
    }

    fn bound(&self) -> MutexGuard<'_, BTreeMap<u16, Arc<Inbox>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Ports {
    fn inbound(&self, _: &Arc<StackCore>, frame: Vec<u8>) -> Option<Vec<u8>> {
        let taken = Datagram::parse(&frame).is_some_and(|datagram| self.take(&datagram));
        (!taken).then_some(frame)
    }

    fn outbound(&self, _: &[u8]) -> bool {
        true
    }
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Vec<u8>, SocketAddrV4)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, bytes: Vec<u8>, from: SocketAddrV4) {
        let mut waiting = self.waiting();
        if waiting.len() < MAX_WAITING {
            waiting.push_back((bytes, from));
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

/// A bound UDP port. Dropping it frees the port.
pub(super) struct BoundPort {
    stack: Arc<StackCore>,
    ports: Arc<Ports>,
    inbox: Arc<Inbox>,
    /// Sends to single stations, whose hardware addresses smoltcp finds out.
    sender: SocketHandle,
    port: u16,
    address: Ipv4Addr,
}

impl BoundPort {
    /// Binds `port`, or any for 0, on a stack that has this address and these ports.
    pub(super) fn new(
        stack: &Arc<StackCore>,
        ports: &Arc<Ports>,
        address: Ipv4Addr,
        port: u16,
    ) -> io::Result<Self> {
        if stack.is_closed() {
            return Err(gone());
        }
        let mut bound = ports.bound();
        let port = match port {
            0 => free_port(stack, &bound),
            port if bound.contains_key(&port) => return Err(io::ErrorKind::AddrInUse.into()),
            port => port,
        };
        let sender = stack.udp_sender(port)?;
        let inbox = bound.entry(port).or_default().clone();
        drop(bound);
        Ok(Self {
            stack: stack.clone(),
            ports: ports.clone(),
            inbox,
            sender,
            port,
            address,
        })
    }

    pub(super) fn clock(&self) -> &Clock {
        self.stack.clock()
    }

    /// Sends a frame to several stations at once, which smoltcp does for its own network only.
    fn send_to_group(&self, bytes: &[u8], to: SocketAddrV4, to_mac: Mac) -> io::Result<()> {
        let datagram = Datagram {
            from_mac: self.stack.mac(),
            to_mac,
            from: SocketAddrV4::new(self.address, self.port),
            to,
            payload: bytes,
        };
        let frame = datagram.encode().ok_or(io::ErrorKind::InvalidInput)?;
        self.stack.send_frame(frame);
        Ok(())
    }

    async fn send_to_one(&self, bytes: &[u8], to: SocketAddrV4) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let mut state = self.stack.state();
            let socket = state.sockets.get_mut::<udp::Socket<'_>>(self.sender);
            match socket.send_slice(bytes, to) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(udp::SendError::BufferFull)
                    if bytes.len() <= socket.payload_send_capacity() =>
                {
                    socket.register_send_waker(cx.waker());
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    error.to_string(),
                ))),
            }
        })
        .await?;
        self.clock().touch();
        self.stack.poke();
        Ok(())
    }
}

impl Datagrams for BoundPort {
    fn port(&self) -> u16 {
        self.port
    }

    fn send<'d>(&'d self, bytes: &'d [u8], to: SocketAddrV4) -> BoxFuture<'d, io::Result<()>> {
        Box::pin(async move {
            if self.stack.is_closed() {
                return Err(gone());
            }
            let address = *to.ip();
            if address.is_multicast() {
                self.send_to_group(bytes, to, frame::multicast_mac(address))
            } else if is_broadcast(address) {
                self.send_to_group(bytes, to, EVERYBODY)
            } else {
                self.send_to_one(bytes, to).await
            }
        })
    }

    fn receive(&self) -> BoxFuture<'_, io::Result<(Vec<u8>, SocketAddrV4)>> {
        Box::pin(async move {
            loop {
                if let Some(datagram) = self.inbox.waiting().pop_front() {
                    return Ok(datagram);
                }
                if self.stack.is_closed() {
                    return Err(gone());
                }
                tokio::select! {
                    () = self.inbox.arrived.notified() => {}
                    () = self.stack.closed() => {}
                }
            }
        })
    }
}

impl Drop for BoundPort {
    fn drop(&mut self) {
        self.ports.bound().remove(&self.port);
        self.stack.state().sockets.remove(self.sender);
    }
}

/// Whether an address is taken for everybody on the network: that of all networks, of this one, or
/// of a class, whose host part is all ones. Networks of the air are /24, so the last byte tells.
fn is_broadcast(address: Ipv4Addr) -> bool {
    address.octets()[3] == 255
}

fn free_port(stack: &StackCore, bound: &BTreeMap<u16, Arc<Inbox>>) -> u16 {
    loop {
        // The range is far larger than what a phone binds.
        let port = stack.ephemeral_port();
        if !bound.contains_key(&port) {
            return port;
        }
    }
}
