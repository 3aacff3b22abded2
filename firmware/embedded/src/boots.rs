//! How often a board was started, counted in flash.
//!
//! Two sectors take turns. A count is eight bytes: the number, then its complement, so that one
//! whose writing was cut off is not taken for another. The last one stays until its successor is
//! written.

use crate::nor::{Nor, NorError, Power, SECTOR};

/// Bytes of a count.
const SLOT: u32 = 8;
/// Bytes that the counter needs.
pub const SIZE: u32 = 2 * SECTOR;

/// Counts this start, in the first two sectors of `flash`, and says its number, from 1 on.
pub fn count<P: Power>(flash: &mut Nor<P>) -> Result<u32, NorError> {
    let last = last(flash)?;
    let number = last.map_or(1, |(_, number)| number.wrapping_add(1).max(1));
    let slot = match last {
        Some((slot, _)) => match next_erased(flash, slot + SLOT)? {
            Some(next) => next,
            None => erased_sector(flash, SECTOR - (slot - slot % SECTOR))?,
        },
        None => erased_sector(flash, 0)?,
    };
    let mut bytes = [0; SLOT as usize];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&(!number).to_le_bytes());
    flash.write_at(slot, &bytes)?;
    Ok(number)
}

/// Place and number of the latest count.
fn last<P: Power>(flash: &Nor<P>) -> Result<Option<(u32, u32)>, NorError> {
    let mut last: Option<(u32, u32)> = None;
    for slot in (0..SIZE).step_by(SLOT as usize) {
        let [number, complement] = words(flash, slot)?;
        if number == !complement && last.is_none_or(|(_, highest)| highest < number) {
            last = Some((slot, number));
        }
    }
    Ok(last)
}

/// The first erased slot from `slot` to the end of its sector.
fn next_erased<P: Power>(flash: &Nor<P>, slot: u32) -> Result<Option<u32>, NorError> {
    if slot.is_multiple_of(SECTOR) {
        return Ok(None);
    }
    for next in (slot..slot.next_multiple_of(SECTOR)).step_by(SLOT as usize) {
        if words(flash, next)? == [u32::MAX; 2] {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

fn erased_sector<P: Power>(flash: &mut Nor<P>, sector: u32) -> Result<u32, NorError> {
    flash.erase_range(sector, sector + SECTOR)?;
    Ok(sector)
}

fn words<P: Power>(flash: &Nor<P>, slot: u32) -> Result<[u32; 2], NorError> {
    let mut bytes = [0; SLOT as usize];
    flash.read_at(slot, &mut bytes)?;
    let [a, b, c, d, e, f, g, h] = bytes;
    Ok([
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ])
}
