//! The table of format strings that an image carries for its log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use defmt_decoder::{DEFMT_VERSIONS, Encoding};
use object::{Object, ObjectSection, ObjectSymbol};
use serde::Deserialize;
use trace::{CodePlace, Level};

use super::ImageError;
use super::shape::{Shape, Timestamp};

/// The records of the `log` facade, as firmware passes them on: module, file, line, tag, text.
pub(super) const RECORD: &str = "[{=str} {=str}:{=u32}] {=str}: {=str}";

/// What is needed to read an image's defmt frames.
pub struct Table {
    /// The decoder for what is not read here.
    pub(super) inner: defmt_decoder::Table,
    /// By index, which is a symbol's address.
    entries: Vec<Option<Entry>>,
    pub(super) timestamp: Stamp,
}

/// What stands in front of every frame's arguments.
pub(super) enum Stamp {
    None,
    /// Time in a known unit.
    Time(Timestamp),
    /// Something else.
    Other(Shape),
    /// Nothing that could be walked over, so that no frame can.
    Unsound,
}

/// One format string.
pub(super) struct Entry {
    kind: Kind,
    /// None if it cannot be printed soundly.
    shape: Option<Shape>,
    format: String,
    /// Where it is logged.
    pub(super) place: Option<Arc<CodePlace>>,
    /// The crate that logs it.
    pub(super) package: String,
}

/// What a format string is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A record of the `log` facade.
    Record(Level),
    /// Any other line.
    Line(Level),
    /// Part of others.
    Part,
}

/// What stands in the name of a symbol.
#[derive(Deserialize)]
struct Symbol {
    package: String,
    tag: String,
    data: String,
    #[serde(default)]
    crate_name: Option<String>,
}

impl Entry {
    /// Level and shape, if this is a line.
    pub(super) fn line(&self) -> Option<(Level, &Shape)> {
        match self.kind {
            Kind::Record(level) | Kind::Line(level) => Some((level, self.shape.as_ref()?)),
            Kind::Part => None,
        }
    }

    /// The level, if this is a record of the `log` facade.
    pub(super) fn record(&self) -> Option<Level> {
        match self.kind {
            Kind::Record(level) => Some(level),
            Kind::Line(_) | Kind::Part => None,
        }
    }

    /// The shape, if this can stand within others.
    pub(super) fn format(&self) -> Option<&Shape> {
        match self.kind {
            Kind::Part => self.shape.as_ref(),
            Kind::Record(_) | Kind::Line(_) => None,
        }
    }

    /// Bytes of the string, if this can stand within others.
    pub(super) fn interned(&self) -> Option<u64> {
        (self.kind == Kind::Part).then_some(self.format.len() as u64)
    }
}

impl Table {
    /// The table of the image at `path`, whose bytes are `elf`.
    pub fn new(path: &Path, elf: &[u8]) -> Result<Self, ImageError> {
        // The parsers below are other people's, and the file may be damaged in any way.
        let made = catch_unwind(AssertUnwindSafe(|| Self::make(path, elf)));
        made.unwrap_or_else(|_| Err(damaged(path, "its parser fell over it")))
    }

    fn make(path: &Path, elf: &[u8]) -> Result<Self, ImageError> {
        let file = object::File::parse(elf).map_err(|error| ImageError::NotElf {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        check_version(path, &file)?;
        let inner = defmt_decoder::Table::parse(elf)
            .map_err(|error| damaged(path, &error.to_string()))?
            .ok_or_else(|| ImageError::NoDefmtTable {
                path: path.to_owned(),
            })?;
        // Without debug information there are no places, and nothing else is missing.
        let places = inner.get_locations(elf).unwrap_or_default();
        let mut table = Self {
            inner,
            entries: Vec::new(),
            timestamp: Stamp::None,
        };
        for (index, symbol) in symbols(&file) {
            if symbol.tag == "defmt_timestamp" {
                table.timestamp = Stamp::new(&symbol.data);
                continue;
            }
            let place = places.get(&u64::from(index)).map(|place| {
                Arc::new(CodePlace {
                    module: place.module.clone(),
                    file: place.file.display().to_string(),
                    line: u32::try_from(place.line).unwrap_or(u32::MAX),
                })
            });
            let at = usize::from(index);
            if table.entries.len() <= at {
                table.entries.resize_with(at + 1, || None);
            }
            table.entries[at] = Some(Entry {
                kind: Kind::new(&symbol),
                shape: Shape::new(&symbol.data),
                format: symbol.data,
                place,
                package: symbol.crate_name.unwrap_or(symbol.package),
            });
        }
        Ok(table)
    }

    /// The format strings of all lines, in the order of their indices.
    pub fn formats(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .flatten()
            .filter(|entry| entry.kind != Kind::Part)
            .map(|entry| entry.format.as_str())
    }

    /// The format string with this index.
    pub(super) fn entry(&self, index: u16) -> Option<&Entry> {
        self.entries.get(usize::from(index))?.as_ref()
    }

    /// Whether frames are told apart by zeros.
    pub(super) fn is_framed(&self) -> bool {
        self.inner.encoding() == Encoding::Rzcobs
    }
}

impl Kind {
    fn new(symbol: &Symbol) -> Self {
        let level = match symbol.tag.as_str() {
            "defmt_error" => Level::Error,
            "defmt_warn" => Level::Warn,
            "defmt_info" | "defmt_println" => Level::Info,
            "defmt_debug" => Level::Debug,
            "defmt_trace" => Level::Trace,
            _ => return Self::Part,
        };
        match symbol.data == RECORD {
            true => Self::Record(level),
            false => Self::Line(level),
        }
    }
}

impl Stamp {
    fn new(format: &str) -> Self {
        match (Timestamp::new(format), Shape::new(format)) {
            (Some(timestamp), Some(_)) => Self::Time(timestamp),
            (None, Some(shape)) => Self::Other(shape),
            (_, None) => Self::Unsound,
        }
    }
}

/// The symbols of the table, by the index that frames carry.
fn symbols<'f>(file: &'f object::File<'f>) -> impl Iterator<Item = (u16, Symbol)> + 'f {
    let sections: Vec<_> = file
        .sections()
        .filter(|section| section.name().is_ok_and(is_defmt_section))
        .map(|section| section.index())
        .collect();
    file.symbols().filter_map(move |symbol| {
        let section = symbol.section_index()?;
        if !sections.contains(&section) {
            return None;
        }
        // Frames carry two bytes, so nothing beyond them is ever sent.
        let index = u16::try_from(symbol.address()).ok()?;
        let symbol = serde_json::from_str(symbol.name().ok()?).ok()?;
        Some((index, symbol))
    })
}

fn is_defmt_section(name: &str) -> bool {
    name == ".defmt" || name.starts_with(".defmt.")
}

/// Says of what version the table is before it is read.
fn check_version(path: &Path, file: &object::File<'_>) -> Result<(), ImageError> {
    // LLD keeps the quotes of the linker script.
    let version = file.symbols().find_map(|symbol| {
        let name = symbol.name().ok()?.trim_matches('"');
        name.strip_prefix("_defmt_version_ = ").map(str::to_owned)
    });
    match version {
        None => Err(ImageError::NoDefmtTable {
            path: path.to_owned(),
        }),
        Some(version) if DEFMT_VERSIONS.contains(&version.as_str()) => Ok(()),
        Some(found) => Err(ImageError::DefmtVersion {
            path: path.to_owned(),
            found: found.chars().take(32).collect(),
            supported: DEFMT_VERSIONS.join(" and "),
        }),
    }
}

fn damaged(path: &Path, why: &str) -> ImageError {
    ImageError::DefmtTable {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}
