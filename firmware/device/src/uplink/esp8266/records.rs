//! A connection that takes no TLS record which is longer than the device's buffer for one.

use core::cell::Cell;

use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Bytes before the content of a record (RFC 8446 §5.1).
const HEAD: usize = 5;

/// `espconn_secure_set_size`: a bound for the records that come.
///
/// Cancel safe where the connection below is: what is counted is what was read.
#[derive(Debug)]
pub(super) struct Bounded<'c, S> {
    below: S,
    most: usize,
    head: [u8; HEAD],
    /// Bytes of `head` that have come.
    known: usize,
    /// Bytes of the present record's content that are still to come.
    left: usize,
    /// Length of the record that was too long, which outlives the connection.
    too_long: &'c Cell<Option<usize>>,
}

impl<'c, S> Bounded<'c, S> {
    /// Takes records of at most `most` bytes from `below`; the length of one that is longer is left in
    /// `too_long`.
    pub(super) fn new(below: S, most: usize, too_long: &'c Cell<Option<usize>>) -> Self {
        Self {
            below,
            most,
            head: [0; HEAD],
            known: 0,
            left: 0,
            too_long,
        }
    }

    fn watch(&mut self, mut bytes: &[u8]) -> Result<(), usize> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.head[self.known] = bytes[0];
            self.known += 1;
            bytes = &bytes[1..];
            if self.known == HEAD {
                self.known = 0;
                self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                if self.left > self.most {
                    return Err(self.left);
                }
            }
        }
        Ok(())
    }
}

/// Why a bounded connection cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BoundedError<E> {
    /// The connection below failed.
    Below(E),
    /// A record has so many bytes, more than there is room for.
    TooLong(usize),
}

impl<E: Error> core::fmt::Display for BoundedError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Below(error) => write!(f, "the connection failed: {:?}", error.kind()),
            Self::TooLong(length) => write!(f, "a record of {length} bytes does not fit"),
        }
    }
}

impl<E: Error> core::error::Error for BoundedError<E> {}

impl<E: Error> Error for BoundedError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Below(error) => error.kind(),
            Self::TooLong(_) => ErrorKind::OutOfMemory,
        }
    }
}

impl<S: ErrorType> ErrorType for Bounded<'_, S> {
    type Error = BoundedError<S::Error>;
}

impl<S: Read> Read for Bounded<'_, S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        if let Some(length) = self.too_long.get() {
            return Err(BoundedError::TooLong(length));
        }
        let read = self.below.read(bytes).await;
        let length = read.map_err(BoundedError::Below)?;
        match self.watch(&bytes[..length]) {
            Ok(()) => Ok(length),
            Err(too_long) => {
                self.too_long.set(Some(too_long));
                Err(BoundedError::TooLong(too_long))
            }
        }
    }
}

impl<S: Write> Write for Bounded<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.below.write(bytes).await.map_err(BoundedError::Below)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.below.flush().await.map_err(BoundedError::Below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_fit_is_seen_however_the_bytes_come() {
        let stream = [22, 3, 3, 0, 2, 9, 9, 23, 3, 3, 0x10, 0, 7];
        for most in [2, 4095, 4096] {
            for cut in 1..stream.len() {
                let found = Cell::new(None);
                let mut bounded = Bounded::new((), most, &found);
                let mut pieces = stream.chunks(cut).map(|piece| bounded.watch(piece));
                let failed = pieces.find_map(Result::err);
                assert_eq!(failed, (most < 4096).then_some(4096), "{most}, {cut}");
            }
        }
    }
}
