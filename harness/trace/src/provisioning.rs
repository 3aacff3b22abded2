//! Events of provisioning as the phones see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    Provisioning:
    Exchange => "exchange",
    AttributeExchange => "attribute_exchange",
    OutcomeReached => "outcome",
}

/// One request of a phone, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Name of the phone.
    pub phone: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// What was asked, decrypted and in short.
    pub request: Value,
    /// The number of the session, where the device gives one: the cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Whether the answer gave that number although the request came with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_again: bool,
    /// UUID of the characteristic that stands for the endpoint over Bluetooth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characteristic: Option<String>,
    /// What that characteristic's description says, a zero byte included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Length of the request's body.
    pub request_bytes: usize,
    /// What was answered, decrypted and in short; null if there was no answer that could be read.
    pub answer: Value,
    /// Length of the answer's body, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<usize>,
    /// Why there is no answer, or none that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long it took, in µs of lab time.
    pub took_us: u64,
}

/// Bytes of the Attribute Protocol that a phone sent as they are, on the link over which it provisions a device, and
/// what came of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributeExchange {
    /// Name of the phone.
    pub phone: String,
    /// The PDU that was sent, in hex.
    pub sent: String,
    /// The PDU that was answered, in hex, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Which error that is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AttError>,
    /// Whether the link ended before an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// How long it took, in µs of lab time.
    pub took_us: u64,
}

/// Why a request of the Attribute Protocol is refused (Core 5.4 Vol 3 Part F §3.4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttError {
    /// 0x01: there is no such attribute on this server.
    InvalidHandle,
    /// 0x02.
    ReadNotPermitted,
    /// 0x03.
    WriteNotPermitted,
    /// 0x04: the PDU is none that the server could read.
    InvalidPdu,
    /// 0x05.
    InsufficientAuthentication,
    /// 0x06: the server does not know this kind of request.
    RequestNotSupported,
    /// 0x07: an offset past the end of the value.
    InvalidOffset,
    /// 0x08.
    InsufficientAuthorization,
    /// 0x09.
    PrepareQueueFull,
    /// 0x0A: no attribute in this range.
    AttributeNotFound,
    /// 0x0B.
    AttributeNotLong,
    /// 0x0C.
    EncryptionKeySizeTooShort,
    /// 0x0D: the value has a length that the attribute cannot have.
    InvalidAttributeValueLength,
    /// 0x0E.
    UnlikelyError,
    /// 0x0F.
    InsufficientEncryption,
    /// 0x10.
    UnsupportedGroupType,
    /// 0x11.
    InsufficientResources,
    /// 0x12.
    DatabaseOutOfSync,
    /// 0x13.
    ValueNotAllowed,
    /// 0x80 to 0x9F: the application's own.
    Application,
    /// 0xE0 to 0xFF: of a profile or service.
    ProfileOrService,
    /// Every other code, of which none may be sent.
    Reserved,
}

impl AttError {
    /// The error that a PDU is: opcode 0x01, the request's opcode, a handle, a code (§3.4.1.1). None for others.
    pub fn of(pdu: &[u8]) -> Option<Self> {
        let [0x01, _, _, _, code] = *pdu else {
            return None;
        };
        Some(match code {
            0x01 => Self::InvalidHandle,
            0x02 => Self::ReadNotPermitted,
            0x03 => Self::WriteNotPermitted,
            0x04 => Self::InvalidPdu,
            0x05 => Self::InsufficientAuthentication,
            0x06 => Self::RequestNotSupported,
            0x07 => Self::InvalidOffset,
            0x08 => Self::InsufficientAuthorization,
            0x09 => Self::PrepareQueueFull,
            0x0A => Self::AttributeNotFound,
            0x0B => Self::AttributeNotLong,
            0x0C => Self::EncryptionKeySizeTooShort,
            0x0D => Self::InvalidAttributeValueLength,
            0x0E => Self::UnlikelyError,
            0x0F => Self::InsufficientEncryption,
            0x10 => Self::UnsupportedGroupType,
            0x11 => Self::InsufficientResources,
            0x12 => Self::DatabaseOutOfSync,
            0x13 => Self::ValueNotAllowed,
            0x80..=0x9F => Self::Application,
            0xE0.. => Self::ProfileOrService,
            _ => Self::Reserved,
        })
    }

    /// Its name, as it stands in traces and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidHandle => "invalid-handle",
            Self::ReadNotPermitted => "read-not-permitted",
            Self::WriteNotPermitted => "write-not-permitted",
            Self::InvalidPdu => "invalid-pdu",
            Self::InsufficientAuthentication => "insufficient-authentication",
            Self::RequestNotSupported => "request-not-supported",
            Self::InvalidOffset => "invalid-offset",
            Self::InsufficientAuthorization => "insufficient-authorization",
            Self::PrepareQueueFull => "prepare-queue-full",
            Self::AttributeNotFound => "attribute-not-found",
            Self::AttributeNotLong => "attribute-not-long",
            Self::EncryptionKeySizeTooShort => "encryption-key-size-too-short",
            Self::InvalidAttributeValueLength => "invalid-attribute-value-length",
            Self::UnlikelyError => "unlikely-error",
            Self::InsufficientEncryption => "insufficient-encryption",
            Self::UnsupportedGroupType => "unsupported-group-type",
            Self::InsufficientResources => "insufficient-resources",
            Self::DatabaseOutOfSync => "database-out-of-sync",
            Self::ValueNotAllowed => "value-not-allowed",
            Self::Application => "application",
            Self::ProfileOrService => "profile-or-service",
            Self::Reserved => "reserved",
        }
    }
}

/// Provisioning came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeReached {
    /// Name of the phone.
    pub phone: String,
    /// Its name, such as `connected`.
    pub outcome: String,
    /// The same in words.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_of_the_name_that_it_is_written_by() {
        for code in 0..=u8::MAX {
            let error = AttError::of(&[0x01, 0x0A, 3, 0, code]).expect("an error");
            let written = serde_json::to_value(error).expect("a name");
            assert_eq!(written, error.name(), "{code:#04x}");
        }
        assert_eq!(AttError::of(&[0x01, 0x0A, 3, 0]), None);
        assert_eq!(AttError::of(&[0x0B, 0x0A, 3, 0, 4]), None);
    }
}
