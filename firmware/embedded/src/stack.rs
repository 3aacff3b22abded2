//! How deep a stack ever was: it is painted before use, and what lost its paint was used.

/// What unused words of a stack hold.
pub const PAINT: u32 = 0xDEAD_5AFE;

/// A painted stack that grows downwards.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    bottom: *const u32,
    words: usize,
}

impl Stack {
    /// The stack in `bytes` bytes from `bottom` on.
    ///
    /// # Safety
    ///
    /// They must be readable for ever, aligned to 4, and nothing else than a stack.
    pub const unsafe fn new(bottom: *const u32, bytes: usize) -> Self {
        Self {
            bottom,
            words: bytes / 4,
        }
    }

    /// Bytes in all.
    pub fn size(&self) -> usize {
        self.words * 4
    }

    /// The most bytes that ever were in use at once.
    pub fn peak(&self) -> usize {
        let unused = (0..self.words)
            // SAFETY: `new` was promised that so many words are readable. Volatile, because
            // code that uses the stack does not know of this.
            .take_while(|index| unsafe { self.bottom.add(*index).read_volatile() } == PAINT)
            .count();
        self.size() - unused * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_word_without_paint_counts() {
        let mut words = [PAINT; 16];
        words[15] = 1;
        words[9] = 2;
        // SAFETY: an array outlives the test.
        let stack = unsafe { Stack::new(words.as_ptr(), size_of_val(&words)) };
        assert_eq!((stack.size(), stack.peak()), (64, 28));
    }

    #[test]
    fn an_overflown_stack_is_full() {
        let words = [0; 4];
        // SAFETY: an array outlives the test.
        let stack = unsafe { Stack::new(words.as_ptr(), 16) };
        assert_eq!(stack.peak(), 16);
    }
}
