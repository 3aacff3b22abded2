//! How large the binary is that is handed on.

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};

/// What `cargo xtask release` allows.
const LIMIT_KB: f64 = 40_000.0;

/// The size of `proving`, as it was built.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let size = std::fs::metadata(&setup.proving)?.len();
    let figure = Figure::single(size as f64 / 1000.0, Unit::Kilobytes);
    let row = Row::new("release binary", Ok(figure))
        .target(Target::Below(LIMIT_KB))
        .note("`proving`, one file, without symbols");
    Ok(vec![row])
}
