//! MQTT 3.1, 3.1.1 and 5 on the wire, behind one [`Codec`].
//!
//! Two decoders read the same frames: `decode` holds a device to the standard, `describe` shows
//! all bytes that came, malformed ones too. What a generation of the protocol has and another has
//! not is known here and nowhere else: the broker always gives a reason code, properties and what
//! they say, and those are left out on the way to a client that could not read them.
//!
//! # Why not a crate
//!
//! A broker that judges devices needs of each packet the reason for which it is refused, in words
//! and by its code, and has to read what the standard forbids and devices of the field send: names
//! padded with U+0000, MQTT 3.1 (`MQIsdp`), flags of a user name without one. It writes packets
//! that are wrong on purpose, and shows those that it cannot read.
//!
//! - mqtt-protocol-core speaks 3.1.1 and 5, not 3.1; its connections answer by themselves, in the
//!   order and with the codes that they find right, which is what the faults of a scenario change;
//!   strings with U+0000 cannot be read.
//! - rumqttd's codec (v4 and v5) and mqttbytes read neither 3.1 nor U+0000, take reserved bits and
//!   properties in the wrong packet as they come, and their errors have no reason codes. It is a
//!   judge of this one in the tests.
//! - What is left to write is a table of 27 properties and as many lines for each packet as a
//!   conversion from another crate's types would have.

mod decode;
mod describe;
mod encode;
mod frame;
mod model;
mod property;
mod reader;
mod topic;

pub(crate) use decode::Violation;
pub(crate) use encode::Encoder;
pub(crate) use frame::{Frame, FrameError, next_frame};
pub use model::{Connect, Level, Publish, QoS, Will};
pub(crate) use model::{Packet, Retained, Subscription};
pub(crate) use property::{Properties, Property, Value};
pub(crate) use topic::shared;
pub use topic::{is_filter, is_name, matches};

use model::Ack;

/// Reads bytes as any client may send them, for fuzzing: a first byte for its generation of the
/// protocol, then packets. A message that can be read is written as it was, and shown. Nothing is kept.
///
/// # Panics
///
/// If a message is written otherwise than it was read.
pub fn read_anything(bytes: &[u8]) {
    let Some((level, packets)) = bytes.split_first() else {
        return;
    };
    let mut codec = Codec {
        level: [Level::V31, Level::V311, Level::V5][usize::from(*level) % 3],
        ..Codec::default()
    };
    codec.out.speak(codec.level, ALIASES);
    let mut buffer = bytes::BytesMut::from(packets);
    while let Ok(Some(frame)) = next_frame(&mut buffer, 1 << 16) {
        codec.describe(&frame, true);
        codec.split_publish(&frame);
        match codec.decode(&frame) {
            Ok(Packet::Connect(connect)) => codec.speak(&connect),
            Ok(Packet::Publish(publish)) => {
                codec.out.publish(&publish, clock::LabTime::START);
                let mut written = bytes::BytesMut::from(&codec.out.take()[..]);
                let Ok(Some(frame)) = next_frame(&mut written, usize::MAX) else {
                    panic!("no packet was written for {publish:?}");
                };
                codec.describe(&frame, false);
                let mut client = Codec {
                    level: codec.level,
                    aliases: codec.out.aliases(),
                    ..Codec::default()
                };
                let read = client.decode(&frame);
                assert_eq!(read, Ok(Packet::Publish(publish)), "as it was read");
            }
            _ => {}
        }
    }
}

/// Aliases of topics that a client may give.
pub(crate) const ALIASES: u16 = 10;

/// Packets of one connection, as its client's generation of the protocol has them.
#[derive(Debug, Default)]
pub(crate) struct Codec {
    level: Level,
    /// Topics to which the client gave an alias, from alias 1 on.
    aliases: Vec<Option<String>>,
    /// What goes to the client.
    pub(crate) out: Encoder,
}

impl Codec {
    /// Reads and writes as `connect` wants it from now on.
    pub(crate) fn speak(&mut self, connect: &Connect) {
        self.level = connect.level;
        let aliases = connect.properties.number(Property::TopicAliasMaximum);
        let aliases = aliases.and_then(|most| u16::try_from(most).ok());
        self.out.speak(connect.level, aliases.unwrap_or_default());
    }

    /// The client's generation of the protocol.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Reads a packet of the client as the standard demands.
    pub(crate) fn decode(&mut self, frame: &Frame) -> Result<Packet, Violation> {
        let mut packet = decode::decode(frame, self.level)?;
        if let Packet::Publish(publish) = &mut packet {
            self.resolve(publish)?;
        }
        Ok(packet)
    }

    /// Shows a packet, which came from the client or goes to it. Never fails; a password is shown by
    /// its length alone.
    pub(crate) fn describe(&self, frame: &Frame, received: bool) -> trace::mqtt::Packet {
        let mut packet = describe::describe(frame, self.level);
        if let trace::mqtt::Packet::Publish(publish) = &mut packet
            && let Some(alias) = publish.topic_alias()
            && publish.topic.as_deref() == Some("")
        {
            let topic = match received {
                true => self.topic(alias),
                false => self.out.topic(alias),
            };
            if let Some(topic) = topic {
                publish.topic = Some(topic.to_owned());
            }
        }
        packet
    }

    /// Topic and payload of a PUBLISH of the client, as well as they can be told.
    pub(crate) fn split_publish(&self, frame: &Frame) -> Option<(String, bytes::Bytes)> {
        let (topic, alias, payload) = describe::split_publish(frame, self.level)?;
        let known = alias.and_then(|alias| self.topic(alias));
        let topic = match known {
            Some(known) if topic.is_empty() => known.to_owned(),
            _ => topic,
        };
        Some((topic, payload))
    }

    /// The topic to which the client gave `alias`.
    fn topic(&self, alias: u32) -> Option<&str> {
        let at = usize::try_from(alias).ok()?.checked_sub(1)?;
        self.aliases.get(at)?.as_deref()
    }

    /// MQTT 5 §3.3.2.3.4: learns an alias, or puts the topic in its place.
    fn resolve(&mut self, publish: &mut Publish) -> Result<(), Violation> {
        let Some(alias) = publish.properties.number(Property::TopicAlias) else {
            return Ok(());
        };
        publish.properties.remove(Property::TopicAlias);
        if alias > ALIASES.into() {
            return Err(Violation::coded(0x94, "a topic alias above the maximum"));
        }
        if publish.topic.is_empty() {
            let topic = self.topic(alias);
            publish.topic = topic
                .ok_or(Violation::protocol("a topic alias that stands for nothing"))?
                .to_owned();
            return Ok(());
        }
        self.aliases.resize(ALIASES.into(), None);
        if let Some(topic) = self.aliases.get_mut(alias as usize - 1) {
            *topic = Some(publish.topic.clone());
        }
        Ok(())
    }
}
