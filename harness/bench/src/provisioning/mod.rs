//! Provisioning: what a phone waits for, over each transport and with each security, and what of it
//! is arithmetic.

mod handshake;
mod up;
mod wall;

use crate::setup::{Outcome, Setup};
use crate::table::Row;

pub use up::Up;
pub use wall::{PHONE, phone};

/// As scenarios name them, with `sec_ver`.
const SECURITIES: [(&str, &str); 3] = [("none", "0"), ("v1", "1"), ("v2", "2")];

/// Wall times first, then the handshakes.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut rows = wall::measure(setup)?;
    rows.extend(handshake::measure(setup)?);
    Ok(rows)
}
