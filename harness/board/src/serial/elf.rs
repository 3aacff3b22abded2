//! Firmware for tests: an ELF file of 32 bits with debug information of two functions in C.

use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, LineProgram, LineString, Sections,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian};
use object::write::{Object, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// Bytes of each function.
const LENGTH: u64 = 0x40;

/// `store` from the address `at` on, which begins in line 10 of `main/app.c` and is in line 12 from its
/// ninth byte on; behind it `app_main`, from line 30 and 31.
pub(super) fn firmware(architecture: Architecture, at: u64) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let text = object.section_id(StandardSection::Text);
    object.append_section_data(text, &[0; 2 * LENGTH as usize], 4);
    let mut dwarf = DwarfUnit::new(Encoding {
        format: Format::Dwarf32,
        version: 4,
        address_size: 4,
    });
    let functions = [("store", at, 10), ("app_main", at + LENGTH, 30)];
    dwarf.unit.line_program = lines(dwarf.unit.encoding(), &functions);
    let root = dwarf.unit.root();
    let unit = dwarf.unit.get_mut(root);
    for (name, value) in [
        (
            gimli::DW_AT_name,
            AttributeValue::String(b"main/app.c".to_vec()),
        ),
        (
            gimli::DW_AT_comp_dir,
            AttributeValue::String(b"/firmware".to_vec()),
        ),
        (
            gimli::DW_AT_low_pc,
            AttributeValue::Address(Address::Constant(at)),
        ),
        (gimli::DW_AT_high_pc, AttributeValue::Udata(2 * LENGTH)),
        (gimli::DW_AT_stmt_list, AttributeValue::LineProgramRef),
    ] {
        unit.set(name, value);
    }
    for (name, address, _) in functions {
        let entry = dwarf.unit.add(root, gimli::DW_TAG_subprogram);
        let entry = dwarf.unit.get_mut(entry);
        entry.set(gimli::DW_AT_name, AttributeValue::String(name.into()));
        entry.set(
            gimli::DW_AT_low_pc,
            AttributeValue::Address(Address::Constant(address)),
        );
        entry.set(gimli::DW_AT_high_pc, AttributeValue::Udata(LENGTH));
        object.add_symbol(Symbol {
            name: name.into(),
            value: address - at,
            size: LENGTH,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections).expect("sound");
    let added: Result<(), gimli::write::Error> = sections.for_each(|id, data| {
        if !data.slice().is_empty() {
            let name = id.name().into();
            let section = object.add_section(Vec::new(), name, SectionKind::Debug);
            object.append_section_data(section, data.slice(), 1);
        }
        Ok(())
    });
    added.expect("sections of debug information");
    object.write().expect("sound")
}

/// The rows of each function's lines.
fn lines(encoding: Encoding, functions: &[(&str, u64, u64)]) -> LineProgram {
    let string = |text: &str| LineString::String(text.into());
    let mut program = LineProgram::new(
        encoding,
        LineEncoding::default(),
        string("/firmware"),
        None,
        string("main/app.c"),
        None,
    );
    let folder = program.default_directory();
    let file = program.add_file(string("main/app.c"), folder, None);
    for (_, address, line) in functions {
        program.begin_sequence(Some(Address::Constant(*address)));
        for (offset, line) in [
            (0, *line),
            (4, line + 1),
            (8, if *line == 10 { 12 } else { line + 2 }),
        ] {
            program.row().address_offset = offset;
            program.row().file = file;
            program.row().line = line;
            program.generate_row();
        }
        program.end_sequence(LENGTH);
    }
    program
}
