//! A connection on which a handshake was made, by either library.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::Tap;
#[cfg(feature = "legacy")]
use super::legacy::LegacyStream;

/// A connection on which a handshake was made; if that failed, the bytes behind its alert are read and
/// written in the clear.
pub(crate) enum Secured {
    /// By rustls.
    Rustls(Box<TlsStream<Tap>>),
    /// By OpenSSL.
    #[cfg(feature = "legacy")]
    Legacy(LegacyStream),
    /// By rustls, in vain.
    Refused(Tap),
}

impl Secured {
    /// DER of the certificates that the client has shown, its own first.
    pub(crate) fn peer_chain(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Rustls(stream) => {
                let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                chain.iter().map(|der| der.to_vec()).collect()
            }
            #[cfg(feature = "legacy")]
            Self::Legacy(stream) => stream.peer_chain().to_vec(),
            Self::Refused(_) => Vec::new(),
        }
    }

    /// Where the other end is.
    pub(crate) fn peer(&self) -> SocketAddr {
        match self {
            Self::Rustls(stream) => stream.get_ref().0.peer(),
            #[cfg(feature = "legacy")]
            Self::Legacy(stream) => stream.peer(),
            Self::Refused(tap) => tap.peer(),
        }
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        match self {
            Self::Rustls(stream) => stream.into_inner().0.reset(),
            #[cfg(feature = "legacy")]
            Self::Legacy(stream) => stream.reset(),
            Self::Refused(tap) => tap.reset(),
        }
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Secured::Rustls($stream) => $call,
            #[cfg(feature = "legacy")]
            Secured::Legacy($stream) => $call,
            Secured::Refused($stream) => $call,
        }
    };
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
