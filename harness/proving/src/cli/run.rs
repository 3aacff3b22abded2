//! `proving run`.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use report::{ExitStatus, GitHub, Human, Json, Paint, Reporter, RunSummary};

use super::arguments::{MessageFormat, ReporterName, Run};
use super::{CommandError, board_queue, choice, paint, print, ready_boards};
use engine::run::{Plan, Settings, run as run_plan};

pub(super) fn run(arguments: &Run) -> Result<ExitStatus, CommandError> {
    let cases = arguments.selection.cases()?;
    if let Some(path) = &arguments.junit {
        // Better now than after an hour.
        report::prepare(path).map_err(|source| CommandError::Junit {
            path: path.clone(),
            source,
        })?;
    }
    arguments.captures.prepare()?;
    let prepared = arguments.boards.prepare(&cases)?;
    let mut plan = Plan {
        cases: prepared.cases.clone(),
        repeat: arguments.repeat,
    };
    if arguments.last_failed {
        choice::keep_last_failed(&mut plan.cases, &arguments.out)?;
    }
    if let Some(shard) = arguments.shard {
        shard.keep(&mut plan.cases);
    }
    let quarantined = match &arguments.quarantine {
        Some(path) => choice::quarantined(path, &cases, &plan.cases)?,
        None => BTreeMap::new(),
    };
    let executable = std::env::current_exe().map_err(CommandError::Executable)?;
    let mut settings = Settings {
        out: arguments.out.clone(),
        timeout: arguments.timeout,
        seed: arguments.seed.unwrap_or_else(any_seed),
        speed: arguments.speed,
        accept: arguments.accept,
        bug: arguments.bug.clone(),
        device: prepared.device.clone(),
        image: arguments.boards.image.clone(),
        flash: arguments.boards.flash.into(),
        probe_fault: arguments.probe_fault,
        retries: arguments.retries,
        allowed_flaky: arguments.max_flaky,
        quarantined,
        pcap: arguments.captures.pcap(),
        fail_fast: arguments.fail_fast,
        no_skips: arguments.no_skips,
        leases: board_queue::of_phones(&prepared.boards)?,
        recheck: Some(ready_boards::recheck(&prepared.boards)),
        ..Settings::new(executable)
    };
    if let Some(jobs) = arguments.jobs {
        settings.jobs = jobs;
    }
    let name = arguments
        .reporter
        .unwrap_or(match arguments.message_format {
            MessageFormat::Human => ReporterName::Human,
            MessageFormat::Json => ReporterName::Json,
        });
    let summary = run_plan(&plan, &settings, &mut *reporter(name))?;
    if name == ReporterName::Junit {
        let xml = report::junit::to_xml(&summary).map_err(io::Error::other);
        print(&xml.map_err(CommandError::Output)?)?;
    }
    if let Some(folder) = &arguments.ledger {
        let added = report::ledger::add(folder, &summary);
        added.map_err(CommandError::unwritable(folder))?;
    }
    if let Some(path) = &arguments.junit {
        write_junit(path, &summary).map_err(|source| CommandError::Junit {
            path: path.clone(),
            source,
        })?;
    }
    arguments.captures.write(&summary)?;
    Ok(prepared.exit_status(&summary))
}

/// Short enough to be read out.
pub(super) fn any_seed() -> u64 {
    RandomState::new().hash_one(std::process::id()) % 1_000_000
}

pub(super) fn reporter(name: ReporterName) -> Box<dyn Reporter> {
    let out = io::stdout();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    match name {
        ReporterName::Json => Box::new(Json::new(out)),
        ReporterName::Human if out.is_terminal() && !dumb => Box::new(Human::live(out, paint())),
        ReporterName::Human => Box::new(Human::plain(out, paint())),
        ReporterName::Github => {
            let summary = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
            Box::new(GitHub::new(out, summary))
        }
        // The report is whole only when the run has ended; people read the progress on the other stream.
        ReporterName::Junit => Box::new(Human::plain(io::stderr(), Paint::new(false))),
    }
}

fn write_junit(path: &Path, summary: &RunSummary) -> io::Result<()> {
    let xml = report::junit::to_xml(summary).map_err(io::Error::other)?;
    report::write_whole(path, xml)
}
