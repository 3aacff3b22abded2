//! Keeps an MQTT session with the broker.

use alloc::vec;
use core::cell::{Cell, RefCell};
use core::future::pending;
use core::net::Ipv4Addr;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use factory::{Cloud, Factory};
use mqttrs::ConnectReturnCode;
use rand_core::RngCore;

use super::agent::Agent;
use super::binding::{Binding, Bound, Failure, Stage};
use super::sntp::ClockSet;
use super::telemetry::Telemetry;
use super::{forever, offline, online};
use crate::backoff::Backoff;
use crate::board::{Tls, WallClock};
use crate::bugs::{self, Bug};
use crate::mqtt::{Ended, MqttSession, MqttSessionError, Outbox, PacketError, Settings, exchange};
use crate::transport::{self, Numbers, OpenError, log_failure, log_read_failure};

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
    /// What outlives sessions.
    pub(super) outbox: &'d RefCell<Outbox>,
    /// The address that the broker's name stood for first.
    pub(super) first_address: Cell<Option<Ipv4Addr>>,
}

/// Whether a connection has to wait for the clock.
pub(super) fn awaits_clock(factory: &Factory) -> bool {
    factory
        .cloud
        .as_ref()
        .is_some_and(|cloud| cloud.tls && cloud.check_dates)
        && !bugs::is(Bug::ClockNotAwaited)
}

/// Keeps a session for as long as `bound` wants one.
pub(super) async fn keep_connected<T: Tls, W: WallClock, R: RngCore>(
    opener: Opener<'_, T, W>,
    clock_set: &ClockSet,
    telemetry: &Telemetry<'_>,
    bound: Bound<'_, R>,
) -> ! {
    let Opener { stack, factory, .. } = opener;
    let Some(cloud) = &factory.cloud else {
        forever().await;
    };
    let stop = bound.stop();
    let stopped = || async {
        match stop {
            Some(stop) => stop.wait().await,
            None => pending().await,
        }
    };
    let mut agent = Agent::new(telemetry, bound);
    let longest = cloud.reconnect_max_ms.max(cloud.reconnect_ms);
    let mut backoff = Backoff::new(cloud.reconnect_ms, longest);

    online(stack).await;
    agent.binding.on_stage(Stage::Online, cloud);
    loop {
        agent.binding.wanted().await;
        online(stack).await;
        if awaits_clock(factory) {
            while opener.wall_clock.now().is_none() {
                clock_set.wait().await;
            }
        }
        agent.binding.on_stage(Stage::Begins, cloud);
        let tag = agent.binding.mqtt_tag();
        let attempt = opener.attempt(cloud, &mut agent);
        let outcome = select3(attempt, offline(stack), stopped()).await;
        if agent.was_connected() {
            backoff.reset();
        }
        if let Either3::Second(()) = outcome {
            log::warn!(target: tag, "The network is lost");
        }
        agent.session_lost();
        if let Either3::First(Goes::Home) | Either3::Third(()) = outcome {
            // The client is destroyed.
            opener.outbox.borrow_mut().clear();
        }
        if let Either3::First(Goes::On) = outcome {
            let delay = if bugs::is(Bug::RetryStorm) {
                STORM_DELAY_MS
            } else {
                backoff.delay()
            };
            log::info!(target: tag, "Reconnect after {delay} ms");
            let waited = select(Timer::after_millis(delay.into()), stopped()).await;
            if let Either::Second(()) = waited {
                agent.binding.lost(false);
                opener.outbox.borrow_mut().clear();
            }
        }
    }
}

impl<T: Tls, W: WallClock> Opener<'_, T, W> {
    /// One connection, from the broker's name to its end, which is logged.
    async fn attempt<R: RngCore>(&self, cloud: &Cloud, agent: &mut Agent<'_, R>) -> Goes {
        let mut rx = vec![0; TCP_LEN];
        let mut tx = vec![0; TCP_LEN];
        let mut socket = TcpSocket::new(self.stack, &mut rx, &mut tx);
        let tag = agent.binding.mqtt_tag();
        let outcome = self.converse(&mut socket, cloud, agent).await;
        let goes = match outcome {
            Ok(Ended::Left) => Goes::Home,
            Ok(ended) => {
                if let Some(failure) = log_end(&ended, agent.was_connected(), tag) {
                    agent.binding.on_failure(failure);
                }
                log_not_connected(agent.was_connected(), tag);
                Goes::On
            }
            Err(error) => {
                log_failure(&cloud.host, tag, &error);
                agent.binding.on_failure(Failure {
                    numbers: Numbers::of(&error),
                    return_code: 0,
                });
                Goes::On
            }
        };
        socket.close();
        // Whether the broker learns of it changes nothing for us.
        if with_timeout(CLOSE_LIMIT, socket.flush()).await.is_err() {
            socket.abort();
        }
        goes
    }

    async fn converse<R: RngCore>(
        &self,
        socket: &mut TcpSocket<'_>,
        cloud: &Cloud,
        agent: &mut Agent<'_, R>,
    ) -> Result<Ended, OpenError> {
        agent.binding.on_stage(Stage::Connecting, cloud);
        let kept = self.first_address.get();
        let address = match kept.filter(|_| bugs::is(Bug::AddressKeptForEver)) {
            Some(address) => address,
            None => transport::find(self.stack, cloud).await?,
        };
        self.first_address.set(Some(kept.unwrap_or(address)));
        agent.binding.on_stage(Stage::Found(address), cloud);
        transport::connect(socket, address, cloud).await?;
        if !cloud.tls {
            return Ok(self.talk(socket, |_| None, "mqtt", cloud, agent).await);
        }
        agent.binding.on_stage(Stage::Handshake, cloud);
        let now = self.wall_clock.now();
        let session = transport::secure(self.tls, &mut *socket, cloud, now).await;
        let verified = session.as_ref().map(drop);
        agent.binding.on_stage(Stage::Verified(verified), cloud);
        let mut session = session?;
        log::info!(target: "esp-tls-mbedtls", "Certificate verified.");
        let failure_of = T::failure_of::<&mut TcpSocket<'_>>;
        Ok(self
            .talk(&mut session, failure_of, "mqtts", cloud, agent)
            .await)
    }

    async fn talk<C, F, R>(
        &self,
        connection: &mut C,
        failure_of: F,
        scheme: &str,
        cloud: &Cloud,
        agent: &mut Agent<'_, R>,
    ) -> Ended
    where
        R: RngCore,
        C: embedded_io_async::Read + embedded_io_async::Write,
        F: Fn(&C::Error) -> Option<crate::board::TlsFailure>,
    {
        let limit = transport::limit(cloud);
        log::debug!(
            target: agent.binding.mqtt_tag(),
            "Transport connected to {scheme}://{}:{}",
            cloud.host,
            cloud.port
        );
        let settings = Settings {
            keep_alive_s: cloud.keep_alive_s,
            clean_session: self.factory.mqtt.clean_session,
            will: self.factory.mqtt.will.as_ref(),
            limit,
        };
        let credentials = agent.binding.credentials(cloud);
        match MqttSession::new(&credentials, settings, self.outbox, Instant::now()) {
            Ok(mut session) => exchange(connection, failure_of, limit, &mut session, agent).await,
            Err(error) => Ended::Session(MqttSessionError::Packet(error)),
        }
    }
}

/// Whether another connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    /// After a while.
    On,
    /// Not before it is wanted again.
    Home,
}

/// Prints how a session ended, as esp-mqtt does. What the application is told, if it is told of an
/// error.
fn log_end(ended: &Ended, was_connected: bool, tag: &str) -> Option<Failure> {
    match ended {
        Ended::Session(MqttSessionError::NoConnack) => {
            log::error!(target: tag, "esp_mqtt_connect: mqtt_message_receive() returned 0");
        }
        Ended::Session(MqttSessionError::Refused(code)) => {
            return Some(refused(refusal(*code), *code as u8, tag));
        }
        Ended::Session(MqttSessionError::Packet(PacketError::UnknownReturnCode(code))) => {
            return Some(refused("Unknow reason", *code, tag));
        }
        Ended::Session(MqttSessionError::NoPingResponse) => {
            log::error!(target: tag, "No PING_RESP, disconnected");
        }
        Ended::Session(error) => {
            log::error!(target: tag, "{error}, aborting connection");
        }
        Ended::Connection(failure) => {
            log_read_failure(failure);
            if was_connected {
                log::error!(
                    target: tag,
                    "Poll read error: {}, aborting connection",
                    failure.errno()
                );
            } else {
                log::error!(target: tag, "esp_mqtt_connect: mqtt_message_receive() returned -1");
            }
        }
        Ended::WriteTimedOut => log::error!(target: tag, "Writing failed: errno=11"),
        Ended::Left => {}
    }
    None
}

fn log_not_connected(was_connected: bool, tag: &str) {
    if !was_connected {
        log::error!(target: tag, "MQTT connect failed");
    }
}

fn refused(reason: &str, return_code: u8, tag: &str) -> Failure {
    log::warn!(target: tag, "Connection refused, {reason}");
    Failure {
        numbers: Numbers::default(),
        return_code,
    }
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
