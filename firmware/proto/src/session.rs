//! The security handshake on `prov-session` (`session.proto`, `sec0.proto`, `sec1.proto`, `sec2.proto`).

use alloc::vec::Vec;

use crate::Status;

/// A request or a response on `prov-session`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionData {
    /// Which security the sender speaks.
    #[prost(enumeration = "SecSchemeVersion", tag = "2")]
    pub sec_ver: i32,
    /// The message of that security.
    #[prost(oneof = "SessionProto", tags = "10, 11, 12")]
    pub proto: Option<SessionProto>,
}

/// The security of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum SecSchemeVersion {
    /// Plain.
    SecScheme0 = 0,
    /// X25519 and AES-CTR.
    SecScheme1 = 1,
    /// SRP6a and AES-GCM.
    SecScheme2 = 2,
}

/// The message of one security.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum SessionProto {
    /// Security 0.
    #[prost(message, tag = "10")]
    Sec0(Sec0Payload),
    /// Security 1.
    #[prost(message, tag = "11")]
    Sec1(Sec1Payload),
    /// Security 2.
    #[prost(message, tag = "12")]
    Sec2(Sec2Payload),
}

impl From<Sec0Payload> for SessionData {
    fn from(payload: Sec0Payload) -> Self {
        Self {
            sec_ver: SecSchemeVersion::SecScheme0 as i32,
            proto: Some(SessionProto::Sec0(payload)),
        }
    }
}

impl From<Sec1Payload> for SessionData {
    fn from(payload: Sec1Payload) -> Self {
        Self {
            sec_ver: SecSchemeVersion::SecScheme1 as i32,
            proto: Some(SessionProto::Sec1(payload)),
        }
    }
}

impl From<Sec2Payload> for SessionData {
    fn from(payload: Sec2Payload) -> Self {
        Self {
            sec_ver: SecSchemeVersion::SecScheme2 as i32,
            proto: Some(SessionProto::Sec2(payload)),
        }
    }
}

/// Security 0's message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sec0Payload {
    /// Which one.
    #[prost(enumeration = "Sec0MsgType", tag = "1")]
    pub msg: i32,
    /// Its content.
    #[prost(oneof = "Sec0Message", tags = "20, 21")]
    pub payload: Option<Sec0Message>,
}

/// Security 0's messages by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Sec0MsgType {
    /// Client to device.
    SessionCommand = 0,
    /// Device to client.
    SessionResponse = 1,
}

/// Content of security 0's message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Sec0Message {
    /// Client to device.
    #[prost(message, tag = "20")]
    Command(S0SessionCmd),
    /// Device to client.
    #[prost(message, tag = "21")]
    Response(S0SessionResp),
}

/// Opens a plain session.
#[derive(Clone, PartialEq, prost::Message)]
pub struct S0SessionCmd {}

/// Answers [`S0SessionCmd`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct S0SessionResp {
    /// Always success.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
}

impl From<Sec0Message> for Sec0Payload {
    fn from(message: Sec0Message) -> Self {
        let msg = match message {
            Sec0Message::Command(_) => Sec0MsgType::SessionCommand,
            Sec0Message::Response(_) => Sec0MsgType::SessionResponse,
        };
        Self {
            msg: msg as i32,
            payload: Some(message),
        }
    }
}

/// Steps of the handshakes of securities 1 and 2 by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum HandshakeStep {
    /// Client's public key.
    Command0 = 0,
    /// Device's public key.
    Response0 = 1,
    /// Client's proof.
    Command1 = 2,
    /// Device's proof.
    Response1 = 3,
}

/// Security 1's message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sec1Payload {
    /// Which one.
    #[prost(enumeration = "HandshakeStep", tag = "1")]
    pub msg: i32,
    /// Its content.
    #[prost(oneof = "Sec1Message", tags = "20, 21, 22, 23")]
    pub payload: Option<Sec1Message>,
}

/// Content of security 1's message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Sec1Message {
    /// Client's public key.
    #[prost(message, tag = "20")]
    Command0(SessionCmd0),
    /// Device's public key.
    #[prost(message, tag = "21")]
    Response0(SessionResp0),
    /// Client's proof.
    #[prost(message, tag = "22")]
    Command1(SessionCmd1),
    /// Device's proof.
    #[prost(message, tag = "23")]
    Response1(SessionResp1),
}

/// Client's public key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionCmd0 {
    /// X25519, 32 bytes, little-endian.
    #[prost(bytes = "vec", tag = "1")]
    pub client_pubkey: Vec<u8>,
}

/// Device's public key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionResp0 {
    /// Always success.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// X25519, 32 bytes, little-endian.
    #[prost(bytes = "vec", tag = "2")]
    pub device_pubkey: Vec<u8>,
    /// Initial counter block of AES-CTR, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub device_random: Vec<u8>,
}

/// Client's proof.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionCmd1 {
    /// The device's public key, encrypted; 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub client_verify_data: Vec<u8>,
}

/// Device's proof.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionResp1 {
    /// Always success.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// The client's public key, encrypted; 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub device_verify_data: Vec<u8>,
}

impl From<Sec1Message> for Sec1Payload {
    fn from(message: Sec1Message) -> Self {
        let msg = match message {
            Sec1Message::Command0(_) => HandshakeStep::Command0,
            Sec1Message::Response0(_) => HandshakeStep::Response0,
            Sec1Message::Command1(_) => HandshakeStep::Command1,
            Sec1Message::Response1(_) => HandshakeStep::Response1,
        };
        Self {
            msg: msg as i32,
            payload: Some(message),
        }
    }
}

/// Security 2's message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sec2Payload {
    /// Which one.
    #[prost(enumeration = "HandshakeStep", tag = "1")]
    pub msg: i32,
    /// Its content.
    #[prost(oneof = "Sec2Message", tags = "20, 21, 22, 23")]
    pub payload: Option<Sec2Message>,
}

/// Content of security 2's message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Sec2Message {
    /// Client's name and public key.
    #[prost(message, tag = "20")]
    Command0(S2SessionCmd0),
    /// Device's public key and salt.
    #[prost(message, tag = "21")]
    Response0(S2SessionResp0),
    /// Client's proof.
    #[prost(message, tag = "22")]
    Command1(S2SessionCmd1),
    /// Device's proof and nonce.
    #[prost(message, tag = "23")]
    Response1(S2SessionResp1),
}

/// Client's name and public key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct S2SessionCmd0 {
    /// User name.
    #[prost(bytes = "vec", tag = "1")]
    pub client_username: Vec<u8>,
    /// SRP `A`, 384 bytes, big-endian.
    #[prost(bytes = "vec", tag = "2")]
    pub client_pubkey: Vec<u8>,
}

/// Device's public key and salt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct S2SessionResp0 {
    /// Always success.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// SRP `B`, big-endian without leading zeros.
    #[prost(bytes = "vec", tag = "2")]
    pub device_pubkey: Vec<u8>,
    /// SRP salt.
    #[prost(bytes = "vec", tag = "3")]
    pub device_salt: Vec<u8>,
}

/// Client's proof.
#[derive(Clone, PartialEq, prost::Message)]
pub struct S2SessionCmd1 {
    /// SRP `M`, 64 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub client_proof: Vec<u8>,
}

/// Device's proof and nonce.
#[derive(Clone, PartialEq, prost::Message)]
pub struct S2SessionResp1 {
    /// Always success.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// SRP `HAMK`, 64 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub device_proof: Vec<u8>,
    /// 8 random bytes and a 32-bit big-endian counter; 16 random bytes with patch version 0.
    #[prost(bytes = "vec", tag = "3")]
    pub device_nonce: Vec<u8>,
}

impl From<Sec2Message> for Sec2Payload {
    fn from(message: Sec2Message) -> Self {
        let msg = match message {
            Sec2Message::Command0(_) => HandshakeStep::Command0,
            Sec2Message::Response0(_) => HandshakeStep::Response0,
            Sec2Message::Command1(_) => HandshakeStep::Command1,
            Sec2Message::Response1(_) => HandshakeStep::Response1,
        };
        Self {
            msg: msg as i32,
            payload: Some(message),
        }
    }
}
