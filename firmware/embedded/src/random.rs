//! A random source for boards that have none: a ChaCha20 generator that is seeded once.
//!
//! Its seed is what the board was given at birth, the number of this start, and whatever else
//! differs; so no two starts repeat. After each block of output the generator's key is replaced
//! (fast key erasure, D. J. Bernstein, 2017), so that a later reader of the memory cannot tell
//! what was drawn before.

use core::cell::RefCell;

use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20::{ChaCha20, Key};
use critical_section::Mutex;
use rand_core::{CryptoRng, Error, RngCore};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes drawn with one key, the next key included.
const BLOCK: usize = 512;
/// Separates this use of the entropy from any other.
const LABEL: &[u8] = b"proving random source 1";
/// Fewer bytes of entropy are refused.
pub const MIN_ENTROPY: usize = 32;

static GENERATOR: Mutex<RefCell<Option<Generator>>> = Mutex::new(RefCell::new(None));

/// The board's random source; all are one.
#[derive(Clone, Copy, Debug)]
pub struct Random(());

impl Random {
    /// Seeds the source. `start` counts the starts of this board, and `noise` is whatever else
    /// differs from one to the next.
    pub fn seed(entropy: &[u8], start: u64, noise: &[u8]) -> Result<Self, SeedError> {
        let generator = Generator::new(entropy, start, noise)?;
        critical_section::with(|section| GENERATOR.replace(section, Some(generator)));
        Ok(Self(()))
    }

    /// The source, if it was seeded.
    pub fn seeded() -> Option<Self> {
        critical_section::with(|section| GENERATOR.borrow_ref(section).is_some())
            .then_some(Self(()))
    }
}

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        critical_section::with(|section| {
            GENERATOR
                .borrow_ref_mut(section)
                .as_mut()
                .expect("a `Random` is only made when the generator is seeded")
                .fill(bytes);
        });
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Random {}

struct Generator {
    /// Output that was not drawn yet, at the end.
    block: [u8; BLOCK],
    /// Bytes of the block that were drawn, or are the next key.
    used: usize,
}

impl Generator {
    fn new(entropy: &[u8], start: u64, noise: &[u8]) -> Result<Self, SeedError> {
        if entropy.len() < MIN_ENTROPY {
            return Err(SeedError::TooShort(entropy.len()));
        }
        if entropy.iter().all(|byte| *byte == entropy[0]) {
            return Err(SeedError::NoEntropy);
        }
        let mut hash = Sha256::new();
        hash.update(LABEL);
        // Lengths, so that no byte of one part can be taken for one of the next.
        for part in [entropy, &start.to_le_bytes(), noise] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut generator = Self {
            block: [0; BLOCK],
            used: BLOCK,
        };
        generator.block[..KEY].copy_from_slice(&hash.finalize());
        Ok(generator)
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.used == BLOCK {
                self.refill();
            }
            let length = bytes.len().min(BLOCK - self.used);
            let (now, later) = bytes.split_at_mut(length);
            let drawn = &mut self.block[self.used..self.used + length];
            now.copy_from_slice(drawn);
            drawn.zeroize();
            self.used += length;
            bytes = later;
        }
    }

    fn refill(&mut self) {
        let mut key = Key::clone_from_slice(&self.block[..KEY]);
        self.block.zeroize();
        // A key is used once, so the nonce does not matter.
        ChaCha20::new(&key, &[0; 12].into()).apply_keystream(&mut self.block);
        key.zeroize();
        self.used = KEY;
    }
}

/// Why a random source cannot be seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedError {
    /// Only so many bytes of entropy.
    TooShort(usize),
    /// All bytes are the same.
    NoEntropy,
}

impl core::fmt::Display for SeedError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooShort(length) => write!(
                f,
                "{length} bytes of entropy, where {MIN_ENTROPY} are needed"
            ),
            Self::NoEntropy => write!(f, "entropy whose bytes are all the same"),
        }
    }
}

impl core::error::Error for SeedError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn entropy() -> [u8; 32] {
        core::array::from_fn(|index| index as u8)
    }

    fn drawn(entropy: &[u8], start: u64, noise: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        Generator::new(entropy, start, noise)
            .expect("entropy")
            .fill(&mut bytes);
        bytes
    }

    #[test]
    fn no_two_starts_repeat() {
        let first = drawn(&entropy(), 1, b"");
        assert_ne!(first, drawn(&entropy(), 2, b""));
        assert_ne!(first, drawn(&entropy(), 1, b"x"));
    }

    #[test]
    fn the_same_seed_draws_the_same_however_it_is_cut() {
        let mut whole = [0; 3000];
        Generator::new(&entropy(), 1, b"")
            .expect("entropy")
            .fill(&mut whole);
        let mut cut = [0; 3000];
        let mut generator = Generator::new(&entropy(), 1, b"").expect("entropy");
        for piece in cut.chunks_mut(7) {
            generator.fill(piece);
        }
        assert_eq!(whole, cut);
    }

    #[test]
    fn what_was_drawn_is_in_memory_no_more() {
        let mut generator = Generator::new(&entropy(), 1, b"").expect("entropy");
        let mut bytes = [0; 100];
        generator.fill(&mut bytes);
        let found = generator
            .block
            .windows(8)
            .any(|window| window == &bytes[..8]);
        assert!(!found);
        assert!(
            generator.block[KEY..KEY + 100]
                .iter()
                .all(|byte| *byte == 0)
        );
    }

    #[test]
    fn poor_entropy_is_refused() {
        let refused = |entropy: &[u8]| Generator::new(entropy, 1, b"").err();
        assert_eq!(refused(&entropy()[..31]), Some(SeedError::TooShort(31)));
        assert_eq!(refused(&[]), Some(SeedError::TooShort(0)));
        assert_eq!(refused(&[0xFF; 32]), Some(SeedError::NoEntropy));
    }
}
