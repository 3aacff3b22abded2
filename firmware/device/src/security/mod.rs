//! Securities 0, 1 and 2 of a provisioning session, as the device sees them (ESP-IDF 5.5
//! `protocomm`).
//!
//! No input or output: requests come in as bytes, responses go out as bytes, and a failure means
//! that the transport closes the connection without a response.
//!
//! ```
//! # fn random() -> impl rand_core::RngCore + rand_core::CryptoRng {
//! #     struct Zeros;
//! #     impl rand_core::RngCore for Zeros {
//! #         fn next_u32(&mut self) -> u32 { 0 }
//! #         fn next_u64(&mut self) -> u64 { 0 }
//! #         fn fill_bytes(&mut self, bytes: &mut [u8]) { bytes.fill(0); }
//! #         fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
//! #             bytes.fill(0);
//! #             Ok(())
//! #         }
//! #     }
//! #     impl rand_core::CryptoRng for Zeros {}
//! #     Zeros
//! # }
//! use device::security::Security;
//!
//! let mut security = Security::new(&factory::Security::V1 { pop: "abcd1234".into() });
//! # embassy_futures::block_on(async {
//! let garbage = b"not a SessionData";
//! assert!(security.handshake(garbage, &mut random()).await.is_err());
//! assert!(!security.is_established());
//! # });
//! ```

mod constant_nonce;
mod counter_nonce;
mod exponent;
mod security0;
mod security1;
mod security2;
mod srp;

use alloc::vec::Vec;
use core::fmt;

use proto::Message;
use proto::session::{SecSchemeVersion, SessionData, SessionProto};
use rand_core::{CryptoRng, RngCore};

use security1::Security1;
use security2::Security2;

/// Log tag of security 2.
const SECURITY2_TAG: &str = "security2";

/// The device's side of a session's security. One object serves all sessions, one after another.
pub struct Security {
    scheme: Scheme,
    event: Option<SessionEvent>,
}

enum Scheme {
    Plain,
    // Boxed, because its big numbers would make every `Security` half a kilobyte larger.
    V1(alloc::boxed::Box<Security1>),
    V2(alloc::boxed::Box<Security2>),
}

/// The application's event of a handshake (`PROTOCOMM_SECURITY_SESSION_EVENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The session is secure.
    SetupOk,
    /// A key cannot be used.
    InvalidSecurityParams,
    /// The client does not know the proof of possession, the user or the password.
    CredentialsMismatch,
}

/// Why a request is not served. The transport closes the connection without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityError {
    /// The request is no `SessionData`, or holds no message.
    Malformed,
    /// The client speaks another security.
    OtherScheme,
    /// The message is none that a client sends.
    NoRequest,
    /// The message comes too early or too late.
    OutOfOrder,
    /// The client's public key has another length, or a value that gives the secret away.
    PublicKey,
    /// The client's proof has another length.
    ProofLength,
    /// The client does not know the secret.
    Credentials,
    /// The device's own salt and verifier cannot be used.
    Settings,
    /// There is no secure session.
    NotEstablished,
    /// The request was not encrypted with this session's key and counter.
    Decryption,
    /// The session's counter is used up.
    CounterExhausted,
}

impl Security {
    /// The security that factory data asks for, with no session yet.
    pub fn new(settings: &factory::Security) -> Self {
        let scheme = match settings {
            factory::Security::None => Scheme::Plain,
            factory::Security::V1 { pop } => Scheme::V1(Security1::new(pop.as_bytes()).into()),
            factory::Security::V2 { salt, verifier, .. } => {
                Scheme::V2(Security2::new(salt, verifier).into())
            }
        };
        Self {
            scheme,
            event: None,
        }
    }

    /// Speaks security 2 of this patch version: 0 is that of releases before 2025, whose nonce does
    /// not count.
    #[must_use]
    pub fn with_patch_version(mut self, patch: u8) -> Self {
        if let Scheme::V2(security) = &mut self.scheme {
            security.set_patch_version(patch);
        }
        self
    }

    /// Also serves clients that send their SRP public key without leading zeros, as `esp_prov`
    /// does; ESP-IDF refuses them.
    #[must_use]
    pub fn with_lenient_public_key(mut self, lenient: bool) -> Self {
        if let Scheme::V2(security) = &mut self.scheme {
            security.set_lenient(lenient);
        }
        self
    }

    /// Forgets security 1's proof of possession, if there is one: whatever a client shows from now
    /// on is wrong. ESP-IDF frees its memory when the service begins to end, and goes on using it.
    pub fn lose_pop(&mut self, random: &mut (impl RngCore + CryptoRng)) {
        if let Scheme::V1(security) = &mut self.scheme {
            security.lose_pop(random);
        }
    }

    /// Whether requests and responses are encrypted; not with security 0.
    pub fn encrypts(&self) -> bool {
        !matches!(self.scheme, Scheme::Plain)
    }

    /// A new session: forgets keys.
    pub fn reset(&mut self) {
        match &mut self.scheme {
            Scheme::Plain => {}
            Scheme::V1(security) => security.reset(),
            Scheme::V2(security) => security.reset(),
        }
        self.event = None;
    }

    /// Whether encrypted endpoints can be used; always true of security 0.
    pub fn is_established(&self) -> bool {
        match &self.scheme {
            Scheme::Plain => true,
            Scheme::V1(security) => security.is_established(),
            Scheme::V2(security) => security.is_established(),
        }
    }

    /// The response to a request on `prov-session`. Long computations are cut into slices, between
    /// which others have their turn.
    pub async fn handshake(
        &mut self,
        request: &[u8],
        random: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<u8>, SecurityError> {
        let tag = self.tag();
        let request = SessionData::decode(request).map_err(|_| {
            log::error!(target: tag, "Unable to unpack setup_req");
            SecurityError::Malformed
        })?;
        if request.sec_ver != self.scheme_version() as i32 {
            log::error!(target: tag, "Security version mismatch. Closing connection");
            return Err(SecurityError::OtherScheme);
        }
        let answer = match (&mut self.scheme, request.proto) {
            (Scheme::Plain, _) => Ok(security0::answer()),
            (Scheme::V1(security), Some(SessionProto::Sec1(payload))) => security
                .handshake(payload, random, &mut self.event)
                .map(SessionData::from),
            (Scheme::V2(security), Some(SessionProto::Sec2(payload))) => security
                .handshake(payload, random, &mut self.event)
                .await
                .map(SessionData::from),
            (_, None) => Err(SecurityError::Malformed),
            (_, Some(_)) => Err(SecurityError::OtherScheme),
        };
        match answer {
            Ok(answer) => Ok(answer.encode_to_vec()),
            Err(error) => {
                log::error!(target: tag, "Session setup error {}", error.esp_err());
                Err(error)
            }
        }
    }

    /// The plain text of a request on an encrypted endpoint.
    pub fn decrypt(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match &mut self.scheme {
            Scheme::Plain => Ok(bytes.to_vec()),
            Scheme::V1(security) => security.apply_key_stream(bytes),
            Scheme::V2(security) => security.decrypt(bytes),
        }
    }

    /// The response to send for this plain text on an encrypted endpoint.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SecurityError> {
        match &mut self.scheme {
            Scheme::Plain => Ok(bytes.to_vec()),
            Scheme::V1(security) => security.apply_key_stream(bytes),
            Scheme::V2(security) => security.encrypt(bytes),
        }
    }

    /// `sec_ver` of `proto-ver`.
    pub fn version(&self) -> u8 {
        match self.scheme {
            Scheme::Plain => 0,
            Scheme::V1(_) => 1,
            Scheme::V2(_) => 2,
        }
    }

    /// `sec_patch_ver` of `proto-ver`: 1 where the nonce counts.
    pub fn patch_version(&self) -> u8 {
        match &self.scheme {
            Scheme::V2(security) => security.patch_version(),
            Scheme::Plain | Scheme::V1(_) => 0,
        }
    }

    /// Whether security 1 asks for a proof of possession. False of the others.
    pub fn has_pop(&self) -> bool {
        match &self.scheme {
            Scheme::V1(security) => security.has_pop(),
            Scheme::Plain | Scheme::V2(_) => false,
        }
    }

    /// What the application has to hear about the last handshake, once.
    pub fn take_event(&mut self) -> Option<SessionEvent> {
        self.event.take()
    }

    fn scheme_version(&self) -> SecSchemeVersion {
        match self.scheme {
            Scheme::Plain => SecSchemeVersion::SecScheme0,
            Scheme::V1(_) => SecSchemeVersion::SecScheme1,
            Scheme::V2(_) => SecSchemeVersion::SecScheme2,
        }
    }

    fn tag(&self) -> &'static str {
        match self.scheme {
            Scheme::Plain => security0::TAG,
            Scheme::V1(_) => security1::TAG,
            Scheme::V2(_) => SECURITY2_TAG,
        }
    }
}

impl SecurityError {
    /// ESP-IDF's number for it (`esp_err.h`).
    fn esp_err(self) -> i32 {
        match self {
            Self::Credentials | Self::Settings | Self::Decryption | Self::CounterExhausted => -1,
            Self::OutOfOrder | Self::NotEstablished => 0x103,
            Self::Malformed
            | Self::OtherScheme
            | Self::NoRequest
            | Self::PublicKey
            | Self::ProofLength => 0x102,
        }
    }
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request is no session message",
            Self::OtherScheme => "the client speaks another security",
            Self::NoRequest => "the message is none that a client sends",
            Self::OutOfOrder => "the message comes out of order",
            Self::PublicKey => "the client's public key cannot be used",
            Self::ProofLength => "the client's proof has another length",
            Self::Credentials => "the client does not know the secret",
            Self::Settings => "the device's salt and verifier cannot be used",
            Self::NotEstablished => "there is no secure session",
            Self::Decryption => "the request was not encrypted in this session",
            Self::CounterExhausted => "the session's counter is used up",
        })
    }
}

impl core::error::Error for SecurityError {}

/// Position of a handshake, numbered as ESP-IDF prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// Waits for the client's public key.
    Command0 = 0,
    /// Waits for the client's proof.
    Command1 = 1,
    /// Secure.
    Done = 2,
}

impl Stage {
    /// Logs that a session is begun anew in the middle of another.
    fn warn_restart(self, tag: &'static str) {
        log::warn!(
            target: tag,
            "Invalid state of session {} (expected {}). Restarting session.",
            Self::Command0 as u8,
            self as u8,
        );
    }

    /// Refuses a proof that comes before a key.
    fn expect_command1(self, tag: &'static str) -> Result<(), SecurityError> {
        if self == Self::Command1 {
            return Ok(());
        }
        log::error!(
            target: tag,
            "Invalid state of session {} (expected {})",
            Self::Command1 as u8,
            self as u8,
        );
        Err(SecurityError::OutOfOrder)
    }
}
