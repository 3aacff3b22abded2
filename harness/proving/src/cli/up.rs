//! `proving up`.

use report::ExitStatus;

use super::CommandError;
use super::arguments::{ConsoleOn, Selection, Up};
use engine::up::{self, AsRig, Openings};
use language::{Case, ReadError};

pub(super) fn up(arguments: &Up) -> Result<ExitStatus, CommandError> {
    if let Some(folder) = &arguments.as_rig {
        let options = AsRig {
            console: match arguments.console_on {
                ConsoleOn::Log => up::ConsoleOn::Log,
                ConsoleOn::Uart => up::ConsoleOn::Uart,
            },
            without_components: arguments.without_components.clone(),
            sockets: arguments.sockets,
        };
        up::up_as_rig(&options, folder)?;
        return Ok(ExitStatus::Passed);
    }
    let Some(case) = case(arguments)? else {
        return Ok(ExitStatus::NothingSelected);
    };
    let openings = Openings {
        forwards: arguments.forwards.clone(),
        console: arguments.console.clone(),
    };
    let out = arguments.out.clone().unwrap_or_default();
    up::up(&case, &openings, &out)?;
    Ok(ExitStatus::Passed)
}

/// The first case of the scenario that the filter leaves.
fn case(arguments: &Up) -> Result<Option<Case>, CommandError> {
    let Some(scenario) = &arguments.scenario else {
        let case = up::default_case(&language::known()?)
            .map_err(|mistakes| CommandError::Scenarios(vec![ReadError::Mistakes(mistakes)]))?;
        return Ok(Some(case));
    };
    let selection = Selection {
        paths: vec![scenario.clone()],
        filter: arguments.filter.clone(),
    };
    Ok(selection.cases()?.into_iter().next())
}
