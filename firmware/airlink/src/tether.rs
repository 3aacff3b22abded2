//! What ties a device that runs as a host process to its lab: one stream for frames, serial lines,
//! log and time.
//!
//! The device never waits on anything but this stream. When it has nothing left to do it says so
//! ([`FromDevice::Idle`]), with the moment at which it wants to be woken and the number of messages
//! it has consumed, so that the lab knows when nothing is in flight and time may run ahead.
//! Every message to the device carries the lab's time, so its clock needs no other source.
//!
//! On the stream each message is a little-endian u32 length, then so many bytes of postcard.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A longer message is garbage.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// From the lab to the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToDevice {
    /// µs since the device was powered on, in lab time.
    pub now_us: u64,
    /// What is new.
    pub body: ToDeviceBody,
}

/// What is new for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDeviceBody {
    /// Only the time: the deadline of the last [`FromDevice::Idle`] has come.
    Wake,
    /// A packet ([`crate::Packet::encode`]) has arrived at the radio.
    Packet(Vec<u8>),
    /// Bytes have arrived at the UART.
    Console(Vec<u8>),
    /// Bytes have arrived from the Bluetooth controller, part of an H4 stream ([`crate::h4`]).
    Hci(Vec<u8>),
}

/// From the device to the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromDevice {
    /// A packet ([`crate::Packet::encode`]) leaves the radio.
    Packet(Vec<u8>),
    /// The firmware logged.
    Log {
        /// 1 error, 2 warning, 3 information, 4 debug, 5 trace.
        level: u8,
        /// The component.
        tag: String,
        /// The text.
        text: String,
        /// ms since power-on.
        device_ms: u64,
    },
    /// Nothing is left to do.
    Idle {
        /// µs since power-on at which to be woken; none if only a packet can bring work.
        until_us: Option<u64>,
        /// Messages consumed since power-on.
        consumed: u64,
    },
    /// The firmware restarts itself: the process ends and wants to be started again.
    Restart,
    /// Bytes leave the UART.
    Console(Vec<u8>),
    /// Bytes leave for the Bluetooth controller, part of an H4 stream ([`crate::h4`]).
    Hci(Vec<u8>),
}

/// `message` as it stands on the stream.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Cannot fail: the messages hold nothing that postcard lacks, and a Vec takes any length.
    let body = postcard::to_allocvec(message).unwrap_or_default();
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Appends what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one. After an error the stream cannot be trusted.
    pub fn pop<T: DeserializeOwned>(&mut self) -> Result<Option<T>, TetherError> {
        let rest = &self.buffer[self.start..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_MESSAGE {
            return Err(TetherError::Length(length));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = postcard::from_bytes(body).map_err(|_| TetherError::Malformed)?;
        self.start += 4 + length;
        Ok(Some(message))
    }
}

/// Garbage on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TetherError {
    /// Longer than [`MAX_MESSAGE`].
    Length(usize),
    /// No message of this direction.
    Malformed,
}

impl fmt::Display for TetherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "a message of {length} bytes"),
            Self::Malformed => write!(f, "a malformed message"),
        }
    }
}

impl core::error::Error for TetherError {}
