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
/// Names of registers are no longer, in bytes.
const LONGEST_NAME: usize = 12;
/// Behind these, nothing comes that tells where the firmware was.
const ENDS: [&str; 5] = [
    "Stack memory:",
    "Rebooting",
    "CPU halted.",
    "Entering gdb stub now.",
    "Halting system",
];
/// From here on, an ARM link register holds no address (ARMv7-M, EXC_RETURN).
const EXCEPTION_RETURN: u32 = 0xFFFF_FFF0;
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
        if ENDS.iter().any(|end| line.starts_with(end)) {
            return true;
        }
        // esp-backtrace writes one address a line.
        if let (Some(address), true) = (hexadecimal(line), self.backtrace.len() < DEEPEST) {
            self.backtrace.push(address);
        }
        if let Some(address) = line.strip_prefix("Faulting instruction address (r15/pc):") {
            self.register("PC", hexadecimal(address.trim()));
        }
        self.registers(line);
        false
    }

    /// Takes `PC      : 0x400d1234` (ESP-IDF), `r14/lr:  0x00000413` (Zephyr) and
    /// `epc1=0x40201234, epc2=0x00000000` (ESP8266).
    fn registers(&mut self, line: &str) {
        let words = line.split_ascii_whitespace().take(3 * MOST_REGISTERS);
        let (mut name, mut last) = (None, None);
        for word in words {
            if let Some((of, value)) = word.split_once('=') {
                self.register(of, hexadecimal(value.trim_end_matches(',')));
            } else if let (Some(of), Some(value)) = (name, hexadecimal(word)) {
                self.register(of, Some(value));
            }
            name = match word {
                ":" => last,
                _ => word.strip_suffix(':'),
            };
            last = Some(word);
        }
    }

    fn register(&mut self, name: &str, value: Option<u32>) {
        let is_upper =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'/';
        let is_lower =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'/';
        // A word of prose has no digit.
        let is_name = (1..=LONGEST_NAME).contains(&name.len())
            && name.as_bytes()[0].is_ascii_alphabetic()
            && (name.bytes().all(is_upper)
                || name.bytes().all(is_lower) && name.bytes().any(|byte| byte.is_ascii_digit())
                || ["xpsr", "excvaddr", "depc"].contains(&name));
        if let (Some(value), true) = (value, is_name && self.registers.len() < MOST_REGISTERS) {
            self.registers.entry(name.to_owned()).or_insert(value);
        }
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
        let at = ["MEPC", "PC", "epc1"].into_iter().find_map(register);
        // The first line of an abort tells its caller, from which the device has subtracted already.
        let at = at.or_else(|| hexadecimal(self.what.split_once(" at PC ")?.1.get(..10)?));
        let caller = register("RA")
            .or_else(|| register("A0").map(without_window))
            .or_else(|| {
                register("r14/lr")
                    .filter(|lr| *lr < EXCEPTION_RETURN)
                    .map(|lr| lr & !1)
            })
            .and_then(|return_to| return_to.checked_sub(1));
        at.into_iter().chain(caller).map(u64::from).collect()
    }
}

/// An Xtensa return address, whose two highest bits hold the size of the caller's window.
fn without_window(a0: u32) -> u32 {
    a0 & 0x3FFF_FFFF | 0x4000_0000
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
    let names = Names::new(
        &file,
        sections.borrow(|bytes| EndianSlice::new(bytes, endian)),
    )?;
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
    fn an_xtensa_dump_without_backtrace_has_the_caller_in_a0() {
        let dump = heard(&[
            "PC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d2003  A1      : 0x3ffb1230",
            "Rebooting...",
        ]);
        assert_eq!(dump.addresses(), [0x400d_1234, 0x400d_2002]);
    }

    #[test]
    fn an_abort_without_backtrace_has_the_address_of_its_first_line() {
        let dump = Dump::new("abort() was called at PC 0x400d1234 on core 0");
        assert_eq!(dump.addresses(), [0x400d_1234]);
    }

    #[test]
    fn the_esp8266_names_its_registers_with_and_without_commas() {
        for line in [
            "epc1=0x40201234 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 depc=0x00000000",
            "epc1=0x40201234, epc2=0x00000000, epc3=0x00000000, excvaddr=0x00000008",
        ] {
            let mut dump = Dump::new("Exception (28):");
            assert!(!dump.hear(line));
            assert_eq!(dump.addresses(), [0x4020_1234]);
            assert_eq!(dump.registers["excvaddr"], 8);
        }
    }

    #[test]
    fn zephyr_names_its_registers_for_two_architectures() {
        let dump = heard(&[
            "r0/a1:  0x00000003  r1/a2:  0x20000000  r2/a3:  0x00000000",
            "r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  0x00000413",
            " xpsr:  0x41000000",
            "Faulting instruction address (r15/pc): 0x00000512",
            ">>> ZEPHYR FATAL ERROR 3: Kernel oops on CPU 0",
            "Halting system",
        ]);
        assert_eq!(dump.addresses(), [0x512, 0x411]);
        let mut dump = Dump::new("fault");
        dump.hear("r14/lr:  0xfffffffd");
        assert!(dump.addresses().is_empty());
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
                    .is_ok_and(|name| name.contains("serial4dump4name17h"))
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

    #[test]
    fn xtensa_and_risc_v_elf_files_name_functions_files_and_lines() {
        for (architecture, machine, at, dump) in [
            (
                object::Architecture::Xtensa,
                object::elf::EM_XTENSA,
                0x400d_1200,
                heard(&["Backtrace: 0x400d1208:0x3ffb1230 0x400d1244:0x3ffb1250"]),
            ),
            (
                object::Architecture::Riscv32,
                object::elf::EM_RISCV,
                0x4200_7d00,
                heard(&[
                    "MEPC    : 0x42007d08  RA      : 0x42007d46  SP      : 0x3fc8f4c0",
                    "Stack memory:",
                ]),
            ),
        ] {
            let elf = crate::serial::elf::firmware(architecture, at);
            assert_eq!(u16::from_le_bytes([elf[18], elf[19]]), machine);
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &elf).expect("ours");
            let crash = dump.resolve(file.path());
            let told: Vec<_> = crash
                .backtrace
                .iter()
                .map(|frame| (&*frame.function, frame.file.as_deref(), frame.line))
                .collect();
            let file = Some("/firmware/main/app.c");
            assert_eq!(
                told,
                [("store", file, Some(12)), ("app_main", file, Some(31))],
                "{architecture:?}: {}",
                crash.what
            );
        }
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
