//! The part that a board does not have.

use core::convert::Infallible;
use core::fmt;

use bt_hci_transport::{PacketToController, PacketToHost, ReadHciError, Transport};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// The type of a part that a board does not have; there is no value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {}

/// What a part that is not there would fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsentError;

impl fmt::Display for AbsentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the board has no such part")
    }
}

impl core::error::Error for AbsentError {}

impl Error for AbsentError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

/// So that a Bluetooth host takes it.
impl From<ReadHciError<Infallible>> for AbsentError {
    fn from(_: ReadHciError<Infallible>) -> Self {
        Self
    }
}

impl ErrorType for Absent {
    type Error = AbsentError;
}

impl Read for Absent {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, AbsentError> {
        match *self {}
    }
}

impl Write for Absent {
    async fn write(&mut self, _: &[u8]) -> Result<usize, AbsentError> {
        match *self {}
    }

    async fn flush(&mut self) -> Result<(), AbsentError> {
        match *self {}
    }
}

impl Transport for Absent {
    async fn read<'a, P: PacketToHost<'a>>(&self, _: &'a mut [u8]) -> Result<P, AbsentError> {
        match *self {}
    }

    async fn write<P: PacketToController>(&self, _: &P) -> Result<(), AbsentError> {
        match *self {}
    }
}
