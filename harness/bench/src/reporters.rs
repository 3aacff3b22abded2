//! What it costs to have everything of a run written down.

use std::path::Path;
use std::time::Duration;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

const SCENARIOS: &str = "softap";
const SAMPLES: usize = 5;
const LIMIT: f64 = 1.1;

/// A run with all reporters beside one with none.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    wall(setup, false)?;
    for _ in 0..SAMPLES {
        without.push(wall(setup, false)?);
        with.push(wall(setup, true)?);
    }
    let (without, with) = (Figure::of_times(without)?, Figure::of_times(with)?);
    Ok(vec![
        Row::new(
            "run with all reporters, beside one without",
            Ok(Figure::single(with.value / without.value, Unit::Times)),
        )
        .target(Target::Below(LIMIT))
        .note(format!(
            "`proving run scenarios/{SCENARIOS}` with --junit, --html, --ledger and --reporter github: {with}; \
             with none of them: {without}"
        )),
    ])
}

fn wall(setup: &Setup, reported: bool) -> Outcome<Duration> {
    let mut command = setup.run(&setup.scenarios.join(SCENARIOS))?;
    command.args(["--seed", "1"]);
    if reported {
        let folder = setup.folder()?;
        let file = |name: &str| -> std::path::PathBuf { Path::new(&folder).join(name) };
        command
            .args(["--reporter", "github", "--junit"])
            .arg(file("junit.xml"))
            .arg("--html")
            .arg(file("run.html"))
            .arg("--ledger")
            .arg(file("ledger"))
            .env("GITHUB_STEP_SUMMARY", file("summary.md"));
    }
    Ok(timed(&mut command)?.0)
}
