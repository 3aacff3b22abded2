//! `nvs`: an NVS partition in which values of the case stand.

use super::super::process::text;
use super::super::section::Section;
use super::super::text::{Text, Value};
use super::partition::find_partition;

/// An NVS partition in which values of the case stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvsTemplate {
    /// Size of the partition in bytes.
    pub size: usize,
    /// Where it begins in flash, if the rig file has a partition table.
    pub offset: Option<u32>,
    /// Whether what the device has stored under other keys stays.
    pub merge: bool,
    /// What stands in it.
    pub rows: Vec<NvsRow>,
}

/// A row of an NVS partition in which values of the case stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvsRow {
    /// Its namespace.
    pub namespace: String,
    /// Its key.
    pub key: String,
    /// Its type, one of [`nvs::Value::TYPES`].
    pub of: &'static str,
    /// Its value. `${ca.pem}` and the like stand for what the file holds.
    pub value: Text,
}

pub(super) const EXAMPLE: &str = "`nvs = { size = 0x6000, rows = [{ namespace = \"broker\", key = \"host\", type = \"string\", value = \"${broker.host}\" }] }`";

pub(super) fn nvs_template(section: Section<'_>) -> Option<NvsTemplate> {
    let place = if section.has("partition") || section.has("table") {
        partition(&section)
    } else {
        size(&section).map(|size| (size, None))
    };
    let merge = section.flag("merge", "`merge = true`").unwrap_or(false);
    if !section.has("rows") {
        section.missing("rows", EXAMPLE);
    }
    let listed = section.list("rows", EXAMPLE).into_iter();
    let listed: Vec<Option<(NvsRow, Span)>> = listed.map(row).collect();
    let listed = listed.into_iter().collect::<Option<Vec<_>>>();
    if let (Some((size, _)), Some(listed)) = (place, &listed) {
        check_together(&section, listed, size);
    }
    section.end();
    let (size, offset) = place?;
    let rows = listed?.into_iter().map(|(row, _)| row);
    Some(NvsTemplate {
        size,
        offset,
        merge,
        rows: rows.collect(),
    })
}

type Span = std::ops::Range<usize>;

/// `size`, without a partition table.
fn size(section: &Section<'_>) -> Option<usize> {
    let smallest = (nvs::PAGE * nvs::FEWEST_PAGES) as i64;
    let size = section.number("size", smallest..=0x1000_0000, "`size = 0x6000`");
    if !section.has("size") {
        section.missing(
            "size",
            "`size = 0x6000`, as the partition table has it, or `partition` and `table`",
        );
    }
    let size = usize::try_from(size?).ok()?;
    check_size(section, "size", size)
}

fn check_size(section: &Section<'_>, key: &str, size: usize) -> Option<usize> {
    let name = section.name(key);
    let fewest = nvs::PAGE * nvs::FEWEST_PAGES;
    let message = if !size.is_multiple_of(nvs::PAGE) {
        format!("`{name}` is no multiple of {:#x} bytes", nvs::PAGE)
    } else if size < fewest {
        format!("`{name}` has {size:#x} bytes; firmware can write to {fewest:#x} and more only")
    } else {
        return Some(size);
    };
    let help = "write the size that the partition table has";
    section.note(section.span.clone(), message, help);
    None
}

/// `partition` and `table`.
fn partition(section: &Section<'_>) -> Option<(usize, Option<u32>)> {
    if section.has("size") {
        let message = format!("`{}` stands in the partition table", section.name("size"));
        section.note(section.span.clone(), message, "leave it out");
    }
    let name = section.required_string("partition", "`partition = \"nvs\"`");
    let example = "`table = \"build/flasher_args.json\"`, or a `partition-table.bin` or CSV";
    let table = section.required_string("table", example);
    let (name, table) = (name?, table?);
    match find_partition(&section.folder().join(&table.value), &name.value) {
        Ok(found) => {
            let size = check_size(section, "partition", usize::try_from(found.size).ok()?)?;
            Some((size, Some(found.offset)))
        }
        Err(error) => {
            let unknown = matches!(error, super::PartitionError::Unknown { .. });
            let span = if unknown { name.span } else { table.span };
            let message = format!(
                "`{}`: {}",
                section.name("partition"),
                trace::in_full(&error)
            );
            section.note(span, message, format!("write {example}"));
            None
        }
    }
}

/// Rows that cannot stand in one partition, whatever the values of a case are.
fn check_together(section: &Section<'_>, listed: &[(NvsRow, Span)], size: usize) {
    let mut least = Vec::new();
    for (row, span) in listed {
        let value = match row.value.is_plain() {
            true => nvs::Value::parse(row.of, &row.value.to_string()),
            // What stands for it later is no shorter.
            false => Ok(nvs::Value::U8(0)),
        };
        let made = value.and_then(|value| nvs::Row::new(&row.namespace, &row.key, value));
        let Ok(made) = made else { continue };
        let is_same =
            |other: &nvs::Row| other.namespace() == made.namespace() && other.key() == made.key();
        if least.iter().any(is_same) {
            let message = format!("`{}` stands twice in `{}`", row.key, row.namespace);
            section.note(span.clone(), message, "leave one of them out");
            return;
        }
        least.push(made);
    }
    if let Err(error) = nvs::image(&least, size) {
        let help = "leave rows out, or make the partition larger";
        section.note(section.span.clone(), error.to_string(), help);
    }
}

fn row(section: Section<'_>) -> Option<(NvsRow, Span)> {
    let [namespace, key] = ["namespace", "key"].map(|name| {
        let found = section.required_string(name, EXAMPLE)?;
        // Any value: only the name is asked about.
        let checked = nvs::Row::new(&found.value, &found.value, nvs::Value::U8(0));
        match checked {
            Ok(_) => Some(found.value),
            Err(error) => {
                let help = "write a shorter or plainer one";
                section.note(found.span, error.to_string(), help);
                None
            }
        }
    });
    let types = nvs::Value::TYPES.map(|name| (name, name));
    let of = section.word("type", &types);
    if !section.has("type") {
        section.missing("type", "`type = \"string\"`");
    }
    let found = section.required_string("value", EXAMPLE);
    let value = found.as_ref().and_then(|found| {
        let value = text(&section, found)?;
        let plain = of.filter(|_| value.is_plain());
        // What has no value of the case in it can be checked now, and whether a value can ever be a number.
        let error = match (plain, of, value.sole()) {
            (Some(of), ..) => nvs::Value::parse(of, &found.value)
                .err()
                .map(|e| e.to_string()),
            (None, Some(of), Some(sole)) if is_number(of) && !is_port(sole) => {
                Some(format!("`${{{sole}}}` is no {of}"))
            }
            _ => None,
        };
        if let Some(message) = error {
            let help = "correct the value, or its type";
            section.note(found.span.clone(), message, help);
            return None;
        }
        Some(value)
    });
    let span = section.span.clone();
    section.end();
    let row = NvsRow {
        namespace: namespace?,
        key: key?,
        of: of?,
        value: value?,
    };
    Some((row, span))
}

fn is_number(of: &str) -> bool {
    of.starts_with(['u', 'i'])
}

fn is_port(value: Value) -> bool {
    matches!(value, Value::BrokerPort | Value::TimePort)
}
