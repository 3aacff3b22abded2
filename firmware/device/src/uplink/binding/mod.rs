//! What a device does with the cloud that it is built for: Linkkit, ThingsBoard, or none in particular.

mod linkkit;
mod plain;
mod thingsboard;

use alloc::borrow::Cow;
use alloc::string::String;
use core::net::Ipv4Addr;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use factory::Cloud;
use rand_core::RngCore;

pub(super) use self::linkkit::LinkkitBinding;
pub(super) use self::plain::Plain;
pub(super) use self::thingsboard::ThingsBoardBinding;
use crate::mqtt::{Credentials, Event, MqttSession};
use crate::transport::{Numbers, OpenError};

/// Tag of esp-mqtt's lines since ESP-IDF 5.0.
const MQTT_TAG: &str = "mqtt_client";

/// What happens on the way to a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage<'s> {
    /// The device is on its network for the first time.
    Online,
    /// A connection is about to be opened.
    Begins,
    /// The broker's name is about to be asked for.
    Connecting,
    /// The broker has this address.
    Found(Ipv4Addr),
    /// The TLS handshake begins.
    Handshake,
    /// The TLS handshake has ended.
    Verified(Result<(), &'s OpenError>),
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of the connection.
    pub(super) numbers: Numbers,
    /// Return code of the CONNACK that refused it; 0 if none did.
    pub(super) return_code: u8,
}

/// Something that a binding wants done in its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A Linkkit report.
    Report(String),
    /// A message at quality of service 1.
    Publish {
        topic: Cow<'static, str>,
        payload: String,
    },
    Subscribe(&'static str),
    Unsubscribe(&'static str),
    /// The end of the session.
    Disconnect,
}

/// What a device does with its cloud.
///
/// Implementers decide when a session is wanted and who connects, and hear everything that happens in
/// it, in the order in which it happens. All calls but the two asynchronous ones return at once.
/// [`wanted`](Self::wanted) and [`request`](Self::request) are dropped before they are ready whenever
/// something else happens first, and must lose nothing by it. [`lost`](Self::lost) comes once for each
/// [`Stage::Begins`].
pub(super) trait Binding {
    /// The tag of esp-mqtt's lines.
    fn mqtt_tag(&self) -> &'static str {
        MQTT_TAG
    }

    /// Waits until a session is wanted.
    async fn wanted(&mut self) {}

    /// Who connects.
    fn credentials(&self, cloud: &Cloud) -> Credentials;

    /// Something has happened on the way to a session.
    fn on_stage(&mut self, _stage: Stage<'_>, _cloud: &Cloud) {}

    /// The session could not be opened.
    fn on_failure(&mut self, failure: Failure);

    /// Something has happened in the session.
    fn on_event(&mut self, session: &mut MqttSession<'_>, event: Event, now: Instant);

    /// The session, or the attempt to open one, is over.
    fn lost(&mut self, was_connected: bool);

    /// The next thing that it wants done in the session. Cancel safe.
    async fn request(&mut self) -> Request;

    /// Does what was wanted.
    fn on_request(&mut self, session: &mut MqttSession<'_>, request: Request, now: Instant);
}

/// The binding of this device.
pub(super) enum Bound<'d, R> {
    Plain(Plain),
    Linkkit(LinkkitBinding<'d>),
    ThingsBoard(ThingsBoardBinding<'d, R>),
}

macro_rules! each {
    ($self:ident, $binding:ident => $call:expr) => {
        match $self {
            Bound::Plain($binding) => $call,
            Bound::Linkkit($binding) => $call,
            Bound::ThingsBoard($binding) => $call,
        }
    };
}

impl<'d, R> Bound<'d, R> {
    /// Told when the session is wanted no more, whatever has become of it; none for one that is wanted
    /// for ever.
    pub(super) fn stop(&self) -> Option<&'d Signal<NoopRawMutex, ()>> {
        match self {
            Self::ThingsBoard(binding) => Some(binding.stop()),
            Self::Plain(_) | Self::Linkkit(_) => None,
        }
    }
}

impl<R: RngCore> Binding for Bound<'_, R> {
    fn mqtt_tag(&self) -> &'static str {
        each!(self, binding => binding.mqtt_tag())
    }

    async fn wanted(&mut self) {
        each!(self, binding => binding.wanted().await)
    }

    fn credentials(&self, cloud: &Cloud) -> Credentials {
        each!(self, binding => binding.credentials(cloud))
    }

    fn on_stage(&mut self, stage: Stage<'_>, cloud: &Cloud) {
        each!(self, binding => binding.on_stage(stage, cloud))
    }

    fn on_failure(&mut self, failure: Failure) {
        each!(self, binding => binding.on_failure(failure))
    }

    fn on_event(&mut self, session: &mut MqttSession<'_>, event: Event, now: Instant) {
        each!(self, binding => binding.on_event(session, event, now))
    }

    fn lost(&mut self, was_connected: bool) {
        each!(self, binding => binding.lost(was_connected))
    }

    async fn request(&mut self) -> Request {
        each!(self, binding => binding.request().await)
    }

    fn on_request(&mut self, session: &mut MqttSession<'_>, request: Request, now: Instant) {
        each!(self, binding => binding.on_request(session, request, now))
    }
}
