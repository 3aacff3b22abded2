//! Heap and stacks.

use core::hint::black_box;

use alloc::vec;
use alloc::vec::Vec;

#[embedded_test::tests]
mod tests {
    use super::*;

    use mps2::{heap, memory};

    #[test]
    fn the_heap_gives_all_back() {
        let before = heap::heap().used();
        let blocks: Vec<Vec<u8>> = (1..200).map(|size| vec![0xA5; size * 7]).collect();
        assert!(heap::heap().used() > before + 100_000);
        assert!(blocks.iter().flatten().all(|byte| *byte == 0xA5));
        drop(blocks);
        assert_eq!(heap::heap().used(), before);
    }

    #[test]
    fn the_firmware_runs_on_its_own_stack_above_the_guard() {
        let here = 0_u32;
        let address = (&raw const here).addr();
        assert!(memory::thread_stack_addresses().contains(&address));
        assert_eq!(memory::guard().end, memory::thread_stack_addresses().start);
    }

    #[test]
    fn the_mark_follows_the_deepest_use_of_the_stack() {
        let stack = memory::thread_stack();
        let before = stack.peak();
        black_box(deep(black_box([1; 2048]), 8));
        let after = stack.peak();
        assert!(after >= before.max(8 * 2048) && after < stack.size());
    }

    #[test]
    #[should_panic]
    fn a_panic_is_told_to_the_host() {
        panic!("as it should");
    }

    #[test]
    #[should_panic]
    fn more_than_the_heap_has_is_a_panic_and_not_a_hang() {
        black_box(vec![0_u8; heap::heap().size() + 1]);
    }
}

/// Takes 2 KiB of stack for each level.
#[inline(never)]
fn deep(block: [u8; 2048], levels: u32) -> u32 {
    let mut own = block;
    own[levels as usize] = levels as u8;
    let below = match levels {
        0 => 0,
        _ => deep(black_box(own), levels - 1),
    };
    below + u32::from(black_box(own)[levels as usize])
}
