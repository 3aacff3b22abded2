//! Why a TLS session could not go on, whichever library runs it.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::board::TlsFailure;

/// A TLS session could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSessionError {
    /// The connection below failed.
    Socket(ErrorKind),
    /// TLS failed, or the server ended it with an alert.
    Tls(TlsFailure),
}

impl TlsSessionError {
    /// Why there is no session, where this happened in the handshake.
    pub fn into_failure(self) -> TlsFailure {
        match self {
            Self::Socket(ErrorKind::ConnectionReset) => TlsFailure::Reset,
            Self::Socket(_) => TlsFailure::Closed,
            Self::Tls(failure) => failure,
        }
    }

    /// What TLS says, unless the connection below is to blame.
    pub fn failure(&self) -> Option<TlsFailure> {
        match self {
            Self::Tls(failure) => Some(failure.clone()),
            Self::Socket(_) => None,
        }
    }
}

impl fmt::Display for TlsSessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(kind) => write!(f, "the connection failed: {kind}"),
            Self::Tls(TlsFailure::AlertReceived(alert)) => {
                write!(f, "the server sent TLS alert {alert}")
            }
            Self::Tls(failure) => write!(f, "TLS failed: {failure:?}"),
        }
    }
}

impl core::error::Error for TlsSessionError {}

impl embedded_io_async::Error for TlsSessionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Socket(kind) => *kind,
            Self::Tls(_) => ErrorKind::ConnectionAborted,
        }
    }
}
