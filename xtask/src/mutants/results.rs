//! What became of each mutant, one line of JSON for each, so that a run goes on where it was left.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// An attempt ended with the verdict `failed`.
    Killed,
    /// Every case passed.
    Survived,
    /// None failed, and some were broken, more than once.
    Broken,
    /// It does not build.
    Unbuildable,
    /// The cases took too long.
    TimedOut,
}

impl Outcome {
    const ALL: [(Self, &str); 5] = [
        (Self::Killed, "killed"),
        (Self::Survived, "survived"),
        (Self::Broken, "broken"),
        (Self::Unbuildable, "unbuildable"),
        (Self::TimedOut, "timed-out"),
    ];
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(outcome, _)| outcome == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(outcome, _)| *outcome).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("{text:?} is no outcome; there are {}", names.join(", "))
        })
    }
}

/// One mutant and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: String,
    pub module: String,
    pub what: String,
    pub outcome: Outcome,
    /// What killed it, or why there is no verdict.
    pub by: Option<String>,
    /// The case that killed it.
    pub case: Option<String>,
    /// s that it took to build it.
    pub build_s: f32,
    /// s that its cases took.
    pub judge_s: f32,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            outcome,
            what,
            build_s,
            judge_s,
            ..
        } = self;
        write!(f, "{outcome:<11} {what} ({build_s:.0} + {judge_s:.0} s)")?;
        match &self.by {
            Some(by) => write!(f, "\n      {by}"),
            None => Ok(()),
        }
    }
}

impl Record {
    fn line(&self) -> String {
        json!({
            "id": self.id, "module": self.module, "what": self.what,
            "outcome": self.outcome.to_string(), "by": self.by, "case": self.case,
            "build_s": self.build_s, "judge_s": self.judge_s,
        })
        .to_string()
    }

    /// None if the line is no record: of a run that was cut short, or of another version.
    fn read(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let seconds = |key: &str| value[key].as_f64().unwrap_or_default() as f32;
        Some(Self {
            id: text("id")?,
            module: text("module")?,
            what: text("what")?,
            outcome: text("outcome")?.parse().ok()?,
            by: text("by"),
            case: text("case"),
            build_s: seconds("build_s"),
            judge_s: seconds("judge_s"),
        })
    }
}

/// All that is known, and the file that more is added to.
pub struct Results {
    known: BTreeMap<String, Record>,
    file: File,
}

impl Results {
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("failed to open {}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        let records = text.lines().filter_map(Record::read);
        // The last of several counts.
        let known = records.map(|record| (record.id.clone(), record)).collect();
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            known,
            file: file.map_err(failed)?,
        })
    }

    pub fn of(&self, id: &str) -> Option<Outcome> {
        self.known.get(id).map(|record| record.outcome)
    }

    pub fn record(&self, id: &str) -> Option<&Record> {
        self.known.get(id)
    }

    /// The cases that have killed mutants of this module, the busiest first, so many at most.
    pub fn killers(&self, module: &str, most: usize) -> Vec<&str> {
        let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
        let of_it = self.known.values().filter(|record| record.module == module);
        for case in of_it.filter_map(|record| record.case.as_deref()) {
            *kills.entry(case).or_default() += 1;
        }
        let mut killers: Vec<_> = kills.into_iter().collect();
        killers.sort_by_key(|&(case, count)| (std::cmp::Reverse(count), case));
        killers
            .into_iter()
            .map(|(case, _)| case)
            .take(most)
            .collect()
    }

    pub fn add(&mut self, record: Record) -> Result<(), String> {
        let line = record.line() + "\n";
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| format!("failed to keep a result: {error}"))?;
        self.known.insert(record.id.clone(), record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record {
            id: "a1".into(),
            module: "mqtt".into(),
            what: "a1 mqtt/session.rs:3 \"==\"".into(),
            outcome: Outcome::TimedOut,
            by: None,
            case: None,
            build_s: 3.5,
            judge_s: 20.0,
        };
        assert_eq!(Record::read(&record.line()), Some(record));
    }

    #[test]
    fn those_that_killed_most_in_a_module_come_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut results = Results::open(&folder.path().join("results.jsonl")).expect("a new file");
        for (id, module, case) in [
            ("1", "mqtt", "seldom"),
            ("2", "mqtt", "often"),
            ("3", "mqtt", "often"),
            ("4", "http", "elsewhere"),
        ] {
            let record = Record {
                id: id.into(),
                module: module.into(),
                what: String::new(),
                outcome: Outcome::Killed,
                by: None,
                case: Some(case.into()),
                build_s: 0.0,
                judge_s: 0.0,
            };
            results.add(record).expect("room for a line");
        }
        assert_eq!(results.killers("mqtt", 9), ["often", "seldom"]);
        assert_eq!(results.killers("mqtt", 1), ["often"]);
    }

    #[test]
    fn a_line_cut_short_is_no_record() {
        assert_eq!(Record::read("{\"id\":\"a1\",\"modu"), None);
    }
}
