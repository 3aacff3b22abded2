//! One connection: requests one after the other, each read within its limits.

use alloc::vec::Vec;

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};

use super::message::{Head, MAX_HEAD, Refusal};

/// Limit for each part of a request and for a response (ESP-IDF: `recv_wait_timeout` and
/// `send_wait_timeout`).
pub(crate) const IO_LIMIT: Duration = Duration::from_secs(5);
/// Bytes taken from the stream at once.
const CHUNK: usize = 512;
/// Bytes of an unread body that are thrown away at once (ESP-IDF: `CONFIG_HTTPD_PURGE_BUF_LEN`).
const PURGE: usize = 32;

/// Why there is no request, or no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The client has closed, or has been silent for too long.
    Gone,
    /// The client is told why.
    Refused(Refusal),
}

/// A stream whose flush does not wait for the peer: embassy-net's TCP waits until all was acknowledged,
/// which lwIP's does not.
#[derive(Debug)]
pub(crate) struct Unacknowledged<S>(pub(crate) S);

impl<S: ErrorType> ErrorType for Unacknowledged<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Unacknowledged<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, S::Error> {
        self.0.read(bytes).await
    }
}

impl<S: Write> Write for Unacknowledged<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        Ok(())
    }
}

/// A client's connection, and what of it was read and not yet used.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    bytes: Vec<u8>,
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Whether something was read that is not used yet.
    pub(crate) fn has_more(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Waits for bytes, however long that takes. Cancel safe on streams that are.
    pub(crate) async fn await_bytes(&mut self) -> Result<(), Unread> {
        while self.bytes.is_empty() {
            self.read().await?;
        }
        Ok(())
    }

    /// Takes the head of the next request. One that was begun must go on within [`IO_LIMIT`].
    pub(crate) async fn head(&mut self) -> Result<Head, Unread> {
        self.await_bytes().await?;
        loop {
            match Head::parse(&self.bytes) {
                Ok(Some(head)) => {
                    self.bytes.drain(..head.length);
                    return Ok(head);
                }
                // An end of line alone is no request yet.
                Ok(None) if self.bytes.len() > MAX_HEAD => {
                    return Err(Unread::Refused(Refusal::HeadTooLong));
                }
                Ok(None) => {}
                Err(bad) => {
                    bad.log();
                    return Err(Unread::Refused(bad.into()));
                }
            }
            with_timeout(IO_LIMIT, self.read())
                .await
                .unwrap_or(Err(Unread::Refused(Refusal::Timeout)))?;
        }
    }

    /// Takes exactly so many bytes.
    pub(crate) async fn take(&mut self, length: usize) -> Result<Vec<u8>, Unread> {
        while self.bytes.len() < length {
            with_timeout(IO_LIMIT, self.read())
                .await
                .unwrap_or(Err(Unread::Gone))?;
        }
        let rest = self.bytes.split_off(length);
        Ok(core::mem::replace(&mut self.bytes, rest))
    }

    /// Throws so many bytes away.
    pub(crate) async fn purge(&mut self, mut length: usize) -> Result<(), Unread> {
        while length > 0 {
            let part = length.min(PURGE);
            self.take(part).await?;
            length -= part;
        }
        Ok(())
    }

    /// Sends all of it.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Unread> {
        while !bytes.is_empty() {
            let written = with_timeout(IO_LIMIT, self.stream.write(bytes)).await;
            let Ok(Ok(count @ 1..)) = written else {
                return Err(Unread::Gone);
            };
            bytes = &bytes[count..];
        }
        match with_timeout(IO_LIMIT, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unread::Gone),
        }
    }

    async fn read(&mut self) -> Result<(), Unread> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => Err(Unread::Gone),
            Ok(count) => {
                self.bytes.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}
