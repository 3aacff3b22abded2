//! `proving explore`.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ::explore::{Exploration, ExploreError, News, Options};
use clap::Args;
use report::ExitStatus;

use super::hardware::arguments::RigFile;
use super::stop_flag::StopFlag;
use super::{CommandError, arguments, board_queue, chosen_boards, ready_boards};
use engine::run::Settings;

/// States and transitions that no walk has been to are listed up to so many.
const MOST_LISTED: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Explore {
    /// Seed of all walks: the same seed walks the same [default: a new one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long to begin new walks, such as 5m
    #[arg(long = "for", value_name = "TIME", default_value = "1m", value_parser = arguments::time)]
    lasts: Duration,
    /// How many walks at most [default: as many as there is time for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    walks: Option<u64>,
    /// How many walks at the same time [default: two for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Board to explore: native, qemu, or one of the rig file
    #[arg(short, long, value_name = "NAME", default_value = "native")]
    board: String,
    #[command(flatten)]
    rig: RigFile,
    /// Another build of the reference device, for the native board [default: the one in here]
    #[arg(long, value_name = "EXECUTABLE")]
    device: Option<PathBuf>,
    /// Begin each walk with the steps of this scenario, which `explore` has written
    #[arg(long, value_name = "SCENARIO", conflicts_with = "keep")]
    from: Option<PathBuf>,
    /// Keep walks that reach something new in this folder, and go on from those that are there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// End with the first finding
    #[arg(long)]
    fail_fast: bool,
    /// Put this bug into the device, to see it found
    #[arg(long, value_name = "NAME", value_parser = arguments::bug)]
    bug: Option<String>,
    /// Lab seconds per host second while no task is busy
    #[arg(long, value_name = "FACTOR", default_value_t = 10_000.0, value_parser = arguments::speed)]
    speed: f64,
    /// Folder in which the scenarios of findings are written
    #[arg(long, value_name = "DIR", default_value = "proving-out/explore")]
    out: PathBuf,
}

const EXIT_CODES: &str = "\
Exit code: 0 nothing was found, 1 something was, 2 mistake in the command line, 3 nothing was found but
some walks broke (the lab's or the host's fault), 4 no walk was taken, 130 interrupted.";

pub(super) fn explore(arguments: &Explore) -> Result<ExitStatus, CommandError> {
    let from = match &arguments.from {
        Some(path) => Some(::explore::kept::read_file(path)?),
        None => None,
    };
    let kept = match &arguments.keep {
        Some(folder) => ::explore::kept::read_all(folder)?,
        None => Vec::new(),
    };
    let names = [arguments.board.clone()];
    let mut boards = chosen_boards::of(&names, &arguments.rig.path, None)?;
    let device = chosen_boards::device(arguments.device.as_deref(), &boards)?;
    ready_boards::open_authorities(&boards)?;
    let stop = StopFlag::install().map_err(CommandError::Signals)?;
    let _leases = board_queue::lease(&boards, Duration::ZERO, &stop)?;
    let leases = board_queue::of_phones(&boards)?;
    ready_boards::make_ready(&mut boards, &stop)?;
    drop(stop);
    let Some(board) = boards.into_iter().next() else {
        return Err(CommandError::UnknownBoard(arguments.board.clone()));
    };
    let executable = std::env::current_exe().map_err(CommandError::Executable)?;
    let seed = arguments.seed.unwrap_or_else(super::run::any_seed);
    let mut settings = Settings {
        // Scenarios and traces of single walks; gone when they have ended.
        out: arguments.out.join(format!("walks-{}", std::process::id())),
        seed,
        speed: arguments.speed,
        bug: arguments.bug.clone(),
        device,
        leases,
        ..Settings::new(executable)
    };
    if let Some(jobs) = arguments.jobs {
        settings.jobs = jobs;
    }
    let options = Options {
        seed,
        lasts: arguments.lasts,
        walks: arguments.walks,
        fail_fast: arguments.fail_fast,
        out: arguments.out.clone(),
        from,
        kept,
    };
    let walks_folder = settings.out.clone();
    say(&format!("exploring {} from seed {seed}", board.name));
    let explored = ::explore::explore(board, settings, &options, &mut |news| say(&told(&news)));
    // Empty, or of no use without the rest.
    let _ = std::fs::remove_dir_all(walks_folder);
    let explored = explored?;
    if let Some(folder) = &arguments.keep {
        ::explore::kept::write_all(folder, &explored)?;
    }
    say(&summary(&explored));
    Ok(status(&explored))
}

fn status(explored: &Exploration) -> ExitStatus {
    if !explored.findings.is_empty() {
        ExitStatus::Failed
    } else if explored.interrupted {
        ExitStatus::Interrupted
    } else if explored.walks == 0 {
        ExitStatus::NothingSelected
    } else if explored.broken > 0 {
        ExitStatus::Broken
    } else {
        ExitStatus::Passed
    }
}

/// Writes a line to standard output. A reader that has gone away has seen enough.
fn say(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(io::stdout().lock(), "{text}");
    }
}

fn told(news: &News<'_>) -> String {
    let seconds = |time: &Duration| format!("{:6.1} s", time.as_secs_f64());
    match news {
        News::Walked {
            walks,
            sessions,
            elapsed,
        } if walks % 256 == 0 => format!(
            "{}  {walks} walks, {} sessions, {} starts of the device",
            seconds(elapsed),
            sessions.all(),
            sessions.boots
        ),
        News::Walked { .. } => String::new(),
        News::Failed {
            signature,
            index,
            elapsed,
        } => format!("{}  walk {index} fails: {signature}", seconds(elapsed)),
        News::Found(finding) => {
            let (failed, of) = finding.fails;
            let kind = if finding.is_flaky() { "FLAKY" } else { "FOUND" };
            format!(
                "   {kind}  {}: {} of {} actions are enough, fails {failed} of {of} times\n          {}\n          {}",
                finding.signature,
                finding.walk.actions.len(),
                finding.drawn,
                finding.message,
                finding.file.display(),
            )
        }
        News::Broken { index, why } => format!("   broken  walk {index}: {why}"),
    }
}

fn summary(explored: &Exploration) -> String {
    let minutes = explored.elapsed.as_secs_f64() / 60.0;
    let mut lines = vec![
        String::new(),
        format!(
            "{} walks in {:.1} s, {} of them broken: {} sessions with phones, {} with the broker, {} starts of the device; {:.0} sessions a minute",
            explored.walks,
            explored.elapsed.as_secs_f64(),
            explored.broken,
            explored.sessions.provisioning,
            explored.sessions.mqtt,
            explored.sessions.boots,
            explored.sessions.all() as f64 / minutes,
        ),
    ];
    let states = explored.covered.missing_states(&explored.model);
    let transitions = explored.covered.missing_transitions(&explored.model);
    let (all_states, all_transitions) = (&explored.model.states, &explored.model.transitions);
    lines.push(format!(
        "covered {} of {} states and {} of {} transitions of the model",
        all_states.len() - states.len(),
        all_states.len(),
        all_transitions.len() - transitions.len(),
        all_transitions.len(),
    ));
    list(
        &mut lines,
        "state",
        states.iter().map(|state| (*state).to_owned()),
    );
    let shown = transitions
        .iter()
        .map(|(from, action, to)| format!("{from} -- {action} -> {to}"));
    list(&mut lines, "transition", shown);
    let all = ::contracts::ALL.iter().copied().flatten();
    let idle: Vec<&str> = all
        .map(|contract| contract.id)
        .filter(|id| !explored.covered.contracts.contains_key(*id))
        .collect();
    if !idle.is_empty() {
        lines.push(format!("contracts never exercised: {}", idle.join(", ")));
    }
    let flaky = explored
        .findings
        .iter()
        .filter(|finding| finding.is_flaky())
        .count();
    lines.push(format!(
        "{} found, {flaky} of them flaky; `proving explore --seed {}` walks the same again",
        explored.findings.len(),
        explored.seed
    ));
    for finding in &explored.findings {
        lines.push(format!(
            "  {} ({} walks): proving run {}",
            finding.signature,
            finding.times,
            finding.file.display()
        ));
    }
    lines.join("\n")
}

/// Names what no walk has been to.
fn list(lines: &mut Vec<String>, what: &str, missing: impl ExactSizeIterator<Item = String>) {
    let count = missing.len();
    for (number, name) in missing.enumerate() {
        if number == MOST_LISTED {
            lines.push(format!("  and {} others", count - MOST_LISTED));
            break;
        }
        lines.push(format!("  {what} never reached: {name}"));
    }
}

impl From<ExploreError> for CommandError {
    fn from(error: ExploreError) -> Self {
        Self::Explore(error)
    }
}

#[cfg(test)]
mod tests {
    use ::explore::coverage::Coverage;
    use ::explore::run::Sessions;

    use super::*;

    fn explored(walks: u64, broken: u64, interrupted: bool) -> Exploration {
        Exploration {
            seed: 1,
            walks,
            broken,
            sessions: Sessions::default(),
            elapsed: Duration::from_secs(1),
            findings: Vec::new(),
            covered: Coverage::default(),
            model: Coverage::default(),
            kept: Vec::new(),
            interrupted,
        }
    }

    #[test]
    fn no_walk_is_no_success() {
        assert_eq!(status(&explored(0, 0, false)), ExitStatus::NothingSelected);
        assert_eq!(status(&explored(8, 0, false)), ExitStatus::Passed);
        assert_eq!(status(&explored(8, 1, false)), ExitStatus::Broken);
        assert_eq!(status(&explored(8, 0, true)), ExitStatus::Interrupted);
    }
}
