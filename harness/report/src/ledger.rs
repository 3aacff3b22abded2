//! What became of every case in every run, kept for as long as one likes: JSON Lines in a folder of one's own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trace::Verdict;

use crate::RunSummary;

/// Name of the file in a ledger's folder.
const FILE: &str = "ledger.jsonl";

/// One case in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run's name, which begins with its time.
    pub run: String,
    /// Unix time in ms at the run's start.
    pub started_ms: u64,
    /// The case's identifier.
    pub case: String,
    /// The scenario's file.
    pub scenario: PathBuf,
    /// What ran it.
    pub board: String,
    /// SHA-256 of the firmware's first file, in hex, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// How many attempts there were.
    pub attempts: usize,
    /// Wall time of all of them, in ms.
    pub wall_ms: u64,
}

/// Adds a run to the ledger in `folder`, which is made if it is not there. Cases that were skipped leave no
/// entry: nothing is known of them.
pub fn add(folder: &Path, summary: &RunSummary) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut lines = Vec::new();
    for case in &summary.cases {
        if case.verdict == Verdict::Skipped {
            continue;
        }
        let setup = summary
            .setups
            .iter()
            .find(|setup| setup.board.name == case.board);
        let firmware = setup.and_then(|setup| setup.board.firmware.first());
        let entry = Entry {
            run: summary.run.clone(),
            started_ms: summary.started_ms,
            case: case.case.clone(),
            scenario: case.scenario.clone(),
            board: case.board.clone(),
            firmware: firmware.map(|file| file.sha256.clone()),
            verdict: case.verdict,
            attempts: case.attempts.len(),
            wall_ms: case.wall_ms(),
        };
        serde_json::to_writer(&mut lines, &entry)?;
        lines.push(b'\n');
    }
    // One write, so that runs that end at the same time do not mix their lines.
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join(FILE));
    file?.write_all(&lines)
}

/// Hands on every entry of the ledger in `folder`, oldest first, and returns how many lines were none: a
/// line may have been cut short, or be of a newer version.
pub fn each(folder: &Path, mut take: impl FnMut(Entry)) -> io::Result<usize> {
    let mut unread = 0;
    for line in BufReader::new(File::open(folder.join(FILE))?).split(b'\n') {
        match serde_json::from_slice(&line?) {
            Ok(entry) => take(entry),
            Err(_) => unread += 1,
        }
    }
    Ok(unread)
}

/// What the entries of one board or one case say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Cases that passed, failed, broke, were flaky.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Broken.
    pub broken: u64,
    /// Flaky.
    pub flaky: u64,
    /// Wall time in ms of those that passed, together.
    pub passed_ms: u64,
    /// The run since which there was trouble in each run, if there was in the last one.
    pub since: Option<String>,
    /// The run that was looked at last, and whether it had trouble.
    last: Option<(String, bool)>,
}

impl Record {
    /// Takes the next entry. Trouble is what `is_trouble` says.
    fn take(&mut self, entry: &Entry, is_trouble: bool) {
        match entry.verdict {
            Verdict::Passed => {
                self.passed += 1;
                self.passed_ms += entry.wall_ms;
            }
            Verdict::Failed => self.failed += 1,
            Verdict::Broken => self.broken += 1,
            Verdict::Flaky => self.flaky += 1,
            Verdict::Skipped => {}
        }
        match &mut self.last {
            Some((run, had)) if *run == entry.run => *had |= is_trouble,
            last => {
                // The run before had none: what there was is over.
                if last.as_ref().is_some_and(|(_, had)| !had) {
                    self.since = None;
                }
                *last = Some((entry.run.clone(), is_trouble));
            }
        }
        if is_trouble && self.since.is_none() {
            self.since = Some(entry.run.clone());
        }
    }

    fn end(mut self) -> Self {
        if self.last.as_ref().is_some_and(|(_, had)| !had) {
            self.since = None;
        }
        self
    }

    /// How many entries there are.
    pub fn all(&self) -> u64 {
        self.passed + self.failed + self.broken + self.flaky
    }

    /// The share of trouble, in percent, and the bounds within which its rate lies with a probability of
    /// 95 % (Wilson).
    pub fn rate(&self, trouble: u64) -> (f64, f64, f64) {
        let n = self.all() as f64;
        if n == 0.0 {
            return (0.0, 0.0, 100.0);
        }
        let (p, z) = (trouble as f64 / n, 1.96_f64);
        let middle = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z * z / n;
        let bound = |value: f64| (100.0 * value / whole).clamp(0.0, 100.0);
        (100.0 * p, bound(middle - spread), bound(middle + spread))
    }
}

/// The records of all boards, by whether they broke, and of all cases, by whether they were flaky.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// By the board's name.
    pub boards: BTreeMap<String, Record>,
    /// By the case's identifier.
    pub cases: BTreeMap<String, Record>,
    /// Lines of the ledger that could not be read.
    pub unread: usize,
}

impl History {
    /// Reads the ledger in `folder`.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut history = Self::default();
        history.unread = each(folder, |entry| {
            let board = history.boards.entry(entry.board.clone()).or_default();
            board.take(&entry, entry.verdict == Verdict::Broken);
            let case = history.cases.entry(entry.case.clone()).or_default();
            case.take(&entry, entry.verdict == Verdict::Flaky);
        })?;
        for record in history
            .boards
            .values_mut()
            .chain(history.cases.values_mut())
        {
            *record = std::mem::take(record).end();
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, case: &str, verdict: Verdict) -> Entry {
        Entry {
            run: run.to_owned(),
            started_ms: 0,
            case: case.to_owned(),
            scenario: "a.yaml".into(),
            board: "native".to_owned(),
            firmware: None,
            verdict,
            attempts: 1,
            wall_ms: 10,
        }
    }

    fn history(entries: &[Entry]) -> History {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = String::new();
        for entry in entries {
            text.push_str(&serde_json::to_string(entry).expect("JSON"));
            text.push('\n');
        }
        text.push_str("{\"run\":\"cut sho");
        fs::write(folder.path().join(FILE), text).expect("it is written");
        History::read(folder.path()).expect("it is read")
    }

    #[test]
    fn trouble_is_told_with_the_run_since_which_it_is_there() {
        use Verdict::{Broken, Flaky, Passed};
        let history = history(&[
            entry("1", "a", Flaky),
            entry("1", "b", Passed),
            entry("2", "a", Passed),
            entry("2", "b", Passed),
            entry("3", "a", Flaky),
            entry("3", "b", Broken),
            entry("4", "a", Flaky),
            entry("4", "b", Passed),
        ]);
        assert_eq!(history.unread, 1);
        assert_eq!(history.cases["a"].since.as_deref(), Some("3"));
        assert_eq!(history.cases["b"].since, None);
        assert_eq!(history.boards["native"].since, None);
        assert_eq!((history.cases["a"].flaky, history.cases["a"].all()), (3, 4));
    }

    #[test]
    fn few_runs_say_little_of_a_rate() {
        let record = Record {
            passed: 19,
            flaky: 1,
            ..Record::default()
        };
        let (rate, low, high) = record.rate(record.flaky);
        assert_eq!(format!("{rate:.1} {low:.1} {high:.1}"), "5.0 0.9 23.6");
    }
}
