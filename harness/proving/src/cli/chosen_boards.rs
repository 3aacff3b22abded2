//! Which boards the user means, and what they are flashed with.

use std::path::{Path, PathBuf};

use super::Complaint;
use crate::run::{BoardKind, BoardModel};

/// Where `cargo xtask firmware mps2` puts the image, in cargo's target folder.
const MPS2_IMAGE: &str = "firmware/thumbv7em-none-eabi/release/mps2";

/// The boards of these names, in this order; `native` if there are none.
pub(super) fn of(names: &[String]) -> Result<Vec<BoardModel>, Complaint> {
    if names.is_empty() {
        return Ok(vec![BoardModel::native()]);
    }
    let mut boards: Vec<BoardModel> = Vec::new();
    for name in names {
        let board = BoardModel::named(name).ok_or_else(|| Complaint::UnknownBoard(name.clone()))?;
        if !boards.contains(&board) {
            boards.push(board);
        }
    }
    Ok(boards)
}

/// The image for those of `boards` that need one; it exists.
pub(super) fn image(
    boards: &[BoardModel],
    wanted: Option<&Path>,
) -> Result<Option<PathBuf>, Complaint> {
    if !boards.iter().any(|board| board.kind == BoardKind::Qemu) {
        return Ok(None);
    }
    let image = wanted.map_or_else(mps2_image, Path::to_owned);
    if image.is_file() {
        Ok(Some(image))
    } else {
        Err(Complaint::NoImage(image))
    }
}

fn mps2_image() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    target.join(MPS2_IMAGE)
}
