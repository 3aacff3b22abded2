//! Running the tests of an image.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{TestError, TestEvent, TestReport, TestResult, defmt_test, embedded_test};
use crate::defmt::Image;
use crate::probe::{ProbeSettings, Worker, deaf};

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

/// The names of an image's tests.
pub fn names(image: &Path) -> Result<Vec<String>, TestError> {
    Ok(match Suite::of(&Image::read(image)?)? {
        Suite::EmbeddedTest(suite) => suite.tests.into_iter().map(|test| test.name).collect(),
        Suite::DefmtTest(suite) => suite.names,
    })
}

/// The tests of an image.
enum Suite {
    EmbeddedTest(embedded_test::Suite),
    DefmtTest(defmt_test::Suite),
}

impl Suite {
    fn of(image: &Image) -> Result<Self, TestError> {
        if let Some(suite) = embedded_test::Suite::of(image)? {
            return Ok(Self::EmbeddedTest(suite));
        }
        defmt_test::Suite::of(image)
            .map(Self::DefmtTest)
            .ok_or_else(|| TestError::NoTests {
                image: image.path().to_owned(),
            })
    }
}

/// Brings the image of `settings` onto the chip, runs its tests one by one, and tells of each as it
/// goes on. Blocks.
pub fn run(
    settings: ProbeSettings,
    selection: &Selection,
    mut on_event: impl FnMut(TestEvent),
) -> Result<TestReport, TestError> {
    let began = Instant::now();
    let image = Arc::new(Image::read(&settings.image)?);
    let suite = Suite::of(&image)?;
    let board = settings.device.clone();
    let limits = settings.limits;
    let mut worker = Worker::start(settings, image.clone(), deaf);
    worker.call_telling(
        "flash the image",
        limits.attach + limits.flash,
        |device, tell| device.flash(tell).map(drop),
        |progress| on_event(TestEvent::Flashing(progress)),
    )?;
    let mut session = Session {
        worker,
        image: image.clone(),
        // Beside the test's own time: to reset and boot, and to take in the log afterwards.
        beside: limits.command + limits.boot + limits.command,
    };
    let tests = match &suite {
        Suite::EmbeddedTest(suite) => {
            embedded_test::run(&mut session, suite, selection, &mut on_event)?
        }
        Suite::DefmtTest(suite) => defmt_test::run(&mut session, suite, selection, &mut on_event)?,
    };
    let name = image.path().file_name().unwrap_or_default();
    Ok(TestReport {
        suite: name.to_string_lossy().into_owned(),
        board,
        tests,
        took: began.elapsed(),
    })
}

/// A chip that runs tests.
pub(super) struct Session {
    pub(super) worker: Worker,
    pub(super) image: Arc<Image>,
    pub(super) beside: Duration,
}

/// Passes a test that has ended on, and keeps it.
pub(super) fn finish(
    result: TestResult,
    results: &mut Vec<TestResult>,
    on_event: &mut impl FnMut(TestEvent),
) {
    on_event(TestEvent::Finished(result.clone()));
    results.push(result);
}
