//! Which cases the user means.

use std::path::{Path, PathBuf};

use language::{Case, Filter, read_all};

use super::CommandError;
use super::arguments::Selection;

/// Folder of the scenarios if none is named.
const DEFAULT: &str = "scenarios";

impl Selection {
    /// The cases that are meant. All files are read and checked first, whatever the filter says.
    pub(super) fn cases(&self) -> Result<Vec<Case>, CommandError> {
        let filter = self.filter.as_deref().map(Filter::parse).transpose()?;
        let mut cases = all_cases(&self.paths)?;
        if let Some(filter) = filter {
            filter.check(&cases, &language::bugs())?;
            cases.retain(|case| filter.matches(case));
        }
        Ok(cases)
    }
}

/// The cases of every scenario in `paths`, or in the default place if there are none.
pub(super) fn all_cases(paths: &[PathBuf]) -> Result<Vec<Case>, CommandError> {
    let known = language::known()?;
    let default = [PathBuf::from(DEFAULT)];
    let paths = match paths {
        [] if !Path::new(DEFAULT).is_dir() => return Err(CommandError::NoScenarios),
        [] => &default,
        paths => paths,
    };
    read_all(paths, &known).map_err(CommandError::Scenarios)
}
