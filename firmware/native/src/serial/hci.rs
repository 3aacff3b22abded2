//! The host controller interface.

use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use airlink::h4::{self, NoPacket};
use airlink::tether::FromDevice;
use bt_hci_transport::{PacketKind, PacketToController, PacketToHost, ReadHciError, Transport};
use embedded_io_async::{Error, ErrorKind, ErrorType};

use super::Received;
use crate::Tether;

/// More than the host's buffers allow a controller to have under way.
const RECEIVE_BUFFER: usize = 2 * h4::MAX_PACKET;
/// A packet to the controller that is longer than the tether carries.
const MAX_SENT: usize = airlink::tether::MAX_MESSAGE / 2;

/// An HCI whose Bluetooth controller is in the lab; clones are the same.
#[derive(Clone, Debug)]
pub struct Hci {
    tether: Rc<Tether>,
    received: Rc<Received>,
}

impl Hci {
    /// The HCI on this tether.
    pub fn new(tether: &Rc<Tether>) -> Self {
        Self {
            tether: tether.clone(),
            received: Rc::new(Received::new(RECEIVE_BUFFER)),
        }
    }

    /// Takes bytes from the lab's controller.
    pub fn receive(&self, bytes: &[u8]) {
        self.received.push(bytes);
    }

    /// The next whole packet, with its indicator.
    async fn packet(&self) -> Result<Vec<u8>, NoPacket> {
        self.received
            .wait(|bytes| match h4::packet_length(bytes.make_contiguous()) {
                Ok(Some(length)) if length <= bytes.len() => {
                    Some(Ok(bytes.drain(..length).collect()))
                }
                Ok(_) => None,
                Err(error) => {
                    // Where the next packet begins is not known any more.
                    bytes.clear();
                    Some(Err(error))
                }
            })
            .await
    }
}

/// Why an HCI packet was not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HciError {
    /// What came is no packet.
    Garbage(NoPacket),
    /// A packet came that cannot be read.
    Malformed,
    /// Longer than any packet to a controller.
    TooLong,
}

impl fmt::Display for HciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage(problem) => write!(f, "{problem}"),
            Self::Malformed => write!(f, "a malformed HCI packet"),
            Self::TooLong => write!(f, "an HCI packet that is too long"),
        }
    }
}

impl std::error::Error for HciError {}

impl Error for HciError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

impl From<ReadHciError<Infallible>> for HciError {
    fn from(_: ReadHciError<Infallible>) -> Self {
        Self::Malformed
    }
}

impl ErrorType for Hci {
    type Error = HciError;
}

impl Transport for Hci {
    async fn read<'a, P: PacketToHost<'a>>(&self, buffer: &'a mut [u8]) -> Result<P, HciError> {
        let packet = self.packet().await.map_err(HciError::Garbage)?;
        let mut rest = &packet[..];
        let kind = PacketKind::read(&mut rest)?;
        Ok(P::read_hci(kind, &mut rest, buffer)?)
    }

    async fn write<P: PacketToController>(&self, packet: &P) -> Result<(), HciError> {
        if packet.size() > MAX_SENT {
            return Err(HciError::TooLong);
        }
        let mut bytes = vec![0; 1 + packet.size()];
        bytes[0] = P::KIND as u8;
        packet
            .write_hci(&mut bytes[1..])
            .map_err(|_| HciError::Malformed)?;
        self.tether.send(&FromDevice::Hci(bytes));
        Ok(())
    }
}
