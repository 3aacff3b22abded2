//! Security 1: X25519, AES-256-CTR and an optional proof of possession.
//!
//! One key stream, never reset, serves both peers and both directions: a message that is lost or
//! repeated puts them out of step for good.

use alloc::vec::Vec;

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use proto::Status;
use proto::session::{
    HandshakeStep, Sec1Message, Sec1Payload, SessionCmd0, SessionCmd1, SessionResp0, SessionResp1,
};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{SecurityError, SessionEvent, Stage};
use crate::bugs::{self, Bug};

pub(super) const TAG: &str = "security1";

/// X25519 keys and SHA-256 digests.
const KEY_BYTES: usize = 32;

pub(super) struct Security1 {
    /// SHA-256 of the proof of possession, if there is one.
    pop_digest: Option<[u8; KEY_BYTES]>,
    session: Option<Security1Session>,
}

struct Security1Session {
    established: bool,
    key_stream: Ctr128BE<Aes256>,
    client_public: [u8; KEY_BYTES],
    device_public: [u8; KEY_BYTES],
}

impl Security1 {
    pub(super) fn new(pop: &[u8]) -> Self {
        Self {
            pop_digest: (!pop.is_empty()).then(|| Sha256::digest(pop).into()),
            session: None,
        }
    }

    /// No proof of possession is the right one any more; a session that is established goes on.
    pub(super) fn lose_pop(&mut self, random: &mut (impl RngCore + CryptoRng)) {
        if let Some(digest) = &mut self.pop_digest {
            random.fill_bytes(digest);
        }
    }

    pub(super) fn reset(&mut self) {
        self.session = None;
    }

    pub(super) fn is_established(&self) -> bool {
        self.stage() == Stage::Done
    }

    pub(super) fn has_pop(&self) -> bool {
        self.pop_digest.is_some()
    }

    pub(super) fn handshake(
        &mut self,
        request: Sec1Payload,
        random: &mut (impl RngCore + CryptoRng),
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec1Payload, SecurityError> {
        match (HandshakeStep::try_from(request.msg), request.payload) {
            (Ok(HandshakeStep::Command0), Some(Sec1Message::Command0(command))) => {
                self.exchange_keys(&command, random, event)
            }
            (Ok(HandshakeStep::Command1), Some(Sec1Message::Command1(command))) => {
                self.compare_proofs(&command, event)
            }
            _ => {
                log::error!(target: TAG, "Invalid security message type");
                Err(SecurityError::NoRequest)
            }
        }
    }

    fn exchange_keys(
        &mut self,
        command: &SessionCmd0,
        random: &mut (impl RngCore + CryptoRng),
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec1Payload, SecurityError> {
        if self.stage() != Stage::Command0 {
            self.stage().warn_restart(TAG);
            self.session = None;
        }
        let Ok(client_public) = <[u8; KEY_BYTES]>::try_from(&command.client_pubkey[..]) else {
            log::error!(target: TAG, "Invalid public key length");
            *event = Some(SessionEvent::InvalidSecurityParams);
            return Err(SecurityError::PublicKey);
        };

        let mut private = [0; KEY_BYTES];
        random.fill_bytes(&mut private);
        let private = StaticSecret::from(private);
        let device_public = PublicKey::from(&private).to_bytes();
        let shared = private.diffie_hellman(&PublicKey::from(client_public));
        // RFC 7748 §6.1: an all-zero secret means that the peer chose a point of small order.
        if !shared.was_contributory() {
            log::error!(target: TAG, "Invalid public key");
            *event = Some(SessionEvent::InvalidSecurityParams);
            return Err(SecurityError::PublicKey);
        }
        let mut key = shared.to_bytes();
        if let Some(digest) = &self.pop_digest {
            for (byte, of_pop) in key.iter_mut().zip(digest) {
                *byte ^= of_pop;
            }
        }

        let mut initial_counter = [0; 16];
        random.fill_bytes(&mut initial_counter);
        self.session = Some(Security1Session {
            established: false,
            key_stream: Ctr128BE::new(&key.into(), &initial_counter.into()),
            client_public,
            device_public,
        });
        Ok(Sec1Message::Response0(SessionResp0 {
            status: Status::Success as i32,
            device_pubkey: device_public.to_vec(),
            device_random: initial_counter.to_vec(),
        })
        .into())
    }

    fn compare_proofs(
        &mut self,
        command: &SessionCmd1,
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec1Payload, SecurityError> {
        let stage = self.stage();
        stage.expect_command1(TAG)?;
        // `Command1` is the stage of a session that exists.
        let session = self.session.as_mut().ok_or(SecurityError::OutOfOrder)?;

        // ESP-IDF 5.5 reads 32 bytes whatever was sent; we refuse instead of reading past the end.
        let Ok(mut proof) = <[u8; KEY_BYTES]>::try_from(&command.client_verify_data[..]) else {
            log::error!(target: TAG, "Key mismatch. Close connection");
            *event = Some(SessionEvent::CredentialsMismatch);
            return Err(SecurityError::ProofLength);
        };
        session.key_stream.apply_keystream(&mut proof);
        let proven = bool::from(proof.ct_eq(&session.device_public));
        if !proven && !bugs::is(Bug::PopNotCompared) {
            log::error!(target: TAG, "Key mismatch. Close connection");
            *event = Some(SessionEvent::CredentialsMismatch);
            return Err(SecurityError::Credentials);
        }

        let mut answer = session.client_public;
        session.key_stream.apply_keystream(&mut answer);
        session.established = true;
        *event = Some(SessionEvent::SetupOk);
        Ok(Sec1Message::Response1(SessionResp1 {
            status: Status::Success as i32,
            device_verify_data: answer.to_vec(),
        })
        .into())
    }

    /// Encrypts or decrypts the next bytes of the session.
    pub(super) fn apply_key_stream(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let Some(session) = self.session.as_mut().filter(|session| session.established) else {
            log::error!(target: TAG, "Secure session not established");
            return Err(SecurityError::NotEstablished);
        };
        let mut bytes = bytes.to_vec();
        // The key stream ends after 2^128 blocks.
        session
            .key_stream
            .try_apply_keystream(&mut bytes)
            .map_err(|_| SecurityError::CounterExhausted)?;
        Ok(bytes)
    }

    fn stage(&self) -> Stage {
        match &self.session {
            None => Stage::Command0,
            Some(session) if session.established => Stage::Done,
            Some(_) => Stage::Command1,
        }
    }
}
