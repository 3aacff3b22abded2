//! MbedTLS on a socket, polled.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::slice;
use core::task::{self, Poll};

use device::board::{TlsEngine, TlsFailure, TlsSessionError};
use embedded_io_async::{Error as _, ErrorKind, Read, Write};
use mbedtls_rs_sys::{
    MBEDTLS_ERR_SSL_CONN_EOF, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY,
    MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET, MBEDTLS_ERR_SSL_WANT_READ,
    MBEDTLS_ERR_SSL_WANT_WRITE,
};

use crate::context::{Call, Context};
use crate::failure::failure;

/// Records that are searched for an alert when sending has failed.
const LAST_WORDS: usize = 4;
/// What [`Wire::receive`] answers when the socket failed; `net_sockets.h`, NET_CONN_RESET.
const SOCKET_FAILED: c_int = -0x0050;

/// A client of MbedTLS on its socket.
pub struct MbedTls<S> {
    socket: S,
    context: Context,
    /// Why sending has failed. It counts only once nothing more comes in: a server that refuses us
    /// has often closed by the time we go on sending.
    unsendable: Option<ErrorKind>,
    ended: bool,
}

/// How a call into MbedTLS ended.
enum Outcome {
    /// With this number, which is not negative.
    Done(usize),
    /// The socket has to be waited for, and will wake us.
    Waits,
    /// There is something else to be done first.
    Again,
    /// The server has closed the session.
    Ended,
    Failed(TlsSessionError),
}

impl<S: Read + Write> MbedTls<S> {
    /// Everything but the handshake.
    pub(crate) fn new(socket: S, context: Context) -> Self {
        Self {
            socket,
            context,
            unsendable: None,
            ended: false,
        }
    }

    /// What the server said before it closed.
    fn last_words(&mut self, task: &mut task::Context<'_>) -> Option<TlsSessionError> {
        for _ in 0..LAST_WORDS {
            // Reads nothing, but looks at the next record.
            match self.call(task, |call| call.read(&mut [])) {
                Outcome::Again => {}
                Outcome::Failed(error @ TlsSessionError::Tls(_)) => return Some(error),
                _ => break,
            }
        }
        None
    }

    /// Calls into MbedTLS, which gets the socket meanwhile.
    fn call(
        &mut self,
        task: &mut task::Context<'_>,
        call: impl FnOnce(&mut Call) -> c_int,
    ) -> Outcome {
        let mut wire = Wire {
            socket: &mut self.socket,
            task,
            unsendable: &mut self.unsendable,
            waits: false,
            failed: None,
        };
        let code = self.context.with_bio(
            (&raw mut wire).cast(),
            Wire::<S>::send,
            Wire::<S>::receive,
            call,
        );
        let (waits, failed) = (wire.waits, wire.failed);
        match (code, failed) {
            (0.., _) => Outcome::Done(code.unsigned_abs() as usize),
            (SOCKET_FAILED, Some(kind)) => Outcome::Failed(TlsSessionError::Socket(kind)),
            (MBEDTLS_ERR_SSL_WANT_READ | MBEDTLS_ERR_SSL_WANT_WRITE, _) if waits => Outcome::Waits,
            (
                MBEDTLS_ERR_SSL_WANT_READ
                | MBEDTLS_ERR_SSL_WANT_WRITE
                | MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET,
                _,
            ) => Outcome::Again,
            (MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY | MBEDTLS_ERR_SSL_CONN_EOF, _) => Outcome::Ended,
            _ => Outcome::Failed(TlsSessionError::Tls(failure(code, &self.context))),
        }
    }
}

impl<S: Read + Write> TlsEngine for MbedTls<S> {
    type Socket = S;

    fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    fn poll_handshake(
        &mut self,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<(), TlsSessionError>> {
        loop {
            return match self.call(task, Call::handshake) {
                Outcome::Done(_) => self.poll_send(task, false),
                Outcome::Waits => Poll::Pending,
                Outcome::Again => continue,
                Outcome::Ended => Poll::Ready(Err(TlsSessionError::Tls(TlsFailure::Closed))),
                Outcome::Failed(error) => Poll::Ready(Err(error)),
            };
        }
    }

    fn poll_send(
        &mut self,
        task: &mut task::Context<'_>,
        failed: bool,
    ) -> Poll<Result<(), TlsSessionError>> {
        while self.context.has_unsent() {
            match self.call(task, Call::flush) {
                Outcome::Waits => return Poll::Pending,
                Outcome::Failed(error) => return Poll::Ready(Err(error)),
                Outcome::Done(_) | Outcome::Again | Outcome::Ended => {}
            }
        }
        Poll::Ready(match self.unsendable {
            Some(kind) if failed => Err(TlsSessionError::Socket(kind)),
            Some(kind) => Err(self
                .last_words(task)
                .unwrap_or(TlsSessionError::Socket(kind))),
            None => Ok(()),
        })
    }

    fn poll_read(
        &mut self,
        task: &mut task::Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<Result<usize, TlsSessionError>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        if self.context.has_unsent() {
            // What cannot leave now wakes us when it can.
            let _ = self.call(task, Call::flush);
        }
        loop {
            return match self.call(task, |call| call.read(bytes)) {
                Outcome::Done(0) | Outcome::Ended => {
                    // Closed with or without a word, as many a server does.
                    self.ended = true;
                    Poll::Ready(Ok(0))
                }
                Outcome::Done(length) => Poll::Ready(Ok(length)),
                Outcome::Waits => Poll::Pending,
                Outcome::Again => continue,
                Outcome::Failed(error) => Poll::Ready(Err(error)),
            };
        }
    }

    fn poll_write(
        &mut self,
        task: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, TlsSessionError>> {
        loop {
            match self.poll_send(task, false) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            let taken = match self.call(task, |call| call.write(bytes)) {
                Outcome::Done(length) => length,
                // The record is made; what the socket does not take now leaves later.
                Outcome::Waits if self.context.has_unsent() => {
                    bytes.len().min(self.context.max_record())
                }
                Outcome::Waits => return Poll::Pending,
                Outcome::Again => continue,
                Outcome::Ended => {
                    return Poll::Ready(Err(TlsSessionError::Socket(ErrorKind::BrokenPipe)));
                }
                Outcome::Failed(error) => return Poll::Ready(Err(error)),
            };
            return Poll::Ready(match self.unsendable {
                Some(kind) => Err(self
                    .last_words(task)
                    .unwrap_or(TlsSessionError::Socket(kind))),
                None => Ok(taken),
            });
        }
    }

    fn version(&self) -> impl fmt::Debug {
        self.context.version()
    }
}

/// The socket as MbedTLS sees it, which knows no waiting: it is polled in the callbacks, without a
/// buffer between.
struct Wire<'w, 't, S> {
    socket: &'w mut S,
    task: &'w mut task::Context<'t>,
    unsendable: &'w mut Option<ErrorKind>,
    /// The socket made us wait, and will wake the task.
    waits: bool,
    /// Why receiving failed.
    failed: Option<ErrorKind>,
}

impl<S: Read + Write> Wire<'_, '_, S> {
    /// # Safety
    /// `wire` points to one, alone; `bytes` to `length` bytes.
    unsafe extern "C" fn send(wire: *mut c_void, bytes: *const u8, length: usize) -> c_int {
        // SAFETY: by contract.
        let (wire, bytes) = unsafe {
            (
                &mut *wire.cast::<Self>(),
                slice::from_raw_parts(bytes, length),
            )
        };
        // C counts in int, and a record is far shorter.
        let all = c_int::try_from(length).unwrap_or(c_int::MAX);
        if wire.unsendable.is_some() {
            return all;
        }
        let sent = pin!(wire.socket.write(bytes)).poll(wire.task);
        *wire.unsendable = Some(match sent {
            Poll::Pending => {
                wire.waits = true;
                return MBEDTLS_ERR_SSL_WANT_WRITE;
            }
            Poll::Ready(Ok(0)) => ErrorKind::WriteZero,
            Poll::Ready(Ok(sent)) => return c_int::try_from(sent).unwrap_or(all),
            Poll::Ready(Err(error)) => error.kind(),
        });
        // As if it had been sent: MbedTLS goes on to receive, which says why it was not.
        all
    }

    /// # Safety
    /// `wire` points to one, alone; `bytes` to `length` bytes that may be written.
    unsafe extern "C" fn receive(wire: *mut c_void, bytes: *mut u8, length: usize) -> c_int {
        // SAFETY: by contract; the memory belongs to a buffer that was zeroed when it was made.
        let (wire, bytes) = unsafe {
            (
                &mut *wire.cast::<Self>(),
                slice::from_raw_parts_mut(bytes, length),
            )
        };
        let received = pin!(wire.socket.read(bytes)).poll(wire.task);
        wire.failed = match (received, *wire.unsendable) {
            (Poll::Pending, None) => {
                wire.waits = true;
                return MBEDTLS_ERR_SSL_WANT_READ;
            }
            (Poll::Ready(Ok(0)), _) => return MBEDTLS_ERR_SSL_CONN_EOF,
            (Poll::Ready(Ok(received)), _) => {
                return c_int::try_from(received).unwrap_or(c_int::MAX);
            }
            (Poll::Pending, Some(kind)) => Some(kind),
            (Poll::Ready(Err(error)), _) => Some(error.kind()),
        };
        SOCKET_FAILED
    }
}
