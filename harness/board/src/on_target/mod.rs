//! Tests that run on the chip itself: images of embedded-test and of defmt-test.
//!
//! embedded-test starts the chip anew for each test and tells it by semihosting which one to run;
//! what tests there are stands in the image. defmt-test runs all of its tests in one go and tells of
//! them in its log.

mod chip;
mod defmt_test;
mod embedded_test;
mod error;
mod report;
mod run;
mod selection;
mod semihosting;
mod watch;

pub use error::TestError;
pub use report::{Outcome, TestEvent, TestReport, TestResult};
pub use run::{names, run};
pub use selection::Selection;
