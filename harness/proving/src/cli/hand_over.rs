//! `proving hand-over`.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use board::rig::Rig;
use engine::attempt::{everything, write_hand_over};
use report::ExitStatus;

use super::arguments::{HandOver, Selection};
use super::hardware::HardwareError;
use super::{CommandError, print};

pub(super) fn hand_over(arguments: &HandOver) -> Result<ExitStatus, CommandError> {
    let file = &arguments.rig.path;
    let rig = Rig::read(file).map_err(HardwareError::from)?;
    let Some(board) = rig.boards.get(&arguments.board) else {
        let known: Vec<&str> = rig.boards.keys().map(String::as_str).collect();
        return Err(HardwareError::UnknownBoard {
            name: arguments.board.clone(),
            rig: file.clone(),
            known: known.join(", "),
        }
        .into());
    };
    let case = match &arguments.scenario {
        None => everything(&language::known()?)
            .map_err(|mistakes| CommandError::Scenarios(vec![mistakes.into()]))?,
        Some(scenario) => {
            let selection = Selection {
                paths: vec![scenario.clone()],
                filter: arguments.filter.clone(),
            };
            match selection.cases()?.into_iter().next() {
                Some(case) => case,
                None => return Ok(ExitStatus::NothingSelected),
            }
        }
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Nothing of it is repeated; that it differs from the last one is enough.
    let seed = now.as_nanos() as u64;
    let written = write_hand_over(&rig, board, &case, (seed, now.as_secs()), &arguments.out);
    let written = written.map_err(CommandError::HandOver)?;
    if written.is_empty() {
        print("its firmware is told nothing: its `hand_over` is \"none\"\n")?;
        return Ok(ExitStatus::Passed);
    }
    let mut text = String::new();
    for path in written {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", path.display());
    }
    print(&text)
}
