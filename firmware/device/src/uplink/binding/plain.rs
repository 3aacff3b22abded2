//! No cloud in particular: a broker. Prints what ESP-IDF's MQTT example does.

use core::future::pending;

use embassy_time::Instant;
use factory::Cloud;

use super::{Binding, Failure, Request};
use crate::mqtt::{Credentials, Event, MqttSession};
use crate::transport::log_error_event;

/// A device that is bound to no cloud.
pub(in crate::uplink) struct Plain;

impl Binding for Plain {
    fn credentials(&self, cloud: &Cloud) -> Credentials {
        Credentials {
            client_id: cloud.client_id.clone(),
            username: cloud.username.clone(),
            password: cloud.password.clone(),
        }
    }

    fn on_failure(&mut self, failure: Failure) {
        log_error_event(failure.numbers);
    }

    fn on_event(&mut self, _: &mut MqttSession<'_>, event: Event, _: Instant) {
        match event {
            Event::Message { .. } => log::info!(target: "app", "MQTT_EVENT_DATA"),
            event => log_event(self.mqtt_tag(), &event),
        }
    }

    fn lost(&mut self, _: bool) {
        log_disconnected();
    }

    async fn request(&mut self) -> Request {
        pending().await
    }

    fn on_request(&mut self, _: &mut MqttSession<'_>, _: Request, _: Instant) {}
}

/// Prints what ESP-IDF's example prints of a session, whatever its cloud.
pub(super) fn log_event(tag: &str, event: &Event) {
    match event {
        Event::Connected => log::info!(target: "app", "MQTT_EVENT_CONNECTED"),
        Event::Published(identifier) => {
            log::info!(target: "app", "MQTT_EVENT_PUBLISHED, msg_id={identifier}");
        }
        Event::Unacknowledged(identifier) => {
            log::warn!(target: tag, "no PUBACK for msg_id={identifier}");
        }
        Event::Subscribed { .. } | Event::Unsubscribed(_) | Event::Message { .. } => {}
    }
}

/// Prints the end of a session.
pub(super) fn log_disconnected() {
    log::info!(target: "app", "MQTT_EVENT_DISCONNECTED");
}
