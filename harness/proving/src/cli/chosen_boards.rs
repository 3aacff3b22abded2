//! Which boards the user means, and what they are flashed with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use board::rig::{DEFAULT_FILE, Rig, RigBoard};
use miette::Diagnostic;

use super::CommandError;
use super::hardware::{HardwareError, emulator};
use engine::run::{BoardKind, BoardModel};
use language::{BoardFacts, BoardFilter};

/// Where `cargo xtask firmware mps2` puts the image, in cargo's target folder.
const MPS2_IMAGE: &str = "firmware/thumbv7em-none-eabi/release/mps2";

/// The boards of these names or expressions, in this order; `native` if there are none. Real ones
/// stand in the rig file `rig`. `image` is what the user wants boards to be flashed with. An emulated board without
/// its emulator is told as missing, unless it is the only one.
pub(super) fn of(
    names: &[String],
    rig: &Path,
    image: Option<&Path>,
) -> Result<Vec<BoardModel>, CommandError> {
    let native = [BoardModel::native().name];
    let names = if names.is_empty() { &native } else { names };
    let mut boards: Vec<BoardModel> = Vec::new();
    let mut wanted = Vec::new();
    for name in names {
        match BoardFilter::is_one(name) {
            true => wanted.extend(matching(name, rig)?),
            false => wanted.push(name.clone()),
        }
    }
    for name in &wanted {
        let board = match BoardModel::named(name) {
            Some(board) => board,
            None => real(name, rig)?,
        };
        if let (Some(image), Some(rig), Some(whose)) = (image, &board.rig, board.own_firmware) {
            return Err(has_its_own(&board.name, image, whose, Some(&rig.file)));
        }
        let board = flashed(board, image)?;
        if !boards.contains(&board) {
            boards.push(board);
        }
    }
    let takes_none = boards.iter().all(|board| board.own_firmware.is_some());
    if let (Some(image), Some(board), true) = (image, boards.first(), takes_none) {
        let whose = board.own_firmware.unwrap_or_default();
        return Err(has_its_own(&board.name, image, whose, None));
    }
    if boards.iter().all(|board| board.missing.is_some()) {
        emulator()?;
    }
    Ok(boards)
}

/// `--image` names other firmware than the board's own.
fn has_its_own(name: &str, image: &Path, whose: &str, rig: Option<&Path>) -> CommandError {
    let help = match rig {
        Some(rig) => format!("leave --image out, or change {}", rig.display()),
        None => {
            "name a board that is flashed, such as --board qemu; --device takes another build of \
             the native board's program"
                .to_owned()
        }
    };
    CommandError::OwnFirmware {
        board: name.to_owned(),
        image: image.to_owned(),
        whose: whose.to_owned(),
        help,
    }
}

/// A board of the rig file.
fn real(name: &str, file: &Path) -> Result<BoardModel, CommandError> {
    if !file.exists() && file == Path::new(DEFAULT_FILE) {
        return Err(CommandError::UnknownBoard(name.to_owned()));
    }
    let rig = Rig::read(file).map_err(HardwareError::from)?;
    match rig.boards.get(name) {
        Some(board) => Ok(BoardModel::real(board, &rig, file)),
        None => {
            let virtual_ones = board::rig::VIRTUAL_BOARDS.into_iter();
            let known: Vec<&str> = virtual_ones
                .chain(rig.boards.keys().map(String::as_str))
                .collect();
            Err(HardwareError::UnknownBoard {
                name: name.to_owned(),
                rig: file.to_owned(),
                known: known.join(", "),
            }
            .into())
        }
    }
}

/// The names of the boards in the rig file that `expression` chooses, each physical board once.
fn matching(expression: &str, file: &Path) -> Result<Vec<String>, CommandError> {
    let filter = BoardFilter::parse(expression)?;
    let rig = Rig::read(file).map_err(HardwareError::from)?;
    let mut identities = BTreeSet::new();
    let chosen: Vec<String> = rig
        .boards
        .values()
        .filter(|board| filter.matches(&facts(board)) && identities.insert(board.identity()))
        .map(|board| board.name.clone())
        .collect();
    if chosen.is_empty() {
        let known: Vec<String> = rig.boards.values().map(described).collect();
        return Err(CommandError::NoBoardMatches {
            expression: expression.to_owned(),
            rig: file.to_owned(),
            known: match known.is_empty() {
                true => "none".to_owned(),
                false => known.join("; "),
            },
        });
    }
    Ok(chosen)
}

/// What an expression can ask about `board`.
fn facts(board: &RigBoard) -> BoardFacts {
    let place_of = |kind| (board.link.kind() == kind).then(|| board.link.place());
    BoardFacts {
        name: board.name.clone(),
        kind: board.link.kind(),
        chip: board.chip.clone(),
        can: board.can.iter().map(ToString::to_string).collect(),
        port: place_of("serial"),
        probe: place_of("probe"),
    }
}

/// A board as it stands in a list: `lamp (kind=serial chip=esp32c3 can=power)`.
fn described(board: &RigBoard) -> String {
    let facts = facts(board);
    let mut words = vec![format!("kind={}", facts.kind)];
    words.extend(facts.chip.map(|chip| format!("chip={chip}")));
    words.extend(facts.can.iter().map(|ability| format!("can={ability}")));
    words.extend(facts.port.map(|port| format!("port={port}")));
    words.extend(facts.probe.map(|probe| format!("probe={probe}")));
    format!("{} ({})", facts.name, words.join(" "))
}

/// The same board with the image that it is flashed with, which exists.
fn flashed(board: BoardModel, wanted: Option<&Path>) -> Result<BoardModel, CommandError> {
    let image = match board.kind {
        BoardKind::Native => None,
        BoardKind::Qemu => {
            if let Err(error) = emulator() {
                let help = error.help().map(|help| format!(" ({help})"));
                let missing = Some(format!("{error}{}", help.unwrap_or_default()));
                return Ok(BoardModel { missing, ..board });
            }
            Some(wanted.map_or_else(mps2_image, Path::to_owned))
        }
        BoardKind::Rig => wanted.map(Path::to_owned).or(board.image),
    };
    match image {
        Some(image) if !image.is_file() => Err(CommandError::NoImage(image)),
        image => Ok(BoardModel { image, ..board }),
    }
}

/// The program that is the reference device on the native board, which must be among `boards`.
pub(super) fn device(
    wanted: Option<&Path>,
    boards: &[BoardModel],
) -> Result<Option<PathBuf>, CommandError> {
    let Some(path) = wanted else { return Ok(None) };
    let unable = |what: &'static str, help: &str| HardwareError::Unable {
        name: path.display().to_string(),
        what,
        help: help.to_owned(),
    };
    if !boards.iter().any(|board| board.kind == BoardKind::Native) {
        let help = "name `native` among the boards, or leave --device out";
        return Err(unable("be the device: it is one for the native board", help).into());
    }
    if !path.is_file() {
        let help = "name the executable of another build of proving";
        return Err(unable("be the device: there is no such file", help).into());
    }
    // Workers may have another working directory.
    let path = std::path::absolute(path).map_err(CommandError::Executable)?;
    Ok(Some(path))
}

fn mps2_image() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    target.join(MPS2_IMAGE)
}
