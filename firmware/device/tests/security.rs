//! The device's securities against known answers, and against everything else.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::cell::RefCell;

use device::security::{Security, SecurityError, SessionEvent};
use embassy_futures::block_on;
use proptest::prelude::*;
use proto::Message;
use proto::session::{
    HandshakeStep, S2SessionCmd0, S2SessionCmd1, Sec0Payload, Sec1Message, Sec1Payload,
    Sec2Message, Sec2Payload, SessionCmd0, SessionCmd1, SessionData, SessionProto,
};
use rand_core::{CryptoRng, RngCore};
use serde_json::Value;

/// Random bytes that are written down beforehand, then zeros.
struct Script(Vec<u8>);

impl Script {
    fn of(parts: &[Vec<u8>]) -> Self {
        Self(parts.concat())
    }
}

impl RngCore for Script {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let ready = self.0.len().min(bytes.len());
        bytes.fill(0);
        for (byte, scripted) in bytes.iter_mut().zip(self.0.drain(..ready)) {
            *byte = scripted;
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Script {}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what this thread logs.
struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}: {}", record.level(), record.target(), record.args());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// What was logged since the last call.
fn lines() -> Vec<String> {
    LINES.with_borrow_mut(std::mem::take)
}

fn record() {
    // Fails from the second test on, when it is set already.
    let _ = log::set_logger(&Recorder);
    log::set_max_level(log::LevelFilter::Trace);
    lines();
}

fn vector(name: &str) -> Value {
    let path = format!(
        "{}/../../fixtures/vectors/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(vector[name].as_str().unwrap()).unwrap()
}

/// Plays a vector's messages and requires every answer to be the vector's.
fn play(security: &mut Security, random: &mut Script, vector: &Value) {
    for pair in vector["messages"].as_array().unwrap().chunks(2) {
        let [request, response] = pair else {
            panic!("a request without its response");
        };
        let name = &request["name"];
        let wire = bytes(request, "wire");
        let answer = if request["endpoint"] == proto::endpoint::SESSION {
            block_on(security.handshake(&wire, random)).unwrap()
        } else {
            let plain = security.decrypt(&wire).unwrap();
            assert_eq!(plain, bytes(request, "plaintext"), "{name}");
            security.encrypt(&bytes(response, "plaintext")).unwrap()
        };
        assert_eq!(
            hex::encode(answer),
            response["wire"].as_str().unwrap(),
            "answer to {name}"
        );
    }
}

fn security1(pop: &str) -> Security {
    Security::new(&factory::Security::V1 { pop: pop.into() })
}

fn security2(vector: &Value) -> Security {
    Security::new(&factory::Security::V2 {
        username: vector["username"].as_str().unwrap().into(),
        salt: bytes(vector, "salt"),
        verifier: bytes(vector, "verifier"),
    })
}

fn script1(vector: &Value) -> Script {
    Script::of(&[
        bytes(vector, "device_private"),
        bytes(vector, "device_random"),
    ])
}

fn script2(vector: &Value) -> Script {
    Script::of(&[
        bytes(vector, "device_private_b"),
        bytes(vector, "device_nonce")[..8].to_vec(),
    ])
}

/// Wire bytes of a vector's message.
fn wire(vector: &Value, message: usize) -> Vec<u8> {
    bytes(&vector["messages"][message], "wire")
}

#[test]
fn security_1_with_pop_matches() {
    record();
    let vector = vector("security1_pop");
    let mut security = security1("abcd1234");
    assert!(security.has_pop());
    play(&mut security, &mut script1(&vector), &vector);
    assert!(security.is_established());
    assert_eq!(security.take_event(), Some(SessionEvent::SetupOk));
    assert_eq!(security.take_event(), None);
    assert_eq!(lines(), [""; 0]);
}

#[test]
fn security_1_without_pop_matches() {
    let vector = vector("security1_nopop");
    let mut security = security1("");
    assert!(!security.has_pop());
    play(&mut security, &mut script1(&vector), &vector);
    assert_eq!((security.version(), security.patch_version()), (1, 0));
}

#[test]
fn security_2_of_patch_version_0_matches() {
    let vector = vector("security2_patch0");
    let mut security = security2(&vector).with_patch_version(0);
    let mut random = Script::of(&[
        bytes(&vector, "device_private_b"),
        bytes(&vector, "device_nonce"),
    ]);
    play(&mut security, &mut random, &vector);
    assert_eq!((security.version(), security.patch_version()), (2, 0));
}

#[test]
fn security_2_matches_also_with_a_short_public_key_of_the_device() {
    for name in ["security2_patch1", "security2_patch1_B383"] {
        record();
        let vector = vector(name);
        let mut security = security2(&vector);
        play(&mut security, &mut script2(&vector), &vector);
        assert_eq!(security.take_event(), Some(SessionEvent::SetupOk), "{name}");
        assert_eq!((security.version(), security.patch_version()), (2, 1));
        assert_eq!(
            lines(),
            ["INFO security2: Using salt and verifier to generate public key..."]
        );
    }
}

#[test]
fn security_0_answers_every_request_of_its_version() {
    let mut security = Security::new(&factory::Security::None);
    let answer =
        block_on(security.handshake(&hex::decode("5203a20100").unwrap(), &mut Script::of(&[])))
            .unwrap();
    assert_eq!(hex::encode(answer), "52050801aa0100");
    assert_eq!(security.decrypt(b"plain").unwrap(), b"plain");
    assert_eq!(security.encrypt(b"plain").unwrap(), b"plain");
    assert!(security.is_established());
    assert_eq!(security.take_event(), None);
    assert_eq!(security.version(), 0);
}

#[test]
fn a_wrong_pop_is_refused() {
    record();
    let vector = vector("security1_pop");
    let mut security = security1("not the one");
    let mut random = script1(&vector);
    block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
    assert_eq!(
        block_on(security.handshake(&wire(&vector, 2), &mut random)),
        Err(SecurityError::Credentials)
    );
    assert_eq!(
        security.take_event(),
        Some(SessionEvent::CredentialsMismatch)
    );
    assert!(!security.is_established());
    assert_eq!(
        lines(),
        [
            "ERROR security1: Key mismatch. Close connection",
            "ERROR security1: Session setup error -1",
        ]
    );
}

#[test]
fn a_lost_pop_fits_no_client_while_a_session_goes_on() {
    let vector = vector("security1_pop");
    let mut security = security1("abcd1234");
    let mut random = script1(&vector);
    for message in [0, 2] {
        block_on(security.handshake(&wire(&vector, message), &mut random)).unwrap();
    }
    security.lose_pop(&mut random);
    assert!(security.decrypt(&wire(&vector, 4)).is_ok());

    // The same handshake, with the right proof, in a new session.
    security.reset();
    let mut random = script1(&vector);
    block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
    assert_eq!(
        block_on(security.handshake(&wire(&vector, 2), &mut random)),
        Err(SecurityError::Credentials)
    );
    assert!(security.has_pop(), "`proto-ver` says what it said before");

    // Where there is none, there is none to lose.
    let vector = self::vector("security1_nopop");
    let mut security = security1("");
    security.lose_pop(&mut Script::of(&[vec![1; 32]]));
    play(&mut security, &mut script1(&vector), &vector);
}

#[test]
fn a_wrong_srp_proof_is_refused_and_ends_the_exchange() {
    record();
    let vector = vector("security2_patch1");
    let mut security = security2(&vector);
    let mut random = script2(&vector);
    block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
    let wrong = SessionData::from(Sec2Payload::from(Sec2Message::Command1(S2SessionCmd1 {
        client_proof: vec![1; 64],
    })));
    assert_eq!(
        block_on(security.handshake(&wrong.encode_to_vec(), &mut random)),
        Err(SecurityError::Credentials)
    );
    assert_eq!(
        security.take_event(),
        Some(SessionEvent::CredentialsMismatch)
    );
    assert!(lines().contains(&"ERROR security2: Failed to authenticate client proof!".into()));
    assert_eq!(
        block_on(security.handshake(&wire(&vector, 2), &mut random)),
        Err(SecurityError::OutOfOrder),
        "the right proof comes too late"
    );
}

#[test]
fn a_proof_of_another_length_is_refused() {
    record();
    let vector = vector("security2_patch1");
    let mut security = security2(&vector);
    let mut random = script2(&vector);
    block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
    let short = SessionData::from(Sec2Payload::from(Sec2Message::Command1(S2SessionCmd1 {
        client_proof: bytes(&vector, "client_proof_M")[..63].to_vec(),
    })));
    assert_eq!(
        block_on(security.handshake(&short.encode_to_vec(), &mut random)),
        Err(SecurityError::ProofLength)
    );
    assert!(lines().contains(&"ERROR security2: The client proof length does not match".into()));
}

#[test]
fn a_short_verify_data_is_refused() {
    let vector = vector("security1_pop");
    let mut security = security1("abcd1234");
    let mut random = script1(&vector);
    block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
    let short = SessionData::from(Sec1Payload::from(Sec1Message::Command1(SessionCmd1 {
        client_verify_data: bytes(&vector, "client_verify_data")[..31].to_vec(),
    })));
    assert_eq!(
        block_on(security.handshake(&short.encode_to_vec(), &mut random)),
        Err(SecurityError::ProofLength)
    );
}

#[test]
fn a_key_of_another_length_is_refused() {
    record();
    for length in [0, 31, 33] {
        let mut security = security1("abcd1234");
        let request = SessionData::from(Sec1Payload::from(Sec1Message::Command0(SessionCmd0 {
            client_pubkey: vec![9; length],
        })));
        assert_eq!(
            block_on(security.handshake(&request.encode_to_vec(), &mut Script::of(&[]))),
            Err(SecurityError::PublicKey)
        );
        assert_eq!(
            security.take_event(),
            Some(SessionEvent::InvalidSecurityParams)
        );
        assert!(lines().contains(&"ERROR security1: Invalid public key length".into()));
    }
}

#[test]
fn a_point_of_small_order_is_refused() {
    let mut security = security1("");
    let request = SessionData::from(Sec1Payload::from(Sec1Message::Command0(SessionCmd0 {
        client_pubkey: vec![0; 32],
    })));
    assert_eq!(
        block_on(security.handshake(&request.encode_to_vec(), &mut Script::of(&[vec![5; 48]]))),
        Err(SecurityError::PublicKey)
    );
}

fn srp_request(public: Vec<u8>) -> Vec<u8> {
    SessionData::from(Sec2Payload::from(Sec2Message::Command0(S2SessionCmd0 {
        client_username: b"wifiprov".to_vec(),
        client_pubkey: public,
    })))
    .encode_to_vec()
}

#[test]
fn an_unpadded_srp_key_is_refused_unless_the_device_is_lenient() {
    record();
    let vector = vector("security2_patch1");
    let short = bytes(&self::vector("security2_A383_note"), "A");
    assert_eq!(short.len(), 383);
    let mut random = script2(&vector);

    let mut strict = security2(&vector);
    assert_eq!(
        block_on(strict.handshake(&srp_request(short.clone()), &mut random)),
        Err(SecurityError::PublicKey)
    );
    assert_eq!(
        strict.take_event(),
        Some(SessionEvent::InvalidSecurityParams)
    );
    assert!(lines().contains(&"ERROR security2: Invalid public key length".into()));

    let mut lenient = security2(&vector).with_lenient_public_key(true);
    assert!(block_on(lenient.handshake(&srp_request(short), &mut random)).is_ok());
    for length in [0, 385] {
        assert_eq!(
            block_on(lenient.handshake(&srp_request(vec![1; length]), &mut random)),
            Err(SecurityError::PublicKey)
        );
    }
}

#[test]
fn a_multiple_of_the_modulus_is_refused() {
    let vector = vector("security2_patch1");
    for public in [vec![0; 384], bytes(&vector, "N")] {
        assert_eq!(
            block_on(security2(&vector).handshake(&srp_request(public), &mut script2(&vector))),
            Err(SecurityError::PublicKey)
        );
    }
}

#[test]
fn a_verifier_that_does_not_fit_is_refused() {
    for verifier in [vec![], vec![1; 385]] {
        let mut security = Security::new(&factory::Security::V2 {
            username: "wifiprov".into(),
            salt: vec![1; 16],
            verifier,
        });
        assert_eq!(
            block_on(security.handshake(&srp_request(vec![1; 384]), &mut Script::of(&[]))),
            Err(SecurityError::Settings)
        );
    }
}

#[test]
fn another_security_is_refused() {
    record();
    let vector = vector("security2_patch1");
    assert_eq!(
        block_on(security1("").handshake(&wire(&vector, 0), &mut Script::of(&[]))),
        Err(SecurityError::OtherScheme)
    );
    assert_eq!(
        lines(),
        ["ERROR security1: Security version mismatch. Closing connection"]
    );
    let mislabelled = SessionData {
        sec_ver: 1,
        proto: Some(SessionProto::Sec0(Sec0Payload::default())),
    };
    assert_eq!(
        block_on(security1("").handshake(&mislabelled.encode_to_vec(), &mut Script::of(&[]))),
        Err(SecurityError::OtherScheme)
    );
}

#[test]
fn a_missing_message_is_refused() {
    let no_payload = SessionData {
        sec_ver: 1,
        proto: None,
    };
    assert_eq!(
        block_on(security1("").handshake(&no_payload.encode_to_vec(), &mut Script::of(&[]))),
        Err(SecurityError::Malformed)
    );
    for step in [HandshakeStep::Command0, HandshakeStep::Command1] {
        let no_message = SessionData::from(Sec1Payload {
            msg: step as i32,
            payload: None,
        });
        assert_eq!(
            block_on(security1("").handshake(&no_message.encode_to_vec(), &mut Script::of(&[]))),
            Err(SecurityError::NoRequest)
        );
    }
}

#[test]
fn a_proof_before_the_key_is_out_of_order() {
    record();
    let vector = vector("security1_pop");
    assert_eq!(
        block_on(security1("abcd1234").handshake(&wire(&vector, 2), &mut Script::of(&[]))),
        Err(SecurityError::OutOfOrder)
    );
    assert_eq!(
        lines()[0],
        "ERROR security1: Invalid state of session 1 (expected 0)"
    );
}

#[test]
fn a_key_in_the_middle_of_a_session_begins_a_new_one() {
    record();
    let vector = vector("security1_pop");
    let mut security = security1("abcd1234");
    play(&mut security, &mut script1(&vector), &vector);
    play(&mut security, &mut script1(&vector), &vector);
    assert_eq!(
        lines(),
        ["WARN security1: Invalid state of session 0 (expected 2). Restarting session."]
    );
}

#[test]
fn an_encrypted_endpoint_before_the_handshake_is_refused() {
    record();
    let vector = vector("security2_patch1");
    for (mut security, tag) in [
        (security1(""), "security1"),
        (security2(&vector), "security2"),
    ] {
        assert_eq!(security.decrypt(b"x"), Err(SecurityError::NotEstablished));
        assert_eq!(
            lines(),
            [format!("ERROR {tag}: Secure session not established")]
        );
    }
}

#[test]
fn a_reset_forgets_the_session() {
    let vector = vector("security2_patch1");
    let mut security = security2(&vector);
    play(&mut security, &mut script2(&vector), &vector);
    security.reset();
    assert!(!security.is_established());
    assert_eq!(security.take_event(), None);
    assert_eq!(
        security.decrypt(&wire(&vector, 4)),
        Err(SecurityError::NotEstablished)
    );
}

#[test]
fn a_repeated_request_is_refused() {
    let vector = vector("security2_patch1");
    let mut security = security2(&vector);
    let mut random = script2(&vector);
    for message in [0, 2] {
        block_on(security.handshake(&wire(&vector, message), &mut random)).unwrap();
    }
    security.decrypt(&wire(&vector, 4)).unwrap();
    assert_eq!(
        security.decrypt(&wire(&vector, 4)),
        Err(SecurityError::Decryption)
    );
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(garbage in proptest::collection::vec(any::<u8>(), 0..600)) {
        let vector = vector("security2_patch1");
        for mut security in [security1("pop"), security2(&vector)] {
            let _ = block_on(security.handshake(&garbage, &mut Script::of(&[])));
            prop_assert!(!security.is_established());
            prop_assert!(security.decrypt(&garbage).is_err());
        }
    }

    #[test]
    fn a_session_survives_no_changed_byte(position in 0_usize..40, change in 1_u8..) {
        let vector = vector("security2_patch1");
        let mut security = security2(&vector);
        let mut random = script2(&vector);
        block_on(security.handshake(&wire(&vector, 0), &mut random)).unwrap();
        block_on(security.handshake(&wire(&vector, 2), &mut random)).unwrap();
        let mut request = wire(&vector, 4);
        prop_assume!(position < request.len());
        request[position] ^= change;
        prop_assert_eq!(security.decrypt(&request), Err(SecurityError::Decryption));
    }
}
