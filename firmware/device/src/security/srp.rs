//! The server's half of SRP6a with SHA-512 (RFC 5054, ESP-IDF 5.5 `esp_srp.c`).
//!
//! Which numbers are padded to the group's length and which are hashed as short as they are differs
//! from value to value; the comments say where.

use alloc::vec::Vec;

use crypto_bigint::modular::{MontyForm, MontyParams};
use crypto_bigint::{NonZero, Odd, U3072};
use sha2::{Digest, Sha512};

use super::exponent::power;

/// Length of the modulus.
pub(super) const GROUP_BYTES: usize = 384;
/// Length of the device's private key.
pub(super) const PRIVATE_BYTES: usize = 32;
/// Length of both proofs.
pub(super) const PROOF_BYTES: usize = 64;
const KEY_BYTES: usize = 32;

/// Modulus of the 3072-bit group (RFC 5054 appendix A).
const MODULUS: U3072 = U3072::from_be_hex(
    "\
     FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
     020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
     4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
     EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05\
     98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
     E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718\
     3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33\
     A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7\
     ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
     D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2\
     08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF\
    ",
);
/// Its generator.
const GENERATOR: U3072 = U3072::from_u8(5);

/// What a client has sent.
pub(super) struct Client<'c> {
    pub(super) username: &'c [u8],
    /// `A`, as received: it is hashed with the length that it was sent with.
    pub(super) public: &'c [u8],
}

/// What the device knows once both public keys are there.
pub(super) struct Exchange {
    /// `B`, without leading zeros, as it is sent and hashed.
    pub(super) device_public: Vec<u8>,
    /// `M`, which the client has to send.
    pub(super) client_proof: [u8; PROOF_BYTES],
    /// `HAMK`, which the device answers.
    pub(super) device_proof: [u8; PROOF_BYTES],
    /// Key of AES-GCM: the first half of `K`.
    pub(super) key: [u8; KEY_BYTES],
}

/// The exchange with `client`, or none if its public key is a multiple of the modulus.
///
/// `verifier` and the client's key are at most [`GROUP_BYTES`] long, big-endian.
pub(super) async fn exchange(
    client: &Client<'_>,
    salt: &[u8],
    verifier: &[u8],
    private: &[u8; PRIVATE_BYTES],
) -> Option<Exchange> {
    let modulus = NonZero::new(MODULUS).expect("the modulus is not zero");
    let params = MontyParams::new_vartime(Odd::new(MODULUS).expect("the modulus is odd"));
    let element = |number: &U3072| MontyForm::new(&number.rem_vartime(&modulus), params);

    let client_public = U3072::from_be_slice(&padded(client.public));
    // What the client sends is no secret, so this may take a time that depends on it.
    if client_public.rem_vartime(&modulus) == U3072::ZERO {
        return None;
    }
    let verifier = MontyForm::new(&U3072::from_be_slice(&padded(verifier)), params);

    // B = k * v + g^b
    let k = digest(&[&MODULUS.to_be_bytes(), &GENERATOR.to_be_bytes()]);
    let k = MontyForm::new(&wide(&k), params);
    let device_public = (k * verifier + power(&element(&GENERATOR), private).await).retrieve();
    let device_public_padded = device_public.to_be_bytes();
    let device_public = minimal(&device_public_padded);

    // S = (A * v^u)^b, where u is made of padded keys and S is hashed as short as it is.
    let u = digest(&[&padded(client.public), &device_public_padded]);
    let base = element(&client_public) * power(&verifier, &u).await;
    let secret = power(&base, private).await;
    let session_key = digest(&[minimal(&secret.retrieve().to_be_bytes())]);

    let mut group_digest = digest(&[&MODULUS.to_be_bytes()]);
    for (byte, of_generator) in group_digest
        .iter_mut()
        .zip(digest(&[&GENERATOR.to_be_bytes()]))
    {
        *byte ^= of_generator;
    }
    let client_proof = digest(&[
        &group_digest,
        &digest(&[client.username]),
        salt,
        client.public,
        device_public,
        &session_key,
    ]);
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&session_key[..KEY_BYTES]);
    Some(Exchange {
        device_public: device_public.to_vec(),
        device_proof: digest(&[client.public, &client_proof, &session_key]),
        client_proof,
        key,
    })
}

fn digest(parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// With zeros in front, as long as the modulus. The caller has checked that `bytes` fits.
fn padded(bytes: &[u8]) -> [u8; GROUP_BYTES] {
    let mut padded = [0; GROUP_BYTES];
    padded[GROUP_BYTES - bytes.len()..].copy_from_slice(bytes);
    padded
}

/// Without zeros in front.
fn minimal(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

fn wide(digest: &[u8; 64]) -> U3072 {
    U3072::from_be_slice(&padded(digest))
}
