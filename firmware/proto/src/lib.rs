//! Messages that device and phone exchange: protobuf and JSON shapes, and nothing that acts on them.
//!
//! The protobuf messages are those of ESP-IDF 5.5 (`components/protocomm/proto`,
//! `components/wifi_provisioning/proto`), written by hand, so that no `protoc` is needed.
//!
//! ```
//! use proto::Message;
//! use proto::wifi_config::{CmdSetConfig, Payload, WifiConfigPayload};
//!
//! let request = WifiConfigPayload::from(Payload::CmdSetConfig(CmdSetConfig {
//!     ssid: b"home".to_vec(),
//!     passphrase: b"correct horse".to_vec(),
//!     ..CmdSetConfig::default()
//! }));
//! let bytes = request.encode_to_vec();
//! assert_eq!(WifiConfigPayload::decode(&bytes[..]), Ok(request));
//! ```

#![no_std]

extern crate alloc;

pub mod bind;
pub mod endpoint;
pub mod handover;
pub mod linkkit;
pub mod session;
pub mod version;
pub mod wifi_config;
pub mod wifi_ctrl;
pub mod wifi_scan;

pub use prost::{DecodeError, Message};

/// How a device answers a request that it has understood (`constants.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// Done.
    Success = 0,
    /// The session speaks another security.
    InvalidSecScheme = 1,
    /// The message cannot be understood.
    InvalidProto = 2,
    /// No more sessions.
    TooManySessions = 3,
    /// A value is out of its range.
    InvalidArgument = 4,
    /// The device could not do it, or not in this state.
    InternalError = 5,
    /// Encryption failed.
    CryptoError = 6,
    /// There is no such session.
    InvalidSession = 7,
}
