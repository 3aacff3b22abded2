//! The client's half of SRP6a in the 3072-bit group with SHA-512 (RFC 5054, RFC 2945).

use std::sync::LazyLock;

use num_bigint::BigUint;
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha512};

/// Length of the modulus.
const GROUP_BYTES: usize = 384;
/// Length of salts from [`gen_sec2`], as ESP-IDF's own tool makes them.
const SALT_BYTES: usize = 16;

struct Group {
    modulus: BigUint,
    generator: BigUint,
    multiplier: BigUint,
    /// H(N) XOR H(PAD(g)).
    fingerprint: Vec<u8>,
}

/// RFC 3526 §4 gives the modulus as 2^3072 - 2^3008 - 1 + 2^64 * ([2^2942 pi] + 1690314); RFC 5054
/// appendix A takes it from there, with 5 as the generator.
static GROUP: LazyLock<Group> = LazyLock::new(|| {
    let modulus = BigUint::parse_bytes(include_bytes!("modulus_3072.hex").trim_ascii(), 16)
        .expect("modulus_3072.hex holds hex digits");
    let generator = BigUint::from(5_u8);
    let hash_of_modulus = hash(&[&modulus.to_bytes_be()]);
    let hash_of_generator = hash(&[&padded(&generator)]);
    Group {
        multiplier: BigUint::from_bytes_be(&hash(&[&modulus.to_bytes_be(), &padded(&generator)])),
        fingerprint: hash_of_modulus
            .iter()
            .zip(hash_of_generator)
            .map(|(a, b)| a ^ b)
            .collect(),
        modulus,
        generator,
    }
});

/// A client with its ephemeral key pair.
pub(super) struct Client {
    username: Vec<u8>,
    password: Vec<u8>,
    private: BigUint,
    public: Vec<u8>,
}

/// What both sides know in the end.
pub(super) struct Agreement {
    /// `M`.
    pub(super) client_proof: [u8; 64],
    /// `HAMK`.
    pub(super) device_proof: [u8; 64],
    /// First half of `K`.
    pub(super) key: [u8; 32],
}

impl Client {
    pub(super) fn new(username: &str, password: &str, private: &[u8; 32]) -> Self {
        let group = &*GROUP;
        let private = BigUint::from_bytes_be(private);
        Self {
            username: username.as_bytes().to_vec(),
            password: password.as_bytes().to_vec(),
            // Always of full length on the wire: ESP-IDF refuses a shorter key.
            public: padded(&group.generator.modpow(&private, &group.modulus)),
            private,
        }
    }

    pub(super) fn username(&self) -> &[u8] {
        &self.username
    }

    /// `A`, of the modulus's length.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The agreement with a device of this salt and public key, or none if its key must not be
    /// used (RFC 5054 §2.5.3: zero modulo N) or is too long.
    pub(super) fn agree(&self, salt: &[u8], device_public: &[u8]) -> Option<Agreement> {
        let group = &*GROUP;
        let device = BigUint::from_bytes_be(device_public);
        if device_public.len() > GROUP_BYTES || &device % &group.modulus == BigUint::ZERO {
            return None;
        }
        let u = BigUint::from_bytes_be(&hash(&[&self.public, &padded(&device)]));
        if u == BigUint::ZERO {
            return None;
        }
        let x = identity(salt, &self.username, &self.password);
        let verifier = group.generator.modpow(&x, &group.modulus);
        // (B - k * v) mod N, kept above zero.
        let masked = (&group.multiplier * verifier) % &group.modulus;
        let base = (device + &group.modulus - masked) % &group.modulus;
        let secret = base.modpow(&(&self.private + u * x), &group.modulus);

        let session_key = hash(&[&secret.to_bytes_be()]);
        let client_proof = hash(&[
            &group.fingerprint,
            &hash(&[&self.username]),
            salt,
            &self.public,
            device_public,
            &session_key,
        ]);
        let mut key = [0; 32];
        key.copy_from_slice(&session_key[..32]);
        Some(Agreement {
            device_proof: hash(&[&self.public, &client_proof, &session_key]),
            client_proof,
            key,
        })
    }
}

/// A fresh salt, and the verifier (384 bytes, big-endian) of this user and password: what a device
/// with security 2 is born with.
///
/// The salt never begins with a zero byte, which Espressif's own Python client would lose.
pub fn gen_sec2(username: &str, password: &str) -> (Vec<u8>, Vec<u8>) {
    gen_sec2_of(SALT_BYTES, username, password)
}

/// The same with a salt of `length` bytes, at least one.
pub fn gen_sec2_of(length: usize, username: &str, password: &str) -> (Vec<u8>, Vec<u8>) {
    let mut salt = vec![0; length.max(1)];
    while salt[0] == 0 {
        OsRng.fill_bytes(&mut salt);
    }
    let verifier = verifier(&salt, username, password);
    (salt, verifier)
}

fn verifier(salt: &[u8], username: &str, password: &str) -> Vec<u8> {
    let group = &*GROUP;
    let x = identity(salt, username.as_bytes(), password.as_bytes());
    padded(&group.generator.modpow(&x, &group.modulus))
}

/// `x`.
fn identity(salt: &[u8], username: &[u8], password: &[u8]) -> BigUint {
    BigUint::from_bytes_be(&hash(&[salt, &hash(&[username, b":", password])]))
}

fn hash(parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Sha512::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Big-endian, of the modulus's length. Only for numbers below the modulus, and for what a device
/// has sent, whose length was checked.
fn padded(number: &BigUint) -> Vec<u8> {
    let short = number.to_bytes_be();
    let mut padded = vec![0; GROUP_BYTES.saturating_sub(short.len())];
    padded.extend_from_slice(&short);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_verifier_is_made_of_the_salt_as_it_is() {
        let text = include_str!("../../../../fixtures/vectors/security2_salt_leading_zero.json");
        let vector: Value = serde_json::from_str(text).unwrap();
        let salt = hex::decode(vector["salt"].as_str().unwrap()).unwrap();
        assert_eq!(
            hex::encode(verifier(&salt, "wifiprov", "abcd1234")),
            vector["verifier_if_hash_over_16_bytes"].as_str().unwrap()
        );
    }

    #[test]
    fn a_short_public_key_is_padded() {
        let text = include_str!("../../../../fixtures/vectors/security2_A383_note.json");
        let vector: Value = serde_json::from_str(text).unwrap();
        let private = hex::decode(vector["client_private_a"].as_str().unwrap()).unwrap();
        let client = Client::new("wifiprov", "abcd1234", &private.try_into().unwrap());
        assert_eq!(client.public().len(), 384);
        assert_eq!(
            hex::encode(client.public()),
            format!("00{}", vector["A"].as_str().unwrap())
        );
    }

    #[test]
    fn two_salts_differ_and_begin_with_no_zero() {
        let (first, verifier) = gen_sec2("wifiprov", "abcd1234");
        let (second, _) = gen_sec2("wifiprov", "abcd1234");
        assert_ne!(first, second);
        assert_ne!(first[0], 0);
        assert_eq!((first.len(), verifier.len()), (16, 384));
    }

    #[test]
    fn a_device_key_that_gives_the_secret_away_is_refused() {
        let client = Client::new("wifiprov", "abcd1234", &[7; 32]);
        assert!(client.agree(b"salt", &[]).is_none());
        assert!(client.agree(b"salt", &[0; 384]).is_none());
        assert!(client.agree(b"salt", &padded(&GROUP.modulus)).is_none());
        assert!(client.agree(b"salt", &[1; 385]).is_none());
    }
}
