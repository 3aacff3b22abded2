//! Security 2: SRP6a, then AES-256-GCM.

use aes::Aes256;
use aes_gcm::aead::Aead;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AesGcm, KeyInit, Nonce};
use proto::Message;
use proto::session::{
    S2SessionCmd0, S2SessionCmd1, S2SessionResp0, S2SessionResp1, Sec2Message, Sec2Payload,
    SessionData,
};
use subtle::ConstantTimeEq;

use super::srp::{Agreement, Client};
use super::{Channel, Cipher, SecurityError, Step, damage, success};

/// The phone's half of the handshake.
pub(super) struct Handshake {
    client: Client,
    patch_version: Option<u8>,
    /// Once the device's key is known.
    agreement: Option<Agreement>,
    /// Which byte of the proof is wrong.
    pub(super) damaged: Option<usize>,
}

impl Handshake {
    pub(super) fn new(
        username: &str,
        password: &str,
        patch_version: Option<u8>,
        private: [u8; 32],
    ) -> Self {
        Self {
            client: Client::new(username, password, &private),
            patch_version,
            agreement: None,
            damaged: None,
        }
    }

    pub(super) fn start(&self) -> Sec2Payload {
        Sec2Message::Command0(S2SessionCmd0 {
            client_username: self.client.username().to_vec(),
            client_pubkey: self.client.public().to_vec(),
        })
        .into()
    }

    pub(super) fn next(&mut self, answer: Sec2Payload) -> Result<Step, SecurityError> {
        match (self.agreement.take(), answer.payload) {
            (None, Some(Sec2Message::Response0(answer))) => self.prove(&answer),
            (Some(agreement), Some(Sec2Message::Response1(answer))) => {
                self.verify(&agreement, &answer)
            }
            (None, _) => Err(SecurityError::OtherMessage {
                expected: "S2SessionResp0",
            }),
            (Some(_), _) => Err(SecurityError::OtherMessage {
                expected: "S2SessionResp1",
            }),
        }
    }

    fn prove(&mut self, answer: &S2SessionResp0) -> Result<Step, SecurityError> {
        success(answer.status)?;
        let agreement = self
            .client
            .agree(&answer.device_salt, &answer.device_pubkey)
            .ok_or(SecurityError::Value("public key"))?;
        let mut client_proof = agreement.client_proof.to_vec();
        damage(&mut client_proof, self.damaged);
        let request = SessionData::from(Sec2Payload::from(Sec2Message::Command1(S2SessionCmd1 {
            client_proof,
        })));
        self.agreement = Some(agreement);
        Ok(Step::Send(request.encode_to_vec()))
    }

    fn verify(
        &self,
        agreement: &Agreement,
        answer: &S2SessionResp1,
    ) -> Result<Step, SecurityError> {
        success(answer.status)?;
        if !bool::from(answer.device_proof.ct_eq(&agreement.device_proof)) {
            return Err(SecurityError::Unproven);
        }
        let gcm = Gcm::new(&agreement.key, self.patch_version, &answer.device_nonce)
            .ok_or(SecurityError::Value("nonce"))?;
        Ok(Step::Done(Channel(Cipher::V2(gcm.into()))))
    }
}

/// The session's cipher and nonce.
pub(super) enum Gcm {
    /// Patch version 0: one nonce for all messages.
    Constant {
        cipher: AesGcm<Aes256, U16>,
        nonce: [u8; 16],
    },
    /// Patch version 1: the last four bytes count messages in both directions.
    Counting {
        cipher: AesGcm<Aes256, U12>,
        session_id: [u8; 8],
        counter: u32,
    },
}

impl Gcm {
    /// None if the nonce's length is not that of the patch version.
    fn new(key: &[u8; 32], patch_version: Option<u8>, nonce: &[u8]) -> Option<Self> {
        if let Ok(nonce) = nonce.try_into() {
            return matches!(patch_version, None | Some(0)).then(|| Self::Constant {
                cipher: AesGcm::new(key.into()),
                nonce,
            });
        }
        let (session_id, counter) = nonce.split_first_chunk()?;
        (patch_version != Some(0)).then_some(Self::Counting {
            cipher: AesGcm::new(key.into()),
            session_id: *session_id,
            counter: u32::from_be_bytes(counter.try_into().ok()?),
        })
    }

    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let sealed = match self {
            Self::Constant { cipher, nonce } => cipher.encrypt(Nonce::from_slice(nonce), plain),
            Self::Counting {
                cipher,
                session_id,
                counter,
            } => cipher.encrypt(&counted(session_id, *counter)?.into(), plain),
        };
        self.count_on();
        // Fails only for a text of more than 64 GiB.
        sealed.map_err(|_| SecurityError::CounterExhausted)
    }

    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SecurityError> {
        let plain = match self {
            Self::Constant { cipher, nonce } => cipher.decrypt(Nonce::from_slice(nonce), sealed),
            Self::Counting {
                cipher,
                session_id,
                counter,
            } => cipher.decrypt(&counted(session_id, *counter)?.into(), sealed),
        }
        .map_err(|_| SecurityError::Decryption)?;
        self.count_on();
        Ok(plain)
    }

    fn count_on(&mut self) {
        if let Self::Counting { counter, .. } = self {
            *counter = counter.wrapping_add(1);
        }
    }
}

fn counted(session_id: &[u8; 8], counter: u32) -> Result<[u8; 12], SecurityError> {
    if counter == 0 {
        return Err(SecurityError::CounterExhausted);
    }
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(session_id);
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    Ok(nonce)
}
