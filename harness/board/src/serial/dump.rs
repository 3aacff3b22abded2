//! What firmware prints of a crash: registers and backtrace.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use gimli::EndianSlice;
use trace::board::{Crash, Frame};

use crate::names::{self, Names};

/// Addresses of a backtrace that are kept.
const DEEPEST: usize = 32;
/// Registers that are kept.
const MOST_REGISTERS: usize = 64;
/// No ELF file of a microcontroller is larger, debug information included.
const LARGEST: u64 = 512 * 1024 * 1024;

/// One crash, as far as it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dump {
    what: String,
    registers: BTreeMap<String, u32>,
    backtrace: Vec<u32>,
}

impl Dump {
    /// A crash that began with the line `what`.
    pub fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            registers: BTreeMap::new(),
            backtrace: Vec::new(),
        }
    }

    /// Takes a line. True if nothing that matters comes after it.
    pub fn hear(&mut self, line: &str) -> bool {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("Backtrace:") {
            // `pc:sp`, as printed: the device has subtracted what must be (ESP-IDF, panic.c).
            let pairs = rest.split_ascii_whitespace();
            let found = pairs.map_while(|pair| hexadecimal(pair.split_once(':')?.0));
            self.backtrace.extend(found.take(DEEPEST));
            return !self.backtrace.is_empty();
        }
        if line.starts_with("Stack memory:") || line.starts_with("Rebooting") {
            return true;
        }
        // esp-backtrace writes one address a line.
        if let (Some(address), true) = (hexadecimal(line), self.backtrace.len() < DEEPEST) {
            self.backtrace.push(address);
        }
        let words: Vec<&str> = line
            .split_ascii_whitespace()
            .take(3 * MOST_REGISTERS)
            .collect();
        for triple in words.chunks(3) {
            if let [name, ":", value] = triple
                && let Some(value) = hexadecimal(value)
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'/')
                && self.registers.len() < MOST_REGISTERS
            {
                self.registers.entry((*name).to_owned()).or_insert(value);
            }
        }
        false
    }

    /// The crash with names from the ELF file at `elf`. Without them, addresses stand in their place.
    pub fn resolve(self, elf: &Path) -> Crash {
        let mut what = self.what.clone();
        let addresses = self.addresses();
        let named = read(elf).and_then(|elf| {
            // The readers of debug information are other people's, and it may be damaged in any way.
            catch_unwind(AssertUnwindSafe(|| name(&elf, &addresses)))
                .ok()
                .flatten()
                .ok_or_else(|| "no ELF file with debug information".to_owned())
        });
        let backtrace = named.unwrap_or_else(|why| {
            what.push_str(&format!(" (`{}` names no function: {why})", elf.display()));
            let frame = |address: &u64| Frame {
                function: format!("{address:#010x}"),
                file: None,
                line: None,
            };
            addresses.iter().map(frame).collect()
        });
        let registers = self.registers.into_iter();
        Crash {
            what,
            registers: registers
                .map(|(name, value)| (name, format!("{value:#010x}")))
                .collect(),
            backtrace,
        }
    }

    /// Where the firmware was, innermost first. A return address stands behind its call.
    fn addresses(&self) -> Vec<u64> {
        if !self.backtrace.is_empty() {
            return self.backtrace.iter().copied().map(u64::from).collect();
        }
        let register = |name: &str| self.registers.get(name).copied();
        let at = register("MEPC").or_else(|| register("PC"));
        let caller = register("RA").and_then(|ra| ra.checked_sub(1));
        at.into_iter().chain(caller).map(u64::from).collect()
    }
}

fn hexadecimal(word: &str) -> Option<u32> {
    let digits = word.strip_prefix("0x")?;
    (digits.len() == 8).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn read(elf: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(elf)
        .map_err(|error| error.to_string())?
        .len();
    if length > LARGEST {
        return Err(format!("it has {length} bytes"));
    }
    std::fs::read(elf).map_err(|error| error.to_string())
}

fn name(elf: &[u8], addresses: &[u64]) -> Option<Vec<Frame>> {
    let file = object::File::parse(elf).ok()?;
    let endian = names::endian(&file);
    let sections = gimli::DwarfSections::load(|id| names::section(&file, id)).ok()?;
    let names = Names::new(sections.borrow(|bytes| EndianSlice::new(bytes, endian)))?;
    Some(
        addresses
            .iter()
            .flat_map(|address| names.at(*address))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Dump {
        let mut dump = Dump::new("it fell");
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(dump.hear(line), at + 1 == lines.len(), "{line}");
        }
        dump
    }

    #[test]
    fn an_xtensa_backtrace_is_looked_up_as_it_is_printed() {
        let dump = heard(&[
            "Core  1 register dump:",
            "PC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d2003  A1      : 0x3ffb1230",
            "",
            "Backtrace: 0x400d1234:0x3ffb1230 0x400d2000:0x3ffb1250 |<-CORRUPTED",
        ]);
        assert_eq!(dump.addresses(), [0x400d_1234, 0x400d_2000]);
        assert_eq!(dump.registers["A1"], 0x3ffb_1230);
        let old = heard(&["Backtrace:0x400d1234:0x3ffb0000 0x400d2000:0x3ffb0020"]);
        assert_eq!(old.addresses().len(), 2);
    }

    #[test]
    fn risc_v_has_the_faulting_address_and_the_call_before_the_return_address() {
        let dump = heard(&[
            "Core  0 register dump:",
            "MEPC    : 0x42007d1c  RA      : 0x42007d1a  SP      : 0x3fc8f4c0  GP      : 0x3fc8b200",
            "S0/FP   : 0x00000000  S1      : 0x00000000",
            "Stack memory:",
        ]);
        assert_eq!(dump.addresses(), [0x4200_7d1c, 0x4200_7d19]);
        assert!(dump.registers.contains_key("S0/FP"));
    }

    #[test]
    fn rust_writes_one_address_a_line() {
        let dump = heard(&["Backtrace:", "", "0x4200abcd", "0x4200abef", "Rebooting..."][..]);
        assert_eq!(dump.addresses(), [0x4200_abcd, 0x4200_abef]);
    }

    #[test]
    fn a_file_without_names_is_told_of_and_addresses_stay() {
        let dump = heard(&["Backtrace: 0x400d1234:0x3ffb1230"]);
        let crash = dump.resolve(Path::new("/nonexistent.elf"));
        assert!(
            crash.what.contains("`/nonexistent.elf` names no function"),
            "{}",
            crash.what
        );
        assert_eq!(crash.backtrace[0].function, "0x400d1234");
    }

    #[test]
    fn functions_files_and_lines_come_from_the_debug_information() {
        // This very test is the firmware: where it is 64-bit code, its addresses are its own.
        let own = std::fs::read(std::env::current_exe().expect("a test")).expect("it runs");
        let file = object::File::parse(&*own).expect("an ELF file");
        let symbol = object::Object::symbols(&file)
            .find(|symbol| {
                object::ObjectSymbol::name(symbol)
                    .is_ok_and(|name| name.contains("serial4dump4name"))
            })
            .expect("the function above");
        let address = object::ObjectSymbol::address(&symbol);
        let frames = name(&own, &[address]).expect("it has debug information");
        let frame = frames.last().expect("a function");
        assert!(frame.function.ends_with("name"), "{frame:?}");
        assert!(
            frame
                .file
                .as_ref()
                .is_some_and(|file| file.ends_with("dump.rs")),
            "{frame:?}"
        );
        assert!(frame.line.is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics_and_what_is_kept_is_bounded(lines in proptest::collection::vec("[A-Z0-9x: |a-f]{0,80}", 0..200)) {
            let mut dump = Dump::new("it fell");
            for line in lines {
                dump.hear(&line);
            }
            proptest::prop_assert!(dump.registers.len() <= MOST_REGISTERS && dump.backtrace.len() <= 2 * DEEPEST);
        }
    }
}
