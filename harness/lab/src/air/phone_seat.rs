//! A phone's place on a network.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use clock::Clock;
use futures_util::future::BoxFuture;
use phone::{Datagrams, Dial, Stream};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp;
use tokio::sync::Notify;

use super::events::PhoneLeft;
use super::frame::{self, Datagram, EVERYBODY, Mac};
use super::relay::OPENING;
use super::stack::{Gate, Stack, StackCore, gone};
use super::world::AirInner;

/// Datagrams that a bound port holds; what comes on top is lost.
const MAX_WAITING: usize = 256;

/// A phone on a network. Dropping it leaves the network.
pub struct PhoneSeat {
    stack: Stack,
    ports: Arc<Ports>,
    address: Ipv4Addr,
    broadcast: Ipv4Addr,
    /// Leaves the network; dropped after the stack's connections have ended.
    _membership: Membership,
}

impl PhoneSeat {
    pub(super) fn new(
        stack: Stack,
        ports: Arc<Ports>,
        address: Ipv4Addr,
        broadcast: Ipv4Addr,
        membership: Membership,
    ) -> Self {
        Self {
            stack,
            ports,
            address,
            broadcast,
            _membership: membership,
        }
    }

    /// Whether the network is still there. A SoftAP that stops, or an access point that loses its
    /// power, takes its phones off.
    pub fn is_joined(&self) -> bool {
        !self.stack.core().is_closed()
    }

    /// Ends when the network is gone.
    pub async fn lost(&self) {
        self.stack.core().closed().await;
    }
}

impl Dial for PhoneSeat {
    fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn broadcast(&self) -> Ipv4Addr {
        self.broadcast
    }

    fn tcp(&self, to: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let connection = self.stack.core().connect(to)?;
            connection.established(OPENING).await?;
            Ok(Box::new(connection) as Box<dyn Stream>)
        })
    }

    fn udp(&self, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move {
            let bound = Bound::new(self, port)?;
            Ok(Box::new(bound) as Box<dyn Datagrams>)
        })
    }
}

/// A phone's being on a network, as others see it.
pub(super) struct Membership {
    pub(super) air: Weak<AirInner>,
    pub(super) phone: String,
    pub(super) network: String,
    /// The device whose SoftAP it is, if it is one.
    pub(super) soft_ap: Option<String>,
    pub(super) mac: Mac,
    /// Whether the trace knows of it.
    pub(super) announced: bool,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Some(air) = self.air.upgrade() else {
            return;
        };
        if let Some(device) = &self.soft_ap {
            air.dissociate(device, self.mac);
        }
        if self.announced {
            air.trace().emit(
                self.soft_ap.as_deref(),
                &PhoneLeft {
                    phone: self.phone.clone(),
                    network: self.network.clone(),
                },
            );
        }
    }
}

/// The bound UDP ports of one phone, and its gate: datagrams are taken here, because smoltcp drops
/// those to broadcast addresses of other networks, which devices do send (such as the class A
/// broadcast 192.255.255.255).
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
    fn bound(&self) -> MutexGuard<'_, BTreeMap<u16, Arc<Inbox>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Ports {
    fn inbound(&self, _: &Arc<StackCore>, frame: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(datagram) = Datagram::parse(&frame)
            && let Some(inbox) = self.bound().get(&datagram.to.port())
        {
            inbox.put(datagram.payload.to_vec(), datagram.from);
            return None;
        }
        Some(frame)
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

/// A bound UDP port.
struct Bound {
    stack: Arc<StackCore>,
    ports: Arc<Ports>,
    inbox: Arc<Inbox>,
    /// Sends to single stations, whose hardware addresses smoltcp finds out.
    sender: SocketHandle,
    port: u16,
    address: Ipv4Addr,
}

impl Bound {
    fn new(seat: &PhoneSeat, port: u16) -> io::Result<Self> {
        let stack = seat.stack.core().clone();
        if stack.is_closed() {
            return Err(gone());
        }
        let mut bound = seat.ports.bound();
        let port = match port {
            0 => free_port(&stack, &bound),
            port if bound.contains_key(&port) => return Err(io::ErrorKind::AddrInUse.into()),
            port => port,
        };
        let sender = stack.udp_sender(port)?;
        let inbox = bound.entry(port).or_default().clone();
        drop(bound);
        Ok(Self {
            stack,
            ports: seat.ports.clone(),
            inbox,
            sender,
            port,
            address: seat.address,
        })
    }

    fn clock(&self) -> &Clock {
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

impl Datagrams for Bound {
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

impl Drop for Bound {
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
