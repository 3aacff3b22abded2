//! Each defect of the securities changes exactly what its name says.
//!
//! One test, because defects are put into the whole process.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
#![cfg(feature = "bugs")]

use device::bugs;
use device::security::{Security, SecurityError};
use embassy_futures::block_on;
use proto::Message;
use proto::session::{
    S2SessionCmd1, Sec1Message, Sec1Payload, Sec2Message, Sec2Payload, SessionCmd1, SessionData,
};
use rand_core::{CryptoRng, RngCore};
use serde_json::Value;

struct Sevens;

impl RngCore for Sevens {
    fn next_u32(&mut self) -> u32 {
        7
    }

    fn next_u64(&mut self) -> u64 {
        7
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        bytes.fill(7);
        Ok(())
    }
}

impl CryptoRng for Sevens {}

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

/// Security 2 after a handshake with a proof of zeros.
fn with_wrong_proof() -> (Security, Result<Vec<u8>, SecurityError>) {
    with_wrong_proof_to(|security| security)
}

/// The same, of a device that is `set` otherwise.
fn with_wrong_proof_to(
    set: impl FnOnce(Security) -> Security,
) -> (Security, Result<Vec<u8>, SecurityError>) {
    let vector = vector("security2_patch1");
    let mut security = set(Security::new(&factory::Security::V2 {
        username: "wifiprov".into(),
        salt: bytes(&vector["salt"]),
        verifier: bytes(&vector["verifier"]),
    }));
    block_on(security.handshake(&bytes(&vector["messages"][0]["wire"]), &mut Sevens)).unwrap();
    let proof = SessionData::from(Sec2Payload::from(Sec2Message::Command1(S2SessionCmd1 {
        client_proof: vec![0; 64],
    })));
    let answer = block_on(security.handshake(&proof.encode_to_vec(), &mut Sevens));
    (security, answer)
}

/// Security 1's answer to a proof of zeros.
fn with_wrong_pop() -> Result<Vec<u8>, SecurityError> {
    let vector = vector("security1_pop");
    let mut security = Security::new(&factory::Security::V1 { pop: "pop".into() });
    block_on(security.handshake(&bytes(&vector["messages"][0]["wire"]), &mut Sevens)).unwrap();
    let proof = SessionData::from(Sec1Payload::from(Sec1Message::Command1(SessionCmd1 {
        client_verify_data: vec![0; 32],
    })));
    block_on(security.handshake(&proof.encode_to_vec(), &mut Sevens))
}

#[test]
fn each_bug_shows() {
    assert_eq!(with_wrong_pop(), Err(SecurityError::Credentials));
    assert_eq!(with_wrong_proof().1, Err(SecurityError::Credentials));

    bugs::put_in(["pop-not-compared"]).unwrap();
    assert!(with_wrong_pop().is_ok());
    assert!(with_wrong_proof().1.is_err());

    bugs::put_in(["srp-proof-not-checked"]).unwrap();
    assert!(with_wrong_pop().is_err());
    let (mut security, answer) = with_wrong_proof();
    assert!(answer.is_ok());
    assert_ne!(
        security.encrypt(b"same").unwrap(),
        security.encrypt(b"same").unwrap()
    );

    let with_patch_0 = || {
        let (mut security, answer) = with_wrong_proof_to(|security| security.with_patch_version(0));
        assert!(answer.is_ok());
        [b"same", b"same"].map(|plain| security.encrypt(plain).unwrap())
    };
    let [first, second] = with_patch_0();
    assert_eq!(first, second);
    bugs::put_in(["srp-proof-not-checked", "constant-nonce-counted"]).unwrap();
    let [first, second] = with_patch_0();
    assert_ne!(first, second);

    bugs::put_in(["srp-proof-not-checked", "nonce-reused"]).unwrap();
    let (mut security, _) = with_wrong_proof();
    assert_eq!(
        security.encrypt(b"same").unwrap(),
        security.encrypt(b"same").unwrap()
    );
}
