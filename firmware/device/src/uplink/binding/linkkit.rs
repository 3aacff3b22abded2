//! The cloud side of binding by a one-time token; the LAN side is [`lan`](crate::uplink::lan).

use alloc::string::String;
use alloc::vec::Vec;

use embassy_time::Instant;
use factory::{Cloud, Linkkit};
use proto::linkkit::{match_reply_topic, match_topic};

use super::plain::{log_disconnected, log_event};
use super::{Binding, Failure, Request, Stage};
use crate::linkkit;
use crate::mqtt::{Credentials, Event, MqttSession};
use crate::transport::log_error_event;
use crate::uplink::lan::{BindingQueues, FromCloud};

/// A device of a Linkkit product.
pub(in crate::uplink) struct LinkkitBinding<'d> {
    settings: &'d Linkkit,
    queues: &'d BindingQueues,
    tls: bool,
    report: String,
    reply: String,
    /// Whether the broker has granted the subscription of `reply`.
    granted: bool,
}

impl<'d> LinkkitBinding<'d> {
    /// Reports are taken from `queues`, and replies go there.
    pub(in crate::uplink) fn new(
        settings: &'d Linkkit,
        cloud: Option<&Cloud>,
        queues: &'d BindingQueues,
    ) -> Self {
        let (product, device) = (&settings.product_key, &settings.device_name);
        Self {
            report: match_topic(product, device, settings.profile.ts_topic),
            reply: match_reply_topic(product, device),
            tls: cloud.is_some_and(|cloud| cloud.tls),
            granted: false,
            settings,
            queues,
        }
    }

    fn connected(&mut self, session: &mut MqttSession<'_>, now: Instant) {
        log::info!(target: "iotx_mc", "mqtt connect success!");
        log::debug!(target: "awss", "no rst");
        match session.subscribe(&self.reply, now) {
            Ok(_) => log::info!(
                target: "iotx_mc",
                "mqtt subscribe packet sent,topic = {}!",
                self.reply
            ),
            Err(error) => {
                log::error!(target: "iotx_mc", "sub {} fail ({error})", self.reply);
                self.queues.tell(FromCloud::Up);
            }
        }
    }

    fn subscribed(&mut self, filter: &str, granted: bool) {
        if self.reply != filter {
            return;
        }
        if granted {
            self.granted = true;
            log::info!(target: "iotx_mc", "sub {filter} success");
        } else {
            log::error!(target: "iotx_mc", "sub {filter} fail");
        }
        self.queues.tell(FromCloud::Up);
    }

    fn message(&self, topic: &str, payload: Vec<u8>) {
        log::debug!(target: "iotx_mc", "Topic Length : {}", topic.len());
        log::debug!(target: "iotx_mc", "Topic Name : {}", topic.escape_debug());
        log::debug!(target: "iotx_mc", "Payload Len : {}", payload.len());
        log::debug!(target: "iotx_mc", "delivering msg ...");
        if self.granted && self.reply == topic {
            log::debug!(target: "iotx_mc", "topic be matched");
            self.queues.tell(FromCloud::Reply(payload));
        } else {
            log::debug!(target: "iotx_mc", "NO matching any topic, call default handle function");
        }
    }
}

impl Binding for LinkkitBinding<'_> {
    fn credentials(&self, _: &Cloud) -> Credentials {
        linkkit::sign(self.settings, self.tls)
    }

    fn on_stage(&mut self, stage: Stage<'_>, cloud: &Cloud) {
        match stage {
            Stage::Online => {
                let client_id = self.credentials(cloud).client_id;
                linkkit::log_start(self.settings, cloud, &client_id);
            }
            Stage::Begins => {}
            Stage::Connecting => linkkit::log_connecting(cloud),
            Stage::Found(address) => {
                log::info!(target: "tls", "connecting IP_ADDRESS: {address}");
            }
            Stage::Handshake => linkkit::log_handshake(),
            Stage::Verified(outcome) => linkkit::log_verification(outcome),
        }
    }

    fn on_failure(&mut self, failure: Failure) {
        log_error_event(failure.numbers);
    }

    fn on_event(&mut self, session: &mut MqttSession<'_>, event: Event, now: Instant) {
        log_event(self.mqtt_tag(), &event);
        match event {
            Event::Connected => self.connected(session, now),
            Event::Subscribed {
                filter, granted, ..
            } => self.subscribed(&filter, granted),
            Event::Message { topic, payload } => self.message(&topic, payload),
            Event::Published(_) | Event::Unacknowledged(_) | Event::Unsubscribed(_) => {}
        }
    }

    fn lost(&mut self, was_connected: bool) {
        if was_connected {
            self.granted = false;
            self.queues.tell(FromCloud::Down);
            self.queues.to_cloud.clear();
        }
        log_disconnected();
    }

    async fn request(&mut self) -> Request {
        Request::Report(self.queues.to_cloud.receive().await)
    }

    fn on_request(&mut self, session: &mut MqttSession<'_>, request: Request, now: Instant) {
        let Request::Report(report) = request else {
            return;
        };
        let result = match session.publish(&self.report, report.as_bytes(), true, now) {
            Ok(identifier) => identifier.into(),
            Err(error) => {
                log::warn!(target: "iotx_mc", "cannot publish on {}: {error}", self.report);
                -1
            }
        };
        self.queues.tell(FromCloud::Reported(result));
    }
}
