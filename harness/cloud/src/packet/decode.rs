//! Reading packets as the standard demands.

use std::fmt;

use bytes::Bytes;

use super::reader::{CutShort, Reader};
use super::{Connect, Frame, Level, Packet, Publish, QoS, Subscription, Will, is_name};

/// How a client broke the standard; the connection is closed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A protocol that this broker does not speak; answered by CONNACK 1 (§3.1.2.2).
    Level(u8),
    /// Anything else, in a few words.
    Broken(&'static str),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "protocol level {level} is not spoken here"),
            Self::Broken(how) => f.write_str(how),
        }
    }
}

impl From<CutShort> for Violation {
    fn from(_: CutShort) -> Self {
        Self::Broken("the packet ends inside a field")
    }
}

type Decoded<T> = Result<T, Violation>;

/// The packet in `frame`, which came from a client that speaks `level`.
pub(crate) fn decode(frame: &Frame, level: Level) -> Decoded<Packet> {
    let flags = frame.head & 0x0f;
    let mut reader = Reader::new(frame.body.clone());
    let kind = frame.head >> 4;
    check_flags(kind, flags, level)?;
    let packet = match kind {
        1 => Packet::Connect(Box::new(connect(&mut reader)?)),
        3 => return publish(flags, reader).map(Packet::Publish),
        4 => Packet::PubAck(id(&mut reader)?),
        5 => Packet::PubRec(id(&mut reader)?),
        6 => Packet::PubRel(id(&mut reader)?),
        7 => Packet::PubComp(id(&mut reader)?),
        8 => subscribe(&mut reader)?,
        10 => unsubscribe(&mut reader)?,
        12 => Packet::PingReq,
        14 => Packet::Disconnect,
        2 | 9 | 11 | 13 => return Err(Violation::Broken("a packet that only brokers send")),
        _ => return Err(Violation::Broken("a reserved packet type")),
    };
    if !reader.is_empty() {
        return Err(Violation::Broken("bytes behind the end of the packet"));
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
        Err(Violation::Broken(
            "reserved flags of the fixed header are set",
        ))
    }
}

fn connect(reader: &mut Reader) -> Decoded<Connect> {
    let name = reader.binary()?;
    let level = match (&name[..], reader.byte()?) {
        (b"MQTT", 4) => Level::V311,
        (b"MQIsdp", 3) => Level::V31,
        (b"MQTT" | b"MQIsdp", other) => return Err(Violation::Level(other)),
        _ => {
            return Err(Violation::Broken(
                "the protocol's name is neither MQTT nor MQIsdp",
            ));
        }
    };
    let flags = reader.byte()?;
    if flags & 1 != 0 && level == Level::V311 {
        return Err(Violation::Broken("the reserved flag of CONNECT is set"));
    }
    let keep_alive = reader.number()?;
    let client_id = text(reader.binary()?)?;
    let will = will(flags, reader)?;
    let has_username = flags & 0x80 != 0;
    let has_password = flags & 0x40 != 0;
    if has_password && !has_username {
        return Err(Violation::Broken("a password without a user name"));
    }
    let username = has_username
        .then(|| reader.binary().map_err(Violation::from).and_then(text))
        .transpose()?;
    let password = has_password
        .then(|| reader.binary().map(|bytes| bytes.to_vec()))
        .transpose()?;
    Ok(Connect {
        level,
        client_id,
        clean_session: flags & 2 != 0,
        keep_alive,
        will,
        username,
        password,
    })
}

fn will(flags: u8, reader: &mut Reader) -> Decoded<Option<Will>> {
    let retain = flags & 0x20 != 0;
    let qos = flags >> 3 & 3;
    if flags & 4 == 0 {
        return if retain || qos != 0 {
            Err(Violation::Broken("flags of a will, but no will"))
        } else {
            Ok(None)
        };
    }
    let qos = QoS::new(qos).ok_or(Violation::Broken("a will of QoS 3"))?;
    let topic = text(reader.binary()?)?;
    if !is_name(&topic) {
        return Err(Violation::Broken(
            "a will to a topic that may not be published to",
        ));
    }
    let payload = reader.binary()?;
    Ok(Some(Will {
        topic,
        payload,
        qos,
        retain,
    }))
}

fn publish(flags: u8, mut reader: Reader) -> Decoded<Publish> {
    let qos = QoS::new(flags >> 1 & 3).ok_or(Violation::Broken("a message of QoS 3"))?;
    let duplicate = flags & 8 != 0;
    if duplicate && qos == QoS::AtMostOnce {
        return Err(Violation::Broken("a duplicate of QoS 0"));
    }
    let topic = text(reader.binary()?)?;
    if !is_name(&topic) {
        return Err(Violation::Broken(
            "a message to a topic with wildcards, NUL or nothing in it",
        ));
    }
    let id = (qos != QoS::AtMostOnce)
        .then(|| id(&mut reader))
        .transpose()?;
    Ok(Publish {
        topic,
        payload: reader.rest(),
        qos,
        retain: flags & 1 != 0,
        duplicate,
        id,
    })
}

fn subscribe(reader: &mut Reader) -> Decoded<Packet> {
    let id = id(reader)?;
    let mut wanted = Vec::new();
    while !reader.is_empty() {
        let filter = text(reader.binary()?)?;
        let qos = QoS::new(reader.byte()?).ok_or(Violation::Broken("a subscription of QoS 3"))?;
        wanted.push(Subscription { filter, qos });
    }
    if wanted.is_empty() {
        return Err(Violation::Broken("SUBSCRIBE without a filter"));
    }
    Ok(Packet::Subscribe { id, wanted })
}

fn unsubscribe(reader: &mut Reader) -> Decoded<Packet> {
    let id = id(reader)?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(text(reader.binary()?)?);
    }
    if filters.is_empty() {
        return Err(Violation::Broken("UNSUBSCRIBE without a filter"));
    }
    Ok(Packet::Unsubscribe { id, filters })
}

/// §2.3.1: never 0.
fn id(reader: &mut Reader) -> Decoded<u16> {
    match reader.number()? {
        0 => Err(Violation::Broken("packet identifier 0")),
        id => Ok(id),
    }
}

/// §1.5.3. NUL is judged where it is known what the text is for.
fn text(bytes: Bytes) -> Decoded<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Violation::Broken("a text that is not UTF-8"))
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
                topic, payload: payload.into(), qos, retain, duplicate: false,
                id: (qos != QoS::AtMostOnce).then_some(id),
            };
            let mut encoder = super::super::Encoder::default();
            encoder.publish(&sent);
            let mut bytes = bytes::BytesMut::from(&encoder.take()[..]);
            let frame = super::super::next_frame(&mut bytes, 10_000).unwrap().unwrap();
            prop_assert_eq!(decode(&frame, Level::V311), Ok(Packet::Publish(sent)));
        }
    }
}
