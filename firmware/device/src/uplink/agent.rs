//! What the device does in an MQTT session: telemetry, and what its cloud's binding wants.

use embassy_time::Instant;
use factory::{Factory, Telemetry};
use rand_core::RngCore;

use super::binding::{Binding, Bound, Request};
use crate::bugs::{self, Bug};
use crate::mqtt::{Application, Event, MqttSession};

/// The device in its sessions.
pub(super) struct Agent<'d, R> {
    telemetry: Option<&'d Telemetry>,
    /// What it does with its cloud.
    pub(super) binding: Bound<'d, R>,
    connected: bool,
}

impl<'d, R: RngCore> Agent<'d, R> {
    /// By the rules of factory data.
    pub(super) fn new(factory: &'d Factory, binding: Bound<'d, R>) -> Self {
        Self {
            telemetry: factory.telemetry.as_ref(),
            binding,
            connected: false,
        }
    }

    /// Whether the broker has accepted us in the session that is, or was just, open.
    pub(super) fn was_connected(&self) -> bool {
        self.connected
    }

    /// The session, or the attempt to open one, is over.
    pub(super) fn session_lost(&mut self) {
        let was_connected = core::mem::take(&mut self.connected);
        self.binding.lost(was_connected);
    }
}

impl<R: RngCore> Application for Agent<'_, R> {
    type Request = Request;

    async fn request(&mut self) -> Request {
        self.binding.request().await
    }

    fn on_request(&mut self, session: &mut MqttSession, request: Request, now: Instant) {
        self.binding.on_request(session, request, now);
    }

    fn on_event(&mut self, session: &mut MqttSession, event: Event, now: Instant) {
        let is_connected = matches!(event, Event::Connected);
        self.connected |= is_connected;
        self.binding.on_event(session, event, now);
        if let Some(telemetry) = self.telemetry.filter(|_| is_connected)
            && !bugs::is(Bug::TelemetryNotSent)
        {
            send_telemetry(telemetry, session, now);
        }
    }
}

fn send_telemetry(telemetry: &Telemetry, session: &mut MqttSession, now: Instant) {
    let at_least_once = telemetry.qos > 0;
    let payload = telemetry.payload.as_bytes();
    match session.publish(&telemetry.topic, payload, at_least_once, now) {
        Ok(identifier) => {
            log::info!(target: "app", "[Telemetry][Tx] {}", telemetry.payload);
            log::info!(target: "app", "sent publish successful, msg_id={identifier}");
        }
        Err(error) => {
            log::error!(target: "app", "cannot publish on {}: {error}", telemetry.topic);
        }
    }
}
