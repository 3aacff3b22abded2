//! Names of code addresses, by an image's debug information and its symbols.

use std::borrow::Cow;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSection, SymbolMap, SymbolMapName};
use trace::board::Frame;

/// Inlined functions of one frame.
const MOST_INLINED: usize = 16;

pub(crate) type Slice<'e> = EndianSlice<'e, RunTimeEndian>;

pub(crate) fn endian(file: &object::File<'_>) -> RunTimeEndian {
    match file.is_little_endian() {
        true => RunTimeEndian::Little,
        false => RunTimeEndian::Big,
    }
}

/// A section of debug information; empty if there is none.
pub(crate) fn section<'e>(
    file: &object::File<'e>,
    id: SectionId,
) -> Result<Cow<'e, [u8]>, gimli::Error> {
    let data = file
        .section_by_name(id.name())
        .and_then(|section| section.uncompressed_data().ok());
    Ok(data.unwrap_or_default())
}

/// The functions, files and lines of code addresses.
pub(crate) struct Names<'e> {
    context: Context<Slice<'e>>,
    /// What is named of a function of which the debug information has lines alone.
    symbols: SymbolMap<SymbolMapName<'e>>,
}

impl<'e> Names<'e> {
    pub fn new(file: &object::File<'e>, dwarf: Dwarf<Slice<'e>>) -> Option<Self> {
        Some(Self {
            context: Context::from_dwarf(dwarf).ok()?,
            symbols: file.symbol_map(),
        })
    }

    /// The function at `pc`, those inlined into it first.
    pub fn at(&self, pc: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        if let Ok(mut frames) = self.context.find_frames(pc).skip_all_loads() {
            while let (true, Ok(Some(frame))) = (found.len() < MOST_INLINED, frames.next()) {
                let name = frame
                    .function
                    .as_ref()
                    .and_then(|function| function.demangle().ok().map(Cow::into_owned));
                let location = frame.location.as_ref();
                found.push(Frame {
                    function: name.unwrap_or_else(|| self.symbol(pc)),
                    file: location
                        .and_then(|location| location.file)
                        .map(str::to_owned),
                    line: location.and_then(|location| location.line),
                });
            }
        }
        if found.is_empty() {
            found.push(Frame {
                function: self.symbol(pc),
                file: None,
                line: None,
            });
        }
        found
    }

    /// What the symbol at `pc` is called; the address itself if there is none.
    fn symbol(&self, pc: u64) -> String {
        match self.symbols.containing(pc) {
            Some(symbol) => addr2line::demangle_auto(symbol.name().into(), None).into_owned(),
            None => format!("{pc:#010x}"),
        }
    }
}
