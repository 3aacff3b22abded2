//! AES-256-GCM with one nonce for all messages of a session, as ESP-IDF had it before it counted.

use alloc::vec::Vec;

use aes::Aes256;
use aes_gcm::aead::Aead;
use aes_gcm::aead::consts::U16;
use aes_gcm::{AesGcm, Key, KeyInit};

use super::SECURITY2_TAG as TAG;
use super::SecurityError;
use crate::bugs::{self, Bug};

/// Longer than GCM's own 12, so that it is hashed first.
pub(super) const NONCE_BYTES: usize = 16;
/// `MBEDTLS_ERR_GCM_AUTH_FAILED`.
const GCM_AUTH_FAILED: i32 = -0x12;

type Cipher = AesGcm<Aes256, U16>;

/// One secure session.
pub(super) struct ConstantNonce {
    cipher: Cipher,
    nonce: [u8; NONCE_BYTES],
}

impl ConstantNonce {
    pub(super) fn new(key: &[u8; 32], nonce: [u8; NONCE_BYTES]) -> Self {
        Self {
            cipher: Cipher::new(Key::<Cipher>::from_slice(key)),
            nonce,
        }
    }

    pub(super) fn nonce(&self) -> [u8; NONCE_BYTES] {
        self.nonce
    }

    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let sealed = self
            .cipher
            .encrypt(&self.nonce.into(), plain)
            .map_err(|_| SecurityError::CounterExhausted)?;
        self.count_on();
        Ok(sealed)
    }

    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let plain = self
            .cipher
            .decrypt(&self.nonce.into(), sealed)
            .map_err(|_| {
                log::error!(target: TAG, "Failed at mbedtls_gcm_auth_decrypt : {GCM_AUTH_FAILED}");
                SecurityError::Decryption
            })?;
        self.count_on();
        Ok(plain)
    }

    fn count_on(&mut self) {
        if bugs::is(Bug::ConstantNonceCounted) {
            let last = self.nonce.len() - 1;
            self.nonce[last] = self.nonce[last].wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_stays_whatever_is_sent() {
        let mut sender = ConstantNonce::new(&[7; 32], [1; 16]);
        let mut receiver = ConstantNonce::new(&[7; 32], [1; 16]);
        let sealed = sender.seal(b"hello").unwrap();
        assert_eq!(sender.seal(b"hello").unwrap(), sealed);
        assert_eq!(receiver.open(&[0; 40]), Err(SecurityError::Decryption));
        assert_eq!(receiver.open(&sealed).unwrap(), b"hello");
        assert_eq!(receiver.open(&sealed).unwrap(), b"hello");
    }
}
