//! The random source.

use core::array;

use embedded::random::Random;

/// The source, seeded for a board of the tests.
pub fn source(start: u64) -> Random {
    let entropy: [u8; 32] = array::from_fn(|index| index as u8 ^ 0x5A);
    Random::seed(&entropy, start, &[]).unwrap()
}

#[embedded_test::tests]
mod tests {
    use super::*;

    use embedded::boots;
    use mps2::flash;
    use rand_core::RngCore;

    #[test]
    fn starts_are_counted_in_flash() {
        let first = boots::count(&mut flash::boots()).unwrap();
        let second = boots::count(&mut flash::boots()).unwrap();
        assert_eq!(second, first + 1);
    }

    #[test]
    fn two_starts_draw_different_numbers() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        source(1).fill_bytes(&mut first);
        source(2).fill_bytes(&mut second);
        assert_ne!(first, second);
    }

    #[test]
    fn ones_and_zeros_are_even() {
        // FIPS 140-2 §4.9.1, the monobit test over 20 000 bits.
        let mut bytes = [0; 2500];
        source(7).fill_bytes(&mut bytes);
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert!((9_726..10_275).contains(&ones));
    }

    #[test]
    fn a_board_without_entropy_is_refused() {
        assert!(Random::seed(&[], 1, &[]).is_err());
        assert!(Random::seed(&[0; 32], 1, &[]).is_err());
    }
}
