//! What the device does in an MQTT session: telemetry, and what its cloud's binding wants.

use core::future::pending;

use embassy_futures::select::{Either, select};
use embassy_time::Instant;
use rand_core::RngCore;

use super::binding::{Binding, Bound, Request};
use super::telemetry::Telemetry;
use crate::mqtt::{Application, Event, MqttSession};

/// The device in its sessions.
pub(super) struct Agent<'d, R> {
    telemetry: &'d Telemetry<'d>,
    /// What it does with its cloud.
    pub(super) binding: Bound<'d, R>,
    connected: bool,
}

impl<'d, R: RngCore> Agent<'d, R> {
    /// Not in a session yet.
    pub(super) fn new(telemetry: &'d Telemetry<'d>, binding: Bound<'d, R>) -> Self {
        Self {
            telemetry,
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
        self.telemetry.session_lost();
        self.binding.lost(was_connected);
    }
}

/// Something that is to be done in a session.
pub(super) enum Wish {
    /// By the binding.
    Binding(Request),
    /// Telemetry is due.
    Telemetry,
}

impl<R: RngCore> Application for Agent<'_, R> {
    type Request = Wish;

    async fn request(&mut self) -> Wish {
        let connected = self.connected;
        let due = async {
            match connected {
                true => self.telemetry.due().await,
                false => pending().await,
            }
        };
        match select(self.binding.request(), due).await {
            Either::First(request) => Wish::Binding(request),
            Either::Second(()) => Wish::Telemetry,
        }
    }

    fn on_request(&mut self, session: &mut MqttSession<'_>, wish: Wish, now: Instant) {
        match wish {
            Wish::Binding(request) => self.binding.on_request(session, request, now),
            Wish::Telemetry => self.telemetry.send(session, now),
        }
    }

    fn on_event(&mut self, session: &mut MqttSession<'_>, event: Event, now: Instant) {
        let is_connected = matches!(event, Event::Connected);
        self.connected |= is_connected;
        self.binding.on_event(session, event, now);
        if is_connected {
            self.telemetry.connected(session, now);
        }
    }
}
