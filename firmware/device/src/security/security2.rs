//! Security 2: SRP6a and AES-256-GCM, with a nonce that counts (patch version 1) or one that stays
//! (patch version 0).

use alloc::vec::Vec;

use proto::Status;
use proto::session::{
    HandshakeStep, S2SessionCmd0, S2SessionCmd1, S2SessionResp0, S2SessionResp1, Sec2Message,
    Sec2Payload,
};
use rand_core::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;

use super::SECURITY2_TAG as TAG;
use super::srp::{self, Exchange, GROUP_BYTES, PROOF_BYTES};
use super::{SecurityError, SessionEvent, Stage};
use super::{constant_nonce, counter_nonce};
use crate::bugs::{self, Bug};

pub(super) struct Security2 {
    salt: Vec<u8>,
    verifier: Vec<u8>,
    lenient: bool,
    patch: u8,
    state: Security2State,
}

enum Security2State {
    Idle,
    /// Keys are exchanged, proofs are not.
    Exchanged(Exchange),
    Established(alloc::boxed::Box<Security2Channel>),
}

/// The cipher of a secure session.
enum Security2Channel {
    Counting(counter_nonce::CounterNonce),
    Constant(constant_nonce::ConstantNonce),
}

impl Security2 {
    pub(super) fn new(salt: &[u8], verifier: &[u8]) -> Self {
        Self {
            salt: salt.to_vec(),
            verifier: verifier.to_vec(),
            lenient: false,
            patch: 1,
            state: Security2State::Idle,
        }
    }

    pub(super) fn set_lenient(&mut self, lenient: bool) {
        self.lenient = lenient;
    }

    pub(super) fn set_patch_version(&mut self, patch: u8) {
        self.patch = patch.min(1);
    }

    pub(super) fn patch_version(&self) -> u8 {
        self.patch
    }

    pub(super) fn reset(&mut self) {
        self.state = Security2State::Idle;
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(self.state, Security2State::Established(_))
    }

    pub(super) async fn handshake(
        &mut self,
        request: Sec2Payload,
        random: &mut (impl RngCore + CryptoRng),
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec2Payload, SecurityError> {
        match (HandshakeStep::try_from(request.msg), request.payload) {
            (Ok(HandshakeStep::Command0), Some(Sec2Message::Command0(command))) => {
                self.exchange_keys(&command, random, event).await
            }
            (Ok(HandshakeStep::Command1), Some(Sec2Message::Command1(command))) => {
                self.compare_proofs(&command, random, event)
            }
            _ => {
                log::error!(target: TAG, "Invalid security message type");
                Err(SecurityError::NoRequest)
            }
        }
    }

    async fn exchange_keys(
        &mut self,
        command: &S2SessionCmd0,
        random: &mut (impl RngCore + CryptoRng),
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec2Payload, SecurityError> {
        if self.stage() != Stage::Command0 {
            self.stage().warn_restart(TAG);
            self.state = Security2State::Idle;
        }
        if self.salt.is_empty() || self.verifier.is_empty() || self.verifier.len() > GROUP_BYTES {
            log::error!(target: TAG, "Invalid salt or verifier");
            *event = Some(SessionEvent::InvalidSecurityParams);
            return Err(SecurityError::Settings);
        }
        let length = command.client_pubkey.len();
        let fits = length == GROUP_BYTES || (self.lenient && (1..GROUP_BYTES).contains(&length));
        if !fits {
            log::error!(target: TAG, "Invalid public key length");
            *event = Some(SessionEvent::InvalidSecurityParams);
            return Err(SecurityError::PublicKey);
        }
        log::info!(target: TAG, "Using salt and verifier to generate public key...");

        let mut private = [0; srp::PRIVATE_BYTES];
        random.fill_bytes(&mut private);
        let client = srp::Client {
            username: &command.client_username,
            public: &command.client_pubkey,
        };
        let exchange = srp::exchange(&client, &self.salt, &self.verifier, &private).await;
        let Some(exchange) = exchange else {
            // RFC 5054 §2.5.4: the server must abort if A % N is zero.
            log::error!(target: TAG, "Invalid public key");
            *event = Some(SessionEvent::InvalidSecurityParams);
            return Err(SecurityError::PublicKey);
        };
        let answer = S2SessionResp0 {
            status: Status::Success as i32,
            device_pubkey: exchange.device_public.clone(),
            device_salt: self.salt.clone(),
        };
        self.state = Security2State::Exchanged(exchange);
        Ok(Sec2Message::Response0(answer).into())
    }

    fn compare_proofs(
        &mut self,
        command: &S2SessionCmd1,
        random: &mut (impl RngCore + CryptoRng),
        event: &mut Option<SessionEvent>,
    ) -> Result<Sec2Payload, SecurityError> {
        self.stage().expect_command1(TAG)?;
        // One try for each exchange: whatever comes of it, its keys are not used again.
        let Security2State::Exchanged(exchange) =
            core::mem::replace(&mut self.state, Security2State::Idle)
        else {
            return Err(SecurityError::OutOfOrder);
        };
        if command.client_proof.len() != PROOF_BYTES {
            log::error!(target: TAG, "The client proof length does not match");
            *event = Some(SessionEvent::CredentialsMismatch);
            return Err(SecurityError::ProofLength);
        }
        let proven = bool::from(exchange.client_proof.ct_eq(&command.client_proof));
        if !proven && !bugs::is(Bug::SrpProofNotChecked) {
            log::error!(target: TAG, "Failed to authenticate client proof!");
            *event = Some(SessionEvent::CredentialsMismatch);
            return Err(SecurityError::Credentials);
        }

        let channel = Security2Channel::new(self.patch, &exchange.key, random);
        let answer = S2SessionResp1 {
            status: Status::Success as i32,
            device_proof: exchange.device_proof.to_vec(),
            device_nonce: channel.nonce(),
        };
        self.state = Security2State::Established(channel.into());
        *event = Some(SessionEvent::SetupOk);
        Ok(Sec2Message::Response1(answer).into())
    }

    pub(super) fn decrypt(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        self.channel()?.open(bytes)
    }

    pub(super) fn encrypt(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        self.channel()?.seal(bytes)
    }

    fn channel(&mut self) -> Result<&mut Security2Channel, SecurityError> {
        match &mut self.state {
            Security2State::Established(channel) => Ok(channel),
            Security2State::Idle | Security2State::Exchanged(_) => {
                log::error!(target: TAG, "Secure session not established");
                Err(SecurityError::NotEstablished)
            }
        }
    }

    fn stage(&self) -> Stage {
        match self.state {
            Security2State::Idle => Stage::Command0,
            Security2State::Exchanged(_) => Stage::Command1,
            Security2State::Established(_) => Stage::Done,
        }
    }
}

impl Security2Channel {
    fn new(patch: u8, key: &[u8; 32], random: &mut (impl RngCore + CryptoRng)) -> Self {
        if patch == 0 {
            let mut nonce = [0; constant_nonce::NONCE_BYTES];
            random.fill_bytes(&mut nonce);
            return Self::Constant(constant_nonce::ConstantNonce::new(key, nonce));
        }
        let mut session_id = [0; counter_nonce::SESSION_ID_BYTES];
        random.fill_bytes(&mut session_id);
        Self::Counting(counter_nonce::CounterNonce::new(key, session_id))
    }

    /// Nonce of the next message.
    fn nonce(&self) -> Vec<u8> {
        match self {
            Self::Counting(channel) => channel.nonce().to_vec(),
            Self::Constant(channel) => channel.nonce().to_vec(),
        }
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match self {
            Self::Counting(channel) => channel.seal(plain),
            Self::Constant(channel) => channel.seal(plain),
        }
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match self {
            Self::Counting(channel) => channel.open(sealed),
            Self::Constant(channel) => channel.open(sealed),
        }
    }
}
