//! How a firmware is told of the world.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use super::super::process::{self, text};
use super::super::section::{Found, Section};
use super::super::text::{Text, Value};
use super::nvs_template::{self, NvsTemplate, nvs_template};
use crate::command::CommandTemplate;

/// What making an image of files may take, in s.
const COMMAND_LIMIT_S: u64 = 180;

/// How a firmware is told of the world; not at all if all of it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// By an image of its NVS partition.
    pub nvs: Option<NvsTemplate>,
    /// By files, of which a command makes an image, or a build.
    pub files: Option<Files>,
    /// By variables of a program.
    pub environment: BTreeMap<String, Text>,
    /// By further arguments of a program.
    pub arguments: Vec<Text>,
    /// By a request in a phone's session.
    pub endpoint: Option<Endpoint>,
}

/// Files in which values of the case stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Each of them.
    pub entries: Vec<FileEntry>,
    /// What is run with them: `{folder}`, and `{file}` for an image that it makes, which is then written
    /// as factory data.
    pub command: Option<CommandTemplate>,
}

/// A file in which values of the case stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path in the folder.
    pub name: String,
    /// What it holds.
    pub content: Text,
}

/// A request that tells a firmware of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// To which endpoint of the application's own.
    pub name: String,
    /// What is sent.
    pub value: Text,
    /// What the answer must contain.
    pub reply: Option<String>,
}

const EXAMPLE: &str = "`hand_over = \"none\"`, or how it is told: `nvs`, `files`, `endpoint`, `environment` or `arguments`";

impl HandOver {
    /// Whether it tells `value`.
    pub fn mentions(&self, value: Value) -> bool {
        self.texts().any(|text| text.mentions(value))
    }

    /// Whether it tells nothing.
    pub fn is_none(&self) -> bool {
        self == &Self::default()
    }

    fn texts(&self) -> impl Iterator<Item = &Text> {
        let of_programs = self.environment.values().chain(&self.arguments);
        self.texts_of_devices().chain(of_programs)
    }

    /// Those that end up on a device.
    fn texts_of_devices(&self) -> impl Iterator<Item = &Text> {
        let rows = self.nvs.iter().flat_map(|nvs| &nvs.rows);
        let files = self.files.iter().flat_map(|files| &files.entries);
        rows.map(|row| &row.value)
            .chain(files.map(|file| &file.content))
            .chain(self.endpoint.iter().map(|endpoint| &endpoint.value))
    }

    fn is_made_twice(&self) -> bool {
        let command = self.files.as_ref().and_then(|files| files.command.as_ref());
        self.nvs.is_some() && command.is_some_and(|command| command.mentions("file"))
    }
}

impl FileEntry {
    /// How a value is written into it: so that a text of JSON or CSV that stands in quotes stays one.
    pub fn written(&self, value: &str) -> String {
        match Path::new(&self.name).extension().and_then(|e| e.to_str()) {
            Some("json") => in_json(value),
            Some("csv") => value.replace('"', "\"\""),
            _ => value.to_owned(),
        }
    }
}

impl Endpoint {
    /// How a value is written into it.
    pub fn written(&self, value: &str) -> String {
        match is_json(&self.value) {
            true => in_json(value),
            false => value.to_owned(),
        }
    }
}

/// `value` inside the quotes of a text in JSON.
fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Whether it begins as JSON does.
fn is_json(text: &Text) -> bool {
    text.to_string().trim_start().starts_with(['{', '['])
}

/// The carriers of `[firmware.NAME]`.
pub(super) fn hand_over(section: &Section<'_>) -> Option<HandOver> {
    let carriers = ["nvs", "files", "endpoint", "environment", "arguments"];
    let none = section.word("hand_over", &[("none", ())]);
    let there: Vec<&str> = carriers
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    match (none, &there[..]) {
        (Some(()), [first, ..]) => {
            let name = section.name("hand_over");
            let message = format!("`{name}` is \"none\", and `{first}` is there");
            section.note(section.span.clone(), message, "leave one of them out");
        }
        (None, []) if !section.has("hand_over") => section.missing("hand_over", EXAMPLE),
        _ => {}
    }
    let is_sound = none.is_some() == there.is_empty();
    let nvs = section.table("nvs", nvs_template::EXAMPLE);
    let nvs = nvs.map(nvs_template);
    let files = section.table("files", FILES).map(files);
    let endpoint = section.table("endpoint", ENDPOINT).map(endpoint);
    let environment = process::environment(section);
    let example = "`arguments = [\"--broker\", \"${broker.host}\"]`";
    let arguments = section.strings("arguments", example).unwrap_or_default();
    let arguments: Vec<Option<Text>> = arguments.iter().map(|word| text(section, word)).collect();
    let found = HandOver {
        nvs: inside(nvs)?,
        files: inside(files)?,
        endpoint: inside(endpoint)?,
        environment,
        arguments: arguments.into_iter().collect::<Option<_>>()?,
    };
    if found.is_made_twice() {
        let message = format!(
            "`{}` and `{}` both make an image, and one is written",
            section.name("nvs"),
            section.name("files.command")
        );
        let help =
            "leave one of them out, or have the command write its image itself, without `{file}`";
        section.note(section.span.clone(), message, help);
    }
    if found
        .texts_of_devices()
        .any(|text| text.mentions(Value::Files))
    {
        let message = "`${files}` is a path of this host, which only a program can be told";
        section.note(
            section.span.clone(),
            message,
            "write what the file holds, such as `${ca.pem}`",
        );
    }
    is_sound.then_some(found)
}

/// None if it is there and has mistakes.
fn inside<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        Some(None) => None,
        Some(sound) => Some(sound),
        None => Some(None),
    }
}

const FILES: &str = "`files = { entries = [{ name = \"ca.pem\", value = \"${ca.pem}\" }] }`";

fn files(section: Section<'_>) -> Option<Files> {
    if !section.has("entries") {
        section.missing("entries", FILES);
    }
    let listed = section.list("entries", FILES).into_iter();
    let entries: Vec<Option<FileEntry>> = listed.map(entry).collect();
    let limit = section.seconds("limit_s", COMMAND_LIMIT_S);
    let example = "`command = [\"./make-image\", \"{folder}\", \"{file}\"]`";
    let command = match section.has("command") {
        true => Some(section.command("command", &["folder", "file"], limit, example)?),
        false => None,
    };
    section.end();
    Some(Files {
        entries: entries.into_iter().collect::<Option<_>>()?,
        command: command.map(|command| command.value),
    })
}

fn entry(section: Section<'_>) -> Option<FileEntry> {
    let name = section.required_string("name", FILES);
    let name = name.and_then(|found| {
        let mut parts = Path::new(&found.value).components();
        if parts.all(|part| matches!(part, Component::Normal(_))) {
            return Some(found.value);
        }
        let message = format!(
            "`{}` leads out of the folder of files",
            section.name("name")
        );
        section.note(
            found.span,
            message,
            "write a name, or a path below the folder",
        );
        None
    });
    let content = match (section.has("value"), section.has("template")) {
        (true, false) => {
            let found = section.multiline("value", FILES);
            found.and_then(|found| text(&section, &found))
        }
        (false, true) => {
            let found = section.string("template", "`template = \"config.json.in\"`");
            found.and_then(|found| template(&section, found))
        }
        _ => {
            let message = format!("`{}` must have one of `value` and `template`", section.key);
            section.note(section.span.clone(), message, format!("write {FILES}"));
            None
        }
    };
    section.end();
    Some(FileEntry {
        name: name?,
        content: content?,
    })
}

/// The text of the file that `found` names.
fn template(section: &Section<'_>, found: Found<String>) -> Option<Text> {
    let path = section.folder().join(&found.value);
    let read = super::read_file(&path)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    match read {
        Ok(value) => {
            let span = found.span;
            text(section, &Found { value, span })
        }
        Err(error) => {
            let message = format!("failed to read {}: {error}", path.display());
            section.note(found.span, message, "name a file of UTF-8 text");
            None
        }
    }
}

const ENDPOINT: &str =
    "`endpoint = { name = \"custom-data\", value = '{\"broker\":\"${broker.host}\"}' }`";

fn endpoint(section: Section<'_>) -> Option<Endpoint> {
    let name = section.required_string("name", ENDPOINT);
    if !section.has("value") {
        section.missing("value", ENDPOINT);
    }
    let found = section.multiline("value", ENDPOINT);
    let reply = section.string("reply", "`reply = \"ok\"`");
    let value = found.and_then(|found| {
        let value = text(&section, &found)?;
        // A number stands for values in quotes and without.
        let sample = value.fill_with(|_| Some("1".to_owned()));
        let sample = sample.unwrap_or_default();
        if is_json(&value)
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&sample)
        {
            let message = format!(
                "`{}` begins as JSON and is none: {error}",
                section.name("value")
            );
            section.note(found.span, message, format!("write {ENDPOINT}"));
            return None;
        }
        Some(value)
    });
    section.end();
    Some(Endpoint {
        name: name?.value,
        value: value?,
        reply: reply.map(|reply| reply.value),
    })
}
