//! Why tests could not be run.

use std::path::PathBuf;

use crate::defmt::ImageError;
use crate::error::ProbeError;

/// Tests could not be run at all. Every message says what to type or do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The image has no tests of a known kind.
    #[error(
        "{} holds no tests: build it with `cargo test --no-run`, with `-C \
         link-arg=-Tembedded-test.x` for embedded-test, or with the table of defmt-test",
        image.display()
    )]
    NoTests {
        /// Which image.
        image: PathBuf,
    },
    /// The image's tests are told of in another way.
    #[error(
        "{} holds tests of protocol version {found}, and version 1 can be run: use \
         `embedded-test = \"0.7\"`",
        image.display()
    )]
    Version {
        /// Which image.
        image: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The image tells of its tests in a way that makes no sense.
    #[error("{} tells of its tests what makes no sense ({why}): build it again", image.display())]
    Damaged {
        /// Which image.
        image: PathBuf,
        /// What.
        why: String,
    },
    /// No test fits the filter.
    #[error("no test of {} fits {filter}; there are: {there}", image.display())]
    NoneFits {
        /// Which image.
        image: PathBuf,
        /// What was asked for.
        filter: String,
        /// Names of those that there are.
        there: String,
    },
    /// The probe or its chip failed before any test.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

impl From<ImageError> for TestError {
    fn from(error: ImageError) -> Self {
        Self::Probe(error.into())
    }
}
