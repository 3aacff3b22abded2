//! A Bluetooth controller at the other end of a serial line: HCI packets as [`airlink::h4`] has
//! them (Bluetooth Core 5.4, volume 4 part A).

use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use airlink::h4::{self, NoPacket};
use bt_hci_transport::{PacketKind, PacketToController, PacketToHost, ReadHciError, Transport};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Bytes taken from the line at once.
const CHUNK: usize = 256;
/// More than any host sends in one packet.
const MAX_SENT: usize = 4096;

/// HCI over a serial line, at the host's end. Reads are cancel safe if those of `R` are.
pub struct H4<R, W> {
    incoming: Mutex<NoopRawMutex, Incoming<R>>,
    outgoing: Mutex<NoopRawMutex, W>,
}

struct Incoming<R> {
    line: R,
    /// Packets that have come, the last one perhaps in part.
    bytes: Vec<u8>,
}

impl<R: Read, W: Write> H4<R, W> {
    /// A line, by its two directions.
    pub fn new(incoming: R, outgoing: W) -> Self {
        let incoming = Incoming {
            line: incoming,
            bytes: Vec::new(),
        };
        Self {
            incoming: Mutex::new(incoming),
            outgoing: Mutex::new(outgoing),
        }
    }
}

impl<R: Read> Incoming<R> {
    /// The next whole packet, with its indicator.
    async fn packet(&mut self) -> Result<Vec<u8>, H4Error> {
        loop {
            match h4::packet_length(&self.bytes) {
                Ok(Some(length)) if length <= self.bytes.len() => {
                    return Ok(self.bytes.drain(..length).collect());
                }
                Ok(_) => {}
                Err(error) => {
                    // Where the next packet begins is not known any more.
                    self.bytes.clear();
                    return Err(H4Error::Garbage(error));
                }
            }
            let mut chunk = [0; CHUNK];
            match self.line.read(&mut chunk).await {
                Ok(length @ 1..) => self.bytes.extend_from_slice(&chunk[..length]),
                Ok(0) => return Err(H4Error::Line(ErrorKind::BrokenPipe)),
                Err(error) => return Err(H4Error::Line(error.kind())),
            }
        }
    }
}

impl<R, W> fmt::Debug for H4<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H4").finish_non_exhaustive()
    }
}

/// Why a packet was not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H4Error {
    /// What came is no packet.
    Garbage(NoPacket),
    /// A packet came that cannot be read.
    Malformed,
    /// Longer than any packet to a controller.
    TooLong,
    /// The line does not work.
    Line(ErrorKind),
}

impl fmt::Display for H4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage(problem) => write!(f, "{problem}"),
            Self::Malformed => write!(f, "a malformed HCI packet"),
            Self::TooLong => write!(f, "an HCI packet that is too long"),
            Self::Line(kind) => write!(f, "the line to the controller: {kind:?}"),
        }
    }
}

impl core::error::Error for H4Error {}

impl Error for H4Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Line(kind) => *kind,
            Self::Garbage(_) | Self::Malformed | Self::TooLong => ErrorKind::InvalidData,
        }
    }
}

impl From<ReadHciError<Infallible>> for H4Error {
    fn from(_: ReadHciError<Infallible>) -> Self {
        Self::Malformed
    }
}

impl<R, W> ErrorType for H4<R, W> {
    type Error = H4Error;
}

impl<R: Read, W: Write> Transport for H4<R, W> {
    async fn read<'a, P: PacketToHost<'a>>(&self, buffer: &'a mut [u8]) -> Result<P, H4Error> {
        let packet = self.incoming.lock().await.packet().await?;
        let mut rest = &packet[..];
        let kind = PacketKind::read(&mut rest)?;
        Ok(P::read_hci(kind, &mut rest, buffer)?)
    }

    async fn write<P: PacketToController>(&self, packet: &P) -> Result<(), H4Error> {
        if packet.size() > MAX_SENT {
            return Err(H4Error::TooLong);
        }
        let mut bytes = vec![0; 1 + packet.size()];
        bytes[0] = P::KIND as u8;
        packet
            .write_hci(&mut bytes[1..])
            .map_err(|_| H4Error::Malformed)?;
        let mut line = self.outgoing.lock().await;
        let sent = line.write_all(&bytes).await;
        sent.map_err(|error| H4Error::Line(error.kind()))
    }
}
