//! The phone's securities against known answers.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use phone::security::{Channel, Handshake, SecurityError, Step};
use proptest::prelude::*;
use proto::Message;
use proto::session::{S2SessionResp1, Sec2Message, Sec2Payload, SessionData, SessionProto};
use serde_json::Value;

fn vector(name: &str) -> Value {
    let path = format!(
        "{}/../../fixtures/vectors/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn wire(vector: &Value, message: usize) -> Vec<u8> {
    bytes(&vector["messages"][message]["wire"])
}

/// Plays the handshake's four messages and requires every request to be the vector's.
fn play(mut handshake: Handshake, vector: &Value) -> Channel {
    assert_eq!(handshake.start(), wire(vector, 0));
    let Step::Send(proof) = handshake.next(&wire(vector, 1)).unwrap() else {
        panic!("a proof comes next");
    };
    assert_eq!(proof, wire(vector, 2));
    let Step::Done(channel) = handshake.next(&wire(vector, 3)).unwrap() else {
        panic!("the session begins");
    };
    channel
}

/// Plays what follows the handshake.
fn converse(mut channel: Channel, vector: &Value) {
    for pair in vector["messages"].as_array().unwrap()[4..].chunks(2) {
        let [request, answer] = pair else {
            panic!("a request without its response");
        };
        assert_eq!(
            channel.encrypt(&bytes(&request["plaintext"])).unwrap(),
            bytes(&request["wire"]),
            "{}",
            request["name"]
        );
        assert_eq!(
            channel.decrypt(&bytes(&answer["wire"])).unwrap(),
            bytes(&answer["plaintext"]),
            "{}",
            answer["name"]
        );
    }
}

fn v2(vector: &Value) -> Handshake {
    Handshake::v2_with(
        vector["username"].as_str().unwrap(),
        vector["password"].as_str().unwrap(),
        Some(u8::try_from(vector["sec_patch_ver"].as_u64().unwrap()).unwrap()),
        bytes(&vector["client_private_a"]).try_into().unwrap(),
    )
}

#[test]
fn security_1_matches_with_and_without_pop() {
    for (name, pop) in [("security1_pop", "abcd1234"), ("security1_nopop", "")] {
        let vector = vector(name);
        let private = bytes(&vector["client_private"]).try_into().unwrap();
        converse(play(Handshake::v1_with(pop, private), &vector), &vector);
    }
}

#[test]
fn security_2_matches_in_both_patch_versions_and_with_a_short_device_key() {
    for name in [
        "security2_patch0",
        "security2_patch1",
        "security2_patch1_B383",
    ] {
        let vector = vector(name);
        converse(play(v2(&vector), &vector), &vector);
    }
}

#[test]
fn security_0_is_done_after_one_answer() {
    let mut handshake = Handshake::plain();
    assert_eq!(hex::encode(handshake.start()), "5203a20100");
    let answer = hex::decode("52050801aa0100").unwrap();
    let Step::Done(mut channel) = handshake.next(&answer).unwrap() else {
        panic!("the session begins");
    };
    assert_eq!(channel.encrypt(b"plain").unwrap(), b"plain");
}

#[test]
fn a_device_that_does_not_know_the_pop_is_not_believed() {
    let vector = vector("security1_pop");
    let private = bytes(&vector["client_private"]).try_into().unwrap();
    let mut handshake = Handshake::v1_with("another", private);
    handshake.next(&wire(&vector, 1)).unwrap();
    assert_eq!(
        handshake.next(&wire(&vector, 3)).err(),
        Some(SecurityError::Unproven)
    );
}

#[test]
fn a_device_that_does_not_know_the_verifier_is_not_believed() {
    let vector = vector("security2_patch1");
    let mut handshake = v2(&vector);
    handshake.next(&wire(&vector, 1)).unwrap();
    let lie = SessionData::from(Sec2Payload::from(Sec2Message::Response1(S2SessionResp1 {
        status: 0,
        device_proof: vec![0; 64],
        device_nonce: vec![0; 12],
    })));
    assert_eq!(
        handshake.next(&lie.encode_to_vec()).err(),
        Some(SecurityError::Unproven)
    );
}

/// The vector's handshake with what `proto-ver` says of the patch version replaced.
fn with_patch(name: &str, patch_version: Option<u8>) -> (Value, Result<Channel, SecurityError>) {
    let vector = vector(name);
    let mut handshake = Handshake::v2_with(
        "wifiprov",
        "abcd1234",
        patch_version,
        bytes(&vector["client_private_a"]).try_into().unwrap(),
    );
    handshake.next(&wire(&vector, 1)).unwrap();
    let channel = match handshake.next(&wire(&vector, 3)) {
        Ok(Step::Done(channel)) => Ok(channel),
        Ok(Step::Send(_)) => panic!("the session begins"),
        Err(error) => Err(error),
    };
    (vector, channel)
}

#[test]
fn a_nonce_of_another_patch_version_is_refused() {
    for (name, patch_version) in [("security2_patch1", 0), ("security2_patch0", 1)] {
        let (_, channel) = with_patch(name, Some(patch_version));
        assert_eq!(channel.err(), Some(SecurityError::Value("nonce")), "{name}");
    }
}

#[test]
fn a_device_that_says_nothing_of_its_patch_version_is_known_by_its_nonce() {
    for name in ["security2_patch0", "security2_patch1"] {
        let (vector, channel) = with_patch(name, None);
        converse(channel.unwrap(), &vector);
    }
}

#[test]
fn an_answer_of_another_step_or_security_is_refused() {
    let one = vector("security1_pop");
    let two = vector("security2_patch1");
    for answer in [wire(&one, 3), wire(&two, 1), wire(&one, 0)] {
        let refused = Handshake::v1("abcd1234").next(&answer).err();
        assert!(
            matches!(refused, Some(SecurityError::OtherMessage { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn an_answer_with_a_status_is_refused() {
    let vector = vector("security1_pop");
    let mut answer = SessionData::decode(&wire(&vector, 1)[..]).unwrap();
    if let Some(SessionProto::Sec1(payload)) = &mut answer.proto
        && let Some(proto::session::Sec1Message::Response0(response)) = &mut payload.payload
    {
        response.status = proto::Status::InvalidSession as i32;
    }
    assert_eq!(
        Handshake::v1("").next(&answer.encode_to_vec()).err(),
        Some(SecurityError::Status(7))
    );
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        for mut handshake in [Handshake::v1("pop"), Handshake::v1("")] {
            prop_assert!(handshake.next(&bytes).is_err());
        }
    }
}
