//! An ELF file as what goes into a chip.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::{Architecture, Object, ObjectSection, ObjectSegment, ObjectSymbol};

use super::{ImageError, Table};

/// No ELF file of a microcontroller is larger, debug information included.
const LARGEST: u64 = 512 * 1024 * 1024;
/// More load segments than any linker script makes.
const MOST_SEGMENTS: usize = 1024;

/// The symbols that the harness asks for.
const WANTED: &[&str] = &[
    "_SEGGER_RTT",
    "main",
    "__factory_start",
    "__factory_end",
    "__storage_start",
    "__storage_end",
    "STORAGE_WRITE_BUDGET",
    "storage_went_dark",
    "EMBEDDED_TEST_VERSION",
];

/// An ELF file, read and found sound.
#[derive(Clone)]
pub struct Image {
    path: PathBuf,
    elf: Arc<[u8]>,
    architecture: Architecture,
    segments: Vec<Segment>,
    symbols: BTreeMap<&'static str, u64>,
}

/// Bytes that go into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where they go.
    pub address: u64,
    /// Where they stand in the file.
    range: Range<usize>,
}

/// What of a chip decides whether an image is for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipMemory {
    /// The chip's name.
    pub chip: String,
    /// Its kind of processor, such as `an ARM core`.
    pub core: &'static str,
    /// What images for it are built for.
    pub architecture: Architecture,
    /// Where it has memory that keeps or holds something.
    pub memory: Vec<Range<u64>>,
}

impl Image {
    /// Reads the ELF file at `path`.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let wrap = |source| ImageError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = fs::metadata(path).map_err(wrap)?.len();
        if bytes > LARGEST {
            return Err(ImageError::Huge {
                path: path.to_owned(),
                bytes,
                limit: LARGEST,
            });
        }
        Self::new(path, fs::read(path).map_err(wrap)?)
    }

    /// The image whose file, at `path`, holds `elf`.
    pub fn new(path: &Path, elf: Vec<u8>) -> Result<Self, ImageError> {
        let not_elf = |why: String| ImageError::NotElf {
            path: path.to_owned(),
            why,
        };
        // The parser is a library's, and the file may be damaged in any way.
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(&elf)));
        let Parsed {
            architecture,
            segments,
            symbols,
        } = parsed
            .unwrap_or_else(|_| Err("its parser fell over it".to_owned()))
            .map_err(not_elf)?;
        if segments.is_empty() {
            return Err(ImageError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            elf: elf.into(),
            architecture,
            segments,
            symbols,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// What goes into memory, by address.
    pub fn segments(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.segments
            .iter()
            .map(|segment| (segment.address, &self.elf[segment.range.clone()]))
    }

    /// Bytes that go into memory.
    pub fn size(&self) -> u64 {
        self.segments().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// The address of one of the symbols that the harness knows.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.symbols.get(name).copied()
    }

    /// The region between two symbols, if both are there.
    pub fn region(&self, start: &str, end: &str) -> Option<Range<u64>> {
        let range = self.symbol(start)?..self.symbol(end)?;
        (!range.is_empty()).then_some(range)
    }

    /// The table for its log.
    pub fn defmt_table(&self) -> Result<Table, ImageError> {
        Table::new(&self.path, &self.elf)
    }

    /// Whether this image is for that chip and fits into it.
    pub fn fits(&self, chip: &ChipMemory) -> Result<(), ImageError> {
        if self.architecture != chip.architecture {
            return Err(ImageError::WrongArchitecture {
                path: self.path.clone(),
                image: describe(self.architecture),
                chip: chip.chip.clone(),
                core: chip.core.to_owned(),
            });
        }
        self.segments()
            .try_for_each(|(address, bytes)| self.segment_fits(address, bytes.len() as u64, chip))
    }

    fn segment_fits(&self, address: u64, bytes: u64, chip: &ChipMemory) -> Result<(), ImageError> {
        let end = address.saturating_add(bytes);
        let Some(memory_end) = end_of_memory(address, &chip.memory) else {
            return Err(ImageError::OutsideMemory {
                path: self.path.clone(),
                address,
                bytes,
                chip: chip.chip.clone(),
                memory: list(&chip.memory),
            });
        };
        if end > memory_end {
            return Err(ImageError::TooLarge {
                path: self.path.clone(),
                address,
                bytes,
                chip: chip.chip.clone(),
                end: memory_end,
                over: end - memory_end,
            });
        }
        Ok(())
    }
}

/// What of an ELF file is kept.
struct Parsed {
    architecture: Architecture,
    segments: Vec<Segment>,
    symbols: BTreeMap<&'static str, u64>,
}

fn parse(elf: &[u8]) -> Result<Parsed, String> {
    if !elf.starts_with(b"\x7fELF") {
        return Err("it does not begin like one".to_owned());
    }
    let file = object::File::parse(elf).map_err(|error| error.to_string())?;
    Ok(Parsed {
        architecture: file.architecture(),
        segments: segments(elf, &file)?,
        symbols: symbols(&file),
    })
}

fn segments(elf: &[u8], file: &object::File<'_>) -> Result<Vec<Segment>, String> {
    let sections: Vec<Range<u64>> = file
        .sections()
        .filter_map(|section| section.file_range())
        .filter(|(_, size)| *size > 0)
        .map(|(offset, size)| offset..offset.saturating_add(size))
        .collect();
    let mut found = Vec::new();
    for (segment, address) in file.segments().zip(load_addresses(elf, file)?) {
        let (offset, size) = segment.file_range();
        let range = offset..offset.saturating_add(size);
        // Some linkers load the file's own headers, which are in no section.
        let is_used = sections
            .iter()
            .any(|section| section.start < range.end && range.start < section.end);
        if size == 0 || !is_used {
            continue;
        }
        let bytes = segment.data().map_err(|error| error.to_string())?;
        let at = usize::try_from(offset).map_err(|error| error.to_string())?;
        if address.checked_add(size).is_none() {
            return Err(format!(
                "{size} bytes at {address:#x} go beyond every memory"
            ));
        }
        if found.len() == MOST_SEGMENTS {
            return Err(format!("it has more than {MOST_SEGMENTS} segments"));
        }
        found.push(Segment {
            address,
            range: at..at + bytes.len(),
        });
    }
    found.sort_by_key(|segment| segment.address);
    let overlap = found
        .windows(2)
        .any(|pair| pair[0].address + pair[0].range.len() as u64 > pair[1].address);
    if overlap {
        return Err("two of its segments overlap".to_owned());
    }
    Ok(found)
}

/// The physical addresses of the load segments, in their order: what the chip is loaded with is
/// not always where the firmware uses it.
fn load_addresses(elf: &[u8], file: &object::File<'_>) -> Result<Vec<u64>, String> {
    use object::elf::{FileHeader32, FileHeader64};
    use object::read::elf::{FileHeader, ProgramHeader};

    fn of<H: FileHeader<Endian = object::Endianness>>(elf: &[u8]) -> Result<Vec<u64>, String> {
        let wrap = |error: object::read::Error| error.to_string();
        let header = H::parse(elf).map_err(wrap)?;
        let endian = header.endian().map_err(wrap)?;
        let headers = header.program_headers(endian, elf).map_err(wrap)?;
        Ok(headers
            .iter()
            .filter(|header| header.p_type(endian) == object::elf::PT_LOAD)
            .map(|header| header.p_paddr(endian).into())
            .collect())
    }
    match file.is_64() {
        false => of::<FileHeader32<object::Endianness>>(elf),
        true => of::<FileHeader64<object::Endianness>>(elf),
    }
}

fn symbols(file: &object::File<'_>) -> BTreeMap<&'static str, u64> {
    let mut found = BTreeMap::new();
    for symbol in file.symbols() {
        if symbol.is_undefined() {
            continue;
        }
        let Ok(name) = symbol.name() else { continue };
        if let Some(wanted) = WANTED.iter().find(|wanted| **wanted == name) {
            found.entry(*wanted).or_insert(symbol.address());
        }
    }
    found
}

/// Where the memory around `address` ends; regions that touch are one.
fn end_of_memory(address: u64, memory: &[Range<u64>]) -> Option<u64> {
    let mut end = memory
        .iter()
        .find(|region| region.contains(&address))
        .map(|region| region.end)?;
    // Each round goes beyond one more region.
    while let Some(next) = memory.iter().find(|region| region.contains(&end)) {
        end = next.end;
    }
    Some(end)
}

fn describe(architecture: Architecture) -> String {
    match architecture {
        Architecture::Arm => "32-bit ARM".to_owned(),
        Architecture::Aarch64 => "64-bit ARM".to_owned(),
        Architecture::Riscv32 => "32-bit RISC-V".to_owned(),
        Architecture::Riscv64 => "64-bit RISC-V".to_owned(),
        Architecture::Xtensa => "Xtensa".to_owned(),
        Architecture::X86_64 => "this computer (x86-64)".to_owned(),
        other => format!("{other:?}"),
    }
}

fn list(memory: &[Range<u64>]) -> String {
    let regions: Vec<_> = memory
        .iter()
        .map(|region| format!("{:#010x} to {:#010x}", region.start, region.end))
        .collect();
    match regions.is_empty() {
        true => "none".to_owned(),
        false => regions.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_touch_are_one_memory() {
        let memory = [0..0x100, 0x200..0x300, 0x100..0x180];
        assert_eq!(end_of_memory(0x10, &memory), Some(0x180));
        assert_eq!(end_of_memory(0x180, &memory), None);
        assert_eq!(end_of_memory(0x2ff, &memory), Some(0x300));
    }

    #[test]
    fn a_file_that_is_no_elf_file_is_named_with_what_to_type() {
        let error = Image::new(Path::new("notes.txt"), b"hello".to_vec())
            .err()
            .expect("no ELF file");
        let said = error.to_string();
        assert!(
            said.contains("notes.txt") && said.contains("target/TARGET"),
            "{said}"
        );
    }
}
