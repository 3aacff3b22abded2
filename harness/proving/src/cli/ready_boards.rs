//! Boards that are not well are found before the first attempt, and after one that was broken: each
//! gets one power cycle, where the rig has a switch, and is taken out of the run if that does not help.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board::power::{CommandSwitch, PowerSwitch};
use board::rig::{Rig, RigBoard};
use board::serial::{Dial, HostPort};
use board::{BoardError, Power};
use clock::Clock;
use engine::attempt::{BoardAccess, board_access};
use engine::run::{BoardModel, Checkup, Recheck};
use trace::in_full;

use super::CommandError;
use super::hardware::{HardwareError, runtime};
use super::stop_flag::StopFlag;

/// A board is asked again for so long once its power is back: its USB device has to come back, and its
/// firmware to start.
const RETURN: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at the real ones among `boards`, mends what a power cycle mends, and gives those that stay as
/// they are a reason that their cases are skipped with. Whether any got one.
pub(super) fn make_ready(boards: &mut [BoardModel], stop: &StopFlag) -> Result<bool, CommandError> {
    let mut taken_out = false;
    for model in boards {
        let Some(in_rig) = &model.rig else { continue };
        let rig = Rig::read(&in_rig.file).map_err(HardwareError::from)?;
        let Some(board) = rig.boards.get(&model.name) else {
            continue;
        };
        let image = model.image.as_deref();
        let told = |text: String| eprintln!("{text}");
        let Err(why) = ready(board, image, &|| stop.came(), &told)? else {
            continue;
        };
        eprintln!("{} is taken out of this run: {why}", model.name);
        model.missing = Some(format!("{} is taken out of this run: {why}", model.name));
        taken_out = true;
    }
    Ok(taken_out)
}

/// Opens the authorities of the rig files of `boards`, which makes those that are to be kept, so that a
/// mistake there is told once and nothing is run.
pub(super) fn open_authorities(boards: &[BoardModel]) -> Result<(), CommandError> {
    let files = boards
        .iter()
        .filter_map(|board| Some(&board.rig.as_ref()?.file));
    for file in files.collect::<BTreeSet<_>>() {
        let rig = Rig::read(file).map_err(HardwareError::from)?;
        let Some(authority) = rig.authority else {
            continue;
        };
        if let Err(mistake) = engine::authority::check(&authority.place) {
            let error = Rig::mistake_at(file, authority.span, mistake.message, mistake.help);
            return Err(HardwareError::from(error).into());
        }
    }
    Ok(())
}

/// How boards among `boards` that have a health check are looked at after a broken attempt.
pub(super) fn recheck(boards: &[BoardModel]) -> Recheck {
    let known: BTreeMap<String, (PathBuf, Option<PathBuf>)> = boards
        .iter()
        .filter_map(|model| {
            let file = model.rig.as_ref()?.file.clone();
            Some((model.name.clone(), (file, model.image.clone())))
        })
        .collect();
    Recheck::new(move |name: &str, checkup: &Checkup| {
        let Some((file, image)) = known.get(name) else {
            return Ok(());
        };
        // What is wrong in the rig file by now is no fault of the board's: attempts tell it.
        let board = Rig::read(file)
            .ok()
            .and_then(|mut rig| rig.boards.remove(name));
        let Some(board) = board.filter(|board| board.health.is_some()) else {
            return Ok(());
        };
        let stop = || checkup.is_called_off();
        let told = |text| checkup.tell(text);
        // A look that was called off, or that this host refuses, says nothing about the board.
        ready(&board, image.as_deref(), &stop, &told).unwrap_or(Ok(()))
    })
}

/// Why a board cannot be used, in a sentence.
type Ready = Result<(), String>;

fn ready(
    board: &RigBoard,
    image: Option<&Path>,
    stop: &dyn Fn() -> bool,
    told: &dyn Fn(String),
) -> Result<Ready, CommandError> {
    let Err(why) = look(board, image, stop)? else {
        return Ok(Ok(()));
    };
    if board.power.is_none() {
        return Ok(Err(why));
    }
    let name = &board.name;
    told(format!(
        "{name}: {why}; its power is switched off and on, once"
    ));
    if let Err(error) = power_cycle(board)? {
        return Ok(Err(format!("{why}; its power cannot be switched: {error}")));
    }
    let deadline = Instant::now() + RETURN;
    loop {
        match look(board, image, stop)? {
            Ok(()) => {
                told(format!("{name} is well after the power cycle"));
                return Ok(Ok(()));
            }
            Err(still) if Instant::now() >= deadline => {
                return Ok(Err(format!("{still}, also after a power cycle")));
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}

/// Runs the health check. Where there is a power switch, which could help, the board is reached for, too;
/// without one, the attempt itself says best what it could not reach.
fn look(
    board: &RigBoard,
    image: Option<&Path>,
    stop: &dyn Fn() -> bool,
) -> Result<Ready, CommandError> {
    if let Some(health) = board.health_check() {
        let checked = runtime()?.block_on(async {
            let clock = Clock::start(1.0);
            let mut heard = |_: &str| {};
            tokio::select! {
                checked = health.run(&clock, &mut heard) => Some(checked),
                () = stopped(&clock, stop) => None,
            }
        });
        match checked {
            None => return Err(CommandError::Interrupted),
            Some(Err(error)) => {
                return Ok(Err(format!(
                    "its health check failed: {}",
                    in_one_line(&error)
                )));
            }
            Some(Ok(())) => {}
        }
    }
    let reached = match board.power {
        Some(_) => reach(board, image),
        None => Ok(()),
    };
    if stop() {
        return Err(CommandError::Interrupted);
    }
    Ok(reached.map_err(|error| format!("it cannot be reached: {}", in_one_line(&error))))
}

async fn stopped(clock: &Clock, stop: &dyn Fn() -> bool) {
    while !stop() {
        clock.sleep(Duration::from_millis(50)).await;
    }
}

fn reach(board: &RigBoard, image: Option<&Path>) -> Result<(), HardwareError> {
    // What is wrong in the rig file or this build is no fault of the board's: attempts tell it.
    let Ok(access) = board_access(board, image) else {
        return Ok(());
    };
    match access {
        BoardAccess::Probe(settings) => board::probe::ask(*settings).map(drop)?,
        BoardAccess::Serial(link) => {
            let port = HostPort::new(link.port.clone(), link.baud);
            runtime()?
                .block_on(async { port.dial(&Clock::start(1.0)).await.map(drop) })
                .map_err(BoardError::from)?;
        }
        BoardAccess::Process(_) => {}
    }
    Ok(())
}

/// Switches the board off and on. No signal comes between, so that it is not left without power; the
/// rig file bounds both commands.
fn power_cycle(board: &RigBoard) -> Result<Result<(), String>, CommandError> {
    let Some(commands) = board.power.clone() else {
        return Ok(Ok(()));
    };
    let cycled = runtime()?.block_on(async {
        let mut switch = CommandSwitch::new(commands, Clock::start(1.0));
        let off = switch.switch(Power::Off).await;
        // Whatever became of that: a board without power would be of no use to the next run either.
        let on = switch.switch(Power::On).await;
        off.and(on)
    });
    Ok(cycled.map_err(|error| in_one_line(&error)))
}

/// An error with everything below it, in one line.
fn in_one_line(error: &dyn std::error::Error) -> String {
    in_full(error)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
