//! The stored form: a versioned, checksummed map.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};

const MAGIC: [u8; 4] = *b"PRVF";
const VERSION: u8 = 1;
/// Magic, version, three zero bytes, length and checksum of the body, both little-endian u32.
const HEADER: usize = 16;
/// More than this is not factory data.
const MAX_BODY: usize = 64 * 1024;
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Section names and the sections' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(pub BTreeMap<String, Vec<u8>>);

impl Map {
    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        // Cannot fail: strings and bytes in a map, into a Vec.
        let body = postcard::to_allocvec(&self.0).unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&CHECKSUM.checksum(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// How many bytes the map at the beginning of `bytes` takes up, as its header says, so that
    /// no more need be kept; without a header, as many as tell that there is none.
    pub fn stored_length(bytes: &[u8]) -> usize {
        match bytes.first_chunk::<HEADER>() {
            Some([b'P', b'R', b'V', b'F', _, _, _, _, a, b, c, d, ..]) => {
                let body = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
                body.saturating_add(HEADER).min(bytes.len())
            }
            _ => bytes.len().min(HEADER),
        }
    }

    /// The map at the beginning of `bytes`; what follows it is ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactoryError> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(FactoryError::Truncated);
        };
        if header.iter().all(|byte| *byte == 0xFF) {
            return Err(FactoryError::Erased);
        }
        if header[..4] != MAGIC {
            return Err(FactoryError::Magic);
        }
        if header[4] != VERSION {
            return Err(FactoryError::Version(header[4]));
        }
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let length = word(8) as usize;
        if length > MAX_BODY {
            return Err(FactoryError::Truncated);
        }
        let body = rest.get(..length).ok_or(FactoryError::Truncated)?;
        if CHECKSUM.checksum(body) != word(12) {
            return Err(FactoryError::Checksum);
        }
        postcard::from_bytes(body)
            .map(Self)
            .map_err(|_| FactoryError::Malformed("map"))
    }
}

/// Bytes that are no factory data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactoryError {
    /// Erased flash.
    Erased,
    /// Something else stands there.
    Magic,
    /// Written for another version.
    Version(u8),
    /// It ends too early.
    Truncated,
    /// Bits have changed.
    Checksum,
    /// A section is missing or cannot be read.
    Malformed(&'static str),
}

impl fmt::Display for FactoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erased => write!(f, "factory data is erased"),
            Self::Magic => write!(f, "no factory data"),
            Self::Version(version) => write!(f, "factory data has version {version}"),
            Self::Truncated => write!(f, "factory data is truncated"),
            Self::Checksum => write!(f, "factory data is corrupt"),
            Self::Malformed(section) => write!(f, "factory data: section {section} is malformed"),
        }
    }
}

impl core::error::Error for FactoryError {}
