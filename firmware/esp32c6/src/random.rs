//! The random source: the chip's noise seeds the generator that all boards have.
//!
//! The chip's own numbers are random only while a radio is on (ESP32-C6 technical reference manual,
//! chapter "Random Number Generator"). The generator stays sound when the radio is off later.

use embedded::random::{Random, SeedError};
use esp_hal::rng::Trng;

/// Bytes drawn from the chip, twice as many as the generator's key has.
const NOISE: usize = 64;

/// The random source, seeded anew for this start. The radio must be on.
pub fn seeded() -> Result<Random, SeedError> {
    let mut noise = [0; NOISE];
    match Trng::try_new() {
        Ok(chip) => chip.read(&mut noise),
        // The seed stays all the same byte, which is refused.
        Err(error) => log::error!(target: "random", "the chip has no noise: {error:?}"),
    }
    Random::seed(&noise, 0, &[])
}
