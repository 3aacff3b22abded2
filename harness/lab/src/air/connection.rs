//! A TCP connection of a stack on the air.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stack::{StackCore, gone};

/// One end of a TCP connection on the air.
///
/// Dropping it closes it as a process that ends does: with a reset if something was left unread,
/// otherwise in order.
pub(super) struct Connection {
    stack: Arc<StackCore>,
    handle: SocketHandle,
    /// Whether we have closed our direction.
    finished: AtomicBool,
}

impl Connection {
    pub(super) fn new(stack: Arc<StackCore>, handle: SocketHandle) -> Self {
        Self {
            stack,
            handle,
            finished: AtomicBool::new(false),
        }
    }

    /// Ends when the connection is open, or cannot be opened within `limit` of lab time.
    pub(super) async fn established(&self, limit: Duration) -> io::Result<()> {
        let opening = std::future::poll_fn(|cx| self.poll_established(cx));
        let timeout = self.stack.clock().timeout(limit, opening).await;
        timeout.unwrap_or_else(|elapsed| {
            Err(io::Error::new(io::ErrorKind::TimedOut, elapsed.to_string()))
        })
    }

    fn poll_established(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|socket| match socket.state() {
            tcp::State::SynSent | tcp::State::SynReceived => {
                socket.register_send_waker(cx.waker());
                Poll::Pending
            }
            tcp::State::Closed | tcp::State::Listen => {
                Poll::Ready(Err(if self.stack.is_closed() {
                    gone()
                } else {
                    io::ErrorKind::ConnectionRefused.into()
                }))
            }
            _ => Poll::Ready(Ok(())),
        })
    }

    /// Reads what has arrived; 0 bytes when the peer has closed its direction.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = self.with(|socket| match socket.recv_slice(bytes) {
            Ok(0) if !bytes.is_empty() => {
                socket.register_recv_waker(cx.waker());
                Poll::Pending
            }
            Ok(read) => Poll::Ready(Ok(read)),
            Err(tcp::RecvError::Finished) => Poll::Ready(Ok(0)),
            Err(tcp::RecvError::InvalidState) if is_opening(socket) => {
                socket.register_recv_waker(cx.waker());
                Poll::Pending
            }
            Err(tcp::RecvError::InvalidState) => Poll::Ready(Err(self.why_broken())),
        });
        if matches!(read, Poll::Ready(Ok(1..))) {
            // The window has grown.
            self.stack.poke();
        }
        read
    }

    /// Hands over as many bytes as there is room for.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = self.with(|socket| match socket.send_slice(bytes) {
            Ok(0) if !bytes.is_empty() => {
                socket.register_send_waker(cx.waker());
                Poll::Pending
            }
            Ok(sent) => Poll::Ready(Ok(sent)),
            Err(_) if is_opening(socket) => {
                socket.register_send_waker(cx.waker());
                Poll::Pending
            }
            Err(_) if self.finished.load(Ordering::Relaxed) => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Err(_) => Poll::Ready(Err(self.why_broken())),
        });
        if matches!(sent, Poll::Ready(Ok(_))) {
            self.stack.clock().touch();
            self.stack.poke();
        }
        sent
    }

    /// Ends with an error when the connection is reset, also while no task reads or writes.
    pub(super) fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.with(|socket| {
            let over = matches!(socket.state(), tcp::State::Closed | tcp::State::Listen);
            // What has arrived before the reset is still to be read, and then the reset is found.
            let orderly = self.finished.load(Ordering::Relaxed)
                && socket.recv_slice(&mut []) == Err(tcp::RecvError::Finished);
            if over && !socket.can_recv() && !orderly {
                return Poll::Ready(self.why_broken());
            }
            socket.register_recv_waker(cx.waker());
            socket.register_send_waker(cx.waker());
            Poll::Pending
        })
    }

    /// Ends when everything that was handed over has arrived, or nothing can any more.
    pub(super) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.with(|socket| {
            if socket.send_queue() == 0 || !socket.is_active() {
                return Poll::Ready(());
            }
            socket.register_send_waker(cx.waker());
            Poll::Pending
        })
    }

    /// Closes our direction; what was sent before still arrives.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
        self.with(tcp::Socket::close);
        self.stack.poke();
    }

    /// Resets the connection.
    pub(super) fn abort(&self) {
        self.with(tcp::Socket::abort);
        self.stack.poke();
    }

    fn why_broken(&self) -> io::Error {
        if self.stack.is_closed() {
            gone()
        } else {
            io::ErrorKind::ConnectionReset.into()
        }
    }

    fn with<R>(&self, action: impl FnOnce(&mut tcp::Socket<'static>) -> R) -> R {
        action(self.stack.state().sockets.get_mut(self.handle))
    }
}

/// Whether the connection is still to be established.
fn is_opening(socket: &tcp::Socket<'_>) -> bool {
    matches!(
        socket.state(),
        tcp::State::SynSent | tcp::State::SynReceived
    )
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.with(|socket| {
            if socket.can_recv() || is_opening(socket) {
                socket.abort();
            } else {
                socket.close();
            }
        });
        self.stack.orphan(self.handle);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = std::task::ready!(self.poll_receive(cx, buffer.initialize_unfilled()))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was handed over leaves by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}
