//! Accepting connections.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use trace::Trace;

use super::connection::serve;
use super::core::Core;
use super::greeting::{Arrival, ShownTls};
use crate::tls::{Acceptor, Peer, Tap, TlsConfigError, TlsSettings, acceptor};

/// Wait after a failed accept, which is one of too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted.
const WAITING: u32 = 1024;

/// Listens at an address at which nobody else does.
pub(super) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    // Two sockets that may share a port would share its connections. One that takes any port is given none that
    // another has.
    if address.port() != 0 {
        drop(TcpListener::bind(address).await?);
    }
    let socket = shared(address)?;
    // Connections of an earlier server may not be forgotten yet.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// A socket that has the address beside those of the broker's own and keeps it from anybody else's, and
/// refuses connections until it listens.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = shared(address)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on a socket that has held its port.
fn listen_on(held: TcpSocket) -> io::Result<TcpListener> {
    // Not before: anybody may bind what is shared so and does not listen. Its connections have it from here,
    // and when they are over the port is free at once.
    held.set_reuseaddr(true)?;
    held.listen(WAITING)
}

fn shared(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseport(true)?;
    Ok(socket)
}

/// One port.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    tls: Mutex<Option<Configured>>,
    /// Ports from which probes of the broker's own will come.
    probes: Mutex<HashSet<SocketAddr>>,
}

struct Configured {
    settings: TlsSettings,
    acceptor: Acceptor,
}

impl Listener {
    pub(super) fn new(
        address: SocketAddr,
        tls: Option<TlsSettings>,
        trace: &Trace,
    ) -> Result<Self, TlsConfigError> {
        let tls = tls
            .map(|settings| Configured::new(settings, trace))
            .transpose()?;
        Ok(Self {
            address,
            tls: Mutex::new(tls),
            probes: Mutex::default(),
        })
    }

    /// Changes TLS for the connections to come. Nothing happens on a port in the clear.
    pub(super) fn change_tls(
        &self,
        trace: &Trace,
        change: impl FnOnce(&mut TlsSettings),
    ) -> Result<(), TlsConfigError> {
        let mut tls = lock(&self.tls);
        if let Some(configured) = &mut *tls {
            let mut settings = configured.settings.clone();
            change(&mut settings);
            *configured = Configured::new(settings, trace)?;
        }
        Ok(())
    }

    /// The connection that will come from `address` is a probe.
    pub(super) fn expect_probe(&self, address: SocketAddr) {
        lock(&self.probes).insert(address);
    }

    pub(super) fn forget_probe(&self, address: &SocketAddr) {
        lock(&self.probes).remove(address);
    }

    /// Accepts until it is aborted; then its connections end too. Nothing listens while the broker is
    /// down, but the port stays its own: another broker that was given it would have its clients.
    pub(super) async fn run(self: Arc<Self>, socket: TcpListener, core: Arc<Core>) {
        let mut connections = JoinSet::new();
        let mut listening = Some(socket);
        loop {
            let mut held = None;
            if core.faults().down.is_some() {
                held = hold(self.address).ok();
                listening = None;
                core.comes_up().await;
            }
            let again = match (listening.take(), held) {
                (Some(socket), _) => Ok(socket),
                (None, Some(held)) => listen_on(held),
                (None, None) => listen(self.address).await,
            };
            let socket = match again {
                Ok(socket) => socket,
                Err(error) => {
                    self.report(&core, "listen again", &error);
                    core.clock.sleep(PAUSE).await;
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = core.goes_down() => continue,
                () = self.accept(&socket, &core, &mut connections) => {}
            }
            listening = Some(socket);
        }
    }

    /// Accepts for ever.
    async fn accept(&self, socket: &TcpListener, core: &Arc<Core>, connections: &mut JoinSet<()>) {
        loop {
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        core.clock.touch();
                        // Packets are small and waited for.
                        let _ = stream.set_nodelay(true);
                        let arrival = self.arrival(core, stream, peer);
                        connections.spawn(serve(core.clone(), arrival));
                    }
                    Err(error) => self.survive(core, &error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn arrival(&self, core: &Core, stream: tokio::net::TcpStream, peer: SocketAddr) -> Arrival {
        let probe = lock(&self.probes).remove(&peer);
        let shown = lock(&self.tls).as_ref().map(|configured| ShownTls {
            acceptor: configured.acceptor.clone(),
            faults: configured.settings.faults,
            profile: configured.settings.identity.profile().to_owned(),
        });
        Arrival {
            tap: Tap::new(stream, peer, core.clock.clone()),
            peer: Peer {
                // Probes are not counted, so that traces do not depend on them.
                connection: if probe { 0 } else { core.next_connection() },
                address: peer,
            },
            tls: shown.filter(|_| !probe),
            probe,
        }
    }

    /// A connection that ended before it was accepted is of no interest; anything else is the
    /// host's trouble and said as such.
    async fn survive(&self, core: &Core, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        self.report(core, "accept a connection", error);
        core.clock.sleep(PAUSE).await;
    }

    fn report(&self, core: &Core, failed: &str, error: &io::Error) {
        let report = trace::WitnessReport {
            witness: trace::Witness::Broker,
            sound: false,
            detail: format!("failed to {failed} on {}: {error}", self.address),
        };
        core.trace.emit(None, &report);
    }
}

impl Configured {
    fn new(settings: TlsSettings, trace: &Trace) -> Result<Self, TlsConfigError> {
        let acceptor = acceptor(&settings, trace)?;
        Ok(Self { settings, acceptor })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
