//! The scenarios of this repository: they are sound, they catch every bug, and they use all that the
//! language has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use language::{Case, read_all, schema};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn cases() -> Vec<Case> {
    let known = language::known().expect("profiles");
    read_all(&[folder()], &known).unwrap_or_else(|errors| {
        for error in errors {
            eprintln!("{:?}", miette::Report::new(error));
        }
        panic!("some scenarios cannot be used");
    })
}

#[test]
fn every_bug_is_claimed_by_a_scenario() {
    let cases = cases();
    let claimed: BTreeSet<&str> = cases.iter().flat_map(Case::catches).collect();
    let known = language::known().expect("profiles");
    let unclaimed: Vec<_> = known
        .bugs
        .iter()
        .filter(|bug| !claimed.contains(bug.as_str()))
        .collect();
    assert!(
        unclaimed.is_empty(),
        "nothing claims to catch {unclaimed:?}"
    );
}

#[test]
fn identifiers_of_cases_are_unique() {
    let cases = cases();
    let identifiers: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(identifiers.len(), cases.len());
}

#[test]
fn the_copy_of_the_schema_is_current() {
    let copy = fs::read_to_string(folder().join("schema.json")).expect("scenarios/schema.json");
    let copy: Value = serde_json::from_str(&copy).expect("JSON");
    assert_eq!(
        copy,
        schema(),
        "renew it: `proving schema > scenarios/schema.json`"
    );
}

#[test]
fn every_word_of_the_language_is_used_by_a_scenario() {
    let mut texts = String::new();
    read_texts(&folder(), &mut texts);
    // A scenario describes a certificate in the words of the profiles that are built in.
    read_texts(&folder().join("../certs"), &mut texts);
    let used: BTreeSet<&str> = texts
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || "_-.".contains(letter)))
        .collect();
    let mut words = BTreeSet::new();
    words_of(&schema(), &mut words);
    // The levels are those of device logs; no scenario looks so closely.
    let closely = ["trace"];
    // The reference device neither ends by itself nor breaks a contract.
    let of_others = [
        "expected", "exit", "restart", "except", "contract", "because",
    ];
    // The default, and a key that takes too long to make for each run: see the tests of pki.
    let of_certificates = ["given", "rsa-4096"];
    let unused: Vec<_> = words
        .iter()
        .filter(|word| !used.contains(word.as_str()))
        .filter(|word| !closely.contains(&word.as_str()) && !of_others.contains(&word.as_str()))
        .filter(|word| !of_certificates.contains(&word.as_str()))
        .collect();
    assert!(unused.is_empty(), "no scenario uses {unused:?}");
}

fn read_texts(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_texts(&path, texts);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path).expect("a scenario");
            // Comments and names use words without meaning them.
            let lines = text.lines().filter(|line| !line.starts_with(['#', 'n']));
            texts.extend(lines.flat_map(|line| [line, "\n"]));
        }
    }
}

/// Names of properties and of values that the schema lists.
fn words_of(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| words_of(item, words)),
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => {
                        words.extend(properties.keys().cloned());
                        properties
                            .values()
                            .for_each(|property| words_of(property, words));
                    }
                    ("const", Value::String(word)) => {
                        words.insert(word.clone());
                    }
                    ("enum", Value::Array(choices)) => {
                        words.extend(choices.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => words_of(value, words),
                }
            }
        }
        _ => {}
    }
}
