//! The broker as others hold it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use trace::Trace;

use super::core::{Core, Injected, Injector};
use super::greeting::Ended;
use super::listener::{Listener, listen};
use super::{BrokerSettings, End, Faults, Hook, ListenerSettings, ProbeError};
use crate::Devices;
use crate::packet::Publish;
use crate::tls::{ClientCertificate, TlsConfigError, TlsSettings};

/// A running broker. Ends, with all of its connections, when it is dropped.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use cloud::{Broker, BrokerSettings, Devices};
/// let trace = trace::Trace::in_memory(clock::Clock::start(1000.0));
/// let broker = Broker::start(BrokerSettings::plain(), trace, Devices::default()).await?;
/// broker.probe().await?;
/// println!("listening on {}", broker.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Broker {
    pub(super) core: Arc<Core>,
    pub(super) listeners: Vec<Arc<Listener>>,
    injector: Injector,
    tasks: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Listens on every address of `settings`. The host's sockets and the tasks behind them belong
    /// to the current runtime. `devices` says whose events are whose.
    pub async fn start(
        settings: BrokerSettings,
        trace: Trace,
        devices: Devices,
    ) -> Result<Self, StartError> {
        if settings.listeners.is_empty() {
            return Err(StartError::NoListener);
        }
        settings.listeners.iter().try_for_each(safe)?;
        let mut bound = Vec::new();
        for listener in &settings.listeners {
            bound.push(bind(listener, &trace).await?);
        }
        let core = Core::new(trace, devices, &settings);
        let (sender, injected) = mpsc::unbounded_channel();
        let mut tasks = vec![
            tokio::spawn(inject(core.clone(), injected)),
            tokio::spawn(core.clone().expire()),
        ];
        let mut listeners = Vec::new();
        for (listener, socket) in bound {
            let listener = Arc::new(listener);
            tasks.push(tokio::spawn(listener.clone().run(socket, core.clone())));
            listeners.push(listener);
        }
        Ok(Self {
            core,
            listeners,
            injector: Injector { sender },
            tasks,
        })
    }

    /// Where the first listener listens.
    pub fn address(&self) -> SocketAddr {
        self.listeners[0].address
    }

    /// Where each listener listens, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|l| l.address).collect()
    }

    /// Lets `hook` take part from now on.
    pub fn attach(&self, hook: Arc<dyn Hook>) {
        self.core.attach_hook(hook);
    }

    /// For publishing in the broker's own name.
    pub fn injector(&self) -> Injector {
        self.injector.clone()
    }

    /// Publishes in the broker's own name.
    pub fn publish(&self, publish: Publish) {
        self.injector.publish(publish);
    }

    /// What the broker does wrong at present.
    pub fn faults(&self) -> Faults {
        self.core.faults()
    }

    /// Changes what the broker does wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.core.set_faults(faults);
    }

    /// Shows another certificate, on every encrypted listener, to clients that connect from now on.
    pub fn set_identity(&self, identity: &pki::Identity) -> Result<(), TlsConfigError> {
        self.change_tls(|tls| tls.identity = identity.clone())
    }

    /// Demands client certificates or not, on every encrypted listener, from now on.
    pub fn set_client_certificate(&self, wanted: ClientCertificate) -> Result<(), TlsConfigError> {
        self.change_tls(|tls| tls.client_certificate = wanted)
    }

    fn change_tls(&self, change: impl Fn(&mut TlsSettings)) -> Result<(), TlsConfigError> {
        self.listeners
            .iter()
            .try_for_each(|listener| listener.change_tls(&self.core.trace, &change))
    }

    /// Ends the connection of every session: by a reset, as if another client had come with the same
    /// client id, or with a reason.
    pub fn end_sessions(&self, by: EndedBy) {
        let because = "the scenario wants it so";
        self.core.end_sessions(&match by {
            EndedBy::Reset => Ended::because(End::Fault, because),
            EndedBy::Takeover => Ended::because(End::TakenOver, because),
            EndedBy::Reason(code) => Ended::coded(End::Closed, code, because),
        });
    }

    /// Waits until it listens, which takes a moment after it was down.
    pub async fn listens(&self) -> Result<(), ProbeError> {
        let patience = self.core.clock.now() + SOON;
        loop {
            match self.probe().await {
                Err(_) if self.core.clock.now() < patience => self.core.clock.sleep(POLL).await,
                settled => return settled,
            }
        }
    }

    /// Breaks the connection of `client` (a client id) by a reset. False if there is none.
    pub fn disconnect(&self, client: &str) -> bool {
        self.core.disconnect(client)
    }

    /// Client ids of the sessions that there are, sorted, and whether each is connected.
    pub fn sessions(&self) -> Vec<(String, bool)> {
        let state = self.core.state();
        let mut sessions: Vec<_> = state
            .sessions
            .iter()
            .map(|(id, entry)| (id.clone(), entry.attached.is_some()))
            .collect();
        sessions.sort();
        sessions
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How the broker ends sessions that it was not asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// TCP is reset.
    Reset,
    /// Another client has come with the same client id (MQTT-3.1.4-2).
    Takeover,
    /// DISCONNECT with this reason code (MQTT 5 §3.14.2.1), and the end of the connection. Clients of before
    /// MQTT 5 are closed upon in order.
    Reason(u8),
}

/// A broker that was down listens again within this time.
const SOON: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// A broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nowhere to listen.
    #[error("the broker has no listener; give it at least one")]
    NoListener,
    /// A listener would be open to the network.
    #[error(
        "{address} is not loopback, so the broker must demand client certificates there; \
         set `client_certificate: required` or listen on 127.0.0.1"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The port cannot be had.
    #[error("failed to listen on {address}; is the port taken? Port 0 takes any that is free")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Underlying error.
        source: io::Error,
    },
    /// The TLS settings are wrong.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
}

fn safe(listener: &ListenerSettings) -> Result<(), StartError> {
    let mutual = listener
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_certificate == ClientCertificate::Required);
    if mutual || listener.address.ip().is_loopback() {
        Ok(())
    } else {
        Err(StartError::Exposed {
            address: listener.address,
        })
    }
}

async fn bind(
    settings: &ListenerSettings,
    trace: &Trace,
) -> Result<(Listener, TcpListener), StartError> {
    let wrap = |source| StartError::Bind {
        address: settings.address,
        source,
    };
    let socket = listen(settings.address).await.map_err(wrap)?;
    let address = socket.local_addr().map_err(wrap)?;
    let listener = Listener::new(address, settings.tls.clone(), trace)?;
    Ok((listener, socket))
}

/// Publishes what stand-ins behind the broker have to say, one by one.
async fn inject(core: Arc<Core>, mut injected: mpsc::UnboundedReceiver<Injected>) {
    while let Some(Injected { only, mut publish }) = injected.recv().await {
        publish.arrived(core.clock.now());
        core.publish_to(only.as_deref(), publish).await;
    }
}
