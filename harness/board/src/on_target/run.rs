//! Running the tests of an image.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::chip::ChipUnderTest;
use super::{Selection, TestError, TestEvent, TestReport, defmt_test, embedded_test};
use crate::defmt::Image;
use crate::probe::{ProbeSettings, Worker, deaf};

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
    let mut chip = ChipUnderTest {
        worker,
        image: image.clone(),
        // Beside the test's own time: to reset and boot, and to take in the log afterwards.
        beside: limits.command + limits.boot + limits.command,
    };
    let tests = match &suite {
        Suite::EmbeddedTest(suite) => {
            embedded_test::run(&mut chip, suite, selection, &mut on_event)?
        }
        Suite::DefmtTest(suite) => defmt_test::run(&mut chip, suite, selection, &mut on_event)?,
    };
    let name = image.path().file_name().unwrap_or_default();
    Ok(TestReport {
        suite: name.to_string_lossy().into_owned(),
        board,
        tests,
        took: began.elapsed(),
    })
}
