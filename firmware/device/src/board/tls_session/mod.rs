//! A TLS session on a socket, by any library: what a caller of reads and writes may rely on.

mod error;

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Error as _, ErrorType, Read, Write};

use super::TlsFailure;
pub use error::TlsSessionError;

/// How long an alert may take to leave.
const ALERT_LIMIT: Duration = Duration::from_secs(2);

/// A TLS library on a socket that sends what it is given without being flushed.
///
/// All methods that poll are cancel safe on sockets that are, and none is called again after it
/// has failed, except [`TlsEngine::poll_send`].
pub trait TlsEngine {
    /// The connection below.
    type Socket: Read + Write;

    /// The connection below.
    fn socket(&mut self) -> &mut Self::Socket;

    /// Runs the handshake, to its last byte sent.
    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TlsSessionError>>;

    /// Sends what is due; done when nothing is left. If sending fails, the error is what the server
    /// said before it closed. `failed` is set once the session has failed: what is left then is an
    /// alert, and the server is asked for nothing more.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        failed: bool,
    ) -> Poll<Result<(), TlsSessionError>>;

    /// Reads into `bytes`, which are not empty; 0 is the session's end, announced or not.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<Result<usize, TlsSessionError>>;

    /// Takes some of `bytes`, which are not empty, and sends what the socket takes without waiting.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, TlsSessionError>>;

    /// The negotiated version, for people.
    fn version(&self) -> impl fmt::Debug;
}

/// A TLS session as client.
///
/// Reading and writing are cancel safe on sockets that are. A write takes the plaintext at once and
/// sends what the socket takes without waiting; the rest leaves with the next write, read or flush.
/// A server that refuses the client's certificate in TLS 1.3 says so only after the handshake: the
/// first read then fails with its alert. A session that has failed keeps its first error.
pub struct TlsSession<E> {
    engine: E,
    failure: Option<TlsSessionError>,
}

impl<E: TlsEngine> TlsSession<E> {
    /// Runs the handshake.
    pub async fn open(engine: E) -> Result<Self, TlsFailure> {
        let mut session = Self {
            engine,
            failure: None,
        };
        let shaken = poll_fn(|context| session.engine.poll_handshake(context)).await;
        match session.remember(shaken) {
            Ok(()) => Ok(session),
            Err(error) => {
                session.send_alert().await;
                Err(error.into_failure())
            }
        }
    }

    async fn flush_socket(&mut self) -> Result<(), TlsSessionError> {
        let failed = self.failure.is_some();
        poll_fn(|context| self.engine.poll_send(context, failed)).await?;
        let flushed = self.engine.socket().flush().await;
        flushed.map_err(|error| TlsSessionError::Socket(error.kind()))
    }

    /// The server must learn why the session failed, even if the caller closes at once.
    async fn send_alert(&mut self) {
        let _ = with_timeout(ALERT_LIMIT, self.flush_socket()).await;
    }

    fn remember<T>(&mut self, result: Result<T, TlsSessionError>) -> Result<T, TlsSessionError> {
        if let Err(error) = &result {
            self.failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    fn check(&self) -> Result<(), TlsSessionError> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

impl<E> ErrorType for TlsSession<E> {
    type Error = TlsSessionError;
}

impl<E: TlsEngine> Read for TlsSession<E> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, TlsSessionError> {
        self.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = poll_fn(|context| self.engine.poll_read(context, bytes)).await;
        let result = self.remember(result);
        if let Err(TlsSessionError::Tls(_)) = &result {
            self.send_alert().await;
        }
        result
    }
}

impl<E: TlsEngine> Write for TlsSession<E> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TlsSessionError> {
        self.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = poll_fn(|context| self.engine.poll_write(context, bytes)).await;
        self.remember(result)
    }

    async fn flush(&mut self) -> Result<(), TlsSessionError> {
        self.check()?;
        let result = self.flush_socket().await;
        self.remember(result)
    }
}

impl<E: TlsEngine> fmt::Debug for TlsSession<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("version", &self.engine.version())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
