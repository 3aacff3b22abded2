//! What the diagnosis makes of logs that no rule was written for: each fixture, read without the rules on its
//! cause, or without any.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::incident::Incident;
use crate::unnamed::UNNAMED;
use crate::{Certainty, Log, examples};

thread_local! {
    static LEFT_OUT: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Whether logs are read as if this rule were not there.
pub fn is_left_out(id: &str) -> bool {
    LEFT_OUT.with_borrow(|left_out| left_out.contains(id))
}

/// What is expected of an incident.
#[derive(Deserialize)]
struct Expected {
    stage: String,
    /// Another stage that the log allows as well.
    or: Option<String>,
    #[serde(default)]
    cause: Vec<String>,
}

impl Expected {
    fn allows(&self, stage: &str) -> bool {
        self.stage == stage || self.or.as_deref() == Some(stage)
    }
}

/// How many incidents get their stage.
#[derive(Debug, Default)]
struct Count {
    right: usize,
    /// Told as no more than possible.
    wrong: usize,
    /// Told as likely.
    wrong_and_likely: usize,
    wrong_and_certain: usize,
    silent: usize,
    /// Wells that are told to be ill.
    ill: usize,
    /// Those that are not right.
    names: Vec<String>,
}

impl Count {
    fn show(&self) {
        let Self {
            right,
            wrong,
            wrong_and_likely,
            wrong_and_certain,
            silent,
            ill,
            names,
        } = self;
        println!(
            "{}\n{right} right, {silent} silent, {wrong} wrong, {wrong_and_likely} as likely, \
             {wrong_and_certain} as certain, {ill} ill that are well",
            names.join("\n")
        );
    }
}

fn count(leave_out: impl Fn(&Expected) -> BTreeSet<String>) -> Count {
    let mut count = Count::default();
    for folder in folders() {
        for (name, expected) in expectations(&folder) {
            LEFT_OUT.set(leave_out(&expected));
            let incident = read(&folder, &name);
            let said = incident.cause.as_ref().map(|named| &named.cause);
            let place = match said {
                None if expected.stage == "none" => continue,
                None => &mut count.silent,
                Some(cause) if expected.allows(cause.stage.name()) => &mut count.right,
                Some(_) if expected.stage == "none" => &mut count.ill,
                Some(cause) => match cause.certainty {
                    Certainty::Possible => &mut count.wrong,
                    Certainty::Likely => &mut count.wrong_and_likely,
                    Certainty::Certain => &mut count.wrong_and_certain,
                },
            };
            *place += 1;
            let folder = folder.file_name().unwrap_or_default().display();
            let is_right = said.is_some_and(|cause| expected.allows(cause.stage.name()));
            if !is_right {
                let said = said.map(|cause| {
                    (
                        &cause.id,
                        cause.stage,
                        cause.certainty,
                        cause.evidence.first().map(|line| &line.text),
                    )
                });
                count.names.push(format!(
                    "{folder}/{name} {} {:?}: {said:?}",
                    expected.stage, expected.cause
                ));
            }
        }
    }
    LEFT_OUT.set(BTreeSet::new());
    count
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = std::fs::read_dir(root).unwrap();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expected.toml").exists())
        .collect();
    folders.sort();
    folders
}

fn expectations(folder: &Path) -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(folder.join("expected.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn read(folder: &Path, name: &str) -> Incident {
    let is_of = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_str().unwrap();
        file.ends_with(".log") && file.split('.').next() == Some(name)
    };
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(is_of)
        .collect();
    paths.sort();
    let logs = paths.iter().map(|path| {
        let bytes = std::fs::read(path).unwrap();
        let mut log = Log::new(name);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            log.line(line.strip_suffix(b"\n").unwrap_or(line));
        }
        if !bytes.ends_with(b"\n") {
            log.cut();
        }
        log.end()
    });
    Incident::of(logs.collect())
}

#[test]
fn a_log_without_the_rules_on_its_cause_gets_its_stage_more_often_than_not() {
    let count = count(|expected| expected.cause.iter().cloned().collect());
    count.show();
    let wrong = count.wrong + count.wrong_and_likely + count.wrong_and_certain;
    assert!(count.right > wrong + count.silent);
    assert!(count.silent * 10 < count.right * 2);
    assert!(count.wrong_and_certain * 20 < count.right);
}

#[test]
fn a_log_without_any_rule_gets_its_stage_from_its_words() {
    let all: BTreeSet<String> = examples().into_iter().map(|example| example.of).collect();
    let count = count(|_| all.clone());
    count.show();
    assert!(count.right > count.wrong + count.silent);
    assert_eq!((count.wrong_and_likely, count.wrong_and_certain), (0, 0));
    assert_eq!(count.ill, 0);
}

#[test]
fn the_beginning_of_a_log_that_is_well_is_seldom_told_to_end_ill() {
    let (mut all, mut ill, mut names) = (0, 0, Vec::new());
    for folder in folders() {
        let well = expectations(&folder)
            .into_iter()
            .filter(|(_, expected)| expected.stage == "none");
        for (name, _) in well {
            let path = folder.join(format!("{name}.log"));
            let Ok(bytes) = std::fs::read(path) else {
                continue;
            };
            let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            for end in 1..lines.len() {
                let mut log = Log::new(name.as_str());
                lines[..end].iter().for_each(|line| log.line(line));
                let causes = log.end().causes;
                all += 1;
                if let Some(cause) = causes.first().filter(|cause| cause.id == UNNAMED) {
                    ill += 1;
                    names.push(format!(
                        "{name} {end} {}: {}",
                        cause.stage, cause.evidence[0].text
                    ));
                }
            }
        }
    }
    println!("{}\n{ill} of {all} beginnings", names.join("\n"));
    assert!(ill * 30 < all);
}
