//! `proving up`.

use report::ExitStatus;

use super::CommandError;
use super::arguments::{Selection, Up};
use engine::language::{Case, ReadError};
use engine::up::{self, Openings};

pub(super) fn up(arguments: &Up) -> Result<ExitStatus, CommandError> {
    let Some(case) = case(arguments)? else {
        return Ok(ExitStatus::NothingSelected);
    };
    let openings = Openings {
        forwards: arguments.forwards.clone(),
        console: arguments.console.clone(),
    };
    up::up(&case, &openings, &arguments.out)?;
    Ok(ExitStatus::Passed)
}

/// The first case of the scenario that the filter leaves.
fn case(arguments: &Up) -> Result<Option<Case>, CommandError> {
    let Some(scenario) = &arguments.scenario else {
        let case = up::default_case(&engine::known()?)
            .map_err(|mistakes| CommandError::Scenarios(vec![ReadError::Mistakes(mistakes)]))?;
        return Ok(Some(case));
    };
    let selection = Selection {
        paths: vec![scenario.clone()],
        filter: arguments.filter.clone(),
    };
    Ok(selection.cases()?.into_iter().next())
}
