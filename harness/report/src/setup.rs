//! What an attempt ran with, in words.

use trace::{BoardSetup, FirmwareBooted, FirmwareFile, Setup};

/// All of it in one line.
pub(crate) fn setup_text(setup: &Setup) -> String {
    format!(
        "{} on {}; {}",
        setup.tool,
        setup.host,
        board_text(&setup.board)
    )
}

/// A board and its firmware.
pub(crate) fn board_text(board: &BoardSetup) -> String {
    let mut text = format!("board {}", board.name);
    if let Some(reached_by) = &board.reached_by {
        text.push_str(&format!(" ({} {reached_by})", board.kind));
    }
    if let Some(chip) = &board.chip {
        text.push_str(&format!(", chip {chip}"));
    }
    for firmware in &board.firmware {
        text.push_str(&format!(", {}", firmware_text(firmware)));
    }
    text
}

/// A file of a firmware: its path, what it describes itself as, its hash.
pub(crate) fn firmware_text(firmware: &FirmwareFile) -> String {
    let described = described(&firmware.project, &firmware.version);
    let described = described.map_or_else(String::new, |described| format!("{described}, "));
    format!("{} ({described}SHA-256 {})", firmware.file, firmware.sha256)
}

/// What a boot log tells of the firmware.
pub(crate) fn booted_text(booted: &FirmwareBooted) -> String {
    let described = described(&booted.project, &booted.version);
    let described = described.map_or_else(String::new, |described| format!(" {described}"));
    let compared = match booted.is_the_image {
        Some(true) => ", as the image",
        Some(false) => ", which is another firmware than the image",
        None => "",
    };
    format!(
        "the device says that it runs{described}, ELF SHA-256 {}…{compared}",
        booted.elf_sha256
    )
}

/// Project and version, as far as they are known; none if neither is.
fn described(project: &Option<String>, version: &Option<String>) -> Option<String> {
    let known: Vec<&str> = [project, version]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    (!known.is_empty()).then(|| known.join(" "))
}
