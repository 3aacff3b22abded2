//! Ports of the host that lead to a device, for clients that speak UDP.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};
use std::time::Duration;

use phone::Datagrams;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::forward::{ACCEPT_AGAIN, ForwardTarget, NETWORK_GONE, NOT_THERE, Route};
use super::names::Protocol;
use super::udp_ports::BoundPort;
use super::world::AirInner;

/// A flow is forgotten after so long without a datagram (RFC 4787, REQ-5).
const IDLE: Duration = Duration::from_secs(120);
/// Flows of one forward at once; more is a fault of the clients.
const MAX_FLOWS: usize = 256;
/// Datagrams that wait for the air; what comes on top is lost.
const MAX_WAITING: usize = 64;
/// The longest datagram that UDP has.
const MAX_DATAGRAM: usize = 65_535;

/// A forwarded UDP port of the host.
struct Forward {
    air: Weak<AirInner>,
    host: Arc<UdpSocket>,
    target: ForwardTarget,
    port: u16,
    /// By the client's address.
    flows: BTreeMap<SocketAddr, Flow>,
}

/// One client's datagrams.
struct Flow {
    /// Where they go: the device may have another address by now.
    to: SocketAddrV4,
    /// To the task that sends them; closed once the flow is over.
    outgoing: mpsc::Sender<Vec<u8>>,
}

impl AirInner {
    /// Receives on the host; each client's datagrams become some to the device's `port`.
    pub(super) async fn forward_udp(
        self: &Arc<Self>,
        listen: SocketAddr,
        target: ForwardTarget,
        port: u16,
    ) -> io::Result<SocketAddr> {
        let host = UdpSocket::bind(listen).await?;
        let address = host.local_addr()?;
        let forward = Forward {
            air: Arc::downgrade(self),
            host: Arc::new(host),
            target,
            port,
            flows: BTreeMap::new(),
        };
        self.spawn(forward.run());
        Ok(address)
    }
}

impl Forward {
    async fn run(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = self.host.recv_from(&mut buffer).await;
            let Some(air) = self.air.upgrade() else {
                return;
            };
            air.clock().touch();
            match received {
                Ok((length, client)) => self.datagram(&air, client, buffer[..length].to_vec()),
                // What the host says of datagrams that a client did not want, among others.
                Err(_) => air.clock().sleep(ACCEPT_AGAIN).await,
            }
        }
    }

    fn datagram(&mut self, air: &Arc<AirInner>, client: SocketAddr, bytes: Vec<u8>) {
        let Some(route) = air.forward_route(&self.target) else {
            air.forward_ended(&self.target, Protocol::Udp, self.port, NOT_THERE);
            return;
        };
        let to = SocketAddrV4::new(route.to, self.port);
        let open = self.flows.get(&client);
        let open = open.filter(|flow| flow.to == to && !flow.outgoing.is_closed());
        let outgoing = match open {
            Some(flow) => flow.outgoing.clone(),
            None => match self.open(air, client, &route, to) {
                Ok(outgoing) => outgoing,
                Err(error) => {
                    let how = format!("not opened: {error}");
                    air.forward_ended(&self.target, Protocol::Udp, self.port, &how);
                    return;
                }
            },
        };
        // Lost if the air is slower than the client, as on any network.
        let _ = outgoing.try_send(bytes);
    }

    fn open(
        &mut self,
        air: &Arc<AirInner>,
        client: SocketAddr,
        route: &Route,
        to: SocketAddrV4,
    ) -> io::Result<mpsc::Sender<Vec<u8>>> {
        self.flows.retain(|_, flow| !flow.outgoing.is_closed());
        if self.flows.len() >= MAX_FLOWS {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!("there are {MAX_FLOWS} clients already"),
            ));
        }
        let bound = BoundPort::new(&route.stack, &route.ports, route.from, 0)?;
        let (outgoing, waiting) = mpsc::channel(MAX_WAITING);
        let (weak, host) = (self.air.clone(), self.host.clone());
        let (target, port) = (self.target.clone(), self.port);
        air.spawn(async move {
            let how = carry(bound, to, waiting, &host, client).await;
            if let Some(air) = weak.upgrade() {
                air.forward_ended(&target, Protocol::Udp, port, how);
            }
        });
        let flow = Flow {
            to,
            outgoing: outgoing.clone(),
        };
        self.flows.insert(client, flow);
        Ok(outgoing)
    }
}

/// Carries datagrams both ways until there are no more; why there are not.
async fn carry(
    bound: BoundPort,
    device: SocketAddrV4,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    host: &UdpSocket,
    client: SocketAddr,
) -> &'static str {
    enum Next {
        ToDevice(Vec<u8>),
        ToClient(Vec<u8>, SocketAddrV4),
        End(&'static str),
    }
    loop {
        let next = async {
            tokio::select! {
                bytes = waiting.recv() => match bytes {
                    Some(bytes) => Next::ToDevice(bytes),
                    None => Next::End("the device has another address now"),
                },
                received = bound.receive() => match received {
                    Ok((bytes, from)) => Next::ToClient(bytes, from),
                    Err(_) => Next::End(NETWORK_GONE),
                },
            }
        };
        match bound.clock().timeout(IDLE, next).await {
            Err(_) => return "idle",
            Ok(Next::End(how)) => return how,
            // Refused if it does not fit into a frame: lost, as any datagram may be.
            Ok(Next::ToDevice(bytes)) => drop(bound.send(&bytes, device).await),
            // Only the device's port was asked; the client could not tell others from it.
            Ok(Next::ToClient(bytes, from)) if from == device => {
                bound.clock().touch();
                // The client may be gone.
                let _ = host.send_to(&bytes, client).await;
            }
            Ok(Next::ToClient(..)) => {}
        }
    }
}
