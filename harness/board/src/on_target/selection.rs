//! Which tests of an image are to run.

use std::time::Duration;

use super::TestError;
use crate::defmt::Image;

/// Which tests are to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those whose names hold one of these; all, if there are none.
    pub filter: Vec<String>,
    /// Those whose names are one of these, rather.
    pub exact: bool,
    /// Those too that are marked to be ignored.
    pub ignored: bool,
    /// How long a test may take that does not say it itself; 60 s, as embedded-test has it.
    pub timeout: Option<Duration>,
}

/// The time limit of embedded-test 0.7.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

impl Selection {
    /// Whether a test of this name is to run.
    pub(super) fn fits(&self, name: &str) -> bool {
        let fits = |filter: &String| match self.exact {
            true => name == filter,
            false => name.contains(filter.as_str()),
        };
        self.filter.is_empty() || self.filter.iter().any(fits)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Says that nothing fits.
    pub(super) fn check_any(
        &self,
        image: &Image,
        planned: usize,
        names: &[&str],
    ) -> Result<(), TestError> {
        if planned > 0 || names.is_empty() {
            return Ok(());
        }
        Err(TestError::NoneFits {
            image: image.path().to_owned(),
            filter: self.filter.join(", "),
            there: names.join(", "),
        })
    }
}
