//! The MQTT client of the ThingsBoard example: esp-mqtt as its wrapper `tb_mqtt_wapper` hears it. The
//! application is [`thingsboard`](crate::uplink::thingsboard).

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use factory::Cloud;
use rand_core::RngCore;

use super::{Binding, Failure, Request, Stage};
use crate::mqtt::{Credentials, Event, MqttSession};
use crate::uplink::thingsboard::{ClientEvent, ClientQueues, PROVISION_RESPONSE, WRAPPER};

// `esp_mqtt_event_id_t`.
const MQTT_EVENT_ERROR: u8 = 0;
const MQTT_EVENT_SUBSCRIBED: u8 = 3;
const MQTT_EVENT_UNSUBSCRIBED: u8 = 4;
const MQTT_EVENT_PUBLISHED: u8 = 5;
const MQTT_EVENT_BEFORE_CONNECT: u8 = 7;

/// A device that runs the ThingsBoard example.
pub(in crate::uplink) struct ThingsBoardBinding<'d, R> {
    queues: &'d ClientQueues,
    credentials: Option<Credentials>,
    random: R,
}

impl<'d, R: RngCore> ThingsBoardBinding<'d, R> {
    /// Does what `queues` say, and tells them what happens.
    pub(in crate::uplink) fn new(queues: &'d ClientQueues, random: R) -> Self {
        Self {
            queues,
            credentials: None,
            random,
        }
    }

    fn number_next(&mut self, session: &mut MqttSession<'_>) {
        // esp-mqtt's identifiers are random (`mqtt_msg.c`, `generate_message_id`).
        session.number_next(self.random.next_u32() as u16);
    }

    fn tell(&self, id: u8, event: ClientEvent) {
        log::info!(target: WRAPPER, "src_event->event_id={id}");
        self.queues.tell(event);
    }
}

impl<'d, R> ThingsBoardBinding<'d, R> {
    /// Told when the application destroys the client.
    pub(in crate::uplink) fn stop(&self) -> &'d Signal<NoopRawMutex, ()> {
        &self.queues.stop
    }
}

impl<R: RngCore> Binding for ThingsBoardBinding<'_, R> {
    /// The example's log is that of ESP-IDF 4.4.
    fn mqtt_tag(&self) -> &'static str {
        "MQTT_CLIENT"
    }

    async fn wanted(&mut self) {
        if self.credentials.is_none() {
            self.credentials = Some(self.queues.start.wait().await);
        }
    }

    fn credentials(&self, _: &Cloud) -> Credentials {
        self.credentials.clone().unwrap_or_default()
    }

    fn on_stage(&mut self, stage: Stage<'_>, _: &Cloud) {
        if let Stage::Begins = stage {
            // The field is not set by then: what is printed is what stood there.
            let id = self.random.next_u32() as u16;
            self.tell(MQTT_EVENT_BEFORE_CONNECT, ClientEvent::BeforeConnect(id));
        }
    }

    fn on_failure(&mut self, failure: Failure) {
        self.tell(MQTT_EVENT_ERROR, ClientEvent::Error(failure));
    }

    fn on_event(&mut self, _: &mut MqttSession<'_>, event: Event, _: Instant) {
        match event {
            Event::Connected => {
                self.queues.is_connected.set(true);
                self.queues.tell(ClientEvent::Connected);
            }
            Event::Message { topic, payload } => {
                self.queues.tell(ClientEvent::Data { topic, payload });
            }
            Event::Published(id) => self.tell(MQTT_EVENT_PUBLISHED, ClientEvent::Published(id)),
            // esp-mqtt tells of an answer, whatever it says.
            Event::Subscribed { identifier, .. } => {
                self.tell(MQTT_EVENT_SUBSCRIBED, ClientEvent::Subscribed(identifier));
            }
            Event::Unsubscribed(id) => {
                self.tell(MQTT_EVENT_UNSUBSCRIBED, ClientEvent::Unsubscribed(id));
            }
            Event::Unacknowledged(id) => {
                log::warn!(target: self.mqtt_tag(), "no PUBACK for msg_id={id}");
            }
        }
    }

    fn lost(&mut self, _: bool) {
        self.queues.is_connected.set(false);
        if self.queues.stop.signaled() || self.queues.is_stopped.get() {
            // The next one needs another start.
            self.queues.stop.reset();
            self.credentials = None;
            self.queues.stopped.signal(());
        } else {
            self.queues.tell(ClientEvent::Disconnected);
        }
    }

    async fn request(&mut self) -> Request {
        self.queues.requests.receive().await
    }

    fn on_request(&mut self, session: &mut MqttSession<'_>, request: Request, now: Instant) {
        self.number_next(session);
        let done = match request {
            Request::Publish { topic, payload } => {
                let sent = session.publish(&topic, payload.as_bytes(), true, now);
                sent.map(drop)
            }
            Request::Subscribe(filter) => session.subscribe(filter, now).map(|id| {
                let tag = if filter == PROVISION_RESPONSE {
                    "provision"
                } else {
                    WRAPPER
                };
                log::info!(target: tag, "sent subscribe successful, msg_id={id}, topic={filter}");
            }),
            Request::Unsubscribe(filter) => session.unsubscribe(filter, now).map(|id| {
                log::info!(
                    target: "provision",
                    "sent unsubscribe successful, msg_id={id}, topic={filter}"
                );
            }),
            Request::Disconnect => {
                session.disconnect();
                Ok(())
            }
            Request::Report(_) => Ok(()),
        };
        if let Err(error) = done {
            log::error!(target: WRAPPER, "unable to send: {error}");
        }
    }
}
