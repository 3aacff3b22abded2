//! The flash file has the manners of NOR flash.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use native::{CutFile, Flash, FlashError};
use proptest::prelude::*;
use tempfile::TempDir;

const CAPACITY: usize = 2 * 4096;

struct Bench {
    _folder: TempDir,
    path: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flash");
        fs::write(&path, vec![0xFF; CAPACITY]).expect("written");
        Self {
            _folder: folder,
            path,
        }
    }

    fn flash(&self) -> Flash {
        Flash::open(&self.path)
            .expect("a flash")
            .dark_with(|| panic!("dark"))
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("readable")
    }

    fn cut(&self) -> CutFile {
        CutFile::beside(&self.path)
    }

    /// Whether the power stayed.
    fn write(&self, offset: u32, bytes: &[u8]) -> bool {
        let mut flash = self.flash();
        catch_unwind(AssertUnwindSafe(|| {
            block_on(flash.write(offset, bytes)).expect("writable");
        }))
        .is_ok()
    }
}

#[test]
fn what_was_written_is_read_also_by_the_next_process() {
    let bench = Bench::new();
    block_on(bench.flash().write(4096, b"provisioned!")).expect("writable");
    let mut read = [0; 12];
    block_on(bench.flash().read(4096, &mut read)).expect("readable");
    assert_eq!(&read, b"provisioned!");
    assert_eq!(bench.flash().capacity(), CAPACITY);
}

#[test]
fn bits_are_cleared_by_writing_and_set_by_erasing_alone() {
    let bench = Bench::new();
    let mut flash = bench.flash();
    block_on(flash.write(0, &[0xF0; 4])).expect("writable");
    block_on(flash.write(0, &[0x30; 4])).expect("bits can still be cleared");
    let set = block_on(flash.write(0, &[0x31, 0x30, 0x30, 0x30]));
    assert!(
        matches!(set, Err(FlashError::NotErased { offset: 0 })),
        "{set:?}"
    );
    assert_eq!(bench.bytes()[..4], [0x30; 4]);
    block_on(flash.erase(0, 4096)).expect("erasable");
    assert!(bench.bytes().iter().all(|byte| *byte == 0xFF));
}

#[test]
fn erasing_keeps_to_its_sectors() {
    let bench = Bench::new();
    let mut flash = bench.flash();
    block_on(flash.write(4092, &[0; 8])).expect("writable");
    block_on(flash.erase(4096, 8192)).expect("erasable");
    assert_eq!(bench.bytes()[4092..4100], [0, 0, 0, 0, 255, 255, 255, 255]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let bench = Bench::new();
    let mut flash = bench.flash();
    let end = CAPACITY as u32;
    assert!(matches!(
        block_on(flash.write(2, &[0; 4])),
        Err(FlashError::NotAligned)
    ));
    assert!(matches!(
        block_on(flash.write(0, &[0; 3])),
        Err(FlashError::NotAligned)
    ));
    assert!(matches!(
        block_on(flash.write(end, &[0; 4])),
        Err(FlashError::OutOfBounds)
    ));
    assert!(matches!(
        block_on(flash.erase(0, 4)),
        Err(FlashError::NotAligned)
    ));
    assert!(matches!(
        block_on(flash.erase(4096, 0)),
        Err(FlashError::OutOfBounds)
    ));
    assert!(matches!(
        block_on(flash.erase(0, u32::MAX)),
        Err(FlashError::OutOfBounds)
    ));
    assert!(matches!(
        block_on(flash.read(u32::MAX, &mut [0])),
        Err(FlashError::OutOfBounds)
    ));
    assert!(bench.bytes().iter().all(|byte| *byte == 0xFF));
}

#[test]
fn a_file_that_is_no_whole_number_of_sectors_is_no_flash() {
    let bench = Bench::new();
    for length in [0, 1, 4095, 4097] {
        fs::write(&bench.path, vec![0xFF; length]).expect("written");
        assert!(Flash::open(&bench.path).is_err(), "{length}");
    }
}

#[test]
fn an_armed_cut_is_spent_by_the_write_that_reaches_it() {
    let bench = Bench::new();
    bench.cut().arm(8).expect("armed");
    assert!(!bench.write(0, &[0; 8]));
    assert_eq!(bench.bytes()[..8], [0; 8]);
    assert!(bench.write(8, &[0; 8]), "the next power-on is whole again");
}

#[test]
fn a_disarmed_cut_does_nothing() {
    let bench = Bench::new();
    bench.cut().arm(0).expect("armed");
    bench.cut().disarm().expect("disarmed");
    bench.cut().disarm().expect("twice is as good");
    assert!(bench.write(0, &[0; 8]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_keeps_exactly_the_first_bytes(words in prop::collection::vec(1_usize..8, 1..8), after in 0_u64..300) {
        let bench = Bench::new();
        bench.cut().arm(after).expect("armed");
        let total: usize = words.iter().map(|count| count * 4).sum();
        let mut offset = 0;
        let mut stayed = true;
        for count in words {
            stayed = bench.write(offset, &vec![0; count * 4]);
            if !stayed {
                break;
            }
            offset += count as u32 * 4;
        }
        prop_assert_eq!(stayed, after > total as u64);
        let kept = (after as usize).min(total);
        let bytes = bench.bytes();
        prop_assert!(bytes[..kept].iter().all(|byte| *byte == 0));
        prop_assert!(bytes[kept..].iter().all(|byte| *byte == 0xFF));
    }
}
