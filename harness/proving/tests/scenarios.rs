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
fn what_the_documents_ask_for_is_held_by_what_is_there() {
    let text = fs::read_to_string(folder().join("README.md")).expect("its README");
    let (_, section) = text
        .split_once("## What the documents ask for")
        .expect("there is one");
    let (section, _) = section.split_once("\n## ").expect("it ends");
    let contracts: BTreeSet<&str> = contracts::ALL
        .iter()
        .flat_map(|part| part.iter().map(|contract| contract.id))
        .collect();
    let mut stopped: BTreeSet<String> = language::bugs().into_iter().collect();
    let defects = folder().join("../xtask/src/mutants/defects");
    for file in fs::read_dir(defects).expect("the list of defects") {
        let list = fs::read_to_string(file.expect("an entry").path()).expect("a list");
        let ids = list.lines().filter_map(|line| line.strip_prefix("id = "));
        stopped.extend(ids.map(|id| id.trim_matches('"').to_owned()));
    }
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let mut rows = 0;
    for line in section.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').collect();
        let [_, asked, scenarios, ids, stops, _] = cells[..] else {
            panic!("{line}");
        };
        if scenarios.trim().is_empty() || !scenarios.contains('`') {
            continue;
        }
        rows += 1;
        let mut part = String::new();
        for name in names(scenarios) {
            if let Some((folder, _)) = name.split_once('/') {
                part = folder.to_owned();
            }
            let name = name.rsplit('/').next().unwrap_or_default();
            let file = folder().join(&part).join(name).with_extension("yaml");
            assert!(file.is_file(), "{asked}: {}", file.display());
        }
        for id in names(ids) {
            assert!(contracts.contains(&*id), "{asked}: {id}");
        }
        let stops = names(stops);
        assert!(!stops.is_empty(), "{asked}");
        for id in stops {
            assert!(stopped.contains(&id), "{asked}: {id}");
        }
    }
    assert!(rows >= 30, "{rows}");
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
    // Errors of the Attribute Protocol that no attribute of the reference device is refused by.
    let of_attributes = [
        "attribute-not-long",
        "database-out-of-sync",
        "encryption-key-size-too-short",
        "insufficient-authentication",
        "insufficient-authorization",
        "insufficient-encryption",
        "insufficient-resources",
        "prepare-queue-full",
        "profile-or-service",
        "read-not-permitted",
        "reserved",
        "unlikely-error",
        "unsupported-group-type",
        "value-not-allowed",
    ];
    let unused: Vec<_> = words
        .iter()
        .filter(|word| !used.contains(word.as_str()))
        .filter(|word| !closely.contains(&word.as_str()) && !of_others.contains(&word.as_str()))
        .filter(|word| !of_certificates.contains(&word.as_str()))
        .filter(|word| !of_attributes.contains(&word.as_str()))
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
