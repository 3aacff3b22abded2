//! A socket that tells the clock of its bytes, and shows handshakes to their observer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::records::Records;

/// Both directions of a handshake.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) received: Records,
    pub(super) sent: Records,
}

/// A TCP socket of the front.
pub(crate) struct Tap {
    stream: TcpStream,
    peer: SocketAddr,
    clock: Clock,
    watched: Option<Arc<Mutex<Watched>>>,
}

impl Tap {
    /// A socket that was accepted from `peer`.
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, clock: Clock) -> Self {
        Self {
            stream,
            peer,
            clock,
            watched: None,
        }
    }

    /// Where the other end is.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// From now on, what passes is watched.
    pub(super) fn watch(&mut self) -> Arc<Mutex<Watched>> {
        self.watched.insert(Arc::default()).clone()
    }

    pub(super) fn stop_watching(&mut self) {
        self.watched = None;
    }

    /// Closes the connection by a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        self.end_by_reset();
    }

    /// Once it is closed, the connection ends by a reset.
    pub(super) fn end_by_reset(&self) {
        // If the option cannot be set the connection ends in order, which still ends it.
        let _ = self.stream.set_zero_linger();
    }

    fn watch_with(&self, see: impl FnOnce(&mut Watched)) {
        if let Some(watched) = &self.watched {
            see(&mut watched.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.clock.touch();
        self.watch_with(|watched| watched.received.watch(&buf.filled()[before..]));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.clock.touch();
        self.watch_with(|watched| watched.sent.watch(&buf[..written]));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.clock.touch();
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
