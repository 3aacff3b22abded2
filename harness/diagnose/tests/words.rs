//! The codes and names of libraries, each with the rule that it is told by.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::path::Path;

use diagnose::{Cause, Log};

#[test]
fn each_code_of_a_library_is_told_by_its_rule() {
    assert_eq!(wrong("words.txt", |cause| &cause.id), [""; 0]);
}

#[test]
fn a_failure_that_no_rule_knows_gets_the_stage_that_its_words_name() {
    assert_eq!(wrong("stages.txt", |cause| cause.stage.name()), [""; 0]);
}

/// The rows of a table of fixtures of whose lines something else is said.
fn wrong(table: &str, said: fn(&Cause) -> &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let text = std::fs::read_to_string(path.join(table)).unwrap();
    let rows = text.lines().filter(|row| !row.starts_with('#'));
    let rows = rows.filter_map(|row| row.split_once('|'));
    rows.filter_map(|(expected, lines)| {
        let mut log = Log::new(table);
        lines
            .split("\\n")
            .for_each(|line| log.line(line.as_bytes()));
        let diagnosis = log.end();
        let said = diagnosis.causes.first().map_or("nothing", said);
        (said != expected).then(|| format!("{lines}: {expected} expected, {said} said"))
    })
    .collect()
}
