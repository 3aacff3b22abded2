//! The rules of [`Board`](crate::Board), in the order in which they are checked.

use futures_util::FutureExt;

use super::watched::{Told, Watched};
use super::{CUT_AFTER, Departure, Storage};
use crate::BoardError;

/// Of power, reset, storage and factory data, and of calls that do not fit.
pub(super) async fn power(board: &mut Watched<'_>) -> Result<(), Departure> {
    a_new_board_is_off(board).await?;
    what_is_kept_is_written_while_it_is_off(board).await?;
    a_start_is_told_once_and_before_its_lines(board).await?;
    a_board_that_is_on_refuses_what_needs_it_off(board).await?;
    let resets = a_reset_is_one_start(board).await?;
    a_board_is_switched_off_once(board, resets).await?;
    start(board).await?;
    switch_off(board).await?;
    a_call_that_was_dropped_leaves_it_sound(board).await
}

async fn a_new_board_is_off(board: &mut Watched<'_>) -> Result<(), Departure> {
    let off = board.board.power_off().await;
    board.done("a new board may be switched off", off)?;
    refuses_what_needs_it_on(board).await?;
    board.nothing("what a new board refuses, or is already, makes no event")
}

/// A board that cannot be reset at all is told by its answer while it is off.
async fn refuses_what_needs_it_on(board: &mut Watched<'_>) -> Result<(), Departure> {
    let reset = board.board.reset().await;
    let able = !matches!(reset, Err(BoardError::Unable { .. }));
    board.refused("a board that is off is not reset", reset, able)?;
    let cut = board.board.cut_power_in_write(CUT_AFTER).await;
    let able = board.board.abilities().torn_write;
    board.refused("a board that is off has no power to be cut", cut, able)
}

async fn what_is_kept_is_written_while_it_is_off(board: &mut Watched<'_>) -> Result<(), Departure> {
    write_factory(board).await?;
    write_factory(board).await?;
    if !board.board.abilities().storage {
        let read = board.board.read_storage().await;
        board.refused("storage that cannot be reached is not read", read, false)?;
        let erased = board.board.erase_storage().await;
        return board.refused(
            "storage that cannot be reached is not erased",
            erased,
            false,
        );
    }
    let read = board.board.read_storage().await;
    let first = board.done("storage is read while the board is off", read)?;
    let read = board.board.read_storage().await;
    let again = board.done("storage is read as often as is asked", read)?;
    board.rule("reading changes nothing", first == again)?;
    for _ in 0..2 {
        let erased = board.board.erase_storage().await;
        board.done("storage is erased while the board is off", erased)?;
    }
    let read = board.board.read_storage().await;
    let erased = board.done("storage is read after it was erased", read)?;
    match board.storage {
        Storage::Flash => {
            let is_erased = !erased.is_empty() && erased.iter().all(|byte| *byte == 0xFF);
            board.rule("erased bytes read as 0xFF", is_erased)?;
        }
        Storage::Folder => {
            let is_erased = !first.is_empty() && erased.is_empty();
            board.rule("an erased folder reads as nothing", is_erased)?;
        }
    }
    let told = board.take();
    let only_flashed = told.iter().all(|told| *told == Told::Flashed);
    board.order("storage changes no state", &told, only_flashed)
}

async fn write_factory(board: &mut Watched<'_>) -> Result<(), Departure> {
    let factory = board.factory.to_vec();
    match board.board.write_factory(&factory).await {
        Err(BoardError::Unable { .. }) => Ok(()),
        written => board.done("factory data are written while the board is off", written),
    }
}

async fn a_start_is_told_once_and_before_its_lines(
    board: &mut Watched<'_>,
) -> Result<(), Departure> {
    let told = start(board).await?;
    let rule = "an image is told before the start, that once, then the first line";
    let events = told.iter().filter(|told| **told != Told::Flashed);
    let holds = events
        .take(2)
        .map(|told| told.says(board.first))
        .eq([false, true]);
    board.order(rule, &told, holds)?;
    let after = told.iter().skip_while(|told| **told == Told::Flashed);
    let is_start = after.clone().next() == Some(&Told::On);
    let holds = is_start && after.skip(1).all(Told::is_line);
    board.order(rule, &told, holds)
}

/// Starts it, and waits for its first line.
async fn start(board: &mut Watched<'_>) -> Result<Vec<Told>, Departure> {
    let on = board.board.power_on().await;
    board.done("a board that is off is switched on", on)?;
    let first = board.first;
    board
        .until("a started board says its first line", |told| {
            told.says(first)
        })
        .await
}

async fn a_board_that_is_on_refuses_what_needs_it_off(
    board: &mut Watched<'_>,
) -> Result<(), Departure> {
    let twice = board.board.power_on().await;
    board.refused("a board that is on is not switched on", twice, true)?;
    let factory = board.factory.to_vec();
    let written = board.board.write_factory(&factory).await;
    let able = !matches!(written, Err(BoardError::Unable { .. }));
    board.refused(
        "no factory data are written to a running board",
        written,
        able,
    )?;
    let able = board.board.abilities().storage;
    let read = board.board.read_storage().await;
    board.refused("storage of a running board is not read", read, able)?;
    let erased = board.board.erase_storage().await;
    board.refused("storage of a running board is not erased", erased, able)?;
    let told = board.take();
    let holds = told.iter().all(Told::is_line);
    board.order("what is refused makes no event", &told, holds)
}

/// Whether it can be reset.
async fn a_reset_is_one_start(board: &mut Watched<'_>) -> Result<bool, Departure> {
    match board.board.reset().await {
        Err(BoardError::Unable { .. }) => return Ok(false),
        reset => board.done("a board that is on is reset", reset)?,
    }
    let first = board.first;
    let told = board
        .until("a board that was reset starts anew", |told| {
            told.says(first)
        })
        .await?;
    let rule = "a reset is one start: after the last line before, before the first line after";
    let mut after = told.iter().skip_while(|told| told.is_line());
    let is_start = after.next() == Some(&Told::On);
    let is_first = after.next().is_some_and(|told| told.says(first));
    let holds = is_start && is_first && after.all(Told::is_line);
    board.order(rule, &told, holds)?;
    Ok(true)
}

async fn a_board_is_switched_off_once(
    board: &mut Watched<'_>,
    resets: bool,
) -> Result<(), Departure> {
    switch_off(board).await?;
    let off = board.board.power_off().await;
    board.done("a board that is off may be switched off", off)?;
    let reset = board.board.reset().await;
    board.refused("a board that was switched off is not reset", reset, resets)?;
    board.nothing("a board that is off says nothing of being switched off or reset")
}

/// Switches it off, after which it is silent.
async fn switch_off(board: &mut Watched<'_>) -> Result<(), Departure> {
    let off = board.board.power_off().await;
    board.done("a board that is on is switched off", off)?;
    let told = board.take();
    let holds = match told.split_last() {
        Some((last, before)) => *last == Told::Off && before.iter().all(Told::is_line),
        None => false,
    };
    board.order(
        "the end of power is told once, after every line",
        &told,
        holds,
    )?;
    board.is_silent("a board that is off says nothing").await
}

async fn a_call_that_was_dropped_leaves_it_sound(board: &mut Watched<'_>) -> Result<(), Departure> {
    // Polled once, which goes as far as the board comes without waiting.
    let _ = board.board.power_on().now_or_never();
    let off = board.board.power_off().await;
    board.done("a board is switched off after a call that was dropped", off)?;
    let told = board.take();
    let switched = told
        .iter()
        .filter(|told| matches!(told, Told::On | Told::Off));
    let switched: Vec<_> = switched.collect();
    let holds = matches!(switched[..], [] | [Told::On, Told::Off]);
    board.order("an end of power is told only after a start", &told, holds)?;
    start(board).await?;
    switch_off(board).await
}

/// Of a cut in the middle of a write.
pub(super) async fn cut(board: &mut Watched<'_>) -> Result<(), Departure> {
    write_factory(board).await?;
    for _ in 0..2 {
        if board.board.abilities().storage {
            let erased = board.board.erase_storage().await;
            board.done("storage is erased while the board is off", erased)?;
        }
        let on = board.board.power_on().await;
        board.done("a board that is dark is switched on", on)?;
        let cut = board.board.cut_power_in_write(CUT_AFTER).await;
        board.done("the power of a running board is cut in a write", cut)?;
        let told = board
            .until("a board whose power is cut says so", |told| {
                *told == Told::Off
            })
            .await?;
        let switched = told
            .iter()
            .filter(|told| !told.is_line() && **told != Told::Flashed);
        let holds = switched.eq([&Told::On, &Told::Off]);
        board.order("a cut is the end of power, and nothing else", &told, holds)?;
        refuses_what_needs_it_on(board).await?;
        let off = board.board.power_off().await;
        board.done("a board that is dark may be switched off", off)?;
        board
            .is_silent("a board that is dark says nothing more")
            .await?;
        if board.board.abilities().storage {
            let read = board.board.read_storage().await;
            let kept = board.done("storage of a board that is dark is read", read)?;
            let written = kept.iter().filter(|byte| **byte != 0xFF).count();
            let rule = "as many bytes are kept as was asked";
            board.rule(rule, written as u64 == CUT_AFTER)?;
        }
    }
    Ok(())
}

/// Of a restart that was not asked for.
pub(super) async fn restart(board: &mut Watched<'_>) -> Result<(), Departure> {
    write_factory(board).await?;
    let on = board.board.power_on().await;
    board.done("a board that is off is switched on", on)?;
    let mut told = board
        .until("a restart is told", |told| *told == Told::Restarted)
        .await?;
    let is_silent_before = told.iter().any(Told::is_line);
    board.order(
        "what was said before a restart stands before it",
        &told,
        is_silent_before,
    )?;
    told.extend(
        board
            .until("a device that restarted says more", Told::is_line)
            .await?,
    );
    let ons = told.iter().filter(|told| **told == Told::On).count();
    let holds = ons == 1 && !told.contains(&Told::Off);
    board.order("a restart is no switching", &told, holds)?;
    let off = board.board.power_off().await;
    board.done("a board that restarted is switched off", off)?;
    let told = board.take();
    let holds = told.last() == Some(&Told::Off) && !told.contains(&Told::On);
    board.order("the end of power is told last", &told, holds)?;
    board.is_silent("a board that is off says nothing").await
}

/// Of a firmware that ended by itself.
pub(super) async fn panic(board: &mut Watched<'_>) -> Result<(), Departure> {
    write_factory(board).await?;
    let on = board.board.power_on().await;
    board.done("a board that is off is switched on", on)?;
    panics_once(board).await?;
    let twice = board.board.power_on().await;
    board.refused("a board whose firmware has ended is on", twice, true)?;
    let able = board.board.abilities();
    let read = board.board.read_storage().await;
    board.refused("a board whose firmware has ended is on", read, able.storage)?;
    let cut = board.board.cut_power_in_write(CUT_AFTER).await;
    let rule = "a firmware that has ended writes nothing in which power could be cut";
    board.refused(rule, cut, able.torn_write)?;
    board
        .is_silent("a firmware that has ended says nothing")
        .await?;
    match board.board.reset().await {
        Err(BoardError::Unable { .. }) => {}
        reset => {
            board.done("a firmware that has ended is started by a reset", reset)?;
            panics_once(board).await?;
        }
    }
    switch_off(board).await?;
    let on = board.board.power_on().await;
    board.done("a board whose firmware had ended is switched on", on)?;
    panics_once(board).await?;
    switch_off(board).await
}

async fn panics_once(board: &mut Watched<'_>) -> Result<(), Departure> {
    let panics = |told: &Told| *told == Told::Exited { panic: true };
    let told = board.until("a panic is told", panics).await?;
    let events = told
        .iter()
        .filter(|told| !told.is_line() && **told != Told::Flashed);
    let holds = events.eq([&Told::On, &Told::Exited { panic: true }]);
    board.order("a panic is told once, and is no restart", &told, holds)?;
    let holds = told.last().is_some_and(panics) && told.iter().any(Told::is_line);
    board.order("the end is told after the line of the panic", &told, holds)
}
