//! What the device keeps over restarts: Wi-Fi credentials, in flash.
//!
//! One item holds SSID and passphrase together, so that after a power cut in mid-write either the
//! old ones or the new ones are there, never a mixture.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage, SerializationError, Value};

use crate::bugs::{self, Bug};
use crate::credentials::{Credentials, KEY_DIGITS, MAX_SSID};

const TAG: &str = "storage";

/// Key of the station's credentials.
const STATION: u8 = 1;
/// Key, two lengths, SSID and passphrase, rounded up to the largest word that a flash may have.
const BUFFER: usize = (3 + MAX_SSID + KEY_DIGITS).next_multiple_of(32);

type Map<F> = MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>;

/// Settings in flash.
pub struct Storage<F: NorFlash> {
    map: Map<F>,
}

impl<F: NorFlash> Storage<F> {
    /// Takes a whole flash, which must have two pages or more.
    pub fn new(flash: F) -> Result<Self, StorageError> {
        let end = flash.capacity() - flash.capacity() % F::ERASE_SIZE;
        let range = 0..u32::try_from(end).map_err(|_| StorageError::Unusable)?;
        let config = MapConfig::try_new(range).map_err(|_| StorageError::Unusable)?;
        Ok(Self {
            map: MapStorage::new(flash, config, Cache::new_uncached()),
        })
    }

    /// The station's credentials, if there are any with an SSID. Flash that cannot be read counts
    /// as empty.
    pub async fn credentials(&mut self) -> Option<Credentials> {
        let mut buffer = Aligned([0; BUFFER]);
        let item = self.map.fetch_item::<Stored>(&mut buffer.0, &STATION);
        match item.await {
            Ok(item) => item
                .map(|stored| stored.0)
                .filter(|credentials| !credentials.ssid.is_empty()),
            Err(error) => {
                log::error!(target: TAG, "Wi-Fi credentials cannot be read: {}", reason(&error));
                None
            }
        }
    }

    /// Keeps these credentials instead of the last ones. If the flash is corrupt beyond repair, all
    /// of it is erased first.
    pub async fn keep(&mut self, credentials: &Credentials) -> Result<(), StorageError> {
        let stored = Stored(credentials.clone());
        let first = self.store(&stored).await;
        let result = match first {
            Err(error) if is_beyond_repair(&error) && !bugs::is(Bug::FullStorageGivenUp) => {
                log::warn!(target: TAG, "{}; erasing all settings", reason(&error));
                match self.map.erase_all().await {
                    Ok(()) => self.store(&stored).await,
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        result.map_err(|error| {
            log::error!(target: TAG, "Wi-Fi credentials cannot be kept: {}", reason(&error));
            StorageError::NotWritten
        })
    }

    /// Forgets the credentials: as ESP-IDF does, by keeping empty ones.
    pub async fn forget(&mut self) -> Result<(), StorageError> {
        self.keep(&Credentials {
            ssid: Default::default(),
            passphrase: Default::default(),
        })
        .await
    }

    async fn store(&mut self, stored: &Stored) -> Result<(), sequential_storage::Error<F::Error>> {
        let mut buffer = Aligned([0; BUFFER]);
        self.map.store_item(&mut buffer.0, &STATION, stored).await
    }
}

/// Some flash controllers write from aligned memory only.
#[repr(align(32))]
struct Aligned([u8; BUFFER]);

/// Credentials as they stand in flash: length and bytes of the SSID, then of the passphrase.
struct Stored(Credentials);

impl<'a> Value<'a> for Stored {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let mut length = 0;
        for field in [&self.0.ssid[..], self.0.passphrase.as_bytes()] {
            let size = u8::try_from(field.len()).map_err(|_| SerializationError::InvalidData)?;
            let end = length + 1 + field.len();
            let place = buffer
                .get_mut(length..end)
                .ok_or(SerializationError::BufferTooSmall)?;
            place[0] = size;
            place[1..].copy_from_slice(field);
            length = end;
        }
        Ok(length)
    }

    fn deserialize_from(buffer: &'a [u8]) -> Result<(Self, usize), SerializationError> {
        let (ssid, rest) = field(buffer)?;
        let (passphrase, rest) = field(rest)?;
        let passphrase =
            core::str::from_utf8(passphrase).map_err(|_| SerializationError::InvalidFormat)?;
        let credentials =
            Credentials::new(ssid, passphrase).ok_or(SerializationError::InvalidFormat)?;
        Ok((Self(credentials), buffer.len() - rest.len()))
    }
}

fn field(bytes: &[u8]) -> Result<(&[u8], &[u8]), SerializationError> {
    let (&length, rest) = bytes
        .split_first()
        .ok_or(SerializationError::InvalidFormat)?;
    rest.split_at_checked(usize::from(length))
        .ok_or(SerializationError::InvalidFormat)
}

fn is_beyond_repair<E>(error: &sequential_storage::Error<E>) -> bool {
    use sequential_storage::Error;
    matches!(
        error,
        // What does not fit into our buffer is not ours, and stands in the way when pages are emptied.
        Error::Corrupted { .. }
            | Error::LogicBug { .. }
            | Error::FullStorage
            | Error::BufferTooSmall(_)
    )
}

/// The driver's own errors need not be printable.
fn reason<E>(error: &sequential_storage::Error<E>) -> &'static str {
    use sequential_storage::Error;
    match error {
        Error::Storage { .. } => "the flash refused",
        Error::FullStorage => "the flash is full",
        Error::Corrupted { .. } => "the flash is corrupt",
        Error::BufferTooSmall(_) => "the flash holds settings of others",
        Error::SerializationError(_) => "the item is malformed",
        _ => "the flash layout is broken",
    }
}

/// Why settings were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// Too small a flash, or too strange.
    Unusable,
    /// The flash did not take them.
    NotWritten,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable => write!(f, "the flash has too few or unusable pages"),
            Self::NotWritten => write!(f, "the flash did not take the settings"),
        }
    }
}

impl core::error::Error for StorageError {}
