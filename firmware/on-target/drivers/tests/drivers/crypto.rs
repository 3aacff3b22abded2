//! Cryptography against known answers, and what it costs here.

use alloc::vec::Vec;

use device::security::Security;
use embassy_futures::block_on;
use embassy_time::Instant;
use rand_core::{CryptoRng, Error, RngCore};
use serde_json::Value;

const SECURITY_1: &str = include_str!("../../../../../fixtures/vectors/security1_pop.json");
const SECURITY_2: &str = include_str!("../../../../../fixtures/vectors/security2_patch1.json");

/// Random bytes that are written down beforehand, then zeros.
struct Script(Vec<u8>);

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

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Script {}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(value[name].as_str().unwrap()).unwrap()
}

/// Plays a vector's messages and requires every answer to be the vector's.
fn play(security: &mut Security, random: &mut Script, vector: &Value) {
    for pair in vector["messages"].as_array().unwrap().chunks(2) {
        let [request, response] = pair else {
            panic!("a request without its response");
        };
        let wire = bytes(request, "wire");
        let start = Instant::now();
        let answer = if request["endpoint"] == proto::endpoint::SESSION {
            block_on(security.handshake(&wire, random)).unwrap()
        } else {
            assert_eq!(
                security.decrypt(&wire).unwrap(),
                bytes(request, "plaintext")
            );
            security.encrypt(&bytes(response, "plaintext")).unwrap()
        };
        let took = start.elapsed().as_micros() / u64::from(mps2::clock::factor());
        log::info!(target: "crypto", "{} took {took} us", request["name"]);
        assert_eq!(answer, bytes(response, "wire"), "{}", request["name"]);
    }
}

/// The exchange of Security 2, with the private key of the vector.
pub fn security_2() {
    let vector: Value = serde_json::from_str(SECURITY_2).unwrap();
    let mut security = Security::new(&factory::Security::V2 {
        username: vector["username"].as_str().unwrap().into(),
        salt: bytes(&vector, "salt"),
        verifier: bytes(&vector, "verifier"),
    });
    let nonce = &bytes(&vector, "device_nonce")[..8];
    let mut random = Script([&bytes(&vector, "device_private_b")[..], nonce].concat());
    play(&mut security, &mut random, &vector);
    assert!(security.is_established());
}

#[embedded_test::tests]
mod tests {
    use super::*;

    #[test]
    fn security_1_answers_as_the_vector_does() {
        let vector: Value = serde_json::from_str(SECURITY_1).unwrap();
        let mut security = Security::new(&factory::Security::V1 {
            pop: "abcd1234".into(),
        });
        let private = bytes(&vector, "device_private");
        let random = bytes(&vector, "device_random");
        let mut random = Script([private, random].concat());
        play(&mut security, &mut random, &vector);
        assert!(security.is_established());
    }

    #[test]
    #[timeout(120)]
    fn security_2_answers_as_the_vector_does() {
        security_2();
    }
}
