//! How soon exploring alone finds each bug that can be put into the device.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::bugs;
use crate::command::{command, release, target};

/// Fewer than that, of all bugs, and it fails.
const LEAST: usize = 45;

/// What was asked for.
pub struct Plan {
    /// The program; built if none.
    proving: Option<PathBuf>,
    lasts: String,
    /// The first of them.
    seed: u64,
    /// From how many seeds each bug is looked for.
    seeds: u64,
    /// All if none.
    bugs: Vec<String>,
}

impl Plan {
    /// Reads `[BUG]... [--for TIME] [--seed N] [--seeds COUNT] [--proving FILE]`.
    pub fn of(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            proving: None,
            lasts: "2m".into(),
            seed: 1,
            seeds: 1,
            bugs: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().cloned();
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--for" => plan.lasts = value()?,
                "--seed" => plan.seed = number(argument, &value()?)?,
                "--seeds" => plan.seeds = number(argument, &value()?)?.max(1),
                "--proving" => plan.proving = Some(value()?.into()),
                option if option.starts_with("--") => return Err(format!("unknown: {option}")),
                bug => plan.bugs.push(bug.to_owned()),
            }
        }
        Ok(plan)
    }

    /// Explores with each bug from each seed, and says after how long it was found, and by what. A bug counts
    /// as found if it was from at least half of the seeds.
    pub fn run(&self) -> Result<(), String> {
        let proving = match &self.proving {
            Some(proving) => proving.clone(),
            None => release()?,
        };
        let bugs = match self.bugs.is_empty() {
            true => bugs::claims(&proving)?.into_keys().collect(),
            false => self.bugs.clone(),
        };
        let mut times = Vec::new();
        for bug in &bugs {
            let (mut found, mut what) = (Vec::new(), None);
            for seed in self.seed..self.seed + self.seeds {
                if let Some((seconds, failure)) = self.find(&proving, bug, seed)? {
                    found.push(seconds);
                    what.get_or_insert(failure);
                }
            }
            let told = what.unwrap_or_else(|| format!("not within {}", self.lasts));
            let middle = median(&mut found);
            match (middle, self.seeds) {
                (None, _) => println!("      -    {bug}: {told}"),
                (Some(middle), 1) => println!("{middle:7.1} s  {bug}: {told}"),
                (Some(middle), seeds) => println!(
                    "{middle:7.1} s  {bug}: from {} of {seeds} seeds, {:.1} to {:.1} s; {told}",
                    found.len(),
                    found[0],
                    found[found.len() - 1],
                ),
            }
            if let Some(middle) = middle
                && 2 * found.len() as u64 >= self.seeds
            {
                times.push(middle);
            }
        }
        println!(
            "explore alone found {} of {} bugs within {} each; median {:.1} s",
            times.len(),
            bugs.len(),
            self.lasts,
            median(&mut times).unwrap_or_default(),
        );
        if times.len() < LEAST.min(bugs.len()) {
            return Err(format!("at least {} were expected", LEAST.min(bugs.len())));
        }
        Ok(())
    }

    /// After how many seconds `bug` was found, and what failed then. Whether fewer steps are enough is not
    /// waited for.
    fn find(&self, proving: &Path, bug: &str, seed: u64) -> Result<Option<(f64, String)>, String> {
        let not_run = |error: io::Error| format!("failed to run {}: {error}", proving.display());
        let mut child = command(proving)
            .args(["explore", "--fail-fast", "--seed", &seed.to_string()])
            .args(["--for", &self.lasts, "--bug", bug, "--out"])
            .arg(target().join("explore-bugs").join(bug))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_run)?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let failed = lines
            .into_iter()
            .flatten()
            .map_while(Result::ok)
            .find_map(|line| failure(&line));
        if failed.is_some() {
            let pid = child.id().to_string();
            command("kill")
                .args(["-INT", &pid])
                .status()
                .map_err(not_run)?;
        }
        let output = child.wait_with_output().map_err(not_run)?;
        match (&failed, output.status.code()) {
            (None, Some(0 | 3)) | (Some(_), Some(1 | 130)) => Ok(failed),
            (_, code) => Err(format!(
                "explore with {bug} ended with {code:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }
}

fn number(option: &str, text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|error| format!("{option} {text}: {error}"))
}

/// The one in the middle, of which the upper half begins; sorts them.
fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// After how many seconds a walk failed first, and what failed, of what `proving explore` printed.
pub fn first_failure(text: &str) -> Option<(f64, String)> {
    text.lines().find_map(failure)
}

fn failure(line: &str) -> Option<(f64, String)> {
    let (seconds, rest) = line.split_once(" s  walk ")?;
    let (_, what) = rest.split_once(" fails: ")?;
    Some((seconds.trim().parse().ok()?, what.to_owned()))
}
