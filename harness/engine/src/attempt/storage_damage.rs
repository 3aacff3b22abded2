//! Storage as no device leaves it: damaged at a place, or filled by others.

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use futures_util::FutureExt;
use language::{Damage, DamageStorage};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use super::problem::LabError;

const ERASED: u8 = 0xFF;
const SECTOR: usize = 4096;
const WORD: usize = 4;
/// Settings of others begin with this key; those of the reference firmware are below.
const FIRST_KEY: u8 = 16;
/// Bytes of each, and of the last ones, which fill what is left.
const SIZES: [usize; 3] = [3_000, 400, 24];

/// Damages a storage of these bytes.
pub fn damage(image: &mut [u8], step: &DamageStorage) -> Result<(), LabError> {
    if step.with.value == Damage::Full {
        return fill(image);
    }
    let length = image.len();
    let at = usize::try_from(step.at).unwrap_or(usize::MAX);
    let end = match &step.bytes {
        Some(bytes) => at.saturating_add(usize::try_from(bytes.value).unwrap_or(usize::MAX)),
        None => length,
    };
    let Some(place) = image.get_mut(at..end) else {
        return Err(LabError::Scenario(format!(
            "the storage of this board has {length} bytes; {at} to {end} are not among them"
        )));
    };
    match step.with.value {
        Damage::Zeros => place.fill(0),
        Damage::Ones | Damage::Full => place.fill(ERASED),
        Damage::Noise => {
            // Knuth's generator, of which the upper bits are good enough for noise.
            let mut state = 0x5eed_u64;
            for byte in place {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8;
            }
        }
    }
    Ok(())
}

/// Erases everything and fills it with settings under other keys than the device's, until none fits.
fn fill(image: &mut [u8]) -> Result<(), LabError> {
    image.fill(ERASED);
    let end = u32::try_from(image.len() - image.len() % SECTOR).unwrap_or(0);
    let failed = |what: String| LabError::Scenario(format!("storage cannot be filled: {what}"));
    let config = MapConfig::try_new(0..end).map_err(|error| failed(format!("{error:?}")))?;
    let cache: Cache<Uncached, Uncached, Uncached, u8> = Cache::new_uncached();
    let mut map = MapStorage::<u8, _, _>::new(Ram(image), config, cache);
    let mut buffer = vec![0; SECTOR];
    let mut key = FIRST_KEY;
    for size in SIZES {
        let value = vec![0xA5; size];
        loop {
            let stored = map
                .store_item(&mut buffer, &key, &&value[..])
                // Memory is never waited for.
                .now_or_never();
            match stored {
                Some(Ok(())) => {}
                Some(Err(sequential_storage::Error::FullStorage)) => break,
                Some(Err(error)) => return Err(failed(format!("{error:?}"))),
                None => return Err(failed("memory was waited for".into())),
            }
            let Some(next) = key.checked_add(1) else {
                return Err(failed("there are too few keys".into()));
            };
            key = next;
        }
    }
    Ok(())
}

/// Flash in memory.
struct Ram<'i>(&'i mut [u8]);

impl Ram<'_> {
    fn place(&mut self, from: u32, length: usize) -> Result<&mut [u8], OutOfBounds> {
        let from = from as usize;
        self.0.get_mut(from..from + length).ok_or(OutOfBounds)
    }
}

#[derive(Debug)]
struct OutOfBounds;

impl NorFlashError for OutOfBounds {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl ErrorType for Ram<'_> {
    type Error = OutOfBounds;
}

impl ReadNorFlash for Ram<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        bytes.copy_from_slice(self.place(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Ram<'_> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), OutOfBounds> {
        let length = to.checked_sub(from).ok_or(OutOfBounds)? as usize;
        self.place(from, length)?.fill(ERASED);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let place = self.place(offset, bytes.len())?;
        for (old, new) in place.iter_mut().zip(bytes) {
            *old &= new;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Ram<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use language::{Placed, Span};

    fn step(at: u32, bytes: Option<u32>, with: Damage) -> DamageStorage {
        let placed = |bytes| Placed::new(bytes, Span::default());
        DamageStorage {
            device: None,
            at,
            bytes: bytes.map(placed),
            with: Placed::new(with, Span::default()),
        }
    }

    #[test]
    fn only_the_place_is_damaged() {
        let mut image = vec![0x11; 16];
        damage(&mut image, &step(4, Some(2), Damage::Zeros)).expect("it is there");
        assert_eq!(image[3..7], [0x11, 0, 0, 0x11]);
        damage(&mut image, &step(14, None, Damage::Ones)).expect("it is there");
        assert_eq!(image[13..], [0x11, 0xFF, 0xFF]);
        let outside = damage(&mut image, &step(15, Some(2), Damage::Noise));
        assert!(matches!(outside, Err(LabError::Scenario(_))));
    }

    #[test]
    fn noise_is_the_same_in_each_run() {
        let noise = || {
            let mut image = vec![0; 64];
            damage(&mut image, &step(0, None, Damage::Noise)).expect("it is there");
            image
        };
        assert_eq!(noise(), noise());
        assert!(noise().iter().any(|byte| *byte != noise()[0]));
    }

    #[test]
    fn full_storage_has_no_room_for_credentials() {
        let mut image = vec![ERASED; 16 * SECTOR];
        damage(&mut image, &step(0, None, Damage::Full)).expect("it can be filled");
        let config = MapConfig::try_new(0..(16 * SECTOR) as u32).expect("pages");
        let cache: Cache<Uncached, Uncached, Uncached, u8> = Cache::new_uncached();
        let mut map = MapStorage::<u8, _, _>::new(Ram(&mut image), config, cache);
        let mut buffer = vec![0; SECTOR];
        let value: &[u8] = &[0; 40];
        let stored = map.store_item(&mut buffer, &1, &value).now_or_never();
        assert!(matches!(
            stored,
            Some(Err(sequential_storage::Error::FullStorage))
        ));
    }
}
