//! ELF files as a linker makes them, and others.

use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// The format string of the `log` facade's records.
pub const RECORD: &str = "[{=str} {=str}:{=u32}] {=str}: {=str}";

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

/// A linked image of one segment: a header, a program header, the bytes, and one section.
pub fn linked(machine: u16, address: u32, bytes: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 52;
    const PROGRAM: u32 = 32;
    const SECTION: u32 = 40;
    let names = b"\0.text\0.shstrtab\0";
    let data_at = HEADER + PROGRAM;
    let names_at = data_at + bytes.len() as u32;
    let sections_at = names_at + names.len() as u32;
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    half(&mut elf, &[2, machine]);
    word(&mut elf, &[1, address, HEADER, sections_at, 0]);
    half(
        &mut elf,
        &[HEADER as u16, PROGRAM as u16, 1, SECTION as u16, 3, 2],
    );
    let length = bytes.len() as u32;
    word(
        &mut elf,
        &[1, data_at, address, address, length, length, 5, 1],
    );
    elf.extend(bytes);
    elf.extend(names);
    word(&mut elf, &[0; 10]);
    word(&mut elf, &[1, 1, 6, address, data_at, length, 0, 0, 1, 0]);
    word(
        &mut elf,
        &[7, 3, 0, 0, names_at, names.len() as u32, 0, 0, 1, 0],
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
