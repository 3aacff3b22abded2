//! One MQTT 3.1.1 session as the client sees it, without I/O.
//!
//! Bytes from the broker go in by [`Session::receive`], time by [`Session::tick`]; events come out by
//! [`Session::next_event`], bytes for the broker by [`Session::take_outgoing`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_time::{Duration, Instant};
use heapless::Deque;
use mqttrs::{
    Connack, Connect, ConnectReturnCode, LastWill, Packet, Pid, Protocol, Publish, QoS, QosPid,
    Suback, Subscribe, SubscribeReturnCodes, SubscribeTopic, Unsubscribe,
};

use super::error::{MqttSessionError, RequestError};
use super::event::{Credentials, Event, Settings};
use super::outbox::Outbox;
use super::packet::{self, MAX_LEN, PacketError};
use crate::bugs::{self, Bug};

/// Most subscriptions that may be outstanding.
const MAX_OUTSTANDING: usize = 8;
/// Most bytes that wait to be written.
const MAX_OUTGOING: usize = 4 * MAX_LEN;

#[derive(Debug)]
struct Outstanding {
    pid: Pid,
    until: Instant,
    /// Filter of the SUBSCRIBE.
    filter: String,
}

/// One connection's session, from CONNECT on. What has to outlive it is in the [`Outbox`].
#[derive(Debug)]
pub(crate) struct MqttSession<'o> {
    limit: Duration,
    ping_after: Option<Duration>,
    connack_until: Option<Instant>,
    last_sent: Instant,
    ping_until: Option<Instant>,
    outbox: &'o RefCell<Outbox>,
    outstanding: Deque<Outstanding, MAX_OUTSTANDING>,
    /// An UNSUBSCRIBE that was not answered.
    unsubscribing: Option<Pid>,
    /// Whether DISCONNECT is among the outgoing bytes, or was.
    is_leaving: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl<'o> MqttSession<'o> {
    /// Begins with CONNECT, which waits in the outgoing bytes.
    pub(crate) fn new(
        credentials: &Credentials,
        settings: Settings<'_>,
        outbox: &'o RefCell<Outbox>,
        now: Instant,
    ) -> Result<Self, PacketError> {
        let will = settings.will.filter(|_| !bugs::is(Bug::WillNotTold));
        let connect = Packet::Connect(Connect {
            protocol: Protocol::MQTT311,
            keep_alive: settings.keep_alive_s,
            client_id: &credentials.client_id,
            clean_session: settings.clean_session || bugs::is(Bug::SessionAlwaysClean),
            last_will: will.map(|will| LastWill {
                topic: &will.topic,
                message: will.payload.as_bytes(),
                qos: if will.qos == 0 {
                    QoS::AtMostOnce
                } else {
                    QoS::AtLeastOnce
                },
                retain: will.retain,
            }),
            username: present(&credentials.username),
            password: present(&credentials.password).map(str::as_bytes),
        });
        // As esp-mqtt does, a ping goes out after half of the time that the broker waits for one.
        let ping_after = (settings.keep_alive_s != 0 && !bugs::is(Bug::KeepaliveNotSent))
            .then(|| Duration::from_millis(u64::from(settings.keep_alive_s) * 500));
        outbox.borrow_mut().begin_connection();
        Ok(Self {
            limit: settings.limit,
            ping_after,
            connack_until: Some(now + settings.limit),
            last_sent: now,
            ping_until: None,
            outbox,
            outstanding: Deque::new(),
            unsubscribing: None,
            is_leaving: false,
            incoming: Vec::new(),
            outgoing: packet::encode(&connect)?,
        })
    }

    /// Whether the broker has accepted us.
    pub(crate) fn is_connected(&self) -> bool {
        self.connack_until.is_none()
    }

    /// Sends a message at quality of service 0 or 1; the answer is its packet identifier, 0 for
    /// quality of service 0. One of quality of service 1 is kept until it is acknowledged.
    pub(crate) fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        at_least_once: bool,
        now: Instant,
    ) -> Result<u16, RequestError> {
        if !self.is_connected() {
            return Err(RequestError::NotConnected);
        }
        if at_least_once {
            let mut outbox = self.outbox.borrow_mut();
            let pid = outbox.keep_beside(topic, payload, |pid| self.is_taken(pid))?;
            drop(outbox);
            self.send_kept(now);
            return Ok(pid.get());
        }
        let publish = Packet::Publish(Publish {
            dup: false,
            qospid: QosPid::AtMostOnce,
            retain: false,
            topic_name: topic,
            payload,
        });
        self.write(&publish, now)?;
        Ok(0)
    }

    /// Sends the messages of the outbox that are due, oldest first, as far as there is room.
    pub(crate) fn send_kept(&mut self, now: Instant) {
        if !self.is_connected() || self.is_leaving {
            return;
        }
        let outbox = self.outbox;
        loop {
            let mut outbox = outbox.borrow_mut();
            let Some((message, again)) = outbox.next_to_send() else {
                return;
            };
            let pid = message.pid;
            let publish = Packet::Publish(Publish {
                dup: again && !bugs::is(Bug::DupNotSet),
                qospid: QosPid::AtLeastOnce(pid),
                retain: false,
                topic_name: &message.topic,
                payload: &message.payload,
            });
            // The rest is sent once these bytes are written.
            if self.write(&publish, now).is_err() {
                return;
            }
            outbox.sent(pid, now + self.limit);
        }
    }

    /// Asks for the messages of `filter` at quality of service 0. The answer is the packet identifier.
    pub(crate) fn subscribe(&mut self, filter: &str, now: Instant) -> Result<u16, RequestError> {
        let topic = SubscribeTopic {
            topic_path: filter.parse().map_err(|_| RequestError::TooLong)?,
            qos: QoS::AtMostOnce,
        };
        if self.outstanding.is_full() {
            return Err(RequestError::Busy);
        }
        let pid = self.take_pid();
        let subscribe = Packet::Subscribe(Subscribe {
            pid,
            topics: core::iter::once(topic).collect(),
        });
        self.write(&subscribe, now)?;
        // Room was checked above.
        let _ = self.outstanding.push_back(Outstanding {
            pid,
            until: now + self.limit,
            filter: filter.to_string(),
        });
        Ok(pid.get())
    }

    /// Does without the messages of `filter`. The answer is the packet identifier.
    pub(crate) fn unsubscribe(&mut self, filter: &str, now: Instant) -> Result<u16, RequestError> {
        let topic = filter.parse().map_err(|_| RequestError::TooLong)?;
        let pid = self.take_pid();
        let unsubscribe = Packet::Unsubscribe(Unsubscribe {
            pid,
            topics: core::iter::once(topic).collect(),
        });
        self.write(&unsubscribe, now)?;
        self.unsubscribing = Some(pid);
        Ok(pid.get())
    }

    /// Says goodbye: once the outgoing bytes are written, the session is over.
    pub(crate) fn disconnect(&mut self) {
        // Two bytes always fit into a packet.
        if let Ok(bytes) = packet::encode(&Packet::Disconnect) {
            self.outgoing.extend(bytes);
        }
        self.is_leaving = true;
    }

    /// Whether it has said goodbye.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// The next packet identifier is `number`, unless that is 0 or in use.
    pub(crate) fn number_next(&mut self, number: u16) {
        self.outbox.borrow_mut().number_next(number);
    }

    fn take_pid(&self) -> Pid {
        let mut outbox = self.outbox.borrow_mut();
        outbox.take_pid(|pid| self.is_taken(pid))
    }

    /// Whether a request that is no message has this identifier.
    fn is_taken(&self, pid: Pid) -> bool {
        self.unsubscribing == Some(pid) || self.outstanding.iter().any(|other| other.pid == pid)
    }

    fn write(&mut self, packet: &Packet<'_>, now: Instant) -> Result<(), RequestError> {
        if !self.is_connected() {
            return Err(RequestError::NotConnected);
        }
        let bytes = packet::encode(packet).map_err(|_| RequestError::TooLong)?;
        if self.outgoing.len() + bytes.len() > MAX_OUTGOING {
            return Err(RequestError::Busy);
        }
        self.outgoing.extend(bytes);
        self.last_sent = now;
        Ok(())
    }

    /// Takes bytes from the broker.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        // Bounded: whole packets leave by `next_event`, longer ones end the session.
        self.incoming.extend(bytes);
    }

    /// What the received bytes mean, until there is none.
    pub(crate) fn next_event(&mut self, now: Instant) -> Result<Option<Event>, MqttSessionError> {
        loop {
            let incoming = core::mem::take(&mut self.incoming);
            let Some((packet, len)) =
                packet::decode(&incoming).map_err(MqttSessionError::Packet)?
            else {
                self.incoming = incoming;
                return Ok(None);
            };
            let event = self.handle(packet, now);
            self.incoming.extend(&incoming[len..]);
            if let Some(event) = event? {
                return Ok(Some(event));
            }
        }
    }

    fn handle(
        &mut self,
        packet: Packet<'_>,
        now: Instant,
    ) -> Result<Option<Event>, MqttSessionError> {
        match packet {
            Packet::Connack(connack) => self.handle_connack(connack, now).map(Some),
            _ if !self.is_connected() => Err(MqttSessionError::Unexpected("packet before CONNACK")),
            Packet::Pingresp => {
                self.ping_until = None;
                Ok(None)
            }
            Packet::Puback(pid) => {
                let awaited = self.outbox.borrow_mut().acknowledged(pid);
                Ok(awaited.then(|| Event::Published(pid.get())))
            }
            Packet::Suback(suback) => Ok(self.handle_suback(&suback)),
            Packet::Unsuback(pid) if self.unsubscribing == Some(pid) => {
                self.unsubscribing = None;
                Ok(Some(Event::Unsubscribed(pid.get())))
            }
            Packet::Publish(publish) => self.handle_publish(&publish, now).map(Some),
            _ => Err(MqttSessionError::Unexpected(
                "packet of quality of service 2",
            )),
        }
    }

    fn handle_connack(
        &mut self,
        connack: Connack,
        now: Instant,
    ) -> Result<Event, MqttSessionError> {
        if self.is_connected() {
            return Err(MqttSessionError::Unexpected("second CONNACK"));
        }
        match connack.code {
            ConnectReturnCode::Accepted => {
                self.connack_until = None;
                // Before anything new, so that messages keep their order (MQTT-4.6.0-1).
                self.send_kept(now);
                Ok(Event::Connected)
            }
            code => Err(MqttSessionError::Refused(code)),
        }
    }

    fn handle_suback(&mut self, suback: &Suback) -> Option<Event> {
        let filter = self.settle(suback.pid)?.filter;
        let granted = matches!(
            suback.return_codes.first(),
            Some(SubscribeReturnCodes::Success(_))
        );
        Some(Event::Subscribed {
            filter,
            granted,
            identifier: suback.pid.get(),
        })
    }

    fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Result<Event, MqttSessionError> {
        match publish.qospid {
            QosPid::AtMostOnce => {}
            QosPid::AtLeastOnce(pid) => {
                // Four bytes always fit into a packet.
                if let Ok(bytes) = packet::encode(&Packet::Puback(pid)) {
                    self.outgoing.extend(bytes);
                    self.last_sent = now;
                }
            }
            QosPid::ExactlyOnce(_) => {
                return Err(MqttSessionError::Unexpected(
                    "message of quality of service 2",
                ));
            }
        }
        Ok(Event::Message {
            topic: publish.topic_name.to_string(),
            payload: publish.payload.to_vec(),
        })
    }

    /// Takes the outstanding subscription out that `pid` answers; an answer to nothing is ignored.
    fn settle(&mut self, pid: Pid) -> Option<Outstanding> {
        let mut found = None;
        for _ in 0..self.outstanding.len() {
            let request = self.outstanding.pop_front()?;
            if found.is_none() && request.pid == pid {
                found = Some(request);
            } else {
                // It was in the queue a moment ago, so there is room.
                let _ = self.outstanding.push_back(request);
            }
        }
        found
    }

    /// When [`Session::tick`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        let ping_at = match (self.ping_until, self.ping_after) {
            (None, Some(after)) if self.is_connected() => Some(self.last_sent + after),
            _ => None,
        };
        [
            self.connack_until,
            self.ping_until,
            ping_at,
            self.outstanding.iter().map(|request| request.until).min(),
            self.outbox.borrow().deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(Instant::MAX)
    }

    /// Lets time pass: pings when it is due, gives up on what has not come.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<Option<Event>, MqttSessionError> {
        if self.connack_until.is_some_and(|until| now >= until) {
            return Err(MqttSessionError::NoConnack);
        }
        if self.ping_until.is_some_and(|until| now >= until) {
            return Err(MqttSessionError::NoPingResponse);
        }
        if let (None, Some(after), true) = (self.ping_until, self.ping_after, self.is_connected())
            && now >= self.last_sent + after
            && let Ok(ping) = packet::encode(&Packet::Pingreq)
        {
            self.outgoing.extend(ping);
            self.last_sent = now;
            self.ping_until = Some(now + self.limit.min(after));
        }
        let late = self.outbox.borrow_mut().late(now);
        if let Some(pid) = late {
            self.send_kept(now);
            return Ok(Some(Event::Unacknowledged(pid.get())));
        }
        let mut outstanding = self.outstanding.iter();
        let late = outstanding.find(|request| now >= request.until);
        let late = late.map(|request| request.pid);
        Ok(late
            .and_then(|pid| self.settle(pid))
            .map(|request| Event::Subscribed {
                filter: request.filter,
                granted: false,
                identifier: request.pid.get(),
            }))
    }

    /// The bytes to write; they are not given out again. What there was no room for is next.
    pub(crate) fn take_outgoing(&mut self, now: Instant) -> Vec<u8> {
        if self.outgoing.is_empty() {
            self.send_kept(now);
        }
        core::mem::take(&mut self.outgoing)
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
