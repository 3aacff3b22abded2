//! `[boards.NAME]` of a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::SerialLog;
use super::mistake::RigMistake;
use super::section::{Found, Section};
use super::text::{Text, TextError, Value};

/// A program that is a device, as rig.toml has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLink {
    /// The program and its arguments; the program is plain text.
    pub command: Vec<Text>,
    /// Variables, on top of those that the harness has.
    pub environment: BTreeMap<String, Text>,
    /// Where it is started, and what it keeps when it has no power. Without one, it gets a new one in
    /// each attempt.
    pub folder: Option<PathBuf>,
    /// The form of its log.
    pub log: SerialLog,
    /// The folder of the rig file, from which a program with a slash in its name is found.
    pub base: PathBuf,
}

impl ProcessLink {
    /// Whether the program is told `value`.
    pub fn mentions(&self, value: Value) -> bool {
        let texts = self.command.iter().chain(self.environment.values());
        texts.into_iter().any(|text| text.mentions(value))
    }

    /// The program, as it is started.
    pub fn program(&self) -> PathBuf {
        let name = self.command.first().map(Text::to_string);
        let name = name.unwrap_or_default();
        if name.contains('/') {
            self.base.join(name)
        } else {
            name.into()
        }
    }
}

const EXAMPLE: &str = "`command = [\"./device\", \"--broker\", \"${broker.host}\"]`";

pub(super) fn process(section: &Section<'_>) -> Option<ProcessLink> {
    if !section.has("command") {
        section.missing("command", EXAMPLE);
    }
    let words = section.strings("command", EXAMPLE);
    let command = words.and_then(|words| command(section, words));
    let environment = environment(section);
    let log = log_form(section);
    let folder = section.path("folder", "`folder = \"state\"`");
    Some(ProcessLink {
        command: command?,
        environment,
        folder,
        log,
        base: section.folder().to_owned(),
    })
}

/// `environment`, as programs and firmware have it.
pub(super) fn environment(section: &Section<'_>) -> BTreeMap<String, Text> {
    let example = "`environment = { BROKER = \"${broker.host}\" }`";
    let mut environment = BTreeMap::new();
    for (name, value) in section.texts("environment", example) {
        let is_name = !name.is_empty() && !name.contains(['=', '\0']);
        if !is_name {
            let message = format!("no variable can be called `{}`", name.escape_debug());
            section.note(value.span, message, format!("write {example}"));
        } else if let Some(text) = text(section, &value) {
            environment.insert(name, text);
        }
    }
    environment
}

/// `log`, as UARTs and programs have it.
pub(super) fn log_form(section: &Section<'_>) -> SerialLog {
    let log = section.word(
        "log",
        &[
            ("auto", SerialLog::Auto),
            ("esp-idf", SerialLog::EspIdf),
            ("linkkit", SerialLog::Linkkit),
            ("plain", SerialLog::Plain),
        ],
    );
    log.unwrap_or(SerialLog::Auto)
}

fn command(section: &Section<'_>, words: Vec<Found<String>>) -> Option<Vec<Text>> {
    let span = words.first().map(|word| word.span.clone());
    let texts: Vec<Option<Text>> = words.iter().map(|word| text(section, word)).collect();
    let texts = texts.into_iter().collect::<Option<Vec<Text>>>()?;
    let is_program = |program: &Text| program.is_plain() && !program.to_string().is_empty();
    if texts.first().is_some_and(is_program) {
        return Some(texts);
    }
    let message = format!("`{}` must begin with a program", section.name("command"));
    let span = span.unwrap_or_else(|| section.span.clone());
    section.note(span, message, format!("write {EXAMPLE}"));
    None
}

/// A text in which values may stand.
pub(super) fn text(section: &Section<'_>, found: &Found<String>) -> Option<Text> {
    match Text::parse(&found.value) {
        Ok(text) => Some(text),
        Err(error @ TextError::Unknown { .. }) => {
            let TextError::Unknown { name } = &error else {
                return None;
            };
            let known = Value::ALL.map(|(name, _)| name);
            let message = error.to_string();
            section.note_mistake(RigMistake::unknown(
                found.span.clone(),
                message,
                name,
                &known,
            ));
            None
        }
        Err(error) => {
            section.note(
                found.span.clone(),
                error.to_string(),
                format!("write {EXAMPLE}"),
            );
            None
        }
    }
}
