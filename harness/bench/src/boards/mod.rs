//! Boards behind a debug probe: the emulated one, through the same probe-rs as a real one.

mod chip;
mod decode;
mod emulated;
mod idle;
mod path;
mod wire;

pub use emulated::{firmware, on_runtime};

use crate::setup::{Outcome, Setup};
use crate::table::Row;

/// A firmware in miniature, as an ELF file with a table of defmt.
const MINIATURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../lab/tests/board_guest/guest.elf"
);
const NOTE: &str = "QEMU's mps2-an386 behind the lab's debug probe, through an unmodified probe-rs; on a \
                    real board the wire is what takes the time";

/// Everything that is done to a board, without scenarios and with one.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut rows = wire::measure(setup)?;
    rows.extend(chip::measure(setup)?);
    rows.push(decode::measure(setup)?);
    rows.extend(path::measure(setup)?);
    rows.extend(idle::measure(setup)?);
    Ok(rows)
}
