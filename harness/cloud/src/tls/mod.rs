//! TLS at the broker's front: what each handshake came to, and exactly why.

mod alert;
mod certificate;
mod config;
mod handshake;
mod hello;
#[cfg(feature = "legacy")]
mod legacy;
mod records;
mod secured;
mod tap;
mod verifier;

pub(crate) use config::{Acceptor, acceptor};
pub use config::{
    ClientCertificate, HandshakeFaults, KeyExchange, Legacy, OldVersion, TlsConfigError,
    TlsSettings, Versions,
};
pub(crate) use handshake::{Accepted, Peer, accept, report_stalled};
pub use hello::read_anything;
pub(crate) use secured::Secured;
pub(crate) use tap::Tap;
pub use trace::tls::{Alert, Cause, Handshake, PresentedCertificate, Subject};
