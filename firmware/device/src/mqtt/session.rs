//! One MQTT 3.1.1 session as the client sees it, without I/O.
//!
//! Bytes from the broker go in by [`Session::receive`], time by [`Session::tick`]; events come out by
//! [`Session::next_event`], bytes for the broker by [`Session::take_outgoing`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use embassy_time::{Duration, Instant};
use heapless::Deque;
use mqttrs::{
    Connack, Connect, ConnectReturnCode, Packet, Pid, Protocol, Publish, QoS, QosPid, Suback,
    Subscribe, SubscribeReturnCodes, SubscribeTopic, Unsubscribe,
};

use super::error::{MqttSessionError, RequestError};
use super::event::{Credentials, Event, Settings};
use super::packet::{self, MAX_LEN, PacketError};
use crate::bugs::{self, Bug};

/// Most answers that may be outstanding.
const MAX_OUTSTANDING: usize = 8;
/// Most bytes that wait to be written.
const MAX_OUTGOING: usize = 4 * MAX_LEN;

#[derive(Debug)]
struct Outstanding {
    pid: Pid,
    until: Instant,
    /// Filter of a SUBSCRIBE; none for a PUBLISH.
    filter: Option<String>,
}

/// One session, from CONNECT on.
#[derive(Debug)]
pub(crate) struct MqttSession {
    limit: Duration,
    ping_after: Option<Duration>,
    connack_until: Option<Instant>,
    last_sent: Instant,
    ping_until: Option<Instant>,
    next_pid: Pid,
    outstanding: Deque<Outstanding, MAX_OUTSTANDING>,
    /// An UNSUBSCRIBE that was not answered.
    unsubscribing: Option<Pid>,
    /// Whether DISCONNECT is among the outgoing bytes, or was.
    is_leaving: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl MqttSession {
    /// Begins with CONNECT, which waits in the outgoing bytes.
    pub(crate) fn new(
        credentials: &Credentials,
        settings: Settings,
        now: Instant,
    ) -> Result<Self, PacketError> {
        let connect = Packet::Connect(Connect {
            protocol: Protocol::MQTT311,
            keep_alive: settings.keep_alive_s,
            client_id: &credentials.client_id,
            clean_session: true,
            last_will: None,
            username: present(&credentials.username),
            password: present(&credentials.password).map(str::as_bytes),
        });
        // As esp-mqtt does, a ping goes out after half of the time that the broker waits for one.
        let ping_after = (settings.keep_alive_s != 0 && !bugs::is(Bug::KeepaliveNotSent))
            .then(|| Duration::from_millis(u64::from(settings.keep_alive_s) * 500));
        Ok(Self {
            limit: settings.limit,
            ping_after,
            connack_until: Some(now + settings.limit),
            last_sent: now,
            ping_until: None,
            next_pid: Pid::new(),
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
    /// quality of service 0.
    pub(crate) fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        at_least_once: bool,
        now: Instant,
    ) -> Result<u16, RequestError> {
        let pid = self.next_pid;
        let publish = Packet::Publish(Publish {
            dup: false,
            qospid: if at_least_once {
                QosPid::AtLeastOnce(pid)
            } else {
                QosPid::AtMostOnce
            },
            retain: false,
            topic_name: topic,
            payload,
        });
        self.request(&publish, at_least_once.then_some((pid, None)), now)?;
        Ok(if at_least_once { pid.get() } else { 0 })
    }

    /// Asks for the messages of `filter` at quality of service 0. The answer is the packet identifier.
    pub(crate) fn subscribe(&mut self, filter: &str, now: Instant) -> Result<u16, RequestError> {
        let pid = self.next_pid;
        let topic = SubscribeTopic {
            topic_path: filter.parse().map_err(|_| RequestError::TooLong)?,
            qos: QoS::AtMostOnce,
        };
        let subscribe = Packet::Subscribe(Subscribe {
            pid,
            topics: core::iter::once(topic).collect(),
        });
        self.request(&subscribe, Some((pid, Some(filter.to_string()))), now)?;
        Ok(pid.get())
    }

    /// Does without the messages of `filter`. The answer is the packet identifier.
    pub(crate) fn unsubscribe(&mut self, filter: &str, now: Instant) -> Result<u16, RequestError> {
        let pid = self.next_pid;
        let unsubscribe = Packet::Unsubscribe(Unsubscribe {
            pid,
            topics: core::iter::once(filter.parse().map_err(|_| RequestError::TooLong)?).collect(),
        });
        self.request(&unsubscribe, None, now)?;
        self.unsubscribing = Some(pid);
        self.next_pid = pid + 1;
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
        let is_free = |pid: Pid| self.outstanding.iter().all(|request| request.pid != pid);
        if let Some(pid) = Pid::try_from(number).ok().filter(|pid| is_free(*pid)) {
            self.next_pid = pid;
        }
    }

    fn request(
        &mut self,
        packet: &Packet<'_>,
        answer: Option<(Pid, Option<String>)>,
        now: Instant,
    ) -> Result<(), RequestError> {
        if !self.is_connected() {
            return Err(RequestError::NotConnected);
        }
        if answer.is_some() && self.outstanding.is_full() {
            return Err(RequestError::Busy);
        }
        let bytes = packet::encode(packet).map_err(|_| RequestError::TooLong)?;
        if self.outgoing.len() + bytes.len() > MAX_OUTGOING {
            return Err(RequestError::Busy);
        }
        self.outgoing.extend(bytes);
        self.last_sent = now;
        if let Some((pid, filter)) = answer {
            let until = now + self.limit;
            // Room was checked above.
            let _ = self
                .outstanding
                .push_back(Outstanding { pid, until, filter });
            self.next_pid = pid + 1;
        }
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
            Packet::Connack(connack) => self.handle_connack(connack).map(Some),
            _ if !self.is_connected() => Err(MqttSessionError::Unexpected("packet before CONNACK")),
            Packet::Pingresp => {
                self.ping_until = None;
                Ok(None)
            }
            Packet::Puback(pid) => Ok(self.settle(pid, false).map(|_| Event::Published(pid.get()))),
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

    fn handle_connack(&mut self, connack: Connack) -> Result<Event, MqttSessionError> {
        if self.is_connected() {
            return Err(MqttSessionError::Unexpected("second CONNACK"));
        }
        match connack.code {
            ConnectReturnCode::Accepted => {
                self.connack_until = None;
                Ok(Event::Connected)
            }
            code => Err(MqttSessionError::Refused(code)),
        }
    }

    fn handle_suback(&mut self, suback: &Suback) -> Option<Event> {
        let filter = self.settle(suback.pid, true)?.filter?;
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

    /// Takes the outstanding request out that `pid` answers; an answer to nothing is ignored.
    fn settle(&mut self, pid: Pid, subscribe: bool) -> Option<Outstanding> {
        let mut found = None;
        for _ in 0..self.outstanding.len() {
            let request = self.outstanding.pop_front()?;
            if found.is_none() && request.pid == pid && request.filter.is_some() == subscribe {
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
        let late = self
            .outstanding
            .iter()
            .find(|request| now >= request.until)
            .map(|request| (request.pid, request.filter.is_some()));
        Ok(late
            .and_then(|(pid, subscribe)| self.settle(pid, subscribe))
            .map(|request| match request.filter {
                Some(filter) => Event::Subscribed {
                    filter,
                    granted: false,
                    identifier: request.pid.get(),
                },
                None => Event::Unacknowledged(request.pid.get()),
            }))
    }

    /// The bytes to write; they are not given out again.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.outgoing)
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
