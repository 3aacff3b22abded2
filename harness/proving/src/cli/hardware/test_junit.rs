//! On-target tests as JUnit, for CI services.

use std::io;
use std::path::Path;

use board::on_target::{Outcome, TestReport, TestResult};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use report::Paint;
use report::junit::text;

use super::line::human;

/// Writes the report.
pub(super) fn write(path: &Path, report: &TestReport) -> io::Result<()> {
    let xml = to_xml(report).map_err(io::Error::other)?;
    report::write_whole(path, xml)
}

fn to_xml(tests: &TestReport) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(text(&tests.suite));
    suite.add_property(("board", text(&tests.board).as_str()));
    suite.set_time(tests.took);
    suite.add_test_cases(tests.tests.iter().map(|test| case(tests, test)));
    let mut report = Report::new("proving test");
    report.set_time(tests.took);
    report.add_test_suite(suite);
    report.to_string()
}

/// A test that fails is a `failure`, one that broke or was not run an `error`.
fn case(tests: &TestReport, test: &TestResult) -> TestCase {
    let bad = |kind, word: &str, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(word);
        status.set_message(text(&message));
        status
    };
    let status = match &test.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Ignored => TestCaseStatus::skipped(),
        Outcome::Failed(why) => bad(NonSuccessKind::Failure, "failed", why.clone()),
        Outcome::TimedOut(limit) => bad(
            NonSuccessKind::Failure,
            "timed out",
            format!("it had not ended after {} s", limit.as_secs_f64()),
        ),
        Outcome::NotRun => bad(
            NonSuccessKind::Error,
            "not run",
            "an earlier test ended the image".to_owned(),
        ),
        Outcome::Broken(why) => bad(NonSuccessKind::Error, "broken", why.clone()),
    };
    let mut case = TestCase::new(text(&test.name), status);
    case.set_classname(text(&tests.suite));
    case.set_time(test.took);
    let log: String = test
        .log
        .iter()
        .map(|line| human(line, Paint::new(false)))
        .collect();
    if !log.is_empty() {
        case.set_system_out(text(&log));
    }
    case
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_outcome_has_its_element() {
        let test = |name: &str, outcome| TestResult {
            name: name.to_owned(),
            outcome,
            took: Duration::from_millis(5),
            log: Vec::new(),
            crash: None,
        };
        let report = TestReport {
            suite: "suite.elf".into(),
            board: "c6".into(),
            tests: vec![
                test("a", Outcome::Passed),
                test("b", Outcome::Failed("left != right\u{1b}[0m".into())),
                test("c", Outcome::Ignored),
                test("d", Outcome::Broken("the probe is gone".into())),
                test("e", Outcome::NotRun),
            ],
            took: Duration::from_secs(1),
        };
        let xml = to_xml(&report).expect("XML");
        for expected in [
            "tests=\"5\"",
            "failures=\"1\"",
            "errors=\"2\"",
            "<property name=\"board\" value=\"c6\"/>",
            "<failure message=\"left != right\" type=\"failed\"/>",
            "<skipped/>",
            "<error message=\"the probe is gone\" type=\"broken\"/>",
        ] {
            assert!(xml.contains(expected), "{expected}\n{xml}");
        }
    }

    #[test]
    fn a_report_is_well_formed_whatever_a_test_says() {
        let odd: String = ('\0'..='\u{ff}').chain('\u{ffe0}'..='\u{1000f}').collect();
        let report = TestReport {
            suite: odd.clone(),
            board: odd.clone(),
            tests: vec![TestResult {
                name: odd.clone(),
                outcome: Outcome::Failed(odd),
                took: Duration::from_millis(5),
                log: Vec::new(),
                crash: None,
            }],
            took: Duration::from_secs(1),
        };
        let xml = to_xml(&report).expect("XML");
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut read = 0;
        loop {
            match reader.read_event().expect("well-formed") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    for attribute in tag.attributes() {
                        read += attribute.expect("well-formed").value.len();
                    }
                }
                _ => {}
            }
        }
        assert!(read > 1000);
        let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        assert_eq!(xml.find(forbidden), None);
        assert!(
            xml.contains("\\u{fffe}") && xml.contains("\\u{1b}"),
            "{xml}"
        );
    }
}
