//! What stands in a flash after esptool and the firmware have written to it.

use std::collections::BTreeMap;

use super::SECTOR;

/// Bytes of a sector.
const LENGTH: usize = SECTOR as usize;
/// First of the sectors in which the demo keeps its settings (`CFG_LOCATION`).
const SETTINGS: u32 = 0x79;

/// The sectors of a flash that are not erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chip {
    sectors: BTreeMap<u32, Vec<u8>>,
}

impl Chip {
    /// `esptool.py write_flash ADDRESS FILE`: every sector that the file lies in is erased first.
    pub fn write(&mut self, address: u32, bytes: &[u8]) {
        let (mut sector, mut place) = (address / SECTOR, (address % SECTOR) as usize);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(LENGTH - place));
            let mut content = vec![0xff; LENGTH];
            content[place..place + now.len()].copy_from_slice(now);
            self.sectors.insert(sector, content);
            (sector, place, rest) = (sector + 1, 0, later);
        }
    }

    /// The first start of the demo, whose settings are not there yet: it writes them and the flag that says
    /// in which of two sectors they are (`config.c`, `CFG_Load` and `CFG_Save`).
    pub fn first_start(&mut self) {
        self.write(SETTINGS * SECTOR, &0x00ff_55a4_u32.to_le_bytes());
        self.write((SETTINGS + 3) * SECTOR, &[0]);
    }

    /// The address of the first byte that is not erased, and all from there to the last such sector's end;
    /// nothing if more than `most` bytes lie between.
    pub fn region(&self, most: usize) -> Option<(u32, Vec<u8>)> {
        let (Some(first), Some(last)) = (self.sectors.keys().next(), self.sectors.keys().last())
        else {
            return Some((0, Vec::new()));
        };
        let count = (last - first) as usize + 1;
        if count.checked_mul(LENGTH)? > most {
            return None;
        }
        let sectors = (*first..=*last).map(|sector| self.sectors.get(&sector));
        let erased = vec![0xff; LENGTH];
        let bytes = sectors.flat_map(|content| content.unwrap_or(&erased).clone());
        Some((first * SECTOR, bytes.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flashed_last_erases_the_sectors_that_it_lies_in() {
        let mut chip = Chip::default();
        chip.write(0x7_8000, &[1; 100]);
        chip.write(0x7_7000, &[2; 5000]);
        let (address, bytes) = chip.region(1 << 20).unwrap();
        assert_eq!((address, bytes.len()), (0x7_7000, 2 * LENGTH));
        assert!(bytes[..5000].iter().all(|byte| *byte == 2));
        assert!(bytes[5000..].iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn the_first_start_destroys_what_lies_in_the_settings_sectors() {
        let mut chip = Chip::default();
        chip.write(0x7_8000, &[1; 4 * LENGTH]);
        chip.first_start();
        let (_, bytes) = chip.region(1 << 20).unwrap();
        let whole = |sector: usize| bytes[sector * LENGTH..][..LENGTH] == [1; LENGTH];
        assert_eq!([0, 1, 2, 3].map(whole), [true, false, true, true]);
        assert_eq!(bytes[4 * LENGTH], 0);
    }

    #[test]
    fn a_region_that_is_too_large_is_none() {
        let mut chip = Chip::default();
        assert_eq!(chip.region(0), Some((0, Vec::new())));
        chip.write(0, &[1]);
        chip.write(0xffff_f000, &[1]);
        assert_eq!(chip.region(1 << 20), None);
    }
}
