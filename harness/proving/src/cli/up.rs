//! `proving up`.

use report::ExitStatus;

use super::arguments::{Selection, Up};
use super::{Complaint, known};
use crate::up;

pub(super) fn up(arguments: &Up) -> Result<ExitStatus, Complaint> {
    let case = match &arguments.scenario {
        None => up::default_case(&known()?).map_err(|error| Complaint::Scenarios(vec![error.into()]))?,
        Some(scenario) => {
            let selection = Selection {
                paths: vec![scenario.clone()],
                filter: arguments.filter.clone(),
            };
            let mut cases = selection.cases()?;
            if cases.is_empty() {
                return Ok(ExitStatus::NothingSelected);
            }
            cases.remove(0)
        }
    };
    up::up(&case, &arguments.forwards, &arguments.out)?;
    Ok(ExitStatus::Passed)
}
