//! A client's stream, of which each read and write is an event where it is TLS.

use embedded_io_async::{Error as _, ErrorType, Read, Write};

use super::events;
use crate::board::TlsFailure;
use crate::transport::{ReadFailure, log_read_failure};

/// Why TLS says that an error came about.
pub(super) type FailureOf<E> = fn(&E) -> Option<TlsFailure>;

/// A stream; `failure_of` is there where it is TLS.
pub(super) struct Observed<S: ErrorType> {
    inner: S,
    failure_of: Option<FailureOf<S::Error>>,
}

impl<S: ErrorType> Observed<S> {
    pub(super) fn plain(inner: S) -> Self {
        Self {
            inner,
            failure_of: None,
        }
    }

    pub(super) fn secure(inner: S, failure_of: FailureOf<S::Error>) -> Self {
        Self {
            inner,
            failure_of: Some(failure_of),
        }
    }
}

impl<S: ErrorType> ErrorType for Observed<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Observed<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, S::Error> {
        let read = self.inner.read(bytes).await;
        if let Some(failure_of) = self.failure_of {
            match &read {
                Ok(length) => events::https("ON_DATA", Some(*length)),
                Err(error) => {
                    log_read_failure(&ReadFailure::of(error.kind(), failure_of(error)));
                    events::https("ERROR", None);
                }
            }
        }
        read
    }
}

impl<S: Write> Write for Observed<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        let written = self.inner.write(bytes).await;
        if self.failure_of.is_some() {
            match &written {
                Ok(_) => events::https("SENT_DATA", None),
                Err(_) => events::https("ERROR", None),
            }
        }
        written
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.inner.flush().await
    }
}
