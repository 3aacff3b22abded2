//! The firmware that a board names, and what of it depends on the board.

use super::firmware::Firmware;
use super::mistake::RigMistake;
use super::section::{Found, Section};
use super::text::Value;
use super::{BoardLink, Label};

/// The firmware that `section` names, which `link` and `label` have to fit. What writes its data is put
/// into `link`, if the rig file leaves that to the partition table.
pub(super) fn named(
    section: &Section<'_>,
    link: &mut Option<BoardLink>,
    label: &Label,
    firmwares: &[(String, Option<Firmware>)],
) -> Option<Firmware> {
    let found = section.string("firmware", "`firmware = \"lamp\"`");
    let Some(found) = found else {
        if let Some(BoardLink::Serial(serial)) = link
            && let Some(command) = serial.factory.as_ref()
            && command.mentions("offset")
        {
            no_offset(section);
        }
        return None;
    };
    let Some((_, firmware)) = firmwares.iter().find(|(name, _)| *name == found.value) else {
        let known: Vec<&str> = firmwares.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("there is no `[firmware.{}]`", found.value);
        let mistake = RigMistake::unknown(found.span, message, &found.value, &known);
        section.note_mistake(mistake);
        return None;
    };
    let firmware = firmware.clone()?;
    if let Some(provisioning) = &firmware.provisioning {
        let is_told = firmware.hand_over.mentions(Value::Pop);
        provisioning.check_secrets(section, &found.span, label, is_told);
    }
    match link.as_mut()? {
        BoardLink::Process(process) => {
            let told = &firmware.hand_over;
            process.command.extend(told.arguments.iter().cloned());
            let variables = told.environment.iter();
            process
                .environment
                .extend(variables.map(|(name, text)| (name.clone(), text.clone())));
            if firmware.provisioning.is_some() {
                let message =
                    format!("{firmware} is provisioned, and a program has the host's network");
                let help = "write `provisioning = \"none\"`, or leave `firmware` out";
                section.note(found.span.clone(), message, help);
            }
        }
        BoardLink::Serial(serial) => {
            is_no_program(section, &firmware, &found);
            let offset = firmware.hand_over.nvs.as_ref().and_then(|nvs| nvs.offset);
            let own = serial.factory.clone();
            let of_flash = serial.flash.as_ref().map(|flash| flash.command.clone());
            serial.factory = match (own, offset) {
                (Some(command), Some(offset)) => {
                    Some(command.with("offset", &format!("{offset:#x}")))
                }
                (None, Some(offset)) => {
                    of_flash.map(|command| command.with("offset", &format!("{offset:#x}")))
                }
                (Some(command), None) => {
                    if command.mentions("offset") {
                        no_offset(section);
                    }
                    Some(command)
                }
                (None, None) => None,
            };
            let image = image_of(&firmware);
            if let (Some(what), None) = (image, &serial.factory) {
                let message = format!("nothing writes {what} of {firmware} to this board");
                let help = match what {
                    NVS => {
                        "write `factory.command`, or `flash.command` here and `partition` and `table` there"
                    }
                    _ => "write `factory.command`",
                };
                section.note(found.span.clone(), message, help);
            }
            let merges = firmware.hand_over.nvs.as_ref().is_some_and(|nvs| nvs.merge);
            if merges && serial.storage.is_none() {
                let message = format!("`nvs.merge` of {firmware} needs what is stored now");
                let help =
                    "write `storage.read` and `storage.erase` for this board, or leave it out";
                section.note(found.span, message, help);
            }
        }
        BoardLink::Probe(probe) => {
            is_no_program(section, &firmware, &found);
            if let (Some(nvs), None) = (&firmware.hand_over.nvs, &probe.factory)
                && let Some(offset) = nvs.offset
            {
                let start = u64::from(offset);
                probe.factory = Some(start..start + nvs.size as u64);
            }
        }
    }
    Some(firmware)
}

const NVS: &str = "the NVS partition";

/// The image that the firmware's hand-over makes, if it makes one.
fn image_of(firmware: &Firmware) -> Option<&'static str> {
    if firmware.hand_over.nvs.is_some() {
        return Some(NVS);
    }
    let command = firmware.hand_over.files.as_ref()?.command.as_ref()?;
    command.mentions("file").then_some("the image of the files")
}

fn is_no_program(section: &Section<'_>, firmware: &Firmware, found: &Found<String>) {
    let told = &firmware.hand_over;
    if !told.environment.is_empty() || !told.arguments.is_empty() {
        let message =
            format!("{firmware} is told by `environment` or `arguments`, which only programs have");
        let help = "tell it by `nvs`, `files` or `endpoint`";
        section.note(found.span.clone(), message, help);
    }
}

fn no_offset(section: &Section<'_>) {
    let message =
        "`{offset}` in `factory.command` is that of a partition, and nothing says where one is";
    let help = "write the offset itself, or `nvs = { partition = \"nvs\", table = \"build/flasher_args.json\", … }` in the firmware's section";
    section.note(section.span.clone(), message, help);
}
