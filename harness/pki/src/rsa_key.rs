//! Making RSA keys.

use boxed_bigint::BoxedUint;
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, is_prime, sieve_and_find};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use rsa::{BigUint, RsaPrivateKey};

/// Public exponent of every key (RFC 8017 leaves it open; nobody takes another).
const EXPONENT: u32 = 65_537;

/// A key of so many bits. `rsa` itself takes ten times as long to find primes: a quarter of a minute for a key of
/// 4096 bits.
pub(crate) fn new_key(bits: u16) -> rsa::Result<RsaPrivateKey> {
    let half = u32::from(bits) / 2;
    RsaPrivateKey::from_p_q(prime(half), prime(half), BigUint::from(EXPONENT))
}

/// A prime of so many bits, of which the first two are one, so that a product of two has twice as many.
#[expect(clippy::expect_used, reason = "there are primes of any length")]
fn prime(bits: u32) -> BigUint {
    let mut random = UnwrapErr(SysRng);
    loop {
        let candidates =
            SmallFactorsSieveFactory::<BoxedUint>::new(Flavor::Any, bits, SetBits::TwoMsb)
                .expect("the length is that of a number");
        let found = sieve_and_find(&mut random, candidates, |_, candidate| {
            is_prime(Flavor::Any, candidate)
        });
        let found = found.expect("no length was wrong").expect("one is found");
        let prime = BigUint::from_bytes_be(&found.to_be_bytes());
        // Else the exponent has no inverse.
        if &prime % EXPONENT != BigUint::from(1_u8) {
            return prime;
        }
    }
}

#[cfg(test)]
mod tests {
    use rsa::traits::PublicKeyParts as _;

    use super::*;

    #[test]
    fn keys_have_their_length_and_hold_together() {
        for bits in [1024, 2048] {
            let key = new_key(bits).expect("a key");
            assert_eq!(key.n().bits(), usize::from(bits));
            assert_eq!(key.e(), &BigUint::from(EXPONENT));
            key.validate().expect("it holds together");
        }
    }
}
