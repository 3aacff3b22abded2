//! Securities 0, 1 and 2 of a provisioning session, as the phone sees them.
//!
//! Written from the protocol's description alone; it shares nothing with the device's side, so that
//! the two check each other. No input or output: a [`Handshake`] says what to send next.

mod security1;
mod security2;
mod srp;

use proto::session::{S0SessionCmd, Sec0Message, Sec0Payload, SessionData, SessionProto};
use proto::{Message, Status};
use rand_core::{OsRng, RngCore};

pub use srp::{gen_sec2, gen_sec2_of};

/// A handshake on `prov-session`.
pub struct Handshake(Scheme);

enum Scheme {
    Plain,
    V1(Box<security1::Handshake>),
    V2(Box<security2::Handshake>),
}

/// What comes next in a handshake.
pub enum Step {
    /// Send this, and hand in the response.
    Send(Vec<u8>),
    /// It is done.
    Done(Channel),
}

/// A secure session's cipher.
pub struct Channel(Cipher);

enum Cipher {
    Plain,
    V1(Box<security1::KeyStream>),
    V2(Box<security2::Gcm>),
}

/// What is wrong with a device's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// The answer is no session message.
    #[error("the device's answer is no session message")]
    Undecodable(#[from] proto::DecodeError),
    /// The answer is not the one that belongs to the request.
    #[error("the device answered with another message than {expected}")]
    OtherMessage {
        /// What belongs there.
        expected: &'static str,
    },
    /// The device refuses in words, although it should close the connection.
    #[error("the device answered the handshake with status {0}")]
    Status(i32),
    /// A value in the answer has a length or a content that cannot be.
    #[error("the device's {0} cannot be used")]
    Value(&'static str),
    /// The device does not know the secret that it let the phone prove.
    #[error("the device does not prove that it knows the secret itself")]
    Unproven,
    /// The device's message was not encrypted in this session.
    #[error("the device's message was not encrypted in this session")]
    Decryption,
    /// The session's counter is used up.
    #[error("the session's counter is used up")]
    CounterExhausted,
}

impl Handshake {
    /// Security 0.
    pub fn plain() -> Self {
        Self(Scheme::Plain)
    }

    /// Security 1, with a proof of possession unless that is empty.
    pub fn v1(pop: &str) -> Self {
        Self::v1_with(pop, random())
    }

    /// The same with a given private key, for tests.
    pub fn v1_with(pop: &str, private: [u8; 32]) -> Self {
        Self(Scheme::V1(security1::Handshake::new(pop, private).into()))
    }

    /// Security 2 of a device whose `proto-ver` gives this `sec_patch_ver`. Without one, the length of
    /// the device's nonce tells.
    pub fn v2(username: &str, password: &str, patch_version: Option<u8>) -> Self {
        Self::v2_with(username, password, patch_version, random())
    }

    /// The same with a given private key, for tests.
    pub fn v2_with(
        username: &str,
        password: &str,
        patch_version: Option<u8>,
        private: [u8; 32],
    ) -> Self {
        Self(Scheme::V2(
            security2::Handshake::new(username, password, patch_version, private).into(),
        ))
    }

    /// The proof will be another in this byte, from 0 on; nothing is changed where there is none.
    pub fn damage_proof(&mut self, at: usize) {
        match &mut self.0 {
            Scheme::Plain => {}
            Scheme::V1(handshake) => handshake.damaged = Some(at),
            Scheme::V2(handshake) => handshake.damaged = Some(at),
        }
    }

    /// Its first request.
    pub fn start(&self) -> Vec<u8> {
        match &self.0 {
            Scheme::Plain => {
                SessionData::from(Sec0Payload::from(Sec0Message::Command(S0SessionCmd {})))
            }
            Scheme::V1(handshake) => handshake.start().into(),
            Scheme::V2(handshake) => handshake.start().into(),
        }
        .encode_to_vec()
    }

    /// What comes after this answer.
    pub fn next(&mut self, answer: &[u8]) -> Result<Step, SecurityError> {
        let answer = SessionData::decode(answer)?.proto;
        match (&mut self.0, answer) {
            (Scheme::Plain, Some(SessionProto::Sec0(answer))) => match answer.payload {
                Some(Sec0Message::Response(answer)) => {
                    success(answer.status)?;
                    Ok(Step::Done(Channel(Cipher::Plain)))
                }
                _ => Err(SecurityError::OtherMessage {
                    expected: "S0SessionResp",
                }),
            },
            (Scheme::V1(handshake), Some(SessionProto::Sec1(answer))) => handshake.next(answer),
            (Scheme::V2(handshake), Some(SessionProto::Sec2(answer))) => handshake.next(answer),
            _ => Err(SecurityError::OtherMessage {
                expected: "one of the security that was asked for",
            }),
        }
    }
}

impl Channel {
    /// What to send for this plain text.
    pub fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match &mut self.0 {
            Cipher::Plain => Ok(plain.to_vec()),
            Cipher::V1(key_stream) => key_stream.apply(plain),
            Cipher::V2(gcm) => gcm.seal(plain),
        }
    }

    /// The plain text of what was received.
    pub fn decrypt(&mut self, received: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match &mut self.0 {
            Cipher::Plain => Ok(received.to_vec()),
            Cipher::V1(key_stream) => key_stream.apply(received),
            Cipher::V2(gcm) => gcm.open(received),
        }
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// Changes one byte, if it is there.
fn damage(proof: &mut [u8], at: Option<usize>) {
    if let Some(byte) = at.and_then(|at| proof.get_mut(at)) {
        *byte ^= 1;
    }
}

fn success(status: i32) -> Result<(), SecurityError> {
    if status == Status::Success as i32 {
        Ok(())
    } else {
        Err(SecurityError::Status(status))
    }
}
