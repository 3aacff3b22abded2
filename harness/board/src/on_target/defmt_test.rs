//! defmt-test 0.5: all tests of an image run in one go, and its log says how far they are.

use std::time::{Duration, Instant};

use trace::{LogLine, in_full};

use super::chip::ChipUnderTest;
use super::report::finish;
use super::watch::{How, watch};
use super::{Outcome, Selection, TestError, TestEvent, TestResult};
use crate::defmt::Image;

/// The tests of an image, in the order in which they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) names: Vec<String>,
}

/// What a line of the log says of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said<'l> {
    /// The test begins.
    Running(&'l str),
    /// The test is marked to be ignored.
    Ignoring(&'l str),
    /// There is no other.
    AllPassed,
}

impl Suite {
    /// The tests of `image`; none, if they are of another kind.
    pub(super) fn of(image: &Image) -> Option<Self> {
        let table = image.defmt_table().ok()?;
        let names: Vec<String> = table
            .formats()
            // The format string is what is said, but for the numbers.
            .filter_map(|format| name_in(format.strip_prefix("({=usize}/{=usize}) ")?))
            .map(|said| match said {
                Said::Running(name) | Said::Ignoring(name) => name.to_owned(),
                Said::AllPassed => String::new(),
            })
            .collect();
        (!names.is_empty()).then_some(Self { names })
    }
}

/// What a line says of a test, if it is one that defmt-test prints.
fn said(text: &str) -> Option<Said<'_>> {
    if text == "all tests passed!" {
        return Some(Said::AllPassed);
    }
    let (numbers, rest) = text.strip_prefix('(')?.split_once(") ")?;
    let (number, count) = numbers.split_once('/')?;
    let (_, _): (u32, u32) = (number.parse().ok()?, count.parse().ok()?);
    name_in(rest)
}

fn name_in(text: &str) -> Option<Said<'_>> {
    let (verb, rest) = text.split_once(" `")?;
    let name = rest.strip_suffix("`...")?;
    match verb {
        "running" => Some(Said::Running(name)),
        "ignoring" => Some(Said::Ignoring(name)),
        _ => None,
    }
}

/// A test that runs.
struct Current {
    name: String,
    began: Instant,
    log: Vec<LogLine>,
}

/// Runs all tests of `suite`, which cannot be run one by one; `selection` chooses of which is told.
pub(super) fn run(
    chip: &mut ChipUnderTest,
    suite: &Suite,
    selection: &Selection,
    on_event: &mut impl FnMut(TestEvent),
) -> Result<Vec<TestResult>, TestError> {
    let names: Vec<_> = suite.names.iter().map(String::as_str).collect();
    let planned = names.iter().filter(|name| selection.fits(name)).count();
    selection.check_any(&chip.image, planned, &names)?;
    on_event(TestEvent::Planned {
        tests: planned,
        filtered: names.len() - planned,
    });
    let timeout = selection.timeout();
    let mut teller = Teller {
        selection,
        on_event,
        results: Vec::new(),
        seen: Vec::new(),
        current: None,
    };
    let ended = chip.worker.call_telling(
        "run the tests",
        timeout + chip.beside,
        move |device, tell: &mut dyn FnMut(LogLine)| watch(device, "", timeout, tell),
        |line| teller.line(line),
    );
    let (outcome, crash) = match ended {
        Ok(ended) => {
            let said = |how: &str| ended.panic.clone().unwrap_or_else(|| how.to_owned());
            let outcome = match &ended.how {
                How::Success => Outcome::Passed,
                How::Error(how) | How::Stopped(how) => Outcome::Failed(said(how)),
                How::TimedOut => Outcome::TimedOut(timeout),
            };
            (outcome, ended.crash)
        }
        Err(error) => (Outcome::Broken(in_full(&error)), None),
    };
    let is_good = outcome.is_good();
    teller.end(outcome, crash);
    Ok(teller.finish(suite, is_good))
}

/// Makes results of lines.
struct Teller<'s, F: FnMut(TestEvent)> {
    selection: &'s Selection,
    on_event: &'s mut F,
    results: Vec<TestResult>,
    /// Names of all that were told of by the chip.
    seen: Vec<String>,
    current: Option<Current>,
}

impl<F: FnMut(TestEvent)> Teller<'_, F> {
    fn line(&mut self, line: LogLine) {
        match said(&line.text) {
            None => {
                if let Some(current) = &mut self.current {
                    if self.selection.fits(&current.name) {
                        (self.on_event)(TestEvent::Line(line.clone()));
                    }
                    current.log.push(line);
                }
            }
            Some(Said::Running(name)) => {
                let name = name.to_owned();
                self.end(Outcome::Passed, None);
                self.seen.push(name.clone());
                if self.selection.fits(&name) {
                    (self.on_event)(TestEvent::Started { name: name.clone() });
                }
                self.current = Some(Current {
                    name,
                    began: Instant::now(),
                    log: Vec::new(),
                });
            }
            Some(Said::Ignoring(name)) => {
                let name = name.to_owned();
                self.end(Outcome::Passed, None);
                self.seen.push(name.clone());
                self.tell(result(name, Outcome::Ignored));
            }
            Some(Said::AllPassed) => self.end(Outcome::Passed, None),
        }
    }

    /// The test that runs, if one does, has ended so.
    fn end(&mut self, outcome: Outcome, crash: Option<crate::probe::Crash>) {
        let Some(current) = self.current.take() else {
            return;
        };
        self.tell(TestResult {
            took: current.began.elapsed(),
            log: current.log,
            crash,
            ..result(current.name, outcome)
        });
    }

    fn tell(&mut self, result: TestResult) {
        if self.selection.fits(&result.name) {
            finish(result, &mut self.results, self.on_event);
        }
    }

    /// The results, with those that never ran.
    fn finish(mut self, suite: &Suite, is_good: bool) -> Vec<TestResult> {
        let missing: Vec<_> = suite
            .names
            .iter()
            .filter(|name| !self.seen.contains(name))
            .cloned()
            .collect();
        for name in missing {
            let outcome = match is_good {
                false => Outcome::NotRun,
                true => Outcome::Failed("the chip never told of it".to_owned()),
            };
            self.tell(result(name, outcome));
        }
        self.results
    }
}

fn result(name: String, outcome: Outcome) -> TestResult {
    TestResult {
        name,
        outcome,
        took: Duration::ZERO,
        log: Vec::new(),
        crash: None,
    }
}

#[cfg(test)]
mod tests {
    use trace::Level;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine {
            level: Level::Info,
            tag: "app".into(),
            text: text.into(),
            device_ms: None,
            place: None,
        }
    }

    #[test]
    fn lines_of_the_harness_are_told_from_those_of_tests() {
        assert_eq!(said("(1/3) running `adds`..."), Some(Said::Running("adds")));
        assert_eq!(
            said("(2/3) ignoring `slow`..."),
            Some(Said::Ignoring("slow"))
        );
        assert_eq!(said("all tests passed!"), Some(Said::AllPassed));
        assert_eq!(said("(about) running `x`..."), None);
        assert_eq!(said("(1/2) walking `x`..."), None);
    }

    #[test]
    fn the_test_that_runs_when_the_image_ends_is_the_one_that_failed() {
        let suite = Suite {
            names: ["one", "two", "three", "four"].map(str::to_owned).to_vec(),
        };
        let selection = Selection::default();
        let mut events = Vec::new();
        let mut on_event = |event| events.push(event);
        let mut teller = Teller {
            selection: &selection,
            on_event: &mut on_event,
            results: Vec::new(),
            seen: Vec::new(),
            current: None,
        };
        for text in [
            "(1/4) running `one`...",
            "(2/4) ignoring `two`...",
            "(3/4) running `three`...",
            "value 7",
        ] {
            teller.line(line(text));
        }
        teller.end(Outcome::Failed("panicked".into()), None);
        let results = teller.finish(&suite, false);
        let outcomes: Vec<_> = results
            .iter()
            .map(|result| (result.name.as_str(), result.outcome.clone()))
            .collect();
        assert_eq!(
            outcomes,
            [
                ("one", Outcome::Passed),
                ("two", Outcome::Ignored),
                ("three", Outcome::Failed("panicked".into())),
                ("four", Outcome::NotRun),
            ]
        );
        assert_eq!(results[2].log, [line("value 7")]);
    }
}
