//! Flash in memory behaves as flash, and the count of starts survives whatever happens to it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use embedded::boots;
use embedded::nor::{Nor, NorError, Power, SECTOR, Steady};
use proptest::prelude::*;

/// Power for so many steps; then a panic.
struct Battery<'b>(&'b Cell<u32>);

impl Power for Battery<'_> {
    fn take(&self, steps: u32) -> u32 {
        let granted = steps.min(self.0.get());
        self.0.set(self.0.get() - granted);
        granted
    }

    fn cut(&self) -> ! {
        panic!("dark");
    }
}

/// Memory of so many sectors, all zero.
fn memory(sectors: usize) -> Vec<u32> {
    vec![0; sectors * 1024]
}

fn flash<P: Power>(memory: &mut [u32], power: P) -> Nor<P> {
    let size = size_of_val(memory) as u32;
    // SAFETY: each test keeps its memory longer than its flash.
    unsafe { Nor::new(memory.as_mut_ptr().cast(), size, power) }
}

fn read<P: Power>(flash: &Nor<P>, offset: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    flash.read_at(offset, &mut bytes).expect("in bounds");
    bytes
}

#[test]
fn a_write_only_clears_bits() {
    let mut memory = memory(2);
    let mut flash = flash(&mut memory, Steady);
    assert_eq!(
        flash.write_at(8, &[1; 4]),
        Err(NorError::NotErased { offset: 8 })
    );
    flash.erase_range(0, SECTOR).expect("a sector");
    flash.write_at(8, &[0xF0; 4]).expect("erased");
    flash.write_at(8, &[0xC0; 4]).expect("bits are cleared");
    assert_eq!(
        read(&flash, 4, 12),
        [[0xFF; 4], [0xC0; 4], [0xFF; 4]].concat()
    );
    assert_eq!(
        read(&flash, SECTOR, 4),
        [0; 4],
        "the next sector is as it was"
    );
}

#[test]
fn only_whole_words_and_sectors_inside_are_touched() {
    let mut memory = memory(2);
    let mut flash = flash(&mut memory, Steady);
    assert_eq!(flash.write_at(2, &[0; 4]), Err(NorError::NotAligned));
    assert_eq!(flash.write_at(0, &[0; 3]), Err(NorError::NotAligned));
    assert_eq!(flash.erase_range(0, 100), Err(NorError::NotAligned));
    assert_eq!(flash.erase_range(SECTOR, 0), Err(NorError::OutOfBounds));
    assert_eq!(flash.erase_range(0, 3 * SECTOR), Err(NorError::OutOfBounds));
    assert_eq!(
        flash.write_at(2 * SECTOR, &[0; 4]),
        Err(NorError::OutOfBounds)
    );
    assert_eq!(
        flash.write_at(u32::MAX - 3, &[0; 8]),
        Err(NorError::OutOfBounds)
    );
}

#[test]
fn the_power_fails_after_the_bytes_it_was_for() {
    let mut memory = memory(1);
    let budget = Cell::new(u32::MAX);
    let mut flash = flash(&mut memory, Battery(&budget));
    flash.erase_range(0, SECTOR).expect("a sector");
    budget.set(5);
    let write = catch_unwind(AssertUnwindSafe(|| flash.write_at(0, &[0; 8])));
    assert!(write.is_err());
    assert_eq!(read(&flash, 0, 8), [0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF]);
    let erase = catch_unwind(AssertUnwindSafe(|| flash.erase_range(0, SECTOR)));
    assert!(erase.is_err());
    assert_eq!(read(&flash, 0, 4), [0xFF; 4]);
}

#[test]
fn starts_are_counted_through_many_turns_of_the_sectors() {
    let mut memory = memory(2);
    for number in 1..=2000 {
        let mut flash = flash(&mut memory, Steady);
        assert_eq!(boots::count(&mut flash), Ok(number));
    }
}

proptest! {
    #[test]
    fn no_number_comes_twice_wherever_the_power_fails(
        starts in proptest::collection::vec(prop_oneof![4 => Just(None), 1 => (0_u32..9).prop_map(Some)], 1..700),
    ) {
        let mut memory = memory(2);
        let mut last = 0;
        for cut in starts {
            let budget = Cell::new(cut.unwrap_or(u32::MAX));
            let mut flash = flash(&mut memory, Battery(&budget));
            // The hook would print each of these panics.
            let counted = match cut {
                None => Ok(boots::count(&mut flash)),
                Some(_) => catch_unwind(AssertUnwindSafe(|| boots::count(&mut flash))),
            };
            if let Ok(counted) = counted {
                let number = counted.expect("a number");
                prop_assert!(number > last);
                last = number;
            }
        }
    }
}
