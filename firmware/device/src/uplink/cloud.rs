//! Keeps an MQTT session with the broker.

use alloc::vec;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use factory::{Cloud, Factory};
use mqttrs::ConnectReturnCode;

use super::agent::Agent;
use super::lan::BindingQueues;
use super::sntp::ClockSet;
use super::{forever, offline, online};
use crate::backoff::Backoff;
use crate::board::{Tls, WallClock};
use crate::bugs::{self, Bug};
use crate::linkkit;
use crate::mqtt::{
    Credentials, Ended, MqttSession, MqttSessionError, PacketError, Settings, exchange,
};
use crate::transport::{self, OpenError};
use crate::transport::{log_failure, log_read_failure};

/// Bytes of TCP in each direction.
const TCP_LEN: usize = 4_096;
/// How long a closed connection may take to say so.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Delay of the defect `retry-storm`: not quite none, so that the log does not fill the host.
const STORM_DELAY_MS: u32 = 50;

/// What a session needs to be opened.
pub(super) struct Opener<'d, T, W> {
    /// The station's stack.
    pub(super) stack: Stack<'d>,
    /// TLS.
    pub(super) tls: &'d T,
    /// The calendar.
    pub(super) wall_clock: &'d W,
    /// Factory data.
    pub(super) factory: &'d Factory,
}

/// Whether a connection has to wait for the clock.
pub(super) fn awaits_clock(factory: &Factory) -> bool {
    factory
        .cloud
        .as_ref()
        .is_some_and(|cloud| cloud.tls && cloud.check_dates)
        && !bugs::is(Bug::ClockNotAwaited)
}

/// Keeps a session for ever.
pub(super) async fn keep_connected<T: Tls, W: WallClock>(
    opener: Opener<'_, T, W>,
    clock_set: &ClockSet,
    queues: &BindingQueues,
) -> ! {
    let Opener { stack, factory, .. } = opener;
    let Some(cloud) = &factory.cloud else {
        forever().await;
    };
    let credentials = credentials(factory, cloud);
    let mut agent = Agent::new(factory, queues);
    let longest = cloud.reconnect_max_ms.max(cloud.reconnect_ms);
    let mut backoff = Backoff::new(cloud.reconnect_ms, longest);

    online(stack).await;
    if let Some(settings) = &factory.linkkit {
        linkkit::log_start(settings, cloud, &credentials.client_id);
    }
    loop {
        online(stack).await;
        if awaits_clock(factory) {
            while opener.wall_clock.now().is_none() {
                clock_set.wait().await;
            }
        }
        let attempt = opener.attempt(cloud, &credentials, &mut agent);
        let outcome = select(attempt, offline(stack)).await;
        if agent.was_connected() {
            backoff.reset();
        }
        if let Either::Second(()) = outcome {
            log::warn!(target: "mqtt_client", "The network is lost");
        }
        agent.session_lost();
        log::info!(target: "app", "MQTT_EVENT_DISCONNECTED");
        if let Either::First(()) = outcome {
            let delay = if bugs::is(Bug::RetryStorm) {
                STORM_DELAY_MS
            } else {
                backoff.delay()
            };
            log::info!(target: "mqtt_client", "Reconnect after {delay} ms");
            Timer::after_millis(delay.into()).await;
        }
    }
}

impl<T: Tls, W: WallClock> Opener<'_, T, W> {
    /// One connection, from the broker's name to its end, which is logged.
    async fn attempt(&self, cloud: &Cloud, credentials: &Credentials, agent: &mut Agent<'_>) {
        let mut rx = vec![0; TCP_LEN];
        let mut tx = vec![0; TCP_LEN];
        let mut socket = TcpSocket::new(self.stack, &mut rx, &mut tx);
        let outcome = self.converse(&mut socket, cloud, credentials, agent).await;
        match outcome {
            Ok(ended) => log_end(&ended, agent.was_connected()),
            Err(error) => log_failure(&cloud.host, &error),
        }
        socket.close();
        // Whether the broker learns of it changes nothing for us.
        if with_timeout(CLOSE_LIMIT, socket.flush()).await.is_err() {
            socket.abort();
        }
    }

    async fn converse(
        &self,
        socket: &mut TcpSocket<'_>,
        cloud: &Cloud,
        credentials: &Credentials,
        agent: &mut Agent<'_>,
    ) -> Result<Ended, OpenError> {
        let is_linkkit = self.factory.linkkit.is_some();
        if is_linkkit {
            linkkit::log_connecting(cloud);
        }
        let address = transport::find(self.stack, cloud).await?;
        if is_linkkit {
            log::info!(target: "tls", "connecting IP_ADDRESS: {address}");
        }
        transport::connect(socket, address, cloud).await?;
        if !cloud.tls {
            return Ok(self
                .talk(socket, |_| None, "mqtt", cloud, credentials, agent)
                .await);
        }
        if is_linkkit {
            linkkit::log_handshake();
        }
        let now = self.wall_clock.now();
        let session = transport::secure(self.tls, &mut *socket, cloud, now).await;
        if is_linkkit {
            linkkit::log_verification(&session);
        }
        let mut session = session?;
        log::info!(target: "esp-tls-mbedtls", "Certificate verified.");
        let failure_of = T::failure_of::<&mut TcpSocket<'_>>;
        Ok(self
            .talk(&mut session, failure_of, "mqtts", cloud, credentials, agent)
            .await)
    }

    async fn talk<C, F>(
        &self,
        connection: &mut C,
        failure_of: F,
        scheme: &str,
        cloud: &Cloud,
        credentials: &Credentials,
        agent: &mut Agent<'_>,
    ) -> Ended
    where
        C: embedded_io_async::Read + embedded_io_async::Write,
        F: Fn(&C::Error) -> Option<crate::board::TlsFailure>,
    {
        let limit = transport::limit(cloud);
        log::debug!(
            target: "mqtt_client",
            "Transport connected to {scheme}://{}:{}",
            cloud.host,
            cloud.port
        );
        let settings = Settings {
            keep_alive_s: cloud.keep_alive_s,
            limit,
        };
        match MqttSession::new(credentials, settings, Instant::now()) {
            Ok(mut session) => exchange(connection, failure_of, limit, &mut session, agent).await,
            Err(error) => Ended::Session(MqttSessionError::Packet(error)),
        }
    }
}

fn credentials(factory: &Factory, cloud: &Cloud) -> Credentials {
    match &factory.linkkit {
        Some(settings) => linkkit::sign(settings, cloud.tls),
        None => Credentials {
            client_id: cloud.client_id.clone(),
            username: cloud.username.clone(),
            password: cloud.password.clone(),
        },
    }
}

/// Prints how a session ended, as esp-mqtt does.
fn log_end(ended: &Ended, was_connected: bool) {
    match ended {
        Ended::Session(MqttSessionError::NoConnack) => {
            log::error!(target: "mqtt_client", "esp_mqtt_connect: mqtt_message_receive() returned 0");
        }
        Ended::Session(MqttSessionError::Refused(code)) => {
            log_refusal(refusal(*code));
        }
        Ended::Session(MqttSessionError::Packet(PacketError::UnknownReturnCode(_))) => {
            log_refusal("Unknow reason");
        }
        Ended::Session(MqttSessionError::NoPingResponse) => {
            log::error!(target: "mqtt_client", "No PING_RESP, disconnected");
        }
        Ended::Session(error) => {
            log::error!(target: "mqtt_client", "{error}, aborting connection");
        }
        Ended::Connection(failure) => {
            log_read_failure(failure);
            if was_connected {
                log::error!(
                    target: "mqtt_client",
                    "Poll read error: {}, aborting connection",
                    failure.errno()
                );
            } else {
                log::error!(target: "mqtt_client", "esp_mqtt_connect: mqtt_message_receive() returned -1");
            }
        }
        Ended::WriteTimedOut => log::error!(target: "mqtt_client", "Writing failed: errno=11"),
    }
    if !was_connected {
        log::error!(target: "mqtt_client", "MQTT connect failed");
    }
}

fn log_refusal(reason: &str) {
    log::warn!(target: "mqtt_client", "Connection refused, {reason}");
    log::info!(target: "app", "MQTT_EVENT_ERROR");
}

fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::RefusedProtocolVersion => "bad protocol",
        ConnectReturnCode::ServerUnavailable => "server unavailable",
        ConnectReturnCode::BadUsernamePassword => "bad username or password",
        ConnectReturnCode::NotAuthorized => "not authorized",
        // esp-mqtt has no text of its own for a rejected client id.
        ConnectReturnCode::RefusedIdentifierRejected | ConnectReturnCode::Accepted => {
            "Unknow reason"
        }
    }
}
