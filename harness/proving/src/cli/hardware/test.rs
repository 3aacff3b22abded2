//! `proving test`: tests that run on the board itself.

use std::io::{self, Write};
use std::path::Path;

use board::on_target::{Outcome, Selection, TestEvent, TestReport, TestResult};
use report::{ExitStatus, Paint};
use serde_json::json;

use super::super::arguments::MessageFormat;
use super::super::{CommandError, paint, print};
use super::arguments::Test;
use super::flash::Shown;
use super::line::{human, printable};
use super::open::{Keep, Open};
use super::{HardwareError, test_junit};
use engine::attempt::BoardAccess;

pub(super) fn test(arguments: &Test) -> Result<ExitStatus, CommandError> {
    // An image that cannot be used is told before anything starts.
    let names = board::on_target::names(&arguments.elf).map_err(HardwareError::from)?;
    if arguments.list {
        let wanted = names.iter().filter(|name| is_wanted(name, arguments));
        return print(&wanted.map(|name| format!("{name}\n")).collect::<String>());
    }
    if let Some(path) = &arguments.junit {
        // Better now than after the tests.
        report::prepare(path).map_err(|source| junit(path, source))?;
    }
    let elf = arguments.elf.as_path();
    let open = Open::new(&arguments.board, Some(elf), "proving test", Keep::Nothing)?;
    let BoardAccess::Probe(settings) = &open.access else {
        return Err(HardwareError::Unable {
            name: open.name.clone(),
            what: "run tests: it has no debug probe",
            help: "name a board of kind `probe`, or `qemu`".to_owned(),
        }
        .into());
    };
    open.power_on()?;
    let selection = Selection {
        filter: arguments.filter.clone(),
        exact: arguments.exact,
        ignored: arguments.ignored,
        timeout: arguments.timeout,
    };
    let mut teller = Teller {
        out: io::stdout(),
        paint: paint(),
        json: arguments.message_format == MessageFormat::Json,
        show_log: arguments.show_log,
        progress: Shown::new(),
        broken_pipe: false,
    };
    let report = board::on_target::run((**settings).clone(), &selection, |event| {
        teller.take(&event);
    });
    teller.progress.clear();
    let report = report.map_err(HardwareError::from)?;
    teller.finished(&report);
    if let Some(path) = &arguments.junit {
        test_junit::write(path, &report).map_err(|source| junit(path, source))?;
    }
    Ok(status(&report))
}

/// Whether the filter leaves a test in.
fn is_wanted(name: &str, arguments: &Test) -> bool {
    let fits = |filter: &String| match arguments.exact {
        true => name == filter,
        false => name.contains(filter.as_str()),
    };
    arguments.filter.is_empty() || arguments.filter.iter().any(fits)
}

fn junit(path: &Path, source: io::Error) -> CommandError {
    CommandError::Junit {
        path: path.to_owned(),
        source,
    }
}

/// A failure is the firmware's; what is broken alone is the lab's.
fn status(report: &TestReport) -> ExitStatus {
    let any = |of: fn(&Outcome) -> bool| report.tests.iter().any(|test| of(&test.outcome));
    if any(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::TimedOut(_))) {
        ExitStatus::Failed
    } else if any(|outcome| matches!(outcome, Outcome::Broken(_))) {
        ExitStatus::Broken
    } else if any(|outcome| *outcome == Outcome::NotRun) {
        ExitStatus::Failed
    } else if report.tests.is_empty() {
        ExitStatus::NothingSelected
    } else {
        ExitStatus::Passed
    }
}

/// Tells what happens.
struct Teller<W> {
    out: W,
    paint: Paint,
    json: bool,
    show_log: bool,
    progress: Shown,
    /// The reader of standard output is gone; the tests go on for the report's sake.
    broken_pipe: bool,
}

impl<W: Write> Teller<W> {
    fn take(&mut self, event: &TestEvent) {
        match event {
            TestEvent::Flashing(progress) => {
                use board::probe::Progress;
                match *progress {
                    Progress::Erasing { done, of } => self.progress.percent("erasing", done, of),
                    Progress::Writing { done, of } => self.progress.percent("writing", done, of),
                    Progress::Verifying { bytes } => {
                        self.progress.line(&format!("verifying {bytes} bytes"));
                    }
                }
            }
            TestEvent::Planned { tests, filtered } => {
                self.progress.clear();
                if self.json {
                    let message =
                        json!({ "type": "planned", "tests": tests, "filtered": filtered });
                    self.write(&format!("{message}\n"));
                } else {
                    let plural = if *tests == 1 { "" } else { "s" };
                    let left = match filtered {
                        0 => String::new(),
                        filtered => format!(", {filtered} left out"),
                    };
                    let line = self.paint.faint(format!("{tests} test{plural}{left}"));
                    self.write(&format!("{line}\n"));
                }
            }
            TestEvent::Started { name } => {
                if self.json {
                    self.write(&format!("{}\n", json!({ "type": "started", "name": name })));
                } else {
                    self.progress.line(&format!("running {name}"));
                }
            }
            TestEvent::Line(line) => {
                if self.json {
                    self.write(&format!("{}\n", json!({ "type": "line", "line": line })));
                }
            }
            TestEvent::Finished(result) => {
                self.progress.clear();
                let text = if self.json {
                    format!("{}\n", json!({ "type": "finished", "test": result }))
                } else {
                    self.result(result)
                };
                self.write(&text);
            }
        }
    }

    fn result(&self, result: &TestResult) -> String {
        let (word, why) = match &result.outcome {
            Outcome::Passed => (self.paint.good(" PASSED"), None),
            Outcome::Failed(why) => (self.paint.bad(" FAILED"), Some(why.clone())),
            Outcome::TimedOut(limit) => (
                self.paint.bad("TIMEOUT"),
                Some(format!("it had not ended after {} s", limit.as_secs_f64())),
            ),
            Outcome::Ignored => (self.paint.faint("IGNORED"), None),
            Outcome::NotRun => (
                self.paint.odd("NOT RUN"),
                Some("an earlier test ended the image".to_owned()),
            ),
            Outcome::Broken(why) => (self.paint.odd(" BROKEN"), Some(why.clone())),
        };
        let seconds = format!("{:.3} s", result.took.as_secs_f64());
        let mut text = format!("{word} {seconds:>9}  {}\n", printable(&result.name));
        let told = !result.outcome.is_good();
        for line in why.iter().flat_map(|why| why.lines()) {
            text.push_str(&format!("    {}\n", printable(line)));
        }
        if told || self.show_log {
            for line in &result.log {
                text.push_str("    ");
                text.push_str(&human(line, self.paint));
            }
        }
        let frames = result.crash.iter().flat_map(|crash| &crash.backtrace);
        for (number, frame) in frames.enumerate() {
            let place = match (&frame.file, frame.line) {
                (Some(file), Some(line)) => format!(" at {file}:{line}"),
                _ => String::new(),
            };
            let frame = printable(&format!("{number:>3}: {}{place}", frame.function));
            text.push_str(&format!("    {}\n", self.paint.faint(frame)));
        }
        text
    }

    fn finished(&mut self, report: &TestReport) {
        if self.json {
            let counts = counts(report);
            let counts: serde_json::Map<_, _> = counts
                .iter()
                .map(|(word, count)| ((*word).to_owned(), json!(count)))
                .collect();
            let message = json!({
                "type": "report", "suite": report.suite, "board": report.board,
                "took_ms": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
                "counts": counts,
            });
            self.write(&format!("{message}\n"));
            return;
        }
        let counts: Vec<_> = counts(report)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let line = format!(
            "\n{} on {}: {} in {:.2} s\n",
            printable(&report.suite),
            report.board,
            if counts.is_empty() {
                "no tests".to_owned()
            } else {
                counts.join(", ")
            },
            report.took.as_secs_f64()
        );
        self.write(&line);
    }

    fn write(&mut self, text: &str) {
        if !self.broken_pipe {
            let written = self.out.write_all(text.as_bytes());
            self.broken_pipe = written.and_then(|()| self.out.flush()).is_err();
        }
    }
}

fn counts(report: &TestReport) -> [(&'static str, usize); 6] {
    let count =
        |of: fn(&Outcome) -> bool| report.tests.iter().filter(|test| of(&test.outcome)).count();
    [
        ("passed", count(|outcome| *outcome == Outcome::Passed)),
        (
            "failed",
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
        ),
        (
            "timed out",
            count(|outcome| matches!(outcome, Outcome::TimedOut(_))),
        ),
        ("ignored", count(|outcome| *outcome == Outcome::Ignored)),
        ("not run", count(|outcome| *outcome == Outcome::NotRun)),
        (
            "broken",
            count(|outcome| matches!(outcome, Outcome::Broken(_))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trace::{Level, LogLine};

    use super::*;

    pub(crate) fn report(outcomes: &[Outcome]) -> TestReport {
        let tests = outcomes
            .iter()
            .enumerate()
            .map(|(number, outcome)| TestResult {
                name: format!("tests::number_{number}"),
                outcome: outcome.clone(),
                took: Duration::from_millis(12),
                log: vec![LogLine {
                    level: Level::Info,
                    tag: "app".into(),
                    text: "here".into(),
                    device_ms: Some(3),
                    place: None,
                }],
                crash: None,
            });
        TestReport {
            suite: "suite.elf".into(),
            board: "qemu".into(),
            tests: tests.collect(),
            took: Duration::from_millis(1500),
        }
    }

    #[test]
    fn the_exit_code_tells_a_failure_from_a_broken_probe() {
        let failed = Outcome::Failed("x".into());
        let broken = Outcome::Broken("y".into());
        for (outcomes, expected) in [
            (vec![Outcome::Passed, Outcome::Ignored], ExitStatus::Passed),
            (
                vec![Outcome::Passed, failed.clone(), broken.clone()],
                ExitStatus::Failed,
            ),
            (vec![Outcome::TimedOut(Duration::ZERO)], ExitStatus::Failed),
            (
                vec![Outcome::Passed, broken.clone(), Outcome::NotRun],
                ExitStatus::Broken,
            ),
            (vec![Outcome::NotRun], ExitStatus::Failed),
            (vec![], ExitStatus::NothingSelected),
        ] {
            assert_eq!(status(&report(&outcomes)), expected, "{outcomes:?}");
        }
    }

    #[test]
    fn a_failure_is_told_with_its_log_and_a_success_in_one_line() {
        let report = report(&[Outcome::Passed, Outcome::Failed("left != right".into())]);
        let mut teller = Teller {
            out: Vec::new(),
            paint: Paint::new(false),
            json: false,
            show_log: false,
            progress: Shown::new(),
            broken_pipe: false,
        };
        for test in &report.tests {
            teller.take(&TestEvent::Finished(test.clone()));
        }
        teller.finished(&report);
        let text = String::from_utf8(teller.out).expect("text");
        assert_eq!(
            text,
            " PASSED   0.012 s  tests::number_0\n FAILED   0.012 s  tests::number_1\n    left != right\n    I (3) app: here\n\nsuite.elf on qemu: 1 passed, 1 failed in 1.50 s\n"
        );
    }
}
