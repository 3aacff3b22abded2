//! One smoltcp interface on a segment, and the task that drives it.
//!
//! Gateways, phones and forwards all are such stacks; what they do with frames before smoltcp sees
//! them is their [`Gate`].

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::{Socket, dhcpv4, tcp, udp};
use smoltcp::wire::{IpListenEndpoint, Ipv4Cidr};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::connection::Connection;
use super::frame::{self, Mac};
use super::interface::{State, Terms, new_tcp_socket};
use super::queue::FrameQueue;
use super::segment::{Owner, Place, Segment, Sink};

/// A closed connection whose peer is silent is forgotten after so long.
const LINGER: Duration = Duration::from_secs(60);
/// smoltcp is not asked again sooner, so that a socket that cannot move does not spin.
const FINEST_WAIT: Duration = Duration::from_millis(1);
/// Sees every frame before smoltcp does, and every frame that smoltcp sends.
pub(super) trait Gate: Send + Sync {
    /// Takes a frame that has arrived, or lets it pass.
    fn inbound(&self, stack: &Arc<StackCore>, frame: Vec<u8>) -> Option<Vec<u8>>;

    /// Whether a frame may leave.
    fn outbound(&self, frame: &[u8]) -> bool;
}

/// Lets everything pass.
pub(super) struct OpenGate;

impl Gate for OpenGate {
    fn inbound(&self, _: &Arc<StackCore>, frame: Vec<u8>) -> Option<Vec<u8>> {
        Some(frame)
    }

    fn outbound(&self, _: &[u8]) -> bool {
        true
    }
}

/// Where a stack's address comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addressing {
    /// It is the gateway of a /24 network and answers for every address beyond.
    Gateway(Ipv4Addr),
    /// A fixed one, in a /24 network.
    Fixed(Ipv4Addr),
    /// The network's DHCP server.
    Dhcp,
}

/// A stack's place in the world.
pub(super) struct Seat<'s> {
    pub(super) segment: &'s Segment,
    pub(super) owner: Owner,
    pub(super) mac: Mac,
    pub(super) addressing: Addressing,
}

/// A running stack. Dropping it leaves the segment and ends every connection.
pub(super) struct Stack {
    core: Arc<StackCore>,
    driver: AbortHandle,
}

/// What connections share with their stack.
pub(super) struct StackCore {
    clock: Clock,
    mac: Mac,
    queue: Arc<FrameQueue>,
    gate: Arc<dyn Gate>,
    lease: watch::Sender<Option<Ipv4Cidr>>,
    closed: watch::Sender<bool>,
    state: Mutex<State>,
}

impl Stack {
    pub(super) fn start(clock: &Clock, seat: Seat<'_>, gate: Arc<dyn Gate>) -> Self {
        let queue = Arc::new(FrameQueue::default());
        let place = match seat.addressing {
            Addressing::Gateway(_) => Place::Access,
            Addressing::Fixed(_) | Addressing::Dhcp => Place::Station,
        };
        let sink = Sink::Stack(queue.clone());
        let port = seat.segment.plug(place, seat.owner, Some(seat.mac), sink);
        let core = Arc::new(StackCore {
            clock: clock.clone(),
            mac: seat.mac,
            queue,
            gate,
            lease: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            state: Mutex::new(State::new(clock, seat.mac, port)),
        });
        core.configure(seat.addressing);
        let driver = tokio::spawn(core.clone().drive()).abort_handle();
        Self { core, driver }
    }

    pub(super) fn core(&self) -> &Arc<StackCore> {
        &self.core
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.driver.abort();
        self.core.close();
    }
}

impl StackCore {
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn mac(&self) -> Mac {
        self.mac
    }

    /// The address and network that this stack has, once it has one.
    pub(super) async fn leased(&self) -> Ipv4Cidr {
        let mut watcher = self.lease.subscribe();
        loop {
            if let Some(lease) = *watcher.borrow_and_update() {
                return lease;
            }
            // The sender lives in `self`, so waiting cannot fail.
            let _ = watcher.changed().await;
        }
    }

    /// What that address was given with.
    pub(super) fn terms(&self) -> Terms {
        self.state().terms
    }

    pub(super) fn is_closed(&self) -> bool {
        // What is gone is gone before the task of this stack has seen it.
        *self.closed.borrow() || self.queue.is_closed()
    }

    /// Ends when the stack has left its segment.
    pub(super) async fn closed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Sends a frame past smoltcp.
    pub(super) fn send_frame(&self, frame: Vec<u8>) {
        if self.gate.outbound(&frame)
            && let Some(port) = &self.state().port
        {
            port.send(frame);
        }
    }

    /// Hands smoltcp a frame past the gate.
    pub(super) fn inject(&self, frame: Vec<u8>) {
        self.state().wire.received.push_back(frame);
        self.queue.poke();
    }

    /// Makes the neighbour `who` at `mac` known, so that the first answer need not wait for ARP.
    pub(super) fn learn(&self, own: Ipv4Addr, who: Ipv4Addr, mac: Mac) {
        self.inject(frame::arp_reply(who, mac, own, self.mac));
    }

    /// Has smoltcp look at its sockets again.
    pub(super) fn poke(&self) {
        self.queue.poke();
    }

    /// Opens a connection; it is established, or refused, later.
    pub(super) fn connect(self: &Arc<Self>, to: SocketAddrV4) -> io::Result<Connection> {
        if self.is_closed() {
            return Err(gone());
        }
        let mut state = self.state();
        let local = state.ephemeral_port();
        let handle = state.sockets.add(new_tcp_socket());
        let State {
            interface, sockets, ..
        } = &mut *state;
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        if let Err(error) = socket.connect(interface.context(), to, local) {
            sockets.remove(handle);
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                error.to_string(),
            ));
        }
        drop(state);
        self.poke();
        Ok(Connection::new(self.clone(), handle))
    }

    /// Accepts the connection that `syn` asks for, to whatever address.
    pub(super) fn accept(self: &Arc<Self>, syn: Vec<u8>, at: SocketAddrV4) -> Option<Connection> {
        if self.is_closed() {
            return None;
        }
        let mut state = self.state();
        let handle = state.sockets.add(new_tcp_socket());
        let endpoint = IpListenEndpoint {
            addr: Some((*at.ip()).into()),
            port: at.port(),
        };
        let socket = state.sockets.get_mut::<tcp::Socket<'_>>(handle);
        let listening = socket.listen(endpoint).is_ok();
        state.wire.received.push_back(syn);
        state.poll(self.clock.now());
        let socket = state.sockets.get::<tcp::Socket<'_>>(handle);
        // The segment may have belonged to a connection that exists.
        let taken = listening && !socket.is_listening();
        if !taken {
            state.sockets.remove(handle);
        }
        drop(state);
        self.poke();
        taken.then(|| Connection::new(self.clone(), handle))
    }

    /// Takes over a connection that has no holder any more.
    pub(super) fn orphan(&self, handle: SocketHandle) {
        let deadline = self.clock.now() + LINGER;
        self.state().orphans.insert(handle, deadline);
        self.poke();
    }

    /// A bound UDP socket that only sends; what arrives is the gate's.
    pub(super) fn udp_sender(&self, port: u16) -> io::Result<SocketHandle> {
        let metadata = || vec![udp::PacketMetadata::EMPTY; 16];
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(metadata(), vec![0; 1]),
            udp::PacketBuffer::new(metadata(), vec![0; 16 * 1024]),
        );
        socket
            .bind(port)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        Ok(self.state().sockets.add(socket))
    }

    pub(super) fn ephemeral_port(&self) -> u16 {
        self.state().ephemeral_port()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn configure(&self, addressing: Addressing) {
        let mut state = self.state();
        match addressing {
            Addressing::Gateway(address) => {
                state.set_address(Ipv4Cidr::new(address, 24), Some(address));
                state.interface.set_any_ip(true);
                self.lease.send_replace(Some(Ipv4Cidr::new(address, 24)));
            }
            Addressing::Fixed(address) => {
                state.set_address(Ipv4Cidr::new(address, 24), None);
                self.lease.send_replace(Some(Ipv4Cidr::new(address, 24)));
            }
            Addressing::Dhcp => {
                let mut socket = dhcpv4::Socket::new();
                let mut retry = socket.get_retry_config();
                // The server may come up after us.
                retry.discover_timeout = smoltcp::time::Duration::from_secs(1);
                retry.initial_request_timeout = smoltcp::time::Duration::from_secs(1);
                socket.set_retry_config(retry);
                state.dhcp = Some(state.sockets.add(socket));
            }
        }
    }

    async fn drive(self: Arc<Self>) {
        loop {
            let wait = self.turn();
            if self.queue.is_closed() {
                self.close();
                return;
            }
            match wait {
                Some(wait) => tokio::select! {
                    () = self.queue.changed() => {}
                    () = self.clock.sleep(wait.max(FINEST_WAIT)) => {}
                },
                None => self.queue.changed().await,
            }
        }
    }

    /// Deals with all that has arrived; how long nothing else will be due.
    fn turn(self: &Arc<Self>) -> Option<Duration> {
        while let Some(frame) = self.queue.try_pop() {
            self.clock.touch();
            if let Some(frame) = self.gate.inbound(self, frame) {
                let mut state = self.state();
                state.note_terms(&frame);
                state.wire.received.push_back(frame);
            }
        }
        let now = self.clock.now();
        let mut state = self.state();
        state.poll(now);
        if let Some(lease) = state.take_lease() {
            self.lease.send_replace(lease);
            state.poll(now);
        }
        state.reap(now);
        let leaving = std::mem::take(&mut state.wire.sent);
        if let Some(port) = &state.port {
            for frame in leaving {
                if self.gate.outbound(&frame) {
                    port.send(frame);
                }
            }
        }
        state.wait(now)
    }

    fn close(&self) {
        if self.closed.send_replace(true) {
            return;
        }
        let mut state = self.state();
        state.port = None;
        // A task that waits for a socket is woken and finds it closed.
        for (_, socket) in state.sockets.iter_mut() {
            match socket {
                Socket::Tcp(socket) => socket.abort(),
                Socket::Udp(socket) => socket.close(),
                // The stack itself holds the rest, and no task waits for that.
                _ => {}
            }
        }
        self.clock.touch();
    }
}

/// The error of everything that is tried on a network which is gone.
pub(super) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, "the network was left")
}
