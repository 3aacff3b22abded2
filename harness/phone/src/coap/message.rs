//! CoAP messages as Linkkit's devices and phones use them.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};
use proto::linkkit::{CONTENT_FORMAT_JSON, Empty, GetRequest, Id, NOTIFY_ACK_ID, Reply};

/// Bytes of a message without token, options and payload, which an empty one is (RFC 7252 §4.1).
const EMPTY: usize = 4;
/// `id` of a phone's question, as Linkkit's own app sends it.
const QUERY_ID: &str = "123";

/// What `bytes` say, or why they are no message (RFC 7252 §3).
pub(super) fn read(bytes: &[u8]) -> Result<Packet, String> {
    let packet = Packet::from_bytes(bytes).map_err(|error| error.to_string())?;
    match (packet.header.get_version(), &packet.header.code) {
        (1, MessageClass::Reserved(code)) => Err(format!("the reserved code {code}")),
        (1, MessageClass::Empty) if bytes.len() > EMPTY => {
            Err("an empty message that goes on".into())
        }
        (1, _) => Ok(packet),
        (version, _) => Err(format!("version {version}")),
    }
}

/// Number of the payload's format, if it is told (RFC 7252 §5.10.3).
pub(super) fn content_format(packet: &Packet) -> Option<u16> {
    let bytes = packet.get_first_option(CoapOption::ContentFormat)?;
    let number = |sum: u16, byte: &u8| sum.checked_mul(256)?.checked_add(u16::from(*byte));
    bytes.iter().try_fold(0, number)
}

/// The query for a device's information: a GET with a payload, which CoAP does not forbid and
/// Linkkit asks for.
pub(super) fn query(path: &str, message_id: u16, token: [u8; 4]) -> Packet {
    let mut packet = new(
        MessageType::Confirmable,
        MessageClass::Request(RequestType::Get),
        message_id,
        &token,
    );
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
    }
    with_json(packet, &GetRequest::new(QUERY_ID))
}

/// The answer to a notification that makes a device stop: same message id, same token.
pub(super) fn notify_ack(notification: &Packet) -> Packet {
    let packet = new(
        MessageType::NonConfirmable,
        MessageClass::Response(ResponseType::Content),
        notification.header.message_id,
        notification.get_token(),
    );
    let reply = Reply {
        id: Id::Number(NOTIFY_ACK_ID),
        code: 200,
        data: Empty {},
    };
    with_json(packet, &reply)
}

/// The empty acknowledgement of a confirmable message.
pub(super) fn empty_ack(message: &Packet) -> Packet {
    new(
        MessageType::Acknowledgement,
        MessageClass::Empty,
        message.header.message_id,
        &[],
    )
}

fn new(kind: MessageType, code: MessageClass, message_id: u16, token: &[u8]) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_version(1);
    packet.header.set_type(kind);
    packet.header.code = code;
    packet.header.message_id = message_id;
    packet.set_token(token.to_vec());
    packet
}

fn with_json(mut packet: Packet, json: &impl serde::Serialize) -> Packet {
    // One byte: RFC 7252 §3.2 forbids leading zeros.
    let format = u8::try_from(CONTENT_FORMAT_JSON).unwrap_or(u8::MAX);
    packet.add_option(CoapOption::ContentFormat, vec![format]);
    // Cannot fail: the shapes are made of texts and numbers.
    packet.payload = serde_json::to_vec(json).unwrap_or_default();
    packet
}

/// Path of a request, with slashes; none of a message without one.
pub(super) fn path(packet: &Packet) -> Option<String> {
    let segments = packet.get_option(CoapOption::UriPath)?;
    Some(
        segments
            .iter()
            .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
            .collect(),
    )
}

/// `CON`, `NON`, `ACK` or `RST`.
pub(super) fn type_name(packet: &Packet) -> &'static str {
    match packet.header.get_type() {
        MessageType::Confirmable => "CON",
        MessageType::NonConfirmable => "NON",
        MessageType::Acknowledgement => "ACK",
        MessageType::Reset => "RST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::linkkit::DEVICE_INFO_GET_PATH;
    use serde_json::Value;

    fn vector(name: &str) -> Value {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../fixtures/vectors/linkkit.json"))
                .unwrap();
        vectors[name].clone()
    }

    fn packet(vector: &Value) -> Packet {
        Packet::from_bytes(&hex::decode(vector.as_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn what_a_receiver_has_to_reject_is_no_message() {
        for (bytes, reason) in [
            ("5001", "header"),
            ("90011234", "version 2"),
            ("50201234", "the reserved code 32"),
            ("6000123400", "empty"),
        ] {
            let error = read(&hex::decode(bytes).unwrap()).expect_err(bytes);
            assert!(error.to_lowercase().contains(reason), "{bytes}: {error}");
        }
        assert!(read(&hex::decode("60001234").unwrap()).is_ok());
    }

    #[test]
    fn the_format_of_a_notification_is_json() {
        let notification = packet(&vector("coap_notify")["packet"]);
        assert_eq!(content_format(&notification), Some(CONTENT_FORMAT_JSON));
        let query = query(DEVICE_INFO_GET_PATH, 1, [0; 4]);
        assert_eq!(content_format(&empty_ack(&query)), None);
    }

    #[test]
    fn a_query_matches() {
        let query = query(DEVICE_INFO_GET_PATH, 0x1234, [0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(
            hex::encode(query.to_bytes().unwrap()),
            vector("coap_get_request_mcast (CON GET, code 0.01)")["packet"]
        );
    }

    #[test]
    fn an_answer_to_a_notification_matches() {
        let notification = packet(&vector("coap_notify")["packet"]);
        assert_eq!(
            path(&notification).as_deref(),
            Some("/sys/device/info/notify")
        );
        assert_eq!(type_name(&notification), "NON");
        assert_eq!(
            hex::encode(notify_ack(&notification).to_bytes().unwrap()),
            vector("coap_notify_ack_from_phone (makes the device stop and rotate the token)")["packet_NON_2.05_same_token"]
        );
    }

    #[test]
    fn an_empty_acknowledgement_matches() {
        let query = query(DEVICE_INFO_GET_PATH, 0x1234, [0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(
            hex::encode(empty_ack(&query).to_bytes().unwrap()),
            vector("coap_empty_ack").as_str().unwrap()
        );
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::from_bytes(&bytes) {
                let _ = (path(&packet), type_name(&packet), packet.header.get_code());
            }
        }
    }
}
