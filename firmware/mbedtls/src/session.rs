//! A session on a socket.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::slice;
use core::task::{self, Poll};

use device::board::{SessionError, TlsFailure};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use mbedtls_rs_sys::{
    MBEDTLS_ERR_SSL_CONN_EOF, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY,
    MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET, MBEDTLS_ERR_SSL_WANT_READ,
    MBEDTLS_ERR_SSL_WANT_WRITE,
};

use crate::context::{Call, Context};
use crate::failure::failure;

/// How long an alert may take to leave.
const ALERT_LIMIT: Duration = Duration::from_secs(2);
/// Records that are searched for an alert when sending has failed.
const LAST_WORDS: usize = 4;
/// What [`Wire::receive`] answers when the socket failed; `net_sockets.h`, NET_CONN_RESET.
const SOCKET_FAILED: c_int = -0x0050;

/// A TLS session as client, on a socket that sends what it is given without being flushed.
///
/// Reading and writing are cancel safe on sockets that are. A write takes the plaintext at once and
/// sends what the socket takes without waiting; the rest leaves with the next write, read or flush.
/// A server that refuses the client's certificate in TLS 1.3 says so only after the handshake: the
/// first read then fails with its alert.
pub struct Session<S> {
    socket: S,
    context: Context,
    /// Sending has failed. Nobody needs to know before it is clear that nothing more comes in: a
    /// server that refuses us has often closed by the time we go on sending.
    unsendable: Option<ErrorKind>,
    ended: bool,
    failure: Option<SessionError>,
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
    Failed(SessionError),
}

impl<S: Read + Write> Session<S> {
    /// Runs the handshake.
    pub(crate) async fn open(socket: S, context: Context) -> Result<Self, TlsFailure> {
        let mut session = Self {
            socket,
            context,
            unsendable: None,
            ended: false,
            failure: None,
        };
        match poll_fn(|task| session.poll_handshake(task)).await {
            Ok(()) => Ok(session),
            Err(error) => {
                session.failure = Some(error.clone());
                // The server must learn why, even if the caller closes at once.
                let _ = with_timeout(ALERT_LIMIT, session.flush_socket()).await;
                Err(error.into_failure())
            }
        }
    }

    fn poll_handshake(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), SessionError>> {
        loop {
            return match self.call(task, Call::handshake) {
                Outcome::Done(_) => self.poll_send(task),
                Outcome::Waits => Poll::Pending,
                Outcome::Again => continue,
                Outcome::Ended => Poll::Ready(Err(SessionError::Tls(TlsFailure::Closed))),
                Outcome::Failed(error) => Poll::Ready(Err(error)),
            };
        }
    }

    /// Done when nothing is left to send.
    fn poll_send(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), SessionError>> {
        while self.context.has_unsent() {
            match self.call(task, Call::flush) {
                Outcome::Waits => return Poll::Pending,
                Outcome::Failed(error) => return Poll::Ready(Err(error)),
                Outcome::Done(_) | Outcome::Again | Outcome::Ended => {}
            }
        }
        Poll::Ready(match self.unsendable {
            Some(kind) => Err(self.last_words(task).unwrap_or(SessionError::Socket(kind))),
            None => Ok(()),
        })
    }

    /// What the server said before it closed. A session that has failed is not asked again.
    fn last_words(&mut self, task: &mut task::Context<'_>) -> Option<SessionError> {
        self.check().ok()?;
        for _ in 0..LAST_WORDS {
            // Reads nothing, but looks at the next record.
            match self.call(task, |call| call.read(&mut [])) {
                Outcome::Again => {}
                Outcome::Failed(error @ SessionError::Tls(_)) => return Some(error),
                _ => break,
            }
        }
        None
    }

    fn poll_read(
        &mut self,
        task: &mut task::Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<Result<usize, SessionError>> {
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
    ) -> Poll<Result<usize, SessionError>> {
        loop {
            match self.poll_send(task) {
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
                    return Poll::Ready(Err(SessionError::Socket(ErrorKind::BrokenPipe)));
                }
                Outcome::Failed(error) => return Poll::Ready(Err(error)),
            };
            return Poll::Ready(match self.unsendable {
                Some(kind) => Err(self.last_words(task).unwrap_or(SessionError::Socket(kind))),
                None => Ok(taken),
            });
        }
    }

    async fn flush_socket(&mut self) -> Result<(), SessionError> {
        poll_fn(|task| self.poll_send(task)).await?;
        let flushed = self.socket.flush().await;
        flushed.map_err(|error| SessionError::Socket(error.kind()))
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
            (SOCKET_FAILED, Some(kind)) => Outcome::Failed(SessionError::Socket(kind)),
            (MBEDTLS_ERR_SSL_WANT_READ | MBEDTLS_ERR_SSL_WANT_WRITE, _) if waits => Outcome::Waits,
            (
                MBEDTLS_ERR_SSL_WANT_READ
                | MBEDTLS_ERR_SSL_WANT_WRITE
                | MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET,
                _,
            ) => Outcome::Again,
            (MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY | MBEDTLS_ERR_SSL_CONN_EOF, _) => Outcome::Ended,
            _ => Outcome::Failed(SessionError::Tls(failure(code, &self.context))),
        }
    }

    fn remember<T>(&mut self, result: Result<T, SessionError>) -> Result<T, SessionError> {
        if let Err(error) = &result {
            self.failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    fn check(&self) -> Result<(), SessionError> {
        self.failure.clone().map_or(Ok(()), Err)
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

impl<S> ErrorType for Session<S> {
    type Error = SessionError;
}

impl<S: Read + Write> Read for Session<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, SessionError> {
        self.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = poll_fn(|task| self.poll_read(task, bytes)).await;
        let result = self.remember(result);
        if let Err(SessionError::Tls(_)) = &result {
            // The alert that tells the server why.
            let _ = with_timeout(ALERT_LIMIT, self.flush_socket()).await;
        }
        result
    }
}

impl<S: Read + Write> Write for Session<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, SessionError> {
        self.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = poll_fn(|task| self.poll_write(task, bytes)).await;
        self.remember(result)
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        self.check()?;
        let result = self.flush_socket().await;
        self.remember(result)
    }
}

impl<S> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.context.version())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
