//! Images: how they are put together, and how the device reads them.

use super::Esp8266Error;

/// Bytes of a record's name.
const NAME: usize = 32;
/// Bytes before a record's payload.
const HEADER: usize = NAME + 2;
/// Bytes of an image that the device's loader reads.
const READABLE: usize = 8192;
/// Length in flash that is erased.
const ERASED: u16 = 0xffff;

/// Name of the authority's record: the file name that the SDK's script makes.
pub const CA_RECORD: &str = "TLS.ca_x509.cer";
const CERTIFICATE: &str = "certificate";
const PRIVATE_KEY: &str = "private_key";

/// Which record of a client image comes first. The SDK's script takes what the folder lists first,
/// so that both occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `certificate`, then `private_key`.
    #[default]
    CertificateFirst,
    /// `private_key`, then `certificate`.
    KeyFirst,
}

/// One record of an image.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name, without the padding; bytes that are no UTF-8 are replaced.
    pub name: String,
    /// Offset of its payload in the image, in bytes.
    pub offset: usize,
    /// DER or PEM.
    pub payload: Vec<u8>,
}

/// Without the payload, which may be a key.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("name", &self.name)
            .field("offset", &self.offset)
            .field("length", &self.payload.len())
            .finish()
    }
}

/// An image: the bytes that are written to flash.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Image {
    /// `esp_ca_cert.bin` for one authority, of which `der` is the certificate.
    pub fn of_authority(der: &[u8]) -> Result<Self, Esp8266Error> {
        let mut image = Self { bytes: Vec::new() };
        image.push(CA_RECORD, der)?;
        Ok(image)
    }

    /// `esp_cert_private_key.bin` of a certificate in DER and its key as PKCS #1 DER.
    pub fn of_client(certificate: &[u8], key: &[u8], order: Order) -> Result<Self, Esp8266Error> {
        let mut image = Self { bytes: Vec::new() };
        if order == Order::KeyFirst {
            image.push(PRIVATE_KEY, key)?;
        }
        image.push(CERTIFICATE, certificate)?;
        if order == Order::CertificateFirst {
            image.push(PRIVATE_KEY, key)?;
        }
        Ok(image)
    }

    /// What was read from a file or from flash.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    /// The bytes that are written to flash.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The records, in their order, as the device's loader walks them.
    pub fn records(&self) -> Result<Vec<Record>, LoadError> {
        let mut records = Vec::new();
        let mut start = 0;
        while start < self.bytes.len() {
            let Some(header) = self.bytes.get(start..start + HEADER) else {
                let left = self.bytes.len() - start;
                return Err(LoadError::Header { start, left });
            };
            let name = &header[..NAME];
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let length = u16::from_le_bytes([header[NAME], header[NAME + 1]]);
            if length == ERASED {
                return Err(LoadError::Erased { start });
            }
            let (offset, length) = (start + HEADER, usize::from(length));
            if offset + length > READABLE {
                return Err(LoadError::Beyond {
                    name,
                    offset,
                    length,
                });
            }
            let Some(payload) = self.bytes.get(offset..offset + length) else {
                let left = self.bytes.len() - offset;
                return Err(LoadError::Cut { name, length, left });
            };
            let payload = payload.to_vec();
            records.push(Record {
                name,
                offset,
                payload,
            });
            start = offset + length;
        }
        Ok(records)
    }

    /// The authority that the device takes from the image: the first record, whatever its name is.
    pub fn authority(&self) -> Result<Record, LoadError> {
        let first = self.records()?.into_iter().next();
        first.ok_or(LoadError::Lacks {
            name: "any authority",
        })
    }

    /// The certificate and the key that the device takes from the image, by the start of their names.
    pub fn client(&self) -> Result<(Record, Record), LoadError> {
        let records = self.records()?;
        let named = |name| {
            let mut found = records
                .iter()
                .filter(|record| record.name.starts_with(name));
            found.next().cloned().ok_or(LoadError::Lacks { name })
        };
        Ok((named(CERTIFICATE)?, named(PRIVATE_KEY)?))
    }

    /// Whether the device finds an authority in it.
    pub fn takes_authority(&self) -> Result<(), LoadError> {
        self.authority().map(drop)
    }

    /// Whether the device finds a certificate and a key in it.
    pub fn takes_client(&self) -> Result<(), LoadError> {
        self.client().map(drop)
    }

    /// Adds authorities until the image has at least `size` bytes, as from a folder that holds several: the
    /// device takes the first alone.
    pub fn fill(&mut self, size: usize) -> Result<(), Esp8266Error> {
        let first = self.bytes.clone();
        let payload = first.get(HEADER..).unwrap_or_default();
        let payload = match payload.is_empty() {
            true => &[0; 512][..],
            false => payload,
        };
        while self.bytes.len() < size {
            self.push("TLS.other_ca.cer", payload)?;
        }
        Ok(())
    }

    fn push(&mut self, name: &str, payload: &[u8]) -> Result<(), Esp8266Error> {
        if name.len() >= NAME {
            return Err(Esp8266Error::Name { name: name.into() });
        }
        let length = u16::try_from(payload.len()).ok();
        let length = length.filter(|length| *length != ERASED);
        let length = length.ok_or_else(|| Esp8266Error::TooLong {
            name: name.to_owned(),
            length: payload.len(),
        })?;
        self.bytes.extend_from_slice(name.as_bytes());
        let padding = NAME - name.len();
        self.bytes.extend(std::iter::repeat_n(0, padding));
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(payload);
        Ok(())
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("length", &self.bytes.len())
            .field("records", &self.records())
            .finish()
    }
}

/// Why the device's loader gives an image up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Nothing was flashed there.
    #[error(
        "byte {start}: the length of the record is 0xFFFF, so that the flash is erased there: flash \
         the image to the address that the call's sector names"
    )]
    Erased {
        /// Offset of the record, in bytes.
        start: usize,
    },
    /// The image ends within the name or the length.
    #[error("byte {start}: a record needs 34 bytes before its payload, and {left} are left")]
    Header {
        /// Offset of the record, in bytes.
        start: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The image ends within a payload.
    #[error("record {name:?} has {length} bytes by its length field, and {left} are left")]
    Cut {
        /// The record's name.
        name: String,
        /// Bytes by its length field.
        length: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The loader stops at 8192 bytes.
    #[error(
        "record {name:?} ends at byte {}, and the loader reads 8192: use smaller keys or fewer \
         certificates",
        offset + length
    )]
    Beyond {
        /// The record's name.
        name: String,
        /// Offset of its payload, in bytes.
        offset: usize,
        /// Bytes of its payload.
        length: usize,
    },
    /// A record is missing.
    #[error("there is no record of {name}")]
    Lacks {
        /// Start of the record's name.
        name: &'static str,
    },
}
