//! `proving reproduce`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use diagnose::{Diagnosis, Incident, Stage};
use engine::run::{BoardModel, Case, Plan, Settings, run as run_plan};
use language::read_all;
use report::{ExitStatus, Silent};
use reproduce::{Nearness, World, worlds};
use serde_json::json;

use super::arguments::{MessageFormat, Reproduce};
use super::field_log::FieldLog;
use super::{CommandError, field_log, print};

/// A world that was tried.
struct Tried {
    world: &'static World,
    near: Nearness,
    /// What the log of the virtual board tells.
    told: Diagnosis,
}

/// Sets up the worlds that would cause what the logs tell, and keeps the one whose log comes nearest.
pub(super) fn reproduce(arguments: &Reproduce) -> Result<ExitStatus, CommandError> {
    let logs = field_log::read_all(&arguments.logs, true)?;
    let (diagnoses, signatures): (Vec<Diagnosis>, Vec<_>) = logs
        .into_iter()
        .map(|log| (log.diagnosis, log.signature))
        .unzip();
    let incident = Incident::of(diagnoses);
    let which = incident.cause.as_ref().map_or(0, |named| named.log);
    let (Some(field), Some(signature)) = (incident.logs.get(which), signatures.get(which)) else {
        return Ok(ExitStatus::NothingSelected);
    };
    let (causes, stage) = causes(field);
    let mut candidates = worlds(&causes, stage);
    candidates.truncate(arguments.most.into());
    if candidates.is_empty() {
        print(&nothing(field, arguments.message_format))?;
        return Ok(ExitStatus::NothingSelected);
    }
    let mut tried = Vec::new();
    for (world, ours) in run(&candidates)? {
        let near = Nearness::of((field, signature), (&ours.diagnosis, &ours.signature));
        tried.push(Tried {
            world,
            near,
            told: ours.diagnosis,
        });
    }
    // Of those that are as near, the first, which is the likeliest.
    tried.sort_by_key(|tried| std::cmp::Reverse(tried.near.percent()));
    let Some(nearest) = tried.first() else {
        return Ok(ExitStatus::Broken);
    };
    let name = format!("Reproduction, {}", nearest.world.id);
    let scenario = scenario(nearest, field, &name);
    if let Some(path) = &arguments.out {
        let written = report::write_whole(path, scenario.as_bytes());
        written.map_err(CommandError::unwritable(path))?;
    }
    let out = arguments.out.as_deref();
    print(&match arguments.message_format {
        MessageFormat::Human => human(field, &tried, &scenario, out),
        MessageFormat::Json => format!("{}\n", machine(field, &tried, &scenario)),
    })?;
    Ok(match nearest.near.same_stage {
        true => ExitStatus::Passed,
        false => ExitStatus::Failed,
    })
}

/// The causes that a log tells, the first one first; of one that ends well, those that were over.
fn causes(field: &Diagnosis) -> (Vec<&str>, Option<Stage>) {
    let open: Vec<&str> = field.causes.iter().map(|cause| cause.id.as_str()).collect();
    if !open.is_empty() {
        return (open, field.causes.first().map(|cause| cause.stage));
    }
    let past = field.history.iter().map(|past| past.id.as_str()).collect();
    (past, field.history.first().map(|past| past.stage))
}

/// Runs each world on the virtual board, and reads what its device logs.
fn run(candidates: &[&'static World]) -> Result<Vec<(&'static World, FieldLog)>, CommandError> {
    let executable = std::env::current_exe().map_err(CommandError::Executable)?;
    let folder = tempfile::tempdir().map_err(CommandError::unwritable(&std::env::temp_dir()))?;
    let board = BoardModel::native();
    let known = language::known()?;
    let mut plan = Plan {
        repeat: 1,
        ..Plan::default()
    };
    for world in candidates {
        let path = folder.path().join(format!("{}.yaml", world.id));
        fs::write(&path, world.scenario(&world.id)).map_err(CommandError::unwritable(&path))?;
        let cases = read_all(&[path], &known).map_err(CommandError::Scenarios)?;
        plan.cases
            .extend(cases.into_iter().map(|case| Case::of(case, &board)));
    }
    let settings = Settings {
        out: folder.path().join("out"),
        seed: 1,
        ..Settings::new(executable)
    };
    let summary = run_plan(&plan, &settings, &mut Silent)?;
    let mut logs = Vec::new();
    for (world, case) in candidates.iter().zip(&summary.cases) {
        let Some(attempt) = case.attempts.first() else {
            continue;
        };
        let path = attempt.trace();
        let read = field_log::read_file(&path, true);
        let mut read = read.map_err(CommandError::unreadable(&path))?;
        if !read.is_empty() {
            logs.push((*world, read.remove(0)));
        }
    }
    Ok(logs)
}

fn nothing(field: &Diagnosis, format: MessageFormat) -> String {
    let told = field.causes.first();
    match format {
        MessageFormat::Json => format!("{}\n", json!({ "cause": told, "tried": [] })),
        MessageFormat::Human => match told {
            Some(cause) => format!(
                "no world is known that causes this: {} ({})\n",
                cause.cause, cause.stage
            ),
            None => {
                "the log tells no cause, so there is nothing to reproduce; `proving diagnose` says \
                     what it tells\n"
                    .to_owned()
            }
        },
    }
}

/// The scenario with what it is made from above it.
fn scenario(nearest: &Tried, field: &Diagnosis, name: &str) -> String {
    let (there, near) = (first(field), &nearest.near);
    format!(
        "# Made by `proving reproduce`: {}.\n# The field: {there}. {} of {} telling lines came alike, {} %.\n{}",
        nearest.world.because,
        near.shared,
        near.of,
        near.percent(),
        nearest.world.scenario(name),
    )
}

/// The first cause in a few words, without a line of the log.
fn first(diagnosis: &Diagnosis) -> String {
    let cause = diagnosis.causes.first();
    let past = diagnosis.history.first();
    match (cause, past) {
        (Some(cause), _) => format!("{}: {}", cause.stage, cause.cause),
        (None, Some(past)) => format!("{}: {}, which was over", past.stage, past.cause),
        (None, None) => "nothing wrong".to_owned(),
    }
}

fn human(field: &Diagnosis, tried: &[Tried], scenario: &str, out: Option<&Path>) -> String {
    let mut text = format!("field     {}\n", first(field));
    // Writing to a String cannot fail, here and below.
    for (number, tried) in tried.iter().enumerate() {
        let title = if number == 0 { "tried" } else { "" };
        let near = &tried.near;
        let alike = match (near.same_stage, near.same_cause) {
            (true, true) => "same stage and cause",
            (true, false) => "same stage",
            _ => "another stage",
        };
        let _ = writeln!(
            text,
            "{title:<9} {:>3} %  {}: {alike}, {} of {} telling lines",
            near.percent(),
            tried.world.id,
            near.shared,
            near.of,
        );
    }
    if let Some(nearest) = tried.first() {
        let _ = writeln!(text, "nearest   {}", nearest.world.because);
        let _ = writeln!(text, "here      {}", first(&nearest.told));
        for (title, lines) in [
            ("only there", &nearest.near.only_field),
            ("only here", &nearest.near.only_ours),
        ] {
            for (number, line) in lines.iter().enumerate() {
                let title = if number == 0 { title } else { "" };
                let _ = writeln!(text, "{title:<10} {line}");
            }
        }
    }
    match out {
        Some(path) => {
            let _ = writeln!(
                text,
                "written   {0}; run it: proving run {0}",
                path.display()
            );
        }
        None => text.push_str(&format!("\n{scenario}")),
    }
    text
}

fn machine(field: &Diagnosis, tried: &[Tried], scenario: &str) -> serde_json::Value {
    let tried: Vec<_> = tried
        .iter()
        .map(|tried| {
            let near = &tried.near;
            json!({
                "world": tried.world.id,
                "because": tried.world.because,
                "percent": near.percent(),
                "same_stage": near.same_stage,
                "same_cause": near.same_cause,
                "shared_lines": near.shared,
                "lines": near.of,
                "only_field": near.only_field,
                "only_here": near.only_ours,
                "causes": tried.told.causes,
            })
        })
        .collect();
    json!({ "cause": field.causes.first(), "tried": tried, "scenario": scenario })
}
