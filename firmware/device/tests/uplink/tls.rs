//! TLS that passes bytes on as they are, or fails as it is told.

use std::cell::{Cell, RefCell};

use device::board::{Tls, TlsClient, TlsFailure, TlsServer};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

#[derive(Default)]
pub struct FakeTls {
    /// Why the handshake fails.
    pub handshake: RefCell<Option<TlsFailure>>,
    /// Why the first read fails.
    pub read: RefCell<Option<TlsFailure>>,
    /// What the last client wanted.
    pub asked: Cell<Option<Asked>>,
}

/// What a client wants of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub check_authority: bool,
    pub check_dates: bool,
    pub check_name: bool,
    /// Whether it shows a certificate of its own.
    pub has_certificate: bool,
    /// Its time.
    pub now: Option<u64>,
}

impl Tls for FakeTls {
    type Session<S: Read + Write> = FakeSession<S>;

    async fn connect<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsClient<'_>,
        now: Option<u64>,
    ) -> Result<FakeSession<S>, TlsFailure> {
        self.asked.set(Some(Asked {
            check_authority: options.check_authority,
            check_dates: options.check_dates,
            check_name: options.check_name,
            has_certificate: options.credentials.is_some(),
            now,
        }));
        match self.handshake.borrow().clone() {
            Some(failure) => Err(failure),
            None => Ok(FakeSession {
                socket,
                failure: self.read.borrow().clone(),
            }),
        }
    }

    async fn accept<S: Read + Write>(
        &self,
        socket: S,
        _: &TlsServer<'_>,
        _: Option<u64>,
    ) -> Result<FakeSession<S>, TlsFailure> {
        match self.handshake.borrow().clone() {
            Some(failure) => Err(failure),
            None => Ok(FakeSession {
                socket,
                failure: self.read.borrow().clone(),
            }),
        }
    }

    fn failure_of<S: Read + Write>(error: &FakeTlsError) -> Option<TlsFailure> {
        error.0.clone()
    }
}

pub struct FakeSession<S> {
    socket: S,
    failure: Option<TlsFailure>,
}

#[derive(Debug)]
pub struct FakeTlsError(Option<TlsFailure>, ErrorKind);

impl std::fmt::Display for FakeTlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for FakeTlsError {}

impl embedded_io_async::Error for FakeTlsError {
    fn kind(&self) -> ErrorKind {
        self.1
    }
}

fn below<E: embedded_io_async::Error>(error: E) -> FakeTlsError {
    FakeTlsError(None, error.kind())
}

impl<S: ErrorType> ErrorType for FakeSession<S> {
    type Error = FakeTlsError;
}

impl<S: Read> Read for FakeSession<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, FakeTlsError> {
        if let Some(failure) = &self.failure {
            return Err(FakeTlsError(Some(failure.clone()), ErrorKind::Other));
        }
        self.socket.read(bytes).await.map_err(below)
    }
}

impl<S: Write> Write for FakeSession<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, FakeTlsError> {
        self.socket.write(bytes).await.map_err(below)
    }

    async fn flush(&mut self) -> Result<(), FakeTlsError> {
        self.socket.flush().await.map_err(below)
    }
}
