//! AES-256-GCM with a nonce that counts messages, which replaced a constant one in ESP-IDF 5.5.

use alloc::vec::Vec;

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, Key, KeyInit};

use super::SECURITY2_TAG as TAG;
use super::SecurityError;
use crate::bugs::{self, Bug};

/// The nonce's random part, which stays.
pub(super) const SESSION_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
/// `MBEDTLS_ERR_GCM_AUTH_FAILED`.
const GCM_AUTH_FAILED: i32 = -0x12;

/// One secure session. Both directions share the counter.
pub(super) struct CounterNonce {
    cipher: Aes256Gcm,
    session_id: [u8; SESSION_ID_BYTES],
    counter: u32,
}

impl CounterNonce {
    pub(super) fn new(key: &[u8; 32], session_id: [u8; SESSION_ID_BYTES]) -> Self {
        Self {
            cipher: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key)),
            session_id,
            counter: 1,
        }
    }

    /// Nonce of the next message.
    pub(super) fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..SESSION_ID_BYTES].copy_from_slice(&self.session_id);
        nonce[SESSION_ID_BYTES..].copy_from_slice(&self.counter.to_be_bytes());
        nonce
    }

    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, SecurityError> {
        self.check_counter()?;
        let sealed = self
            .cipher
            .encrypt(&self.nonce().into(), plain)
            .map_err(|_| SecurityError::CounterExhausted)?;
        self.count_on();
        Ok(sealed)
    }

    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SecurityError> {
        self.check_counter()?;
        let plain = self
            .cipher
            .decrypt(&self.nonce().into(), sealed)
            .map_err(|_| {
                log::error!(target: TAG, "Failed at mbedtls_gcm_auth_decrypt : {GCM_AUTH_FAILED}");
                SecurityError::Decryption
            })?;
        self.count_on();
        Ok(plain)
    }

    fn check_counter(&self) -> Result<(), SecurityError> {
        if self.counter == 0 {
            log::error!(target: TAG, "Invalid counter value, restart session");
            return Err(SecurityError::CounterExhausted);
        }
        Ok(())
    }

    fn count_on(&mut self) {
        if !bugs::is(Bug::NonceReused) {
            self.counter = self.counter.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_counter_ends_the_session() {
        let mut channel = CounterNonce::new(&[7; 32], [1; 8]);
        channel.counter = u32::MAX;
        let nonce = channel.nonce();
        channel.seal(b"the last one").unwrap();
        assert_eq!(nonce, [1, 1, 1, 1, 1, 1, 1, 1, 255, 255, 255, 255]);
        assert_eq!(channel.seal(b"x"), Err(SecurityError::CounterExhausted));
        assert_eq!(channel.open(&[0; 32]), Err(SecurityError::CounterExhausted));
    }

    #[test]
    fn a_refused_message_does_not_count() {
        let mut sender = CounterNonce::new(&[7; 32], [1; 8]);
        let mut receiver = CounterNonce::new(&[7; 32], [1; 8]);
        let sealed = sender.seal(b"hello").unwrap();
        assert_eq!(receiver.open(&[0; 40]), Err(SecurityError::Decryption));
        assert_eq!(receiver.open(&sealed).unwrap(), b"hello");
        assert_eq!(receiver.open(&sealed), Err(SecurityError::Decryption));
    }
}
