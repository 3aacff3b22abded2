//! What the device reports as long as it lives: once in each session, or at an interval of its own that
//! goes on whether there is a session or not.

use alloc::string::{String, ToString};
use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Ticker};

use super::forever;
use crate::bugs::{self, Bug};
use crate::mqtt::{MqttSession, Outbox, RequestError};

/// The device's telemetry.
pub(super) struct Telemetry<'d> {
    settings: Option<&'d factory::Telemetry>,
    /// Messages so far.
    count: Cell<u32>,
    is_connected: Cell<bool>,
    /// Told by the first session.
    first_session: Signal<NoopRawMutex, ()>,
    /// Told when a message is due in the session that there is.
    due: Signal<NoopRawMutex, ()>,
}

impl<'d> Telemetry<'d> {
    /// By the rules of factory data.
    pub(super) fn new(settings: Option<&'d factory::Telemetry>) -> Self {
        Self {
            settings: settings.filter(|_| !bugs::is(Bug::TelemetryNotSent)),
            count: Cell::new(0),
            is_connected: Cell::new(false),
            first_session: Signal::new(),
            due: Signal::new(),
        }
    }

    /// Has messages sent at the interval, for ever. Without a session, those of quality of service 1 wait
    /// in `outbox`.
    pub(super) async fn run(&self, outbox: &RefCell<Outbox>) -> ! {
        let Some(settings) = self.settings.filter(|settings| settings.every_ms > 0) else {
            forever().await
        };
        self.first_session.wait().await;
        let mut ticks = Ticker::every(Duration::from_millis(settings.every_ms.into()));
        loop {
            ticks.next().await;
            if self.is_connected.get() {
                self.due.signal(());
            } else if settings.qos > 0 {
                let payload = self.measure(settings);
                let kept = outbox
                    .borrow_mut()
                    .keep(&settings.topic, payload.as_bytes());
                tell(settings, &payload, kept);
            } else {
                self.measure(settings);
            }
            if bugs::is(Bug::TelemetryEndsWithSession) && !self.is_connected.get() {
                forever().await;
            }
        }
    }

    /// Waits until a message is due. Cancel safe.
    pub(super) async fn due(&self) {
        self.due.wait().await;
    }

    /// A session has begun.
    pub(super) fn connected(&self, session: &mut MqttSession<'_>, now: Instant) {
        self.is_connected.set(true);
        let is_first = self.count.get() == 0;
        if is_first {
            self.first_session.signal(());
        }
        if is_first || self.settings.is_some_and(|settings| settings.every_ms == 0) {
            self.send(session, now);
        }
    }

    /// The session is over.
    pub(super) fn session_lost(&self) {
        self.is_connected.set(false);
    }

    /// Sends a message.
    pub(super) fn send(&self, session: &mut MqttSession<'_>, now: Instant) {
        let Some(settings) = self.settings else {
            return;
        };
        let payload = self.measure(settings);
        let at_least_once = settings.qos > 0;
        let sent = session.publish(&settings.topic, payload.as_bytes(), at_least_once, now);
        tell(settings, &payload, sent);
    }

    fn measure(&self, settings: &factory::Telemetry) -> String {
        let number = self.count.get().wrapping_add(1);
        self.count.set(number);
        settings.payload.replace("%n", &number.to_string())
    }
}

fn tell(settings: &factory::Telemetry, payload: &str, sent: Result<u16, RequestError>) {
    match sent {
        Ok(identifier) => {
            log::info!(target: "app", "[Telemetry][Tx] {payload}");
            log::info!(target: "app", "sent publish successful, msg_id={identifier}");
        }
        Err(error) => {
            log::error!(target: "app", "cannot publish on {}: {error}", settings.topic);
        }
    }
}
