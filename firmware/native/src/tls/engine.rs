//! rustls on a socket, polled.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use device::board::{CertificateProblems, TlsEngine, TlsFailure, TlsSessionError};
use embedded_io_async::{Error as _, ErrorKind, Read, Write};
use rustls::{Connection, Error};

use super::Found;

/// Bytes of plaintext, and of TLS, that wait to be sent.
pub(super) const MAX_UNSENT: usize = 16 * 1024;
/// Bytes taken from the socket at once.
const CHUNK: usize = 4 * 1024;
/// Chunks that are searched for an alert when sending has failed.
const LAST_WORDS: usize = 4;
/// A client or server of rustls on its socket.
pub struct Rustls<S> {
    socket: S,
    tls: Connection,
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Box<[u8]>,
    found: Found,
}

/// What one look at the socket brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Received,
    Ended,
}

impl<S: Read + Write> Rustls<S> {
    /// Everything but the handshake.
    pub(super) fn new(socket: S, tls: Connection, found: Found) -> Self {
        Self {
            socket,
            tls,
            outgoing: Vec::new(),
            sent: 0,
            incoming: vec![0; CHUNK].into_boxed_slice(),
            found,
        }
    }

    /// Sends what is due and waits for bytes. An error of sending counts only if receiving has
    /// nothing to say: a server that refuses us has often closed by the time we go on sending.
    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Progress, TlsSessionError>> {
        let sending = self.poll_transmit(context);
        let receiving = self.poll_receive(context);
        match (receiving, sending) {
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (receiving, _) => receiving,
        }
    }

    /// Done when nothing is left to send.
    fn poll_transmit(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TlsSessionError>> {
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
                    return Poll::Ready(Err(TlsSessionError::Socket(ErrorKind::WriteZero)));
                }
                Poll::Ready(Ok(length)) => self.sent += length,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(TlsSessionError::Socket(error.kind())));
                }
            }
        }
    }

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Progress, TlsSessionError>> {
        let read = pin!(self.socket.read(&mut self.incoming)).poll(context);
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Ok(Progress::Ended)),
            Poll::Ready(Ok(length)) => Poll::Ready(self.take(length).map(|()| Progress::Received)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(TlsSessionError::Socket(error.kind()))),
        }
    }

    /// Gives the first `length` bytes of what was received to TLS.
    fn take(&mut self, length: usize) -> Result<(), TlsSessionError> {
        let mut rest = &self.incoming[..length];
        while !rest.is_empty() {
            let protocol = |_| TlsSessionError::Tls(TlsFailure::Protocol);
            self.tls.read_tls(&mut rest).map_err(protocol)?;
            if let Err(error) = self.tls.process_new_packets() {
                return Err(TlsSessionError::Tls(self.failure_of(&error)));
            }
        }
        Ok(())
    }

    fn failure_of(&self, error: &Error) -> TlsFailure {
        match error {
            Error::AlertReceived(alert) => TlsFailure::AlertReceived((*alert).into()),
            Error::InvalidCertificate(_) => TlsFailure::Certificate(self.found.problems()),
            Error::NoCertificatesPresented => TlsFailure::Certificate(CertificateProblems::MISSING),
            _ => TlsFailure::Protocol,
        }
    }

    /// Sending failed with `error`; perhaps the server said why before it closed.
    fn explain(&mut self, error: TlsSessionError, context: &mut Context<'_>) -> TlsSessionError {
        for _ in 0..LAST_WORDS {
            match self.poll_receive(context) {
                Poll::Ready(Err(TlsSessionError::Tls(failure))) => {
                    return TlsSessionError::Tls(failure);
                }
                Poll::Ready(Ok(Progress::Received)) => {}
                _ => break,
            }
        }
        error
    }
}

impl<S: Read + Write> TlsEngine for Rustls<S> {
    type Socket = S;

    fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TlsSessionError>> {
        while self.tls.is_handshaking() {
            match self.poll_exchange(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(Progress::Received)) => {}
                Poll::Ready(Ok(Progress::Ended)) if self.tls.is_handshaking() => {
                    return Poll::Ready(Err(TlsSessionError::Tls(TlsFailure::Closed)));
                }
                Poll::Ready(Ok(Progress::Ended)) => break,
            }
        }
        self.poll_transmit(context)
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        _: bool,
    ) -> Poll<Result<(), TlsSessionError>> {
        self.poll_transmit(context)
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<Result<usize, TlsSessionError>> {
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
    ) -> Poll<Result<usize, TlsSessionError>> {
        if let Poll::Ready(Err(error)) = self.poll_transmit(context) {
            return Poll::Ready(Err(self.explain(error, context)));
        }
        match io::Write::write(&mut self.tls.writer(), bytes) {
            // Full: sending, which is under way, makes room.
            Ok(0) if !bytes.is_empty() => Poll::Pending,
            Ok(length) => {
                // What the socket does not take now leaves later.
                match self.poll_transmit(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(error, context))),
                    _ => Poll::Ready(Ok(length)),
                }
            }
            Err(_) => Poll::Ready(Err(TlsSessionError::Socket(ErrorKind::BrokenPipe))),
        }
    }

    fn version(&self) -> impl fmt::Debug {
        self.tls.protocol_version()
    }
}
