//! Which of the selected cases a run takes: a shard of them, or what did not pass last time; and which of
//! them are in quarantine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ::trace::Verdict;
use engine::run::Case;
use language::Filter;
use miette::Diagnostic;
use report::{Quarantine, RunSummary};
use serde::Deserialize;
use time::{Date, OffsetDateTime};

/// What a run takes could not be found out.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum ChoiceError {
    /// There was no run before.
    #[error("there is no run in {}", .0.display())]
    #[diagnostic(help("run once without --last-failed, or name the folder of the runs by --out"))]
    NoLastRun(PathBuf),
    /// The last run's summary is not one.
    #[error("failed to read the last run's summary {}: {why}", path.display())]
    #[diagnostic(help("run once without --last-failed"))]
    Summary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The quarantine file is wrong.
    #[error("failed to read the quarantine {}: {why}", path.display())]
    #[diagnostic(help(
        "each entry: `[[quarantine]]` with `cases` (an expression as for -E), `owner`, `reason` and `until` (such as 2026-12-31)"
    ))]
    Quarantine {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// One of several machines that share a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "say which of how many, such as 1/4".to_owned();
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let of = of.parse().map_err(|_| wrong())?;
        if number == 0 || number > of {
            return Err(format!(
                "there is no shard {number} of {of}: the first is 1"
            ));
        }
        Ok(Self { number, of })
    }
}

impl Shard {
    /// Keeps the cases of this shard. The same cases, in whatever order, are always parted alike: dealt out
    /// by their identifiers, so that neighbours, which tend to be alike, go to different shards.
    pub(super) fn keep(self, cases: &mut Vec<Case>) {
        let all: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        let mine: BTreeSet<String> = all
            .into_iter()
            .enumerate()
            .filter(|(place, _)| place % self.of == self.number - 1)
            .map(|(_, id)| id.to_owned())
            .collect();
        cases.retain(|case| mine.contains(&case.id));
    }
}

/// Keeps the cases that did not pass in the last run in `out`, and those that it did not come to.
pub(super) fn keep_last_failed(cases: &mut Vec<Case>, out: &Path) -> Result<(), ChoiceError> {
    let none = || ChoiceError::NoLastRun(out.to_owned());
    let runs = fs::read_dir(out).map_err(|_| none())?;
    // Their names begin with the time.
    let last = runs
        .filter_map(|entry| Some(entry.ok()?.path().join(RunSummary::FILE)))
        .filter(|path| path.is_file())
        .max();
    let path = last.ok_or_else(none)?;
    let wrong = |why: String| ChoiceError::Summary {
        path: path.clone(),
        why,
    };
    let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let summary: RunSummary =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let done: BTreeSet<&str> = summary
        .cases
        .iter()
        .filter(|case| is_done(case))
        .map(|case| case.case.as_str())
        .collect();
    let known: BTreeSet<&str> = summary
        .cases
        .iter()
        .map(|case| case.case.as_str())
        .collect();
    cases.retain(|case| known.contains(case.id.as_str()) && !done.contains(case.id.as_str()));
    Ok(())
}

/// Whether there is nothing to do again: it passed, or this board cannot run it.
fn is_done(case: &report::CaseResult) -> bool {
    let reason = case.skipped.as_deref().unwrap_or_default();
    let was_cut_off = reason == "interrupted" || reason.starts_with("not run after");
    case.verdict == Verdict::Passed || (case.verdict == Verdict::Skipped && !was_cut_off)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    quarantine: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// An expression as for `-E`.
    cases: String,
    owner: String,
    reason: String,
    until: String,
}

/// The cases of the plan that are in quarantine by this file; `all` are the language's, in the same order
/// for each board.
pub(super) fn quarantined(
    path: &Path,
    all: &[language::Case],
    planned: &[Case],
) -> Result<BTreeMap<String, Quarantine>, ChoiceError> {
    let wrong = |why: String| ChoiceError::Quarantine {
        path: path.to_owned(),
        why,
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let today = OffsetDateTime::now_utc().date();
    let mut found = BTreeMap::new();
    for entry in file.quarantine {
        for (name, value) in [("owner", &entry.owner), ("reason", &entry.reason)] {
            if value.trim().is_empty() {
                return Err(wrong(format!("{name} of `{}` is empty", entry.cases)));
            }
        }
        let until = date(&entry.until)
            .ok_or_else(|| wrong(format!("`{}` is no day such as 2026-12-31", entry.until)))?;
        let filter = Filter::parse(&entry.cases).map_err(|error| wrong(error.to_string()))?;
        let matched: BTreeSet<&str> = all
            .iter()
            .filter(|case| filter.matches(case))
            .map(|case| case.id.as_str())
            .collect();
        let of_it = planned
            .iter()
            .filter(|case| matched.contains(case.case_id.as_str()));
        for case in of_it {
            let quarantine = Quarantine {
                owner: entry.owner.clone(),
                reason: entry.reason.clone(),
                until: entry.until.clone(),
                expired: today > until,
            };
            found.insert(case.id.clone(), quarantine);
        }
    }
    Ok(found)
}

/// A day as `2026-12-31`.
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let month: u8 = month.parse().ok()?;
    let month = time::Month::try_from(month).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(names: &[&str]) -> Vec<Case> {
        let known = language::Known::default();
        let board = engine::run::BoardModel::native();
        let case = |name: &&str| {
            let text = format!(
                "name: {name}\nworld: {{ devices: {{ device: {{}} }} }}\nsteps: [{{ power: on }}]\n"
            );
            let cases = language::parse("t.yaml", &text, &known).expect("a scenario");
            Case::of(cases.into_iter().next().expect("a case"), &board)
        };
        names.iter().map(case).collect()
    }

    #[test]
    fn shards_part_all_cases_whatever_their_order() {
        let names = ["e", "b", "d", "a", "c"];
        let mut seen = Vec::new();
        for number in 1..=3 {
            let shard: Shard = format!("{number}/3").parse().expect("a shard");
            let mut kept = cases(&names);
            shard.keep(&mut kept);
            let mut again = cases(&["a", "b", "c", "d", "e"]);
            shard.keep(&mut again);
            let ids = |cases: &[Case]| {
                let mut ids: Vec<String> = cases.iter().map(|case| case.id.clone()).collect();
                ids.sort();
                ids
            };
            assert_eq!(ids(&kept), ids(&again));
            seen.extend(ids(&kept));
        }
        seen.sort();
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn a_shard_is_one_of_those_that_there_are() {
        for wrong in ["0/4", "5/4", "1", "a/b", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("4/4".parse(), Ok(Shard { number: 4, of: 4 }));
    }

    #[test]
    fn days_are_days_of_the_calendar() {
        assert!(date("2026-12-31").is_some());
        for wrong in ["2026-02-30", "26-12-31", "31.12.2026", "2026-12", ""] {
            assert!(date(wrong).is_none(), "{wrong}");
        }
    }
}
