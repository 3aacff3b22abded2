//! What stands around real boards.

use trace::Ssid;

use super::secret::SecretReference;
use super::section::Section;
use crate::command::{CommandTemplate, SwitchCommands};

/// What a switch's commands may take, in s.
const SWITCH_LIMIT_S: u64 = 30;
const SET_EXAMPLE: &str = "`set = { command = [\"./set-up\", \"{file}\"] }`";
/// Longest SSID, in bytes (IEEE 802.11 §9.4.2.2).
const LONGEST_SSID: usize = 32;

/// A real access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name in the air.
    pub ssid: Ssid,
    /// Where its passphrase stands; none if the network is open.
    pub passphrase: Option<SecretReference>,
    /// What switches it.
    pub switch: Option<SwitchCommands>,
    /// What switches its way to the internet.
    pub internet: Option<SwitchCommands>,
    /// What keeps its clients apart.
    pub isolation: Option<SwitchCommands>,
    /// What sets it up as `{file}` says, in lines of hostapd.conf.
    pub set: Option<CommandTemplate>,
}

pub(super) fn access_point(section: Section<'_>) -> Option<AccessPoint> {
    let ssid = section.required_string("ssid", "`ssid = \"…\"`");
    let ssid = ssid.and_then(|ssid| {
        let name = section.name("ssid");
        let message = match ssid.value.parse::<Ssid>() {
            Ok(read) if read.as_bytes().len() <= LONGEST_SSID => return Some(read),
            Ok(_) => format!("`{name}` is longer than {LONGEST_SSID} bytes"),
            Err(error) => format!("`{name}`: {error}"),
        };
        section.note(
            ssid.span,
            message,
            "write the name that the access point sends",
        );
        None
    });
    let passphrase = passphrase(&section);
    let [switched, internet, isolation] =
        ["switch", "internet", "isolation"].map(|key| switch_at(&section, key));
    let set = section.table("set", SET_EXAMPLE).and_then(set);
    section.end();
    Some(AccessPoint {
        ssid: ssid?,
        passphrase,
        switch: switched,
        internet,
        isolation,
        set,
    })
}

/// What sets an access point up.
fn set(section: Section<'_>) -> Option<CommandTemplate> {
    let limit = section.seconds("limit_s", SWITCH_LIMIT_S);
    if !section.has("command") {
        section.missing("command", SET_EXAMPLE);
    }
    let command = section.command("command", &["file"], limit, SET_EXAMPLE);
    if let Some(command) = &command
        && !command.value.mentions("file")
    {
        let message = format!(
            "`{}` does not say where the settings go",
            section.name("command")
        );
        section.note(
            command.span.clone(),
            message,
            format!("write {SET_EXAMPLE}"),
        );
    }
    section.end();
    command.map(|command| command.value)
}

fn passphrase(section: &Section<'_>) -> Option<SecretReference> {
    let variable = variable(&section.key);
    let example = format!("`passphrase = \"env:{variable}\"`");
    let found = section.multiline("passphrase", &example)?;
    let reference = SecretReference::parse(&found.value, section.folder());
    if reference.is_none() {
        let message = format!(
            "`{}` must say where the passphrase is, not what it is",
            section.name("passphrase")
        );
        section.note_secret(
            found.span,
            message,
            format!(
                "put it into the environment and write {example}, or into a file of its own and write `passphrase = \"file:home.passphrase\"`"
            ),
        );
    }
    reference
}

/// `access_points.home` as a variable would be called.
fn variable(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("{name}_PASSPHRASE")
}

fn switch_at(section: &Section<'_>, key: &'static str) -> Option<SwitchCommands> {
    let example =
        format!("`{key} = {{ on = [\"./{key}\", \"on\"], off = [\"./{key}\", \"off\"] }}`");
    switch(section.table(key, &example)?, 0)
}

/// A pair of commands.
pub(super) fn switch(section: Section<'_>, settle_ms: i64) -> Option<SwitchCommands> {
    let limit = section.seconds("limit_s", SWITCH_LIMIT_S);
    let command = |key: &'static str| {
        let example = format!("`{key} = [\"./switch\", \"{key}\"]`");
        if !section.has(key) {
            section.missing(key, &example);
        }
        section.command(key, &[], limit, &example)
    };
    let (on, off) = (command("on"), command("off"));
    let settle = section.number("settle_ms", 0..=60_000, "`settle_ms = 500`");
    section.end();
    Some(SwitchCommands {
        on: on?.value,
        off: off?.value,
        discharge: std::time::Duration::from_millis(settle.unwrap_or(settle_ms).unsigned_abs()),
    })
}
