//! Powers in the 3072-bit group, computed in slices.
//!
//! A power takes a small processor a good part of a second, or several. So the computation lets
//! others have their turn after every byte of the exponent.

use alloc::vec::Vec;

use crypto_bigint::U3072;
use crypto_bigint::modular::MontyForm;
use embassy_futures::yield_now;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// A number modulo the group's prime.
pub(super) type Element = MontyForm<{ U3072::LIMBS }>;

/// Exponents are taken in windows of so many bits.
const WINDOW: u32 = 4;

/// `base` to the power of `exponent`, which is big-endian. Its time depends on the exponent's length
/// alone.
pub(super) async fn power(base: &Element, exponent: &[u8]) -> Element {
    let params = *base.params();
    let powers = small_powers(base);
    let mut result = Element::one(params);
    for byte in exponent {
        for window in [byte >> WINDOW, byte & 0xF] {
            for _ in 0..WINDOW {
                result = result.square();
            }
            result *= Element::from_montgomery(select(&powers, window), params);
        }
        yield_now().await;
    }
    result
}

/// `base` to the powers from 0 to 15, in Montgomery form.
fn small_powers(base: &Element) -> Vec<U3072> {
    let mut power = Element::one(*base.params());
    let mut powers = Vec::with_capacity(1 << WINDOW);
    for _ in 0..1 << WINDOW {
        powers.push(power.to_montgomery());
        power *= base;
    }
    powers
}

/// The power at `window`, found by looking at all of them.
fn select(powers: &[U3072], window: u8) -> U3072 {
    let mut selected = U3072::ZERO;
    for (index, power) in (0_u8..).zip(powers) {
        selected.conditional_assign(power, index.ct_eq(&window));
    }
    selected
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use core::pin::pin;

    use crypto_bigint::Odd;
    use crypto_bigint::modular::MontyParams;
    use embassy_futures::block_on;
    use proptest::prelude::*;

    use super::*;

    fn element(value: u64) -> Element {
        let modulus = Odd::new(U3072::MAX).unwrap();
        let params = MontyParams::new_vartime(modulus);
        Element::new(&U3072::from_u64(value), params)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn slices_make_the_same_power(base: u64, exponent: [u8; 32]) {
            let whole = element(base).pow(&crypto_bigint::U256::from_be_slice(&exponent));
            prop_assert_eq!(block_on(power(&element(base), &exponent)), whole);
        }
    }

    #[test]
    fn others_have_their_turn_after_each_byte() {
        let base = element(5);
        let mut turns = 0;
        let mut computation = pin!(power(&base, &[0xA5; 32]));
        block_on(poll_fn(|context| {
            turns += 1;
            computation.as_mut().poll(context).map(drop)
        }));
        assert_eq!(turns, 33);
    }
}
