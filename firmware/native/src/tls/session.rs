//! A session on a socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use device::board::{SessionError, TlsFailure};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use rustls::{ClientConnection, Error};

use super::Found;

/// Bytes of plaintext, and of TLS, that wait to be sent.
pub(super) const MAX_UNSENT: usize = 16 * 1024;
/// Bytes taken from the socket at once.
const CHUNK: usize = 4 * 1024;
/// Chunks that are searched for an alert when sending has failed.
const LAST_WORDS: usize = 4;
/// How long an alert may take to leave.
const ALERT_LIMIT: Duration = Duration::from_secs(2);

/// A TLS session as client, on a socket that sends what it is given without being flushed.
///
/// Reading and writing are cancel safe on sockets that are. A write takes the plaintext at once and
/// sends what the socket takes without waiting; the rest leaves with the next write, read or flush.
/// A server that refuses the client's certificate in TLS 1.3 says so only after the handshake: the
/// first read then fails with its alert.
pub struct Session<S> {
    socket: S,
    tls: ClientConnection,
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Box<[u8]>,
    found: Found,
    failure: Option<SessionError>,
}

/// What one look at the socket brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Received,
    Ended,
}

impl<S: Read + Write> Session<S> {
    /// Runs the handshake.
    pub(super) async fn open(
        socket: S,
        tls: ClientConnection,
        found: Found,
    ) -> Result<Self, TlsFailure> {
        let mut session = Self {
            socket,
            tls,
            outgoing: Vec::new(),
            sent: 0,
            incoming: vec![0; CHUNK].into_boxed_slice(),
            found,
            failure: None,
        };
        match session.shake_hands().await {
            Ok(()) => Ok(session),
            Err(error) => {
                // The server must learn why, even if the caller closes at once.
                let _ = with_timeout(ALERT_LIMIT, session.flush_socket()).await;
                Err(error.into_failure())
            }
        }
    }

    async fn shake_hands(&mut self) -> Result<(), SessionError> {
        while self.tls.is_handshaking() {
            match poll_fn(|context| self.poll_exchange(context)).await? {
                Progress::Received => {}
                Progress::Ended if self.tls.is_handshaking() => {
                    return Err(SessionError::Tls(TlsFailure::Closed));
                }
                Progress::Ended => break,
            }
        }
        poll_fn(|context| self.poll_send(context)).await
    }

    async fn flush_socket(&mut self) -> Result<(), SessionError> {
        poll_fn(|context| self.poll_send(context)).await?;
        let flushed = self.socket.flush().await;
        flushed.map_err(|error| SessionError::Socket(error.kind()))
    }

    /// Sends what is due and waits for bytes. An error of sending counts only if receiving has
    /// nothing to say: a server that refuses us has often closed by the time we go on sending.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<Result<Progress, SessionError>> {
        let sending = self.poll_send(context);
        let receiving = self.poll_receive(context);
        match (receiving, sending) {
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (receiving, _) => receiving,
        }
    }

    /// Done when nothing is left to send.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        loop {
            if self.sent == self.outgoing.len() {
                self.outgoing.clear();
                self.sent = 0;
                if !self.tls.wants_write() {
                    return Poll::Ready(Ok(()));
                }
                // Into memory, which always takes all of it.
                let _ = self.tls.write_tls(&mut self.outgoing);
            }
            let write = pin!(self.socket.write(&self.outgoing[self.sent..])).poll(context);
            match write {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(SessionError::Socket(ErrorKind::WriteZero)));
                }
                Poll::Ready(Ok(length)) => self.sent += length,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(SessionError::Socket(error.kind())));
                }
            }
        }
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Progress, SessionError>> {
        let read = pin!(self.socket.read(&mut self.incoming)).poll(context);
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(Progress::Ended)),
            Poll::Ready(Ok(length)) => Poll::Ready(self.take(length).map(|()| Progress::Received)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(SessionError::Socket(error.kind()))),
        }
    }

    /// Gives the first `length` bytes of what was received to TLS.
    fn take(&mut self, length: usize) -> Result<(), SessionError> {
        let mut rest = &self.incoming[..length];
        while !rest.is_empty() {
            let protocol = |_| SessionError::Tls(TlsFailure::Protocol);
            self.tls.read_tls(&mut rest).map_err(protocol)?;
            if let Err(error) = self.tls.process_new_packets() {
                return Err(SessionError::Tls(self.failure_of(&error)));
            }
        }
        Ok(())
    }

    fn failure_of(&self, error: &Error) -> TlsFailure {
        match error {
            Error::AlertReceived(alert) => TlsFailure::AlertReceived((*alert).into()),
            Error::InvalidCertificate(_) => TlsFailure::Certificate(self.found.problems()),
            _ => TlsFailure::Protocol,
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<Result<usize, SessionError>> {
        loop {
            match io::Read::read(&mut self.tls.reader(), bytes) {
                Ok(length) => return Poll::Ready(Ok(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without a word, as many a server does.
                Err(_) => return Poll::Ready(Ok(0)),
            }
            match self.poll_exchange(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Progress::Received)) => {}
                Poll::Ready(Ok(Progress::Ended)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, SessionError>> {
        if let Poll::Ready(Err(error)) = self.poll_send(context) {
            return Poll::Ready(Err(self.explain(error, context)));
        }
        match io::Write::write(&mut self.tls.writer(), bytes) {
            // Full: sending, which is under way, makes room.
            Ok(0) if !bytes.is_empty() => Poll::Pending,
            Ok(length) => {
                // What the socket does not take now leaves later.
                match self.poll_send(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(error, context))),
                    _ => Poll::Ready(Ok(length)),
                }
            }
            Err(_) => Poll::Ready(Err(SessionError::Socket(ErrorKind::BrokenPipe))),
        }
    }

    /// Sending failed with `error`; perhaps the server said why before it closed.
    fn explain(&mut self, error: SessionError, context: &mut Context<'_>) -> SessionError {
        for _ in 0..LAST_WORDS {
            match self.poll_receive(context) {
                Poll::Ready(Err(SessionError::Tls(failure))) => return SessionError::Tls(failure),
                Poll::Ready(Ok(Progress::Received)) => {}
                _ => break,
            }
        }
        error
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

impl<S> ErrorType for Session<S> {
    type Error = SessionError;
}

impl<S: Read + Write> Read for Session<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, SessionError> {
        self.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = poll_fn(|context| self.poll_read(context, bytes)).await;
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
        let result = poll_fn(|context| self.poll_write(context, bytes)).await;
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
            .field("version", &self.tls.protocol_version())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
