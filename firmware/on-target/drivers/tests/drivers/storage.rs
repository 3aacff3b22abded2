//! Storage across resets and torn writes.

use device::credentials::Credentials;
use embedded::nor::{Nor, NorError, Steady};
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};

/// Flash in which the power fails after so many bytes; from then on nothing works.
struct Torn {
    flash: Nor<mps2::flash::Budget>,
    left: usize,
}

impl ErrorType for Torn {
    type Error = NorError;
}

impl ReadNorFlash for Torn {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.flash.read_at(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Torn {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.flash.erase_range(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        let whole = self.left >= bytes.len();
        // What is not written stays as it is.
        let mut torn = bytes.to_vec();
        if !whole {
            torn[self.left..].fill(0xFF);
        }
        self.flash.write_at(offset, &torn)?;
        self.left = self.left.saturating_sub(bytes.len());
        if whole {
            Ok(())
        } else {
            Err(NorError::OutOfBounds)
        }
    }
}

impl MultiwriteNorFlash for Torn {}

/// What tests keep.
const OLD: &str = "the old one";
const NEW: &str = "the new one";
const KEPT: &str = "kept and found";
const BEFORE_RESET: &str = "written before a reset";

fn credentials(passphrase: &str) -> Credentials {
    Credentials::new(b"an access point", passphrase).unwrap()
}

/// A flash of its own that is no storage, for what only the driver does.
fn scratch() -> Nor<Steady> {
    mps2::flash::boots()
}

#[embedded_test::tests]
mod tests {
    use super::*;

    use device::storage::Storage;
    use embassy_futures::block_on;
    use embedded::nor::SECTOR;
    use mps2::flash;

    #[test]
    fn a_write_clears_bits_and_only_an_erase_sets_them() {
        let mut flash = scratch();
        flash.erase_range(SECTOR, 2 * SECTOR).unwrap();
        flash.write_at(SECTOR, &[0xF0; 4]).unwrap();
        assert_eq!(
            flash.write_at(SECTOR, &[0x0F; 4]),
            Err(NorError::NotErased { offset: SECTOR })
        );
        flash.erase_range(SECTOR, 2 * SECTOR).unwrap();
        flash.write_at(SECTOR, &[0x0F; 4]).unwrap();
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let kept = credentials(KEPT);
        block_on(Storage::new(flash::storage()).unwrap().keep(&kept)).unwrap();
        let found = block_on(Storage::new(flash::storage()).unwrap().credentials());
        assert!(found == Some(kept));
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let mut storage = Storage::new(flash::storage()).unwrap();
        block_on(storage.keep(&credentials("soon forgotten"))).unwrap();
        block_on(storage.forget()).unwrap();
        let found = block_on(Storage::new(flash::storage()).unwrap().credentials());
        assert!(found.is_none());
    }

    #[test]
    #[timeout(120)]
    fn a_torn_write_leaves_the_old_or_the_new_wherever_it_is_torn() {
        let (old, new) = (credentials(OLD), credentials(NEW));
        for left in 0..64 {
            let mut storage = Storage::new(flash::storage()).unwrap();
            block_on(storage.keep(&old)).unwrap();
            let torn = Torn {
                flash: flash::storage(),
                left,
            };
            let kept = block_on(Storage::new(torn).unwrap().keep(&new));
            let found = block_on(Storage::new(flash::storage()).unwrap().credentials());
            let expected = if kept.is_ok() { &new } else { &old };
            assert!(
                found.as_ref() == Some(expected) || (kept.is_err() && found.as_ref() == Some(&new)),
                "torn after {left} bytes"
            );
        }
    }

    /// Each test begins with a reset, so what an earlier one has left must be there. On a flash that
    /// was never used this one fails if it runs alone, and passes from the second time on.
    #[test]
    fn what_was_written_before_a_reset_is_there_after_it() {
        let mut storage = Storage::new(flash::storage()).unwrap();
        let found = block_on(storage.credentials());
        block_on(storage.keep(&credentials(BEFORE_RESET))).unwrap();
        let found = found.expect("nothing was written before this start: run it once more");
        assert!([OLD, NEW, KEPT, BEFORE_RESET].contains(&found.passphrase.as_str()));
    }
}
