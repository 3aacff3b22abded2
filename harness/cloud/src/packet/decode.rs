//! Reading packets as the standard demands.

use std::fmt;

use bytes::Bytes;

use super::property::{Place, Properties, Property};
use super::reader::{CutShort, Reader};
use super::{
    Ack, Connect, Frame, Level, Packet, Publish, QoS, Retained, Subscription, Will, is_name,
};

/// How a client broke the standard; the connection is closed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A protocol that this broker does not speak; answered by CONNACK 1 (§3.1.2.2).
    Level(u8),
    /// Anything else: reason code of MQTT 5, and in a few words.
    Broken(u8, &'static str),
}

impl Violation {
    /// The packet cannot be read.
    pub(crate) const fn malformed(how: &'static str) -> Self {
        Self::Broken(0x81, how)
    }

    /// The packet can be read and may not be sent.
    pub(crate) const fn protocol(how: &'static str) -> Self {
        Self::Broken(0x82, how)
    }

    /// Something that has a reason code of its own.
    pub(crate) const fn coded(code: u8, how: &'static str) -> Self {
        Self::Broken(code, how)
    }

    /// Reason code of MQTT 5 (§2.4).
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Level(_) => 0x84,
            Self::Broken(code, _) => *code,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "protocol level {level} is not spoken here"),
            Self::Broken(_, how) => f.write_str(how),
        }
    }
}

impl From<CutShort> for Violation {
    fn from(_: CutShort) -> Self {
        Self::malformed("the packet ends inside a field")
    }
}

type Decoded<T> = Result<T, Violation>;

/// The packet in `frame`, which came from a client that speaks `level`. A topic may be left out
/// where an alias stands for it.
pub(super) fn decode(frame: &Frame, level: Level) -> Decoded<Packet> {
    let flags = frame.head & 0x0f;
    let mut reader = Reader::new(frame.body.clone());
    let kind = frame.head >> 4;
    check_flags(kind, flags, level)?;
    let packet = match kind {
        1 => Packet::Connect(Box::new(connect(&mut reader)?)),
        3 => return publish(flags, reader, level).map(Packet::Publish),
        4 => Packet::PubAck(ack(&mut reader, level, kind)?),
        5 => Packet::PubRec(ack(&mut reader, level, kind)?),
        6 => Packet::PubRel(ack(&mut reader, level, kind)?),
        7 => Packet::PubComp(ack(&mut reader, level, kind)?),
        8 => subscribe(&mut reader, level)?,
        10 => unsubscribe(&mut reader, level)?,
        12 => Packet::PingReq,
        14 => disconnect(&mut reader, level)?,
        15 if level == Level::V5 => auth(&mut reader)?,
        2 | 9 | 11 | 13 => return Err(Violation::protocol("a packet that only brokers send")),
        _ => return Err(Violation::malformed("a reserved packet type")),
    };
    if !reader.is_empty() {
        return Err(Violation::malformed("bytes behind the end of the packet"));
    }
    Ok(packet)
}

/// §2.2.2: flags are fixed, except those of PUBLISH.
fn check_flags(kind: u8, flags: u8, level: Level) -> Decoded<()> {
    let expected = match kind {
        3 => return Ok(()),
        6 | 8 | 10 => 0b0010,
        _ => 0,
    };
    // MQTT 3.1 lets these be marked as duplicates.
    let ignored = match (level, kind) {
        (Level::V31, 6 | 8 | 10) => 0b1000,
        _ => 0,
    };
    if flags & !ignored == expected {
        Ok(())
    } else {
        Err(Violation::malformed(
            "reserved flags of the fixed header are set",
        ))
    }
}

fn connect(reader: &mut Reader) -> Decoded<Connect> {
    let name = reader.binary()?;
    let level = match (&name[..], reader.byte()?) {
        (b"MQTT", 5) => Level::V5,
        (b"MQTT", 4) => Level::V311,
        (b"MQIsdp", 3) => Level::V31,
        (b"MQTT" | b"MQIsdp", other) => return Err(Violation::Level(other)),
        _ => {
            return Err(Violation::protocol(
                "the protocol's name is neither MQTT nor MQIsdp",
            ));
        }
    };
    let flags = reader.byte()?;
    if flags & 1 != 0 && level != Level::V31 {
        return Err(Violation::malformed("the reserved flag of CONNECT is set"));
    }
    let keep_alive = reader.number()?;
    let properties = properties(reader, level, Place::CONNECT)?;
    if properties.get(Property::AuthenticationData).is_some()
        && properties.get(Property::AuthenticationMethod).is_none()
    {
        return Err(Violation::protocol("authentication data without a method"));
    }
    let client_id = text(reader.binary()?)?;
    let will = will(flags, reader, level)?;
    let has_username = flags & 0x80 != 0;
    let has_password = flags & 0x40 != 0;
    if has_password && !has_username && level != Level::V5 {
        return Err(Violation::protocol("a password without a user name"));
    }
    // MQTT 3.1 §3.1: the length of the packet counts more than these flags.
    let left_out = |reader: &Reader| level == Level::V31 && reader.is_empty();
    let mut username = None;
    if has_username && !left_out(reader) {
        username = Some(text(reader.binary()?)?);
    }
    let mut password = None;
    if has_password && !left_out(reader) {
        password = Some(reader.binary()?.to_vec());
    }
    Ok(Connect {
        level,
        client_id,
        clean_session: flags & 2 != 0,
        keep_alive,
        will,
        username,
        password,
        properties,
    })
}

fn will(flags: u8, reader: &mut Reader, level: Level) -> Decoded<Option<Will>> {
    let retain = flags & 0x20 != 0;
    let qos = flags >> 3 & 3;
    if flags & 4 == 0 {
        // MQTT 3.1 does not say what they are without a will.
        return if (retain || qos != 0) && level != Level::V31 {
            Err(Violation::malformed("flags of a will, but no will"))
        } else {
            Ok(None)
        };
    }
    let qos = QoS::new(qos).ok_or(Violation::malformed("a will of QoS 3"))?;
    let mut properties = properties(reader, level, Place::WILL)?;
    let topic = text(reader.binary()?)?;
    if !is_name(&topic) {
        return Err(Violation::coded(
            0x90,
            "a will to a topic that may not be published to",
        ));
    }
    let payload = reader.binary()?;
    let delay = properties.number(Property::WillDelay).unwrap_or_default();
    properties.remove(Property::WillDelay);
    Ok(Some(Will {
        topic,
        payload,
        qos,
        retain,
        delay,
        properties,
    }))
}

fn publish(flags: u8, mut reader: Reader, level: Level) -> Decoded<Publish> {
    let qos = QoS::new(flags >> 1 & 3).ok_or(Violation::malformed("a message of QoS 3"))?;
    let duplicate = flags & 8 != 0;
    if duplicate && qos == QoS::AtMostOnce {
        return Err(Violation::malformed("a duplicate of QoS 0"));
    }
    let topic = text(reader.binary()?)?;
    let id = (qos != QoS::AtMostOnce)
        .then(|| id(&mut reader))
        .transpose()?;
    let properties = properties(&mut reader, level, Place::PUBLISH)?;
    let stands_for_it = topic.is_empty() && properties.get(Property::TopicAlias).is_some();
    if !is_name(&topic) && !stands_for_it {
        return Err(Violation::coded(
            0x90,
            "a message to a topic with wildcards, NUL or nothing in it",
        ));
    }
    if let Some(response) = properties.text(Property::ResponseTopic)
        && !is_name(response)
    {
        return Err(Violation::protocol(
            "a response topic with wildcards or nothing in it",
        ));
    }
    Ok(Publish {
        qos,
        retain: flags & 1 != 0,
        duplicate,
        id,
        properties,
        ..Publish::new(topic, reader.rest())
    })
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5 §3.4.2: code and properties may be left out).
fn ack(reader: &mut Reader, level: Level, kind: u8) -> Decoded<Ack> {
    let id = id(reader)?;
    let mut code = 0;
    if level == Level::V5 && !reader.is_empty() {
        code = reader.byte()?;
        let known: &[u8] = match kind {
            4 | 5 => &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
            _ => &[0, 0x92],
        };
        if !known.contains(&code) {
            return Err(Violation::malformed(
                "a reason code that this packet cannot have",
            ));
        }
        if !reader.is_empty() {
            properties(reader, level, Place::packet(kind))?;
        }
    }
    Ok(Ack { id, code })
}

fn subscribe(reader: &mut Reader, level: Level) -> Decoded<Packet> {
    let id = id(reader)?;
    let properties = properties(reader, level, Place::SUBSCRIBE)?;
    let subscription_id = properties.number(Property::SubscriptionId);
    let mut wanted = Vec::new();
    while !reader.is_empty() {
        let filter = text(reader.binary()?)?;
        let options = reader.byte()?;
        wanted.push(subscription(filter, options, level, subscription_id)?);
    }
    if wanted.is_empty() {
        return Err(Violation::protocol("SUBSCRIBE without a filter"));
    }
    Ok(Packet::Subscribe { id, wanted })
}

/// MQTT 5 §3.8.3.1; before that, everything above the QoS is reserved.
fn subscription(
    filter: String,
    options: u8,
    level: Level,
    id: Option<u32>,
) -> Decoded<Subscription> {
    let number = match level {
        Level::V5 => options & 3,
        _ => options,
    };
    let qos = QoS::new(number).ok_or(Violation::malformed("a subscription of QoS 3"))?;
    let retained = match options >> 4 & 3 {
        0 => Retained::Always,
        1 => Retained::IfNew,
        2 => Retained::Never,
        _ => return Err(Violation::malformed("retain handling 3")),
    };
    if options & 0xc0 != 0 {
        return Err(Violation::malformed(
            "reserved options of a subscription are set",
        ));
    }
    let no_local = options & 4 != 0;
    if no_local && filter.starts_with("$share/") {
        return Err(Violation::protocol(
            "a shared subscription without own messages",
        ));
    }
    Ok(Subscription {
        filter,
        qos,
        no_local,
        retain_as_published: options & 8 != 0,
        retained,
        id,
    })
}

fn unsubscribe(reader: &mut Reader, level: Level) -> Decoded<Packet> {
    let id = id(reader)?;
    properties(reader, level, Place::UNSUBSCRIBE)?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(text(reader.binary()?)?);
    }
    if filters.is_empty() {
        return Err(Violation::protocol("UNSUBSCRIBE without a filter"));
    }
    Ok(Packet::Unsubscribe { id, filters })
}

/// MQTT 5 §3.14.2: code and properties may be left out.
fn disconnect(reader: &mut Reader, level: Level) -> Decoded<Packet> {
    let (mut code, mut expiry) = (0, None);
    if level == Level::V5 && !reader.is_empty() {
        code = reader.byte()?;
        if !matches!(code, 0 | 4 | 0x80..=0x83 | 0x90 | 0x93..=0x99) {
            return Err(Violation::malformed(
                "a reason code that this packet cannot have",
            ));
        }
        if !reader.is_empty() {
            let properties = properties(reader, level, Place::DISCONNECT)?;
            if properties.get(Property::ServerReference).is_some() {
                return Err(Violation::protocol("a server reference from a client"));
            }
            expiry = properties.number(Property::SessionExpiry);
        }
    }
    Ok(Packet::Disconnect { code, expiry })
}

fn auth(reader: &mut Reader) -> Decoded<Packet> {
    if !reader.is_empty() {
        reader.byte()?;
        if !reader.is_empty() {
            properties(reader, Level::V5, Place::packet(15))?;
        }
    }
    Ok(Packet::Auth)
}

fn properties(reader: &mut Reader, level: Level, place: Place) -> Decoded<Properties> {
    match level {
        Level::V5 => Properties::read(reader, place),
        _ => Ok(Properties::default()),
    }
}

/// §2.3.1: never 0.
fn id(reader: &mut Reader) -> Decoded<u16> {
    match reader.number()? {
        0 => Err(Violation::protocol("packet identifier 0")),
        id => Ok(id),
    }
}

/// §1.5.3. NUL is judged where it is known what the text is for.
fn text(bytes: Bytes) -> Decoded<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Violation::malformed("a text that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_is_refused_or_read_but_never_panics(
            head in any::<u8>(),
            body in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let frame = Frame { head, body: body.into() };
            let _ = decode(&frame, Level::V311);
            let _ = decode(&frame, Level::V31);
            let _ = decode(&frame, Level::V5);
        }

        #[test]
        fn a_publish_of_ours_is_read_back(
            topic in "[a-z/$ é]{1,40}",
            payload in prop::collection::vec(any::<u8>(), 0..200),
            qos in 0_u8..3,
            retain in any::<bool>(),
            id in 1_u16..,
        ) {
            let qos = QoS::new(qos).unwrap();
            let sent = Publish {
                qos, retain,
                id: (qos != QoS::AtMostOnce).then_some(id),
                ..Publish::new(topic, payload)
            };
            for level in [Level::V31, Level::V311, Level::V5] {
                let mut encoder = super::super::Encoder::default();
                encoder.speak(level, 0);
                encoder.publish(&sent, clock::LabTime::START);
                let mut bytes = bytes::BytesMut::from(&encoder.take()[..]);
                let frame = super::super::next_frame(&mut bytes, 10_000).unwrap().unwrap();
                prop_assert_eq!(decode(&frame, level), Ok(Packet::Publish(sent.clone())));
            }
        }
    }
}
