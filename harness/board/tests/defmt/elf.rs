//! ELF files as a linker makes them, and others.

use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// The format string of the `log` facade's records.
pub const RECORD: &str = "[{=str} {=str}:{=u32}] {=str}: {=str}";

/// `e_machine` of ARM and RISC-V.
pub const ARM: u16 = 40;
pub const RISCV: u16 = 243;

/// What a table is made of: index, tag, format string.
pub type Entry<'e> = (u64, &'e str, &'e str);

/// An object file with a defmt table.
pub fn with_table(version: &str, encoding: &str, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little);
    let section = object.add_section(Vec::new(), b".defmt".to_vec(), SectionKind::ReadOnlyData);
    object.set_section_data(section, vec![0; 256], 1);
    for (number, (index, tag, format)) in entries.iter().enumerate() {
        let name = format!(
            r#"{{"package":"app","tag":"{tag}","data":"{format}","disambiguator":"{number}","crate_name":"app"}}"#
        );
        add(&mut object, name, *index, SymbolSection::Section(section));
    }
    for name in [
        format!("_defmt_version_ = {version}"),
        format!("_defmt_encoding_ = {encoding}"),
    ] {
        add(&mut object, name, 0, SymbolSection::Absolute);
    }
    object.write().expect("a sound object file")
}

fn add(object: &mut Object<'_>, name: String, value: u64, section: SymbolSection) {
    object.add_symbol(Symbol {
        name: name.into_bytes(),
        value,
        size: 1,
        kind: SymbolKind::Data,
        scope: SymbolScope::Linkage,
        weak: false,
        section,
        flags: SymbolFlags::None,
    });
}

/// A linked image of one segment.
pub fn linked(machine: u16, address: u32, bytes: &[u8]) -> Vec<u8> {
    linked_with(machine, address, bytes, (".comment", 0, &[]), &[])
}

/// A linked image of one segment, with another section that is not loaded (name, address, bytes)
/// and its symbols (name, address, size).
pub fn linked_with(
    machine: u16,
    address: u32,
    bytes: &[u8],
    other: (&str, u32, &[u8]),
    symbols: &[(&str, u32, u32)],
) -> Vec<u8> {
    const HEADER: u32 = 52;
    const PROGRAM: u32 = 32;
    const SECTION: u16 = 40;
    let mut names = b"\0.text\0.strtab\0.symtab\0".to_vec();
    let other_name = names.len() as u32;
    names.extend(other.0.as_bytes());
    names.push(0);
    let mut table = vec![0; 16];
    for (name, value, size) in symbols {
        // Global data in the other section.
        word(&mut table, &[names.len() as u32, *value, *size]);
        table.extend([0x11, 0]);
        half(&mut table, &[4]);
        names.extend(name.as_bytes());
        names.push(0);
    }
    let parts = [bytes, &names, &table, other.2];
    let mut at = HEADER + PROGRAM;
    let offsets = parts.map(|part| {
        let offset = at.next_multiple_of(4);
        at = offset + part.len() as u32;
        offset
    });
    let length = |number: usize| parts[number].len() as u32;
    let sections_at = at.next_multiple_of(4);
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    half(&mut elf, &[2, machine]);
    word(&mut elf, &[1, address, HEADER, sections_at, 0]);
    half(&mut elf, &[HEADER as u16, PROGRAM as u16, 1, SECTION, 5, 2]);
    word(
        &mut elf,
        &[1, offsets[0], address, address, length(0), length(0), 5, 1],
    );
    for (offset, part) in offsets.iter().zip(parts) {
        elf.resize(*offset as usize, 0);
        elf.extend(part);
    }
    elf.resize(sections_at as usize, 0);
    word(&mut elf, &[0; 10]);
    word(
        &mut elf,
        &[1, 1, 6, address, offsets[0], length(0), 0, 0, 1, 0],
    );
    word(&mut elf, &[7, 3, 0, 0, offsets[1], length(1), 0, 0, 1, 0]);
    word(&mut elf, &[15, 2, 0, 0, offsets[2], length(2), 2, 1, 4, 16]);
    word(
        &mut elf,
        &[other_name, 1, 0, other.1, offsets[3], length(3), 0, 0, 1, 0],
    );
    elf
}

fn half(elf: &mut Vec<u8>, values: &[u16]) {
    values
        .iter()
        .for_each(|value| elf.extend(value.to_le_bytes()));
}

fn word(elf: &mut Vec<u8>, values: &[u32]) {
    values
        .iter()
        .for_each(|value| elf.extend(value.to_le_bytes()));
}
