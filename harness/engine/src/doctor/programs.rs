//! Programs and files that the rig file names.

use std::collections::BTreeSet;
use std::path::Path;

use board::command::{CommandTemplate, SwitchCommands};
use board::process::ProcessBoard;
use board::rig::{BoardLink, Rig, RigBoard};

use super::Finding;
use crate::mend;

/// Each program once, by what it is for.
pub(super) fn check(rig: &Rig, board: &RigBoard) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut commands: Vec<(&'static str, &CommandTemplate)> = Vec::new();
    match &board.link {
        BoardLink::Serial(serial) => {
            let flash = serial.flash.as_ref();
            commands.extend(flash.map(|flash| ("flasher", &flash.command)));
            commands.extend(serial.factory.as_ref().map(|command| ("factory", command)));
            if let Some(storage) = &serial.storage {
                commands.extend([("storage", &storage.read), ("storage", &storage.erase)]);
            }
            let reset = serial.reset_command.as_ref();
            commands.extend(reset.map(|command| ("reset", command)));
            let images = flash.map_or(&[][..], |flash| &flash.images);
            findings.extend(images.iter().map(|image| file("image", &image.file)));
            findings.extend(serial.elf.iter().map(|elf| file("image", elf)));
        }
        BoardLink::Probe(probe) => {
            findings.extend(probe.image.iter().map(|image| file("image", image)));
        }
        BoardLink::Process(link) => {
            let program = link.program().display().to_string();
            findings.push(program_is(
                "program",
                &program,
                ProcessBoard::is_there(link),
            ));
        }
    }
    commands.extend(board.health.as_ref().map(|health| ("health", health)));
    commands.extend(both("power", board.power.as_ref()));
    for point in rig.access_points.values() {
        for switch in [&point.switch, &point.internet, &point.isolation] {
            commands.extend(both("access point", switch.as_ref()));
        }
    }
    let mut seen = BTreeSet::new();
    for (check, command) in commands {
        let program = command.program().display().to_string();
        if seen.insert((check, program.clone())) {
            findings.push(program_is(check, &program, command.is_there()));
        }
    }
    findings
}

fn both<'c>(
    check: &'static str,
    switch: Option<&'c SwitchCommands>,
) -> impl Iterator<Item = (&'static str, &'c CommandTemplate)> {
    let commands = switch.map(|switch| [(check, &switch.on), (check, &switch.off)]);
    commands.into_iter().flatten()
}

fn program_is(check: &'static str, program: &str, is_there: bool) -> Finding {
    match is_there {
        true => Finding::ok(check, format!("{program} is there")),
        false => Finding::not_ok(
            check,
            format!("there is no program {program} that could be started"),
            mend::no_program(program),
        ),
    }
}

fn file(check: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    match path.is_file() {
        true => Finding::ok(check, format!("{shown} is there")),
        false => Finding::not_ok(
            check,
            format!("there is no file {shown}"),
            "build the firmware, or correct the path in the rig file",
        ),
    }
}
