//! What a board costs that waits.

use std::time::{Duration, Instant};

use board::Board;
use factory::Scheme;

use super::emulated::{Emulated, on_runtime};
use crate::figures::{Figure, Unit};
use crate::processor;
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};

const SETTLING: Duration = Duration::from_secs(7);
const WATCHED: Duration = Duration::from_secs(10);

/// A firmware that waits for a phone, with its log being read.
pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let (emulator, harness) = on_runtime(async {
        let emulated = Emulated::start(setup).await?;
        let mut board = emulated.firmware(setup, Scheme::SoftAp).await?;
        emulated.trace.clock().sleep(SETTLING).await;
        let before = (processor::living_children()?, processor::own());
        let began = Instant::now();
        emulated.trace.clock().sleep(WATCHED).await;
        let after = (processor::living_children()?, processor::own());
        let took = began.elapsed().as_secs_f64();
        board.power_off().await?;
        let share = |used: Duration| used.as_secs_f64() / took * 100.0;
        Ok((
            share(after.0.saturating_sub(before.0)),
            share(after.1.saturating_sub(before.1)),
        ))
    })?;
    let row = |name: &str, share: f64, limit: f64| {
        Row::new(name, Ok(Figure::single(share, Unit::Percent)))
            .target(Target::Below(limit))
            .note("of one core, while the firmware waits for a phone, in silence, and its log is read")
    };
    Ok(vec![
        row("board: a waiting board, the emulator", emulator, 10.0),
        row("board: a waiting board, the harness", harness, 1.0),
    ])
}
