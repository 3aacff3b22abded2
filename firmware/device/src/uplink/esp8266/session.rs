//! The MQTT 3.1 session of the SDK's demo (`mqtt.c` of ustccw/MQTTESP8266), without I/O.
//!
//! It sends one packet at a time, and the next one once the SDK has told that the last one was sent. It
//! looks at neither the return code of CONNACK nor that of SUBACK, and waits for no PINGRESP.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use embassy_time::{Duration, Instant};
use factory::Cloud;
use mqttrs::{Packet, Pid, Publish, QoS, QosPid, Subscribe, SubscribeTopic};

use super::TAG;
use crate::bugs::{self, Bug};
use crate::mqtt::{PacketError, decode, encode};

/// Bytes of packets that wait (`QUEUE_BUFFER_SIZE`).
const QUEUE: usize = 2048;
/// A packet of so many bytes is not looked at (`MQTT_BUF_SIZE`).
const BUFFER: usize = 1024;

// Types of packets (MQTT 3.1 §2.1).
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;

/// One session, from CONNECT on.
#[derive(Debug)]
pub(super) struct Session<'d> {
    cloud: &'d Cloud,
    topics: &'d str,
    is_connected: bool,
    last_id: u16,
    queue: VecDeque<Vec<u8>>,
    /// Type and identifier of the packet that was sent last.
    pending: (u8, u16),
    incoming: Vec<u8>,
    /// When something was last sent or received.
    touched: Instant,
}

impl<'d> Session<'d> {
    /// A session of which CONNECT is the next packet.
    pub(super) fn new(cloud: &'d Cloud, topics: &'d str, now: Instant) -> Self {
        Self {
            cloud,
            topics,
            is_connected: false,
            last_id: 0,
            queue: VecDeque::from([connect(cloud)]),
            pending: (CONNECT, 0),
            incoming: Vec::new(),
            touched: now,
        }
    }

    /// The next packet to send, if there is one. It is [`sent`](Self::sent) before the next is asked for.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let packet = self.queue.pop_front()?;
        self.pending = head_of(&packet);
        let (kind, id) = self.pending;
        log::info!(target: TAG, "MQTT: Sending, type: {kind}, id: {id:04X}");
        Some(packet)
    }

    /// The packet has left.
    pub(super) fn sent(&mut self, now: Instant) {
        self.touched = now;
        log::info!(target: TAG, "TCP: Sent");
        if self.is_connected && self.pending.0 == PUBLISH {
            log::info!(target: TAG, "MQTT: Published");
        }
    }

    /// Takes what the broker has sent.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) -> Result<(), PacketError> {
        self.touched = now;
        log::info!(target: TAG, "TCP: data received {} bytes", bytes.len());
        self.incoming.extend_from_slice(bytes);
        let incoming = core::mem::take(&mut self.incoming);
        let mut rest = &incoming[..];
        // Bounded: whole packets are taken out, and longer ones end the session.
        loop {
            match decode(rest) {
                Ok(Some((packet, length))) => {
                    if length >= BUFFER {
                        log::info!(target: TAG, "ERROR: Message too long");
                    } else {
                        self.handle(&packet);
                    }
                    rest = &rest[length..];
                }
                Ok(None) => break,
                // The demo reads no return code, so there is none that it does not know.
                Err(PacketError::UnknownReturnCode(_)) => {
                    self.connected();
                    rest = rest.get(4..).unwrap_or_default();
                }
                Err(error) => return Err(error),
            }
        }
        self.incoming.extend_from_slice(rest);
        Ok(())
    }

    fn handle(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::Connack(_) if !self.is_connected => self.connected(),
            // What else comes before CONNACK, and what no client needs, is passed over.
            _ if !self.is_connected => {}
            Packet::Suback(suback) if self.pending == (SUBSCRIBE, suback.pid.get()) => {
                log::info!(target: TAG, "MQTT: Subscribe successful");
            }
            Packet::Publish(publish) => self.message(publish),
            Packet::Puback(id) if self.pending == (PUBLISH, id.get()) => {
                log::info!(target: TAG, "MQTT: received MQTT_MSG_TYPE_PUBACK, finish QoS1 publish");
            }
            Packet::Pubrec(id) => self.put(&Packet::Pubrel(*id)),
            Packet::Pubrel(id) => self.put(&Packet::Pubcomp(*id)),
            Packet::Pubcomp(id) if self.pending == (PUBLISH, id.get()) => {
                log::info!(target: TAG, "MQTT: receive MQTT_MSG_TYPE_PUBCOMP, finish QoS2 publish");
            }
            _ => {}
        }
    }

    fn connected(&mut self) {
        let Cloud { host, port, .. } = self.cloud;
        log::info!(target: TAG, "MQTT: Connected to {host}:{port}");
        log::info!(target: TAG, "MQTT: Connected");
        self.is_connected = true;
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            self.subscribe(qos);
        }
        if bugs::is(Bug::TelemetryNotSent) {
            return;
        }
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            self.publish(qos);
        }
    }

    fn subscribe(&mut self, qos: QoS) {
        let topic = self.topic(qos);
        let id = self.next_id();
        log::info!(target: TAG, "MQTT: queue subscribe, topic\"{topic}\", id: {}", id.get());
        let Ok(topic_path) = topic.parse() else {
            return;
        };
        let topic = SubscribeTopic { topic_path, qos };
        self.put(&Packet::Subscribe(Subscribe {
            pid: id,
            topics: core::iter::once(topic).collect(),
        }));
    }

    fn publish(&mut self, qos: QoS) {
        let topic = self.topic(qos);
        let payload = format!("hello{}", qos as u8);
        let qospid = match qos {
            QoS::AtMostOnce => QosPid::AtMostOnce,
            QoS::AtLeastOnce => QosPid::AtLeastOnce(self.next_id()),
            QoS::ExactlyOnce => QosPid::ExactlyOnce(self.next_id()),
        };
        let publish = Packet::Publish(Publish {
            dup: false,
            qospid,
            retain: false,
            topic_name: &topic,
            payload: payload.as_bytes(),
        });
        let Ok(bytes) = encode(&publish) else {
            log::info!(target: TAG, "MQTT: Queuing publish failed");
            return;
        };
        log::info!(
            target: TAG,
            "MQTT: queuing publish, length: {}, queue size({}/{QUEUE})",
            bytes.len(),
            self.queued()
        );
        self.put_bytes(bytes);
    }

    fn message(&mut self, publish: &Publish<'_>) {
        let answer = match publish.qospid {
            QosPid::AtMostOnce => None,
            QosPid::AtLeastOnce(id) => Some((1, Packet::Puback(id))),
            QosPid::ExactlyOnce(id) => Some((2, Packet::Pubrec(id))),
        };
        if let Some((qos, answer)) = answer {
            log::info!(target: TAG, "MQTT: Queue response QoS: {qos}");
            self.put(&answer);
        }
        let payload = String::from_utf8_lossy(publish.payload);
        log::info!(target: TAG, "Receive topic: {}, data: {payload} ", publish.topic_name);
    }

    fn topic(&self, qos: QoS) -> String {
        format!("{}/{}", self.topics, qos as u8)
    }

    fn next_id(&mut self) -> Pid {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        // It is not 0.
        Pid::try_from(self.last_id).unwrap_or_default()
    }

    fn put(&mut self, packet: &Packet<'_>) {
        if let Ok(bytes) = encode(packet) {
            self.put_bytes(bytes);
        }
    }

    /// What does not fit pushes out what has waited longest.
    fn put_bytes(&mut self, bytes: Vec<u8>) {
        while self.queued() + bytes.len() > QUEUE {
            log::info!(target: TAG, "MQTT: Queue full");
            if self.queue.pop_front().is_none() {
                log::info!(target: TAG, "MQTT: Serious buffer error");
                return;
            }
        }
        self.queue.push_back(bytes);
    }

    fn queued(&self) -> usize {
        self.queue.iter().map(Vec::len).sum()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn deadline(&self) -> Instant {
        if !self.is_connected || self.cloud.keep_alive_s == 0 {
            return Instant::MAX;
        }
        // The timer ticks each second, and acts at the first tick that is above the keep-alive.
        self.touched + Duration::from_secs(u64::from(self.cloud.keep_alive_s) + 1)
    }

    /// Lets time pass: pings when it is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if now < self.deadline() {
            return;
        }
        self.touched = now;
        if bugs::is(Bug::KeepaliveNotSent) {
            return;
        }
        let Cloud { host, port, .. } = self.cloud;
        log::info!(target: TAG, "MQTT: Send keepalive packet to {host}:{port}!");
        self.put(&Packet::Pingreq);
    }
}

/// CONNECT of MQTT 3.1 with a will; mqttrs writes one of 3.1 with the lengths of 3.1.1.
fn connect(cloud: &Cloud) -> Vec<u8> {
    const WILL: u8 = 1 << 2;
    const CLEAN_SESSION: u8 = 1 << 1;
    const USERNAME: u8 = 1 << 7;
    const PASSWORD: u8 = 1 << 6;
    let mut texts: Vec<&str> = Vec::from([&*cloud.client_id, "/lwt", "offline"]);
    let mut flags = WILL | CLEAN_SESSION;
    for (text, flag) in [(&cloud.username, USERNAME), (&cloud.password, PASSWORD)] {
        if !text.is_empty() {
            flags |= flag;
            texts.push(text);
        }
    }
    let mut body = Vec::from(*b"\x00\x06MQIsdp\x03");
    body.push(flags);
    body.extend(cloud.keep_alive_s.to_be_bytes());
    for text in texts {
        let text = &text.as_bytes()[..text.len().min(BUFFER / 8)];
        body.extend((text.len() as u16).to_be_bytes());
        body.extend_from_slice(text);
    }
    let mut packet = Vec::from([CONNECT << 4]);
    // Five texts of 128 bytes at most: two digits are enough.
    match body.len() {
        short @ 0..=127 => packet.push(short as u8),
        long => packet.extend([(long % 128) as u8 | 0x80, (long / 128) as u8]),
    }
    packet.extend(body);
    packet
}

/// Type and identifier of a packet of ours; 0 where it has none.
fn head_of(packet: &[u8]) -> (u8, u16) {
    match decode_own(packet) {
        Some(Packet::Publish(publish)) => match publish.qospid {
            QosPid::AtMostOnce => (PUBLISH, 0),
            QosPid::AtLeastOnce(id) | QosPid::ExactlyOnce(id) => (PUBLISH, id.get()),
        },
        Some(Packet::Subscribe(subscribe)) => (SUBSCRIBE, subscribe.pid.get()),
        Some(
            Packet::Puback(id) | Packet::Pubrec(id) | Packet::Pubrel(id) | Packet::Pubcomp(id),
        ) => (packet[0] >> 4, id.get()),
        _ => (packet.first().map_or(0, |first| first >> 4), 0),
    }
}

/// A packet that was written here; CONNECT is not read again.
fn decode_own(packet: &[u8]) -> Option<Packet<'_>> {
    let kind = packet.first()? >> 4;
    (kind != CONNECT).then_some(())?;
    mqttrs::decode_slice(packet).ok()?
}

#[cfg(test)]
mod tests;
