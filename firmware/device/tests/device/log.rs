//! What this test's thread has logged.

use std::cell::RefCell;
use std::sync::Once;

use embassy_time::Instant;
use log::{Log, Metadata, Record};

/// A line: when, in ms, at which level, by which component, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub ms: u64,
    pub level: log::Level,
    pub tag: String,
    pub text: String,
}

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = Line {
            ms: Instant::now().as_millis(),
            level: record.level(),
            tag: record.target().into(),
            text: record.args().to_string(),
        };
        // The test framework shows it if the test fails.
        println!("{:8} {} {}: {}", line.ms, line.level, line.tag, line.text);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).expect("no other logger is set");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

pub fn lines() -> Vec<Line> {
    LINES.with_borrow(Vec::clone)
}

/// How often a line with this text was logged.
pub fn count(text: &str) -> usize {
    lines()
        .iter()
        .filter(|line| line.text.contains(text))
        .count()
}

/// Requires these texts, in this order, among the lines logged.
#[track_caller]
pub fn assert_in_order(texts: &[&str]) {
    let lines = lines();
    let mut rest = lines.iter();
    for text in texts {
        assert!(
            rest.any(|line| line.text.contains(text)),
            "no {text:?} in its place in {lines:#?}"
        );
    }
}
