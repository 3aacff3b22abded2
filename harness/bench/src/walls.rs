//! How long `proving run` takes for a case.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use language::{Case, read_file};

use crate::figures::Figure;
use crate::setup::{Outcome, Setup, timed};

/// The cases of a scenario, by its path among the scenarios.
pub fn cases(setup: &Setup, scenario: &str) -> Outcome<Vec<Case>> {
    let file = setup.scenarios.join(scenario);
    Ok(read_file(&file, &language::known()?)?)
}

/// The first case with these values of the scenario's matrix.
pub fn case(setup: &Setup, scenario: &str, values: &[(&str, &str)]) -> Outcome<Case> {
    let fits = |case: &Case| {
        values.iter().all(|(name, value)| {
            let has = |(known, is): &(String, String)| known == name && is == value;
            case.values.iter().any(has)
        })
    };
    let case = cases(setup, scenario)?.into_iter().find(fits);
    case.ok_or_else(|| format!("{scenario} has no case with {values:?}").into())
}

/// The filter that leaves `case` alone.
pub fn only(case: &Case) -> String {
    format!("name(={})", case.id)
}

/// Wall times of `proving run` for `case`, with `more` arguments; once more before, so that the host
/// has read what it needs.
pub fn walls(setup: &Setup, case: &Case, more: &[&OsStr], samples: usize) -> Outcome<Figure> {
    let wall = || -> Outcome<Duration> {
        let mut command = setup.run(Path::new(&case.file))?;
        command.args(["-E", &only(case)]).args(more);
        Ok(timed(&mut command)?.0)
    };
    wall()?;
    let walls: Outcome<Vec<Duration>> = (0..samples).map(|_| wall()).collect();
    Ok(Figure::of_times(walls?)?)
}
