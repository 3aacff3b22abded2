//! Flash in a file, with the manners of NOR flash.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

const SECTOR: u32 = 4096;
const WORD: u32 = 4;
const ERASED: u8 = 0xFF;

/// NOR flash in a file, which is as long as the flash: whole sectors of 4 KiB.
///
/// Erasing sets all bits of whole sectors; a write can only clear bits, and fails if it would have
/// to set one. Every write reaches the file at once. A [`CutFile`] beside the file says that the
/// power fails in the middle of a write.
#[derive(Debug)]
pub struct Flash {
    file: File,
    capacity: u32,
    cut: CutFile,
    dark: fn() -> !,
}

impl Flash {
    /// The flash in the file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let capacity = u32::try_from(file.metadata()?.len())
            .ok()
            .filter(|length| *length > 0 && length.is_multiple_of(SECTOR))
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "not a number of 4 KiB sectors")
            })?;
        Ok(Self {
            file,
            capacity,
            cut: CutFile::beside(path),
            dark: || std::process::abort(),
        })
    }

    /// Calls `dark` where the power fails, instead of aborting the process.
    #[must_use]
    pub fn dark_with(mut self, dark: fn() -> !) -> Self {
        self.dark = dark;
        self
    }

    fn check(&self, offset: u32, length: usize, unit: u32) -> Result<(), FlashError> {
        let end = u32::try_from(length)
            .ok()
            .and_then(|length| offset.checked_add(length));
        match end {
            Some(end) if end <= self.capacity => {
                if offset.is_multiple_of(unit) && end.is_multiple_of(unit) {
                    Ok(())
                } else {
                    Err(FlashError::NotAligned)
                }
            }
            _ => Err(FlashError::OutOfBounds),
        }
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.check(offset, bytes.len(), 1)?;
        Ok(self.file.read_exact_at(bytes, offset.into())?)
    }

    fn capacity(&self) -> usize {
        self.capacity as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD as usize;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let length = to.checked_sub(from).ok_or(FlashError::OutOfBounds)?;
        self.check(from, length as usize, SECTOR)?;
        let erased = vec![ERASED; length as usize];
        Ok(self.file.write_all_at(&erased, from.into())?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.check(offset, bytes.len(), WORD)?;
        let mut present = vec![0; bytes.len()];
        self.file.read_exact_at(&mut present, offset.into())?;
        if present.iter().zip(bytes).any(|(old, new)| new & !old != 0) {
            return Err(FlashError::NotErased { offset });
        }
        let kept = self.cut.spend(bytes.len() as u64)?;
        if let Some(kept) = kept {
            self.file
                .write_all_at(&bytes[..kept as usize], offset.into())?;
            (self.dark)();
        }
        Ok(self.file.write_all_at(bytes, offset.into())?)
    }
}

/// A word may be written again, as long as bits are only cleared.
impl MultiwriteNorFlash for Flash {}

/// A file beside a flash file that holds the number of bytes which still reach the flash before
/// the power fails, in decimal. Without it the power stays.
#[derive(Clone, Debug)]
pub struct CutFile {
    path: PathBuf,
}

impl CutFile {
    /// The cut file of the flash file at `flash`.
    pub fn beside(flash: &Path) -> Self {
        let mut path = flash.as_os_str().to_owned();
        path.push(".cut");
        Self { path: path.into() }
    }

    /// From now on the power fails once `after` more bytes are written.
    pub fn arm(&self, after: u64) -> io::Result<()> {
        // Written aside and renamed, because the device may look at any moment.
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".new");
        fs::write(&aside, after.to_string())?;
        fs::rename(&aside, &self.path)
    }

    /// The power stays.
    pub fn disarm(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A write of `length` bytes comes: how many of them are kept, if the power fails in it.
    fn spend(&self, length: u64) -> io::Result<Option<u64>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let left: u64 = text
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no number of bytes"))?;
        if left <= length {
            self.disarm()?;
            return Ok(Some(left));
        }
        self.arm(left - length)?;
        Ok(None)
    }
}

/// The flash did not do it.
#[derive(Debug)]
pub enum FlashError {
    /// Not whole words or sectors.
    NotAligned,
    /// Past the end.
    OutOfBounds,
    /// A bit would have to be set, which takes an erase.
    NotErased {
        /// Where the write began.
        offset: u32,
    },
    /// The file system refused.
    File(io::Error),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased { .. } | Self::File(_) => NorFlashErrorKind::Other,
        }
    }
}

impl From<io::Error> for FlashError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}
