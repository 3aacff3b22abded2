//! What the device does in an MQTT session: telemetry, and the cloud side of binding.

use alloc::string::String;

use embassy_time::Instant;
use factory::{Factory, Telemetry};
use proto::linkkit::{match_reply_topic, match_topic};

use super::lan::{BindingQueues, FromCloud};
use crate::bugs::{self, Bug};
use crate::mqtt::{Application, Event, MqttSession};

/// The device in its sessions.
pub(super) struct Agent<'d> {
    telemetry: Option<&'d Telemetry>,
    binding: Option<Topics>,
    queues: &'d BindingQueues,
    connected: bool,
}

/// Topics of binding.
struct Topics {
    report: String,
    reply: String,
    /// Whether the broker has granted the subscription of `reply`.
    granted: bool,
}

impl<'d> Agent<'d> {
    /// By the rules of factory data.
    pub(super) fn new(factory: &'d Factory, queues: &'d BindingQueues) -> Self {
        let binding = factory.linkkit.as_ref().map(|settings| {
            let (product, device) = (&settings.product_key, &settings.device_name);
            Topics {
                report: match_topic(product, device, settings.profile.ts_topic),
                reply: match_reply_topic(product, device),
                granted: false,
            }
        });
        Self {
            telemetry: factory.telemetry.as_ref(),
            binding,
            queues,
            connected: false,
        }
    }

    /// Whether the broker has accepted us in the session that is, or was just, open.
    pub(super) fn was_connected(&self) -> bool {
        self.connected
    }

    /// The session is over.
    pub(super) fn session_lost(&mut self) {
        if core::mem::take(&mut self.connected)
            && let Some(topics) = &mut self.binding
        {
            topics.granted = false;
            self.queues.tell(FromCloud::Down);
            self.queues.to_cloud.clear();
        }
    }

    fn connected(&mut self, session: &mut MqttSession, now: Instant) {
        self.connected = true;
        log::info!(target: "app", "MQTT_EVENT_CONNECTED");
        if let Some(topics) = &self.binding {
            log::info!(target: "iotx_mc", "mqtt connect success!");
            log::debug!(target: "awss", "no rst");
            match session.subscribe(&topics.reply, now) {
                Ok(()) => log::info!(
                    target: "iotx_mc",
                    "mqtt subscribe packet sent,topic = {}!",
                    topics.reply
                ),
                Err(error) => {
                    log::error!(target: "iotx_mc", "sub {} fail ({error})", topics.reply);
                    self.queues.tell(FromCloud::Up);
                }
            }
        }
        if let Some(telemetry) = self.telemetry
            && !bugs::is(Bug::TelemetryNotSent)
        {
            send_telemetry(telemetry, session, now);
        }
    }

    fn subscribed(&mut self, filter: &str, granted: bool) {
        match (&mut self.binding, granted) {
            (Some(topics), true) if topics.reply == filter => {
                topics.granted = true;
                log::info!(target: "iotx_mc", "sub {filter} success");
                self.queues.tell(FromCloud::Up);
            }
            (Some(topics), false) if topics.reply == filter => {
                log::error!(target: "iotx_mc", "sub {filter} fail");
                self.queues.tell(FromCloud::Up);
            }
            _ => {}
        }
    }

    fn message(&self, topic: &str, payload: alloc::vec::Vec<u8>) {
        let Some(topics) = &self.binding else {
            log::info!(target: "app", "MQTT_EVENT_DATA");
            return;
        };
        log::debug!(target: "iotx_mc", "Topic Length : {}", topic.len());
        log::debug!(target: "iotx_mc", "Topic Name : {}", topic.escape_debug());
        log::debug!(target: "iotx_mc", "Payload Len : {}", payload.len());
        log::debug!(target: "iotx_mc", "delivering msg ...");
        if topics.granted && topics.reply == topic {
            log::debug!(target: "iotx_mc", "topic be matched");
            self.queues.tell(FromCloud::Reply(payload));
        } else {
            log::debug!(target: "iotx_mc", "NO matching any topic, call default handle function");
        }
    }
}

impl Application for Agent<'_> {
    type Request = String;

    async fn request(&mut self) -> String {
        self.queues.to_cloud.receive().await
    }

    fn on_request(&mut self, session: &mut MqttSession, report: String, now: Instant) {
        let Some(topics) = &self.binding else {
            return;
        };
        let result = match session.publish(&topics.report, report.as_bytes(), true, now) {
            Ok(identifier) => identifier.into(),
            Err(error) => {
                log::warn!(target: "iotx_mc", "cannot publish on {}: {error}", topics.report);
                -1
            }
        };
        self.queues.tell(FromCloud::Reported(result));
    }

    fn on_event(&mut self, session: &mut MqttSession, event: Event, now: Instant) {
        match event {
            Event::Connected => self.connected(session, now),
            Event::Subscribed { filter, granted } => self.subscribed(&filter, granted),
            Event::Message { topic, payload } => self.message(&topic, payload),
            Event::Published(identifier) => {
                log::info!(target: "app", "MQTT_EVENT_PUBLISHED, msg_id={identifier}");
            }
            Event::Unacknowledged(identifier) => {
                log::warn!(target: "mqtt_client", "no PUBACK for msg_id={identifier}");
            }
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
