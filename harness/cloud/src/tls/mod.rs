//! TLS at the broker's front: what each handshake came to, and exactly why.

mod alert;
mod certificate;
mod config;
mod handshake;
mod hello;
mod records;
mod tap;
mod verifier;

pub(crate) use config::server_config;
pub use config::{ClientCertificate, TlsConfigError, TlsSettings, Versions};
pub(crate) use handshake::{Accepted, Peer, accept, report_stalled};
pub(crate) use tap::Tap;
pub use trace::tls::{Alert, Cause, Handshake, PresentedCertificate, Subject};
