//! Authorities, certificate profiles and exports.
//!
//! A [`Pki`] is fresh per run: keys, of P-256 unless a profile says otherwise, that never leave memory unless they are exported. What
//! can be minted, good and bad, stands in the profiles of `certs/`; dates there are relative to the
//! lab's clock.
//!
//! ```
//! let pki = pki::Pki::new(1_790_000_000)?;
//! let server = pki.mint("server", &["mqtt.example", "10.0.0.1"], "mqtt.example")?;
//! assert!(server.chain_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! assert!(pki.authority("ca").is_ok());
//! # Ok::<(), pki::PkiError>(())
//! ```

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "in tests a panic is the message")
)]

mod error;
pub mod esp8266;
mod export;
mod identity;
mod kept;
mod key;
mod mint;
mod offset;
mod profile;
mod rsa_key;

pub use error::{ExportError, PkiError};
pub use identity::{Authority, Identity};
pub use kept::{KeptAuthority, KeptError, authority_certificate};
pub use mint::{Pki, pem};
pub use offset::{Offset, OffsetError};
pub use profile::{Chain, Issuer, Key, KeyType, Names, Profile, Profiles, Usage};
