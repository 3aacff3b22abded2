//! The application of a device of a ThingsBoard cloud: the X.509 example of
//! `esp32-thingsboard-mqtt-client` (39cf281), line by line with its misspellings, and the provisioning,
//! claiming and remote calls of that library.
//!
//! It is a task of its own beside the MQTT client and looks at the client's events only once a second,
//! as the example's loop does.

mod claim;
mod provision;
mod rpc;
mod telemetry;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Ticker, Timer, with_timeout};
use factory::{Cloud, Factory, ThingsBoard};

pub(super) use self::provision::RESPONSE as PROVISION_RESPONSE;
use self::rpc::Calls;
use self::telemetry::Telemetry;
use super::binding::{Failure, Request};
use super::{forever, online};
use crate::bugs::{self, Bug};
use crate::mqtt::Credentials;

/// Tag of the example.
const EXAMPLE: &str = "EXAM_X509_W_TWOWAYSSL";
/// Tag of the library's upper layer.
const HELPER: &str = "tb_mqtt_client_helper";
/// Tag of the library's lower layer.
pub(super) const WRAPPER: &str = "tb_mqtt_wapper";

/// Events that are looked at in one turn (`_on_tbcm_event_bridge_receive`).
const EVENTS_A_TURN: usize = 10;
/// What the end of the client's task takes at the most.
const LONGEST_STOP: Duration = Duration::from_secs(10);
/// Turns of the loop in which a device waits for its credentials.
const PROVISION_TURNS: u32 = 40;

/// Queues between the application and the MQTT client.
pub(super) struct ClientQueues {
    /// Told who connects when the client is started.
    pub(super) start: Signal<NoopRawMutex, Credentials>,
    /// Told when the client is destroyed without a session that could say goodbye.
    pub(super) stop: Signal<NoopRawMutex, ()>,
    /// Whether the client is being destroyed.
    pub(super) is_stopped: Cell<bool>,
    /// Told when it is.
    pub(super) stopped: Signal<NoopRawMutex, ()>,
    /// Whether the broker has accepted us.
    pub(super) is_connected: Cell<bool>,
    /// What the client has to do.
    pub(super) requests: Channel<NoopRawMutex, Request, 8>,
    events: Channel<NoopRawMutex, ClientEvent, 16>,
}

/// An event of the MQTT client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientEvent {
    BeforeConnect(u16),
    Connected,
    Disconnected,
    Subscribed(u16),
    Unsubscribed(u16),
    Published(u16),
    Data { topic: String, payload: Vec<u8> },
    Error(Failure),
}

impl ClientQueues {
    /// Nothing under way.
    pub(super) fn new() -> Self {
        Self {
            start: Signal::new(),
            stop: Signal::new(),
            is_stopped: Cell::new(false),
            stopped: Signal::new(),
            is_connected: Cell::new(false),
            requests: Channel::new(),
            events: Channel::new(),
        }
    }

    /// Tells the application.
    pub(super) fn tell(&self, event: ClientEvent) {
        if self.events.try_send(event).is_err() {
            log::warn!(target: HELPER, "_xQueue is full!");
        }
    }

    fn request(&self, request: Request) {
        if self.requests.try_send(request).is_err() {
            log::error!(target: WRAPPER, "Unable to malloc memory");
        }
    }
}

/// Prints what the example does before anything else.
pub(super) fn log_startup() {
    log::info!(target: EXAMPLE, "[APP] Startup..");
    // A board says nothing of its heap; this is the number in the example's log.
    log::info!(target: EXAMPLE, "[APP] Free memory: 275980 bytes");
    log::info!(target: EXAMPLE, "[APP] IDF version: v4.4.3-dirty");
}

/// Runs the application. Once its turns are over it does nothing any more.
pub(super) async fn run(
    stack: Stack<'_>,
    factory: &Factory,
    cloud: &Cloud,
    settings: &ThingsBoard,
    queues: &ClientQueues,
) -> ! {
    log_startup();
    online(stack).await;
    if let (Some(_), Some(config)) = (&factory.network, stack.config_v4()) {
        let address = config.address.address();
        log::info!(target: "example_connect", "- IPv4 address: {address}");
    }
    let mut example = Example {
        cloud,
        settings,
        queues,
        telemetry: Telemetry::default(),
        calls: Calls::default(),
        provisioned: None,
        phase: Phase::Normal,
    };
    let own = Credentials {
        client_id: cloud.client_id.clone(),
        username: cloud.username.clone(),
        password: cloud.password.clone(),
    };
    let credentials = match &settings.provision {
        None => Some(own),
        Some(_) => example.provision().await.map(|got| got.or(&own)),
    };
    if let Some(credentials) = credentials {
        example.work(credentials).await;
    }
    forever().await
}

/// What the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Provisioning,
    Normal,
}

struct Example<'e> {
    cloud: &'e Cloud,
    settings: &'e ThingsBoard,
    queues: &'e ClientQueues,
    telemetry: Telemetry,
    calls: Calls,
    /// What the cloud has said of our credentials.
    provisioned: Option<Result<provision::Got, ()>>,
    phase: Phase,
}

impl Example<'_> {
    /// The loop of the example.
    async fn work(&mut self, credentials: Credentials) {
        log::info!(target: EXAMPLE, "Init tbcmh ...");
        log::info!(target: EXAMPLE, "Connect tbcmh ...");
        self.phase = Phase::Normal;
        self.connect(credentials).await;
        log::info!(target: EXAMPLE, "connect tbcmh ...");
        let mut seconds = Ticker::every(Duration::from_secs(1));
        let mut turn = 0;
        while turn < self.settings.turns {
            self.run_events();
            turn += 1;
            if !self.queues.is_connected.get() {
                log::info!(target: EXAMPLE, "Still NOT connected to server!");
            } else if turn.is_multiple_of(5) && !bugs::is(Bug::TelemetryNotSent) {
                self.telemetry.send(self.queues);
            }
            seconds.next().await;
        }
        log::info!(target: EXAMPLE, "Disconnect tbcmh ...");
        self.disconnect().await;
        log::info!(target: EXAMPLE, "Destroy tbcmh ...");
        // `tbcmh_destroy` disconnects again.
        log::info!(target: HELPER, "It already disconnected from thingsboard MQTT server!");
    }

    /// Gets credentials over a connection that is for that alone; none if the cloud gives none.
    async fn provision(&mut self) -> Option<provision::Got> {
        self.phase = Phase::Provisioning;
        self.connect(provision::credentials(self.cloud)).await;
        let mut seconds = Ticker::every(Duration::from_secs(1));
        for _ in 0..PROVISION_TURNS {
            self.run_events();
            if self.provisioned.is_some() {
                break;
            }
            if !self.queues.is_connected.get() {
                log::info!(target: EXAMPLE, "Still NOT connected to server!");
            }
            seconds.next().await;
        }
        let got = self.provisioned.take();
        if got.is_none() {
            log::info!(target: EXAMPLE, "Disconnect tbcmh ...");
        }
        self.disconnect().await;
        got?.ok()
    }

    fn url(&self) -> impl core::fmt::Display {
        let scheme = if self.cloud.tls { "mqtts" } else { "mqtt" };
        alloc::format!("{scheme}://{}:{}", self.cloud.host, self.cloud.port)
    }

    async fn connect(&mut self, credentials: Credentials) {
        log::info!(target: HELPER, "connecting to {} ...", self.url());
        self.queues.is_stopped.set(false);
        self.queues.requests.clear();
        self.queues.start.signal(credentials);
        // The client's task runs first.
        Timer::after_millis(1).await;
    }

    async fn disconnect(&mut self) {
        log::info!(target: HELPER, "disconnecting from {} ...", self.url());
        while !self.queues.events.is_empty() {
            self.run_events();
        }
        log::info!(target: WRAPPER, "tbcm_disconnect(): call esp_mqtt_client_stop()...");
        self.queues.is_stopped.set(true);
        self.queues.stopped.reset();
        if self.queues.is_connected.get() {
            self.queues.request(Request::Disconnect);
        } else {
            self.queues.stop.signal(());
        }
        // esp-mqtt's task ends within its poll of 100 ms or so, and is waited for.
        Timer::after_millis(100).await;
        // A client that was never started has no task.
        let _ = with_timeout(LONGEST_STOP, self.queues.stopped.wait()).await;
        log::info!(target: WRAPPER, "tbcm_disconnect(): call esp_mqtt_client_destroy()...");
        log::warn!(target: "MQTT_CLIENT", "Client asked to stop, but was not started");
        self.queues.events.clear();
    }

    /// `tbcmh_run`.
    fn run_events(&mut self) {
        for _ in 0..EVENTS_A_TURN {
            match self.queues.events.try_receive() {
                Ok(event) => self.on_event(event),
                Err(_) => return,
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::BeforeConnect(id) => {
                log::info!(target: HELPER, "TBCM_EVENT_BEFORE_CONNECT, msg_id={id}");
            }
            ClientEvent::Connected => {
                log::info!(target: HELPER, "TBCM_EVENT_CONNECTED");
                log::info!(target: HELPER, "client->tbmqttclient = 0x3ffc5d00");
                log::info!(target: HELPER, "Connected to thingsboard MQTT server!");
                log::info!(target: HELPER, "before call on_connected()...");
                self.on_connected();
                log::info!(target: HELPER, "after call on_connected()");
            }
            ClientEvent::Disconnected => {
                log::info!(target: HELPER, "TBCM_EVENT_DISCONNECTED");
                log::info!(target: HELPER, "Disconnected to thingsboard MQTT server!");
                log::info!(target: EXAMPLE, "Disconnected from thingsboard server!");
            }
            ClientEvent::Subscribed(id) => {
                log::info!(target: HELPER, "TBCM_EVENT_SUBSCRIBED, msg_id={id}");
            }
            ClientEvent::Unsubscribed(id) => {
                log::info!(target: HELPER, "TBCM_EVENT_UNSUBSCRIBED, msg_id={id}");
            }
            ClientEvent::Published(id) => {
                log::info!(target: HELPER, "TBCM_EVENT_PUBLISHED, msg_id={id}");
            }
            ClientEvent::Data { topic, payload } => self.on_data(&topic, &payload),
            ClientEvent::Error(failure) => log_error(failure),
        }
    }

    fn on_connected(&mut self) {
        match (self.phase, &self.settings.provision, &self.settings.claim) {
            (Phase::Provisioning, Some(request), _) => provision::send(request, self.queues),
            (Phase::Provisioning, None, _) => {}
            (Phase::Normal, _, claim) => {
                log::info!(target: EXAMPLE, "Connected to thingsboard server!");
                if let Some(claim) = claim {
                    claim::send(claim, self.queues);
                }
                if let Some(calls) = &self.settings.remote_calls {
                    self.calls.begin(calls, self.queues);
                }
            }
        }
    }

    fn on_data(&mut self, topic: &str, payload: &[u8]) {
        log::info!(target: HELPER, "TBCM_EVENT_DATA");
        if topic == provision::RESPONSE {
            self.provisioned = Some(provision::read(payload, self.queues));
            return;
        }
        let calls = self.settings.remote_calls.as_ref();
        let taken = calls.is_some_and(|calls| self.calls.take(topic, payload, calls, self.queues));
        if !taken {
            log::warn!(
                target: WRAPPER,
                "[Unkown-Msg][Rx] topic={}, payload_len={}",
                topic.escape_debug(),
                payload.len()
            );
        }
    }
}

/// `TBCM_EVENT_ERROR` of the library.
fn log_error(failure: Failure) {
    // `esp_mqtt_error_type_t`.
    const TCP_TRANSPORT: u8 = 1;
    const CONNECTION_REFUSED: u8 = 2;
    let Failure {
        numbers,
        return_code,
    } = failure;
    let kind = match return_code {
        0 => TCP_TRANSPORT,
        _ => CONNECTION_REFUSED,
    };
    log::warn!(
        target: HELPER,
        "TBCM_EVENT_ERROR: esp_tls_last_esp_err={}, esp_tls_stack_err={}, \
         esp_tls_cert_verify_flags={}, error_type={kind}, connect_return_code={return_code}, \
         esp_transport_sock_errno={}",
        numbers.esp,
        numbers.stack,
        numbers.flags,
        numbers.errno,
    );
}
