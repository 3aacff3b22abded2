//! The codes and names of libraries, each with the rule that it is told by.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::path::Path;

use diagnose::Log;

#[test]
fn each_code_of_a_library_is_told_by_its_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/words.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let is_row = |row: &&str| !row.starts_with('#');
    let rows = table.lines().filter(is_row);
    let rows = rows.filter_map(|row| row.split_once('|'));
    let wrong: Vec<String> = rows
        .filter_map(|(rule, lines)| {
            let mut log = Log::new("words");
            lines
                .split("\\n")
                .for_each(|line| log.line(line.as_bytes()));
            let diagnosis = log.end();
            let first = diagnosis.causes.first();
            let said = first.map_or("nothing", |cause| cause.id.as_str());
            (said != rule).then(|| format!("{lines}: {rule} expected, {said} said"))
        })
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_failure_that_no_rule_knows_gets_the_stage_that_its_words_name() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stages.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let is_row = |row: &&str| !row.starts_with('#');
    let rows = table.lines().filter(is_row);
    let rows = rows.filter_map(|row| row.split_once('|'));
    let wrong: Vec<String> = rows
        .filter_map(|(stage, lines)| {
            let mut log = Log::new("stages");
            lines
                .split("\\n")
                .for_each(|line| log.line(line.as_bytes()));
            let diagnosis = log.end();
            let first = diagnosis.causes.first();
            let said = first.map_or("nothing", |cause| cause.stage.name());
            (said != stage).then(|| format!("{lines}: {stage} expected, {said} said"))
        })
        .collect();
    assert_eq!(wrong, [""; 0]);
}
