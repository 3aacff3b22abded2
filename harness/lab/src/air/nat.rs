//! The way from the air to services of the host's loopback, and to nothing else of the host.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use trace::Trace;

use super::frame::{Datagram, Mac, Segment as TcpSegment};
use super::names::{Names, Protocol, Service};
use super::relay::{RelayEnd, relay};
use super::stack::StackCore;
use trace::air::{ConnectionClosed, ConnectionEnd, ConnectionOpened};

/// A UDP flow is forgotten after so long without a datagram from the service (RFC 4787, REQ-5).
const UDP_IDLE: Duration = Duration::from_secs(120);
/// UDP flows at once; the air has few clients, so more is a fault of one of them.
const MAX_UDP_FLOWS: usize = 256;
const MAX_DATAGRAM: usize = 1500;

/// Who sends to whom.
type Flow = (SocketAddrV4, SocketAddrV4);

/// Network address translation of one gateway.
pub(super) struct Nat {
    trace: Trace,
    names: Arc<Names>,
    flows: Arc<Mutex<Flows>>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Flows {
    /// TCP connections whose service is still being asked.
    opening: BTreeSet<Flow>,
    /// Sockets to send with: the runtime's would first have to hear that they are ready.
    udp: BTreeMap<Flow, Arc<std::net::UdpSocket>>,
}

/// What the trace says about a flow.
#[derive(Clone)]
struct Story {
    trace: Trace,
    device: Option<String>,
    protocol: Protocol,
    host: String,
    flow: Flow,
}

impl Nat {
    pub(super) fn new(trace: Trace, names: Arc<Names>) -> Self {
        Self {
            trace,
            names,
            flows: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// Takes a segment that asks for a connection. False if no service offers what it asks for: then
    /// smoltcp, which listens nowhere, refuses it.
    pub(super) fn open(
        &self,
        stack: &Arc<StackCore>,
        segment: TcpSegment,
        syn: Vec<u8>,
        device: Option<String>,
    ) -> bool {
        let flow = (segment.from, segment.to);
        let service = self
            .names
            .service(*segment.to.ip(), segment.to.port(), Protocol::Tcp);
        let story = self.story(Protocol::Tcp, flow, service.as_ref(), device);
        let Some(service) = service else {
            story.closed(ConnectionEnd::NoService);
            return false;
        };
        if !lock(&self.flows).opening.insert(flow) {
            // A repeat of what is being worked on.
            return true;
        }
        let (stack, flows) = (stack.clone(), self.flows.clone());
        self.spawn(async move {
            let connected = TcpStream::connect(service.target).await;
            stack.clock().touch();
            lock(&flows).opening.remove(&flow);
            match connected {
                Ok(host) => {
                    // The service has to wait for the device in lab time.
                    let inhabitant = host.local_addr().map(|own| stack.clock().inhabitant(own));
                    carry(&stack, syn, host, &story).await;
                    drop(inhabitant);
                }
                Err(_) => {
                    story.closed(ConnectionEnd::Refused);
                    // No socket listens, so smoltcp refuses it.
                    stack.inject(syn);
                }
            }
        });
        true
    }

    /// Carries a datagram to the service that it is for, if there is one.
    pub(super) fn datagram(
        &self,
        stack: &Arc<StackCore>,
        datagram: &Datagram<'_>,
        device: Option<String>,
    ) {
        let flow = (datagram.from, datagram.to);
        let (address, port) = (*datagram.to.ip(), datagram.to.port());
        let Some(service) = self.names.service(address, port, Protocol::Udp) else {
            return;
        };
        let known = lock(&self.flows).udp.get(&flow).cloned();
        let socket = match known {
            Some(socket) => socket,
            None => {
                let story = self.story(Protocol::Udp, flow, Some(&service), device);
                match self.open_udp(stack, flow, datagram.from_mac, &service, story) {
                    Ok(socket) => socket,
                    // The host refuses a socket: the datagram is lost, as any may be.
                    Err(_) => return,
                }
            }
        };
        stack.clock().touch();
        // Lost if the service's queue is full or the service is gone, as on any network.
        let _ = socket.send(datagram.payload);
    }

    fn open_udp(
        &self,
        stack: &Arc<StackCore>,
        flow: Flow,
        client: Mac,
        service: &Service,
        story: Story,
    ) -> io::Result<Arc<std::net::UdpSocket>> {
        let socket = std::net::UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        socket.connect(service.target)?;
        socket.set_nonblocking(true)?;
        let answers = UdpSocket::from_std(socket.try_clone()?)?;
        let socket = Arc::new(socket);
        let mut flows = lock(&self.flows);
        if flows.udp.len() >= MAX_UDP_FLOWS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        flows.udp.insert(flow, socket.clone());
        drop(flows);
        story.opened();
        let (stack, flows) = (stack.clone(), self.flows.clone());
        self.spawn(async move {
            tokio::select! {
                () = answer_until_idle(&stack, &answers, flow, client) => {}
                () = stack.closed() => {}
            }
            lock(&flows).udp.remove(&flow);
            story.closed(ConnectionEnd::Closed);
        });
        Ok(socket)
    }

    fn story(
        &self,
        protocol: Protocol,
        flow: Flow,
        service: Option<&Service>,
        device: Option<String>,
    ) -> Story {
        Story {
            trace: self.trace.clone(),
            device,
            protocol,
            host: service.map_or_else(|| flow.1.ip().to_string(), |service| service.host.clone()),
            flow,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

async fn carry(stack: &Arc<StackCore>, syn: Vec<u8>, host: TcpStream, story: &Story) {
    let Some(air) = stack.accept(syn, story.flow.1) else {
        // Nothing was promised to the client; the service sees a client that changed its mind.
        return;
    };
    story.opened();
    let end = match relay(air, host, stack.clock()).await {
        RelayEnd::Closed => ConnectionEnd::Closed,
        RelayEnd::AirReset => ConnectionEnd::ResetByClient,
        RelayEnd::HostReset => ConnectionEnd::ResetByService,
        RelayEnd::NetworkGone => ConnectionEnd::NetworkGone,
    };
    story.closed(end);
}

async fn answer_until_idle(stack: &StackCore, socket: &UdpSocket, flow: Flow, client: Mac) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let received = stack.clock().timeout(UDP_IDLE, socket.recv(&mut buffer));
        let length = match received.await {
            Err(_) => return,
            // The service is gone; it may come back.
            Ok(Err(_)) => continue,
            Ok(Ok(length)) => length,
        };
        stack.clock().touch();
        let answer = Datagram {
            from_mac: stack.mac(),
            to_mac: client,
            from: flow.1,
            to: flow.0,
            payload: &buffer[..length],
        };
        if let Some(frame) = answer.encode() {
            stack.send_frame(frame);
        }
    }
}

impl Story {
    fn opened(&self) {
        self.trace.emit(
            self.device.as_deref(),
            &ConnectionOpened {
                protocol: self.protocol.name().to_owned(),
                host: self.host.clone(),
                port: self.flow.1.port(),
                client: self.flow.0.to_string(),
            },
        );
    }

    fn closed(&self, how: ConnectionEnd) {
        self.trace.emit(
            self.device.as_deref(),
            &ConnectionClosed {
                protocol: self.protocol.name().to_owned(),
                host: self.host.clone(),
                port: self.flow.1.port(),
                client: self.flow.0.to_string(),
                how,
            },
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
