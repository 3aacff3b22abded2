//! A socket that tells the clock of its bytes, and shows handshakes to their observer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::HandshakeFaults;
use super::records::Records;

/// Both directions of a handshake.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) received: Records,
    pub(super) sent: Records,
    /// Whether some of what the broker had to say was not sent, by order of the scenario.
    pub(super) is_stopped: bool,
}

/// A TCP socket of the front.
pub(crate) struct Tap {
    stream: TcpStream,
    peer: SocketAddr,
    clock: Clock,
    watched: Option<Arc<Mutex<Watched>>>,
    faults: HandshakeFaults,
    /// Bytes of the handshake that were sent.
    sent: usize,
    /// Whether an alert was lost: nothing behind it is sent.
    is_lost: bool,
}

impl Tap {
    /// A socket that was accepted from `peer`.
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, clock: Clock) -> Self {
        Self {
            stream,
            peer,
            clock,
            watched: None,
            faults: HandshakeFaults::default(),
            sent: 0,
            is_lost: false,
        }
    }

    /// Where the other end is.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What goes wrong while it is watched.
    pub(crate) fn break_with(&mut self, faults: HandshakeFaults) {
        self.faults = faults;
    }

    /// How many of these bytes of a handshake are sent; what is not is taken for sent.
    fn passes(&mut self, bytes: &[u8]) -> usize {
        if self.watched.is_none() || self.is_lost {
            return if self.is_lost { 0 } else { bytes.len() };
        }
        // Each record is written by itself. An alert in TLS 1.3 has two bytes, one for its type, and 16
        // of authentication; no message of a handshake is as short.
        let is_alert = matches!(bytes, [21, ..] | [23, _, _, 0, 19, ..]);
        if self.faults.alert_lost && is_alert {
            self.is_lost = true;
            return 0;
        }
        match self.faults.stops_after {
            None => bytes.len(),
            Some(most) => {
                let left = (most as usize).saturating_sub(self.sent);
                if left < bytes.len() {
                    self.watch_with(|watched| watched.is_stopped = true);
                }
                left.min(bytes.len())
            }
        }
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
        let passes = self.passes(buf);
        if passes == 0 && !buf.is_empty() {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..passes]))?;
        self.sent += written;
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
