use super::*;
use alloc::vec;
use proptest::prelude::*;

const VECTORS: &str = include_str!("../../../../fixtures/vectors/linkkit.json");

fn vector(name: &str, field: &str) -> Vec<u8> {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
    let text = if field.is_empty() {
        vectors[name].as_str()
    } else {
        vectors[name][field].as_str()
    };
    hex::decode(text.expect("a text")).expect("hex")
}

fn payload(name: &str) -> Vec<u8> {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
    let payload = vectors[name]["payload"].as_str().expect("a text");
    payload.as_bytes().to_vec()
}

fn request(name: &str) -> Request {
    match Message::read(&vector(name, "packet")) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

const GET: &str = "coap_get_request_mcast (CON GET, code 0.01)";

#[test]
fn a_notification_has_the_bytes_of_the_sdk() {
    let bytes = post(
        1,
        [4, 3, 2, 1],
        "/sys/device/info/notify",
        &payload("coap_notify"),
    );
    assert_eq!(bytes, Some(vector("coap_notify", "packet")));
}

#[test]
fn a_query_is_read() {
    let request = request(GET);
    assert!(request.source.confirmable && request.is_get);
    assert_eq!(request.path, "/sys/device/info/get");
    assert_eq!(request.payload, payload(GET));
}

#[test]
fn a_query_is_acknowledged_and_answered_with_the_bytes_of_the_sdk() {
    let source = request(GET).source;
    assert_eq!(source.acknowledgement(), vector("coap_empty_ack", ""));
    let answer = "coap_get_response (NON 2.05, same msgid + token)";
    assert_eq!(
        source.content(&payload(answer)),
        Some(vector(answer, "packet"))
    );
}

#[test]
fn a_phones_answer_is_read() {
    let name = "coap_notify_ack_from_phone (makes the device stop and rotate the token)";
    let expected = Message::Response {
        success: true,
        token: vec![4, 3, 2, 1],
        payload: payload(name),
    };
    assert_eq!(
        Message::read(&vector(name, "packet_NON_2.05_same_token")),
        Ok(expected)
    );
}

#[test]
fn a_refusal_acknowledges_a_confirmable_request() {
    let request = request("coap_get_request_wrong_method (CON POST -> device answers 4.05)");
    assert!(!request.is_get);
    let bytes = request.source.refusal(Refusal::MethodNotAllowed);
    assert_eq!(bytes, Some(vec![0x64, 0x85, 0x12, 0x34, 10, 11, 12, 13]));
    let other = Source {
        confirmable: false,
        ..request.source
    };
    let bytes = other.refusal(Refusal::NotFound);
    assert_eq!(bytes, Some(vec![0x54, 0x84, 0x12, 0x34, 10, 11, 12, 13]));
}

#[test]
fn a_ping_is_answered_by_a_reset() {
    let ping = Message::read(&[0x40, 0, 0x12, 0x34]);
    assert_eq!(ping, Ok(Message::Ping { message_id: 0x1234 }));
    assert_eq!(reset(0x1234), [0x70, 0, 0x12, 0x34]);
    assert_eq!(Message::read(&[0x60, 0, 1, 2]), Ok(Message::Empty));
}

#[test]
fn an_error_is_no_success() {
    let message = Message::read(&[0x50, 0x84, 0, 1]);
    assert!(matches!(
        message,
        Ok(Message::Response { success: false, .. })
    ));
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(Message::read(&[]), Err(CoapError::Malformed));
    assert_eq!(Message::read(&[0x80, 1, 0, 0]), Err(CoapError::Version(2)));
    assert_eq!(Message::read(&[0x4f, 1, 0, 0]), Err(CoapError::Malformed));
    assert_eq!(Message::read(&[0x40; MAX_LEN + 1]), Err(CoapError::TooLong));
}

#[test]
fn what_does_not_fit_is_not_sent() {
    assert_eq!(post(1, [0; 4], "/a", &[b' '; MAX_LEN]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Message::Request(request)) = Message::read(&bytes) {
            request.source.content(&request.payload);
            request.source.refusal(Refusal::BadRequest);
        }
    }

    /// Random bytes seldom get past the header, so these have one.
    #[test]
    fn any_options_are_read_without_a_panic(
        first in 0x40_u8..0x80,
        code in 0_u8..8,
        rest in proptest::collection::vec(any::<u8>(), 2..200),
    ) {
        let mut bytes = vec![first, code];
        bytes.extend(rest);
        let _ = Message::read(&bytes);
    }

    #[test]
    fn what_we_send_can_be_read(
        message_id: u16,
        token: [u8; 4],
        segments in proptest::collection::vec("[a-z0-9_]{1,20}", 1..5),
        json in "[ -~]{1,200}",
    ) {
        let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
        let bytes = post(message_id, token, &path, json.as_bytes()).expect("it fits");
        let Ok(Message::Request(request)) = Message::read(&bytes) else {
            panic!("no request");
        };
        prop_assert_eq!(request.path, path);
        prop_assert_eq!(request.payload, json.as_bytes());
        prop_assert!(!request.source.confirmable && !request.is_get);
    }
}
