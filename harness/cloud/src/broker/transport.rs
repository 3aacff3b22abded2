//! A connection, encrypted or not.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::Limits;
use crate::tls::{Secured, Tap};

/// Bytes that are read and forgotten after a refusal.
const DRAINED: usize = 64 << 10;

pub(super) enum Transport {
    Plain(Tap),
    Tls(Secured),
}

impl Transport {
    /// Where the other end is.
    pub(super) fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(tap) => tap.peer(),
            Self::Tls(stream) => stream.peer(),
        }
    }

    /// Ends the connection by a reset.
    pub(super) fn reset(self) {
        match self {
            Self::Plain(tap) => tap.reset(),
            Self::Tls(stream) => stream.reset(),
        }
    }

    /// Ends the connection in order.
    ///
    /// Bytes that were not read when a socket is closed make the kernel send a reset, which may
    /// overtake what was sent last; so the sending side is closed first, and then read until the
    /// client has closed too.
    pub(super) async fn close(mut self, clock: &clock::Clock, limits: &Limits) {
        let peer = self.peer();
        let ending = async {
            self.shutdown().await?;
            let mut scratch = [0; 1024];
            let mut left = DRAINED;
            while left > 0 {
                match self.read(&mut scratch).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            io::Result::Ok(())
        };
        // Whatever happens here, the connection is over.
        let _ = clock.timeout_for(peer, limits.drain, ending).await;
    }

    /// Reads and forgets until the client closes.
    pub(super) async fn swallow(&mut self) {
        let mut scratch = [0; 1024];
        while matches!(self.read(&mut scratch).await, Ok(1..)) {}
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tap) => Pin::new(tap).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tap) => Pin::new(tap).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tap) => Pin::new(tap).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tap) => Pin::new(tap).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
