//! embedded-test 0.7: what tests there are stands in the section `.embedded_test`.

use std::time::{Duration, Instant};

use object::{Object, ObjectSection, ObjectSymbol};
use serde::Deserialize;
use trace::{LogLine, in_full};

use super::chip::ChipUnderTest;
use super::report::finish;
use super::watch::{Ended, How, watch};
use super::{Outcome, Selection, TestError, TestEvent, TestResult};
use crate::defmt::Image;

/// The only version of the protocol that can be run.
const VERSION: u32 = 1;
/// What a test's symbol covers: where its function is, where its module's path is, and how long
/// that is.
const ENTRY: usize = 12;
/// No path of a module is longer.
const LONGEST_PATH: usize = 1024;
/// More tests than any image has.
const MOST: usize = 10_000;

/// The tests of an image, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) tests: Vec<Test>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) name: String,
    /// Where its function is, as it is called.
    pub(super) address: u32,
    pub(super) ignored: bool,
    pub(super) should_panic: bool,
    pub(super) timeout: Option<Duration>,
}

/// The name of a test's symbol.
#[derive(Deserialize)]
struct Name {
    name: String,
    ignored: bool,
    should_panic: bool,
    #[serde(default)]
    timeout: Option<u32>,
}

impl Suite {
    /// The tests of `image`; none, if they are of another kind.
    pub(super) fn of(image: &Image) -> Result<Option<Self>, TestError> {
        let damaged = |why: String| TestError::Damaged {
            image: image.path().to_owned(),
            why,
        };
        // It was parsed before, so this cannot fail.
        let file = object::File::parse(image.elf()).map_err(|error| damaged(error.to_string()))?;
        let Some(section) = file.section_by_name(".embedded_test") else {
            return Ok(None);
        };
        let (base, bytes) = (section.address(), section.data().unwrap_or_default());
        let words = |address: u64, count: usize| -> Option<Vec<u32>> {
            let at = usize::try_from(address.checked_sub(base)?).ok()?;
            let bytes = bytes.get(at..at.checked_add(count * 4)?)?;
            let word = |word: &[u8]| word.try_into().map(u32::from_le_bytes).unwrap_or_default();
            Some(bytes.chunks_exact(4).map(word).collect())
        };
        let mut version = None;
        let mut tests = Vec::new();
        for symbol in file.symbols() {
            let (Ok(name), Some(within)) = (symbol.name(), symbol.section_index()) else {
                continue;
            };
            if within != section.index() {
                continue;
            }
            if name == "EMBEDDED_TEST_VERSION" {
                version = words(symbol.address(), 1).and_then(|words| words.first().copied());
            } else if symbol.size() == ENTRY as u64 && symbol.is_global() && tests.len() < MOST {
                let entry = words(symbol.address(), 3)
                    .ok_or_else(|| damaged(format!("`{name}` stands nowhere")))?;
                tests.push(Test::new(image, name, &entry).map_err(damaged)?);
            }
        }
        match version {
            Some(VERSION) => {}
            found => {
                return Err(TestError::Version {
                    image: image.path().to_owned(),
                    found: found.unwrap_or(0),
                });
            }
        }
        tests.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Some(Self { tests }))
    }
}

impl Test {
    fn new(image: &Image, name: &str, entry: &[u32]) -> Result<Self, String> {
        let parsed: Name = serde_json::from_str(name)
            .map_err(|error| format!("`{name}` names no test: {error}"))?;
        let &[address, path, length] = entry else {
            return Err(format!("`{name}` is no entry of a test"));
        };
        let path = text_at(image, u64::from(path), length as usize)
            .ok_or_else(|| format!("the module of `{}` has no name", parsed.name))?;
        // The first part is the crate, which is the same for all.
        let name = match path.split_once("::") {
            Some((_, module)) => format!("{module}::{}", parsed.name),
            None => parsed.name,
        };
        Ok(Self {
            name,
            address,
            ignored: parsed.ignored,
            should_panic: parsed.should_panic,
            timeout: parsed.timeout.map(|secs| Duration::from_secs(secs.into())),
        })
    }

    /// What the way in which it ended says of it.
    fn judge(&self, ended: &Ended, timeout: Duration) -> Outcome {
        let said = |how: &str| ended.panic.clone().unwrap_or_else(|| how.to_owned());
        match (&ended.how, self.should_panic) {
            (How::Success, false) | (How::Error(_), true) => Outcome::Passed,
            (How::Success, true) => Outcome::Failed("it should have panicked, and did not".into()),
            (How::Error(error), false) => Outcome::Failed(said(error)),
            (How::Stopped(_), true) if ended.panic.is_some() => Outcome::Passed,
            (How::Stopped(how), _) => Outcome::Failed(said(how)),
            (How::TimedOut, _) => Outcome::TimedOut(timeout),
        }
    }
}

/// Text that the image holds at an address.
fn text_at(image: &Image, address: u64, length: usize) -> Option<&str> {
    if length > LONGEST_PATH {
        return None;
    }
    image.segments().find_map(|(start, bytes)| {
        let at = usize::try_from(address.checked_sub(start)?).ok()?;
        let text = bytes.get(at..at.checked_add(length)?)?;
        std::str::from_utf8(text).ok()
    })
}

/// Runs the selected tests of `suite`.
pub(super) fn run(
    chip: &mut ChipUnderTest,
    suite: &Suite,
    selection: &Selection,
    on_event: &mut impl FnMut(TestEvent),
) -> Result<Vec<TestResult>, TestError> {
    let planned: Vec<_> = suite
        .tests
        .iter()
        .filter(|test| selection.fits(&test.name))
        .collect();
    let names: Vec<_> = suite.tests.iter().map(|test| test.name.as_str()).collect();
    selection.check_any(&chip.image, planned.len(), &names)?;
    on_event(TestEvent::Planned {
        tests: planned.len(),
        filtered: suite.tests.len() - planned.len(),
    });
    let mut results = Vec::new();
    for test in planned {
        let result = match test.ignored && !selection.ignored {
            true => of(test, Outcome::Ignored),
            false => {
                on_event(TestEvent::Started {
                    name: test.name.clone(),
                });
                run_one(chip, test, selection.timeout(), on_event)
            }
        };
        finish(result, &mut results, on_event);
    }
    Ok(results)
}

fn of(test: &Test, outcome: Outcome) -> TestResult {
    TestResult {
        name: test.name.clone(),
        outcome,
        took: Duration::ZERO,
        log: Vec::new(),
        crash: None,
    }
}

fn run_one(
    chip: &mut ChipUnderTest,
    test: &Test,
    default_timeout: Duration,
    on_event: &mut impl FnMut(TestEvent),
) -> TestResult {
    let began = Instant::now();
    let timeout = test.timeout.unwrap_or(default_timeout);
    let command_line = format!("run_addr {}", test.address);
    let mut log = Vec::new();
    let ended = chip.worker.call_telling(
        &format!("run the test {}", test.name),
        timeout + chip.beside,
        move |device, tell: &mut dyn FnMut(LogLine)| watch(device, &command_line, timeout, tell),
        |line| {
            on_event(TestEvent::Line(line.clone()));
            log.push(line);
        },
    );
    let took = began.elapsed();
    let (outcome, crash) = match ended {
        Ok(ended) => {
            let outcome = test.judge(&ended, timeout);
            let crash = ended.crash.filter(|_| !outcome.is_good());
            (outcome, crash)
        }
        Err(error) => (Outcome::Broken(in_full(&error)), None),
    };
    TestResult {
        took,
        log,
        crash,
        ..of(test, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(should_panic: bool) -> Test {
        Test {
            name: "tests::it_works".into(),
            address: 0x101,
            ignored: false,
            should_panic,
            timeout: None,
        }
    }

    fn ended(how: How, panic: Option<&str>) -> Ended {
        Ended {
            how,
            panic: panic.map(str::to_owned),
            crash: None,
        }
    }

    #[test]
    fn the_way_a_test_ends_is_judged_by_what_it_should_do() {
        let limit = Duration::from_secs(1);
        let judge = |should_panic, how, panic| test(should_panic).judge(&ended(how, panic), limit);
        let abort = || How::Error("exit with exit_status: aborted".into());
        assert_eq!(judge(false, How::Success, None), Outcome::Passed);
        assert_eq!(judge(true, abort(), Some("panicked at x")), Outcome::Passed);
        assert_eq!(
            judge(false, abort(), Some("panicked at src/a.rs:1: no")),
            Outcome::Failed("panicked at src/a.rs:1: no".into())
        );
        assert!(matches!(
            judge(true, How::Success, None),
            Outcome::Failed(_)
        ));
        assert_eq!(judge(false, How::TimedOut, None), Outcome::TimedOut(limit));
        assert!(matches!(
            judge(true, How::Stopped("hard fault".into()), None),
            Outcome::Failed(_)
        ));
    }
}
