//! Security 1: X25519, then one AES-256-CTR key stream for everything.

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use proto::Message;
use proto::session::{
    Sec1Message, Sec1Payload, SessionCmd0, SessionCmd1, SessionData, SessionResp0, SessionResp1,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{Channel, Cipher, SecurityError, Step, damage, success};

/// The phone's half of the handshake.
pub(super) struct Handshake {
    pop: Vec<u8>,
    private: StaticSecret,
    /// Once the device's key is known.
    key_stream: Option<KeyStream>,
    /// Which byte of the proof is wrong.
    pub(super) damaged: Option<usize>,
}

/// The session's key stream, at the position where the next message begins.
#[derive(Clone)]
pub(super) struct KeyStream(Ctr128BE<Aes256>);

impl Handshake {
    pub(super) fn new(pop: &str, private: [u8; 32]) -> Self {
        Self {
            pop: pop.as_bytes().to_vec(),
            private: StaticSecret::from(private),
            key_stream: None,
            damaged: None,
        }
    }

    fn public(&self) -> PublicKey {
        PublicKey::from(&self.private)
    }

    pub(super) fn start(&self) -> Sec1Payload {
        Sec1Message::Command0(SessionCmd0 {
            client_pubkey: self.public().as_bytes().to_vec(),
        })
        .into()
    }

    pub(super) fn next(&mut self, answer: Sec1Payload) -> Result<Step, SecurityError> {
        match (self.key_stream.take(), answer.payload) {
            (None, Some(Sec1Message::Response0(answer))) => self.prove(&answer),
            (Some(key_stream), Some(Sec1Message::Response1(answer))) => {
                self.verify(key_stream, &answer)
            }
            (None, _) => Err(SecurityError::OtherMessage {
                expected: "SessionResp0",
            }),
            (Some(_), _) => Err(SecurityError::OtherMessage {
                expected: "SessionResp1",
            }),
        }
    }

    /// Knows the device's key: encrypts it, to show that the phone has the same key stream.
    fn prove(&mut self, answer: &SessionResp0) -> Result<Step, SecurityError> {
        success(answer.status)?;
        let device_public = <[u8; 32]>::try_from(&answer.device_pubkey[..])
            .map_err(|_| SecurityError::Value("public key"))?;
        let counter = <[u8; 16]>::try_from(&answer.device_random[..])
            .map_err(|_| SecurityError::Value("random"))?;
        let shared = self.private.diffie_hellman(&PublicKey::from(device_public));
        if !shared.was_contributory() {
            return Err(SecurityError::Value("public key"));
        }
        let mut key = shared.to_bytes();
        if !self.pop.is_empty() {
            let digest = Sha256::digest(&self.pop);
            key.iter_mut()
                .zip(digest)
                .for_each(|(byte, pop)| *byte ^= pop);
        }
        let mut key_stream = KeyStream(Ctr128BE::new(&key.into(), &counter.into()));
        let mut proof = key_stream.apply(&device_public)?;
        damage(&mut proof, self.damaged);
        self.key_stream = Some(key_stream);
        let request = SessionData::from(Sec1Payload::from(Sec1Message::Command1(SessionCmd1 {
            client_verify_data: proof,
        })));
        Ok(Step::Send(request.encode_to_vec()))
    }

    fn verify(
        &self,
        mut key_stream: KeyStream,
        answer: &SessionResp1,
    ) -> Result<Step, SecurityError> {
        success(answer.status)?;
        let proof = key_stream.apply(&answer.device_verify_data)?;
        if bool::from(proof.ct_eq(self.public().as_bytes())) {
            Ok(Step::Done(Channel(Cipher::V1(key_stream.into()))))
        } else {
            Err(SecurityError::Unproven)
        }
    }
}

impl KeyStream {
    /// Encrypts or decrypts the next bytes of the session.
    pub(super) fn apply(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let mut bytes = bytes.to_vec();
        self.0
            .try_apply_keystream(&mut bytes)
            .map_err(|_| SecurityError::CounterExhausted)?;
        Ok(bytes)
    }
}
