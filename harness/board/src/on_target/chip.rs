//! A chip on which the tests of an image run.

use std::sync::Arc;
use std::time::Duration;

use crate::defmt::Image;
use crate::probe::Worker;

/// A chip that runs tests.
pub(super) struct ChipUnderTest {
    pub(super) worker: Worker,
    pub(super) image: Arc<Image>,
    pub(super) beside: Duration,
}
