//! `[firmware.NAME]`: firmware that is not the reference device's, and how it is told of the world.

use super::Text;
use super::process::text;
use super::section::Section;

/// The firmware of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Its name in the rig file.
    pub name: String,
    /// How it is told of broker, time server and secrets.
    pub hand_over: HandOver,
}

/// How a firmware is told of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// Not at all: everything is built in.
    None,
    /// By an image of its NVS partition, which `factory.command` writes.
    Nvs(NvsTemplate),
}

/// An NVS partition in which values of the case stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvsTemplate {
    /// Size of the partition in bytes.
    pub size: usize,
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

const EXAMPLE: &str = "`nvs = { size = 0x6000, rows = [{ namespace = \"broker\", key = \"host\", type = \"string\", value = \"${broker.host}\" }] }`";

pub(super) fn firmware(name: &str, section: Section<'_>) -> Option<Firmware> {
    let template = section.table("nvs", EXAMPLE);
    let none = section.word("hand_over", &[("none", ())]);
    let hand_over = match (template, none) {
        (Some(_), Some(())) => {
            let name = section.name("hand_over");
            let message = format!("`{name}` is \"none\", and `nvs` is there");
            section.note(section.span.clone(), message, "leave one of them out");
            None
        }
        (Some(template), None) => nvs_template(template).map(HandOver::Nvs),
        (None, Some(())) => Some(HandOver::None),
        (None, None) => {
            if !section.has("hand_over") {
                let example = "`hand_over = \"none\"`, or `nvs` with its rows";
                section.missing("hand_over", example);
            }
            None
        }
    };
    section.end();
    Some(Firmware {
        name: name.to_owned(),
        hand_over: hand_over?,
    })
}

fn nvs_template(section: Section<'_>) -> Option<NvsTemplate> {
    let smallest = (nvs::PAGE * nvs::FEWEST_PAGES) as i64;
    let size = section.number("size", smallest..=0x1000_0000, "`size = 0x6000`");
    if !section.has("size") {
        section.missing("size", "`size = 0x6000`, as the partition table has it");
    }
    let size = usize::try_from(size?).ok()?;
    if !size.is_multiple_of(nvs::PAGE) {
        let message = format!(
            "`{}` is no multiple of {:#x} bytes",
            section.name("size"),
            nvs::PAGE
        );
        let help = "write the size that the partition table has";
        section.note(section.span.clone(), message, help);
    }
    let rows = section.list("rows", EXAMPLE).into_iter();
    let rows: Vec<Option<NvsRow>> = rows.map(row).collect();
    section.end();
    Some(NvsTemplate {
        size,
        rows: rows.into_iter().collect::<Option<_>>()?,
    })
}

fn row(section: Section<'_>) -> Option<NvsRow> {
    let [namespace, key] = ["namespace", "key"].map(|name| {
        let found = section.required_string(name, EXAMPLE)?;
        // Any value: only the name is asked about.
        let checked = nvs::Row::new(&found.value, &found.value, nvs::Value::U8(0));
        match checked {
            Ok(_) => Some(found.value),
            Err(error) => {
                section.note(
                    found.span,
                    error.to_string(),
                    "write a shorter or plainer one",
                );
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
        // What has no value of the case in it can be checked now.
        let plain = of.filter(|_| value.is_plain());
        if let Some(error) = plain.and_then(|of| nvs::Value::parse(of, &found.value).err()) {
            let help = "correct the value, or its type";
            section.note(found.span.clone(), error.to_string(), help);
            return None;
        }
        Some(value)
    });
    section.end();
    Some(NvsRow {
        namespace: namespace?,
        key: key?,
        of: of?,
        value: value?,
    })
}
