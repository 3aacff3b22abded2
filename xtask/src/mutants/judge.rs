//! Whether the scenarios and the contracts notice a mutant.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::results::Outcome;
use crate::command::{command, target};
use crate::explore_bugs::first_failure;

/// All cases of one mutant; the device without a change takes seconds.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// One attempt.
const ATTEMPT: &str = "60s";
/// How `proving run` ends if a case has failed.
const FAILED: i32 = 1;
/// How `proving run` ends if no case was chosen.
const NOTHING_RAN: i32 = 4;
/// What stands in the place of a case for what a walk found.
pub const EXPLORE: &str = "explore";
/// The same random values for each mutant.
const SEED: &str = "7";

/// Runs scenarios against devices.
pub struct Judge {
    proving: PathBuf,
    /// Options of the program's command line.
    jobs: Vec<String>,
    /// Whether only what a contract says counts.
    contracts_alone: bool,
}

impl Judge {
    pub fn new(proving: PathBuf, jobs: Option<usize>, contracts_alone: bool) -> Self {
        Self {
            proving,
            jobs: jobs.map_or_else(Vec::new, |jobs| vec!["--jobs".into(), jobs.to_string()]),
            contracts_alone,
        }
    }

    /// What kills `device` among the cases that these expressions choose, one after the other.
    pub fn killed_by(
        &self,
        device: &Path,
        filters: &[String],
    ) -> Result<Option<Judgement>, String> {
        for filter in filters {
            match self.soon(device, &["-E", filter])? {
                Some(soon) if soon.outcome == Outcome::Killed => return Ok(Some(soon)),
                // A case that is called otherwise by now is none of them.
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// Runs every case against `device` until one ends with `failed`: what came of it.
    pub fn judge(&self, device: &Path) -> Result<Judgement, String> {
        self.soon(device, &[])?
            .ok_or_else(|| "there are no cases here".to_owned())
    }

    /// Runs the chosen cases until one fails; None if there is no such case.
    ///
    /// A run that ends at a broken attempt is no verdict; then all of them are run.
    fn soon(&self, device: &Path, chosen: &[&str]) -> Result<Option<Judgement>, String> {
        // The first failure may be of something else.
        if self.contracts_alone {
            return self.run(device, chosen);
        }
        let soon = self.run(device, &[&["--fail-fast"], chosen].concat())?;
        match soon {
            Some(soon) if soon.outcome == Outcome::Broken => self.run(device, chosen),
            soon => Ok(soon),
        }
    }

    /// What exploring alone finds in `device` within `lasts`, such as 1m.
    pub fn explore(&self, device: &Path, lasts: &str) -> Result<Option<Judgement>, String> {
        let output = command(&self.proving)
            .args(["explore", "--fail-fast", "--seed", SEED, "--for", lasts])
            .args(&self.jobs)
            .arg("--device")
            .arg(device)
            .arg("--out")
            .arg(target().join("mutants/out"))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("failed to start {}: {error}", self.proving.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match (first_failure(&text), output.status.code()) {
            (Some((_, why)), _) => Ok(Some(Judgement {
                outcome: Outcome::Killed,
                by: Some(Attempt {
                    case: EXPLORE.to_owned(),
                    why,
                }),
            })),
            // Walks that broke are no verdict.
            (None, Some(0 | 3)) => Ok(None),
            (None, code) => Err(format!(
                "`proving explore --device {}` ended with {code:?}:\n{text}{}",
                device.display(),
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// None if there is no such case.
    fn run(&self, device: &Path, more: &[&str]) -> Result<Option<Judgement>, String> {
        let out = target().join("mutants/out");
        // What an earlier mutant left; it need not be there.
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out)
            .map_err(|error| format!("failed to make {}: {error}", out.display()))?;
        let said = out.join("messages.jsonl");
        let messages = fs::File::create(&said);
        let messages =
            messages.map_err(|error| format!("failed to make {}: {error}", said.display()))?;
        let mut child = command(&self.proving)
            .args([
                "run",
                "--message-format",
                "json",
                "--seed",
                SEED,
                "--timeout",
                ATTEMPT,
            ])
            .args(&self.jobs)
            .arg("--device")
            .arg(device)
            .arg("--out")
            .arg(&out)
            .args(more)
            .stdin(Stdio::null())
            .stdout(messages)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("failed to start {}: {error}", self.proving.display()))?;
        let until = Instant::now() + LONGEST;
        let code = loop {
            let ended = child.try_wait();
            match ended.map_err(|error| format!("failed to wait for proving: {error}"))? {
                Some(status) => break status.code(),
                None if Instant::now() >= until => {
                    // Its workers end with it.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Ok(Some(Judgement {
                        outcome: Outcome::TimedOut,
                        by: None,
                    }));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let text = fs::read_to_string(&said).unwrap_or_default();
        let (failed, broken) = read(&text, self.contracts_alone);
        let (outcome, by) = match (failed, broken, code) {
            (Some(by), ..) => (Outcome::Killed, Some(by)),
            (None, Some(by), _) => (Outcome::Broken, Some(by)),
            (None, None, Some(0)) => (Outcome::Survived, None),
            (None, None, Some(FAILED)) if self.contracts_alone => (Outcome::Survived, None),
            (None, None, Some(NOTHING_RAN)) => return Ok(None),
            (None, None, code) => {
                return Err(format!(
                    "`proving run --device {}` ended with {code:?} and no verdict: run it by hand to see why",
                    device.display()
                ));
            }
        };
        Ok(Some(Judgement { outcome, by }))
    }
}

/// What the cases say of a device.
pub struct Judgement {
    pub outcome: Outcome,
    /// What said so.
    pub by: Option<Attempt>,
}

impl Judgement {
    /// Whether nothing has noticed the device.
    pub fn is_survivor(&self) -> bool {
        self.outcome == Outcome::Survived
    }
}

/// An attempt that did not pass.
#[derive(Debug, PartialEq)]
pub struct Attempt {
    pub case: String,
    pub why: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.why)
    }
}

/// The first attempt that failed, by a contract if only those count, and the first that was broken, each with what
/// it said. A contract that was broken before a step failed counts, too.
fn read(messages: &str, contracts_alone: bool) -> (Option<Attempt>, Option<Attempt>) {
    let mut found = [None, None];
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let result = &message["result"];
        let place = match result["verdict"].as_str() {
            Some("failed") => 0,
            Some("broken") => 1,
            _ => continue,
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let label = text(&result["failure"]["label"]);
        let mut why = format!("{label}: {}", text(&result["failure"]["message"]));
        if place == 0 && contracts_alone && !label.starts_with("contract ") {
            match breach(Path::new(&text(&result["folder"]))) {
                Some(breach) if found[place].is_none() => why = breach,
                _ => continue,
            }
        }
        found[place].get_or_insert_with(|| Attempt {
            case: text(&result["case"]),
            why,
        });
    }
    let [failed, broken] = found;
    (failed, broken)
}

/// The first contract that was broken in the attempt of this folder, unless its scenario excepts that.
fn breach(folder: &Path) -> Option<String> {
    let trace = fs::read_to_string(folder.join("trace.jsonl")).ok()?;
    let mut breaches = trace.lines().filter_map(|line| {
        let event: Value = line
            .contains("contract_broken")
            .then(|| serde_json::from_str(line).ok())??;
        let is_one = event["kind"] == "contract_broken" && event["data"]["excepted"].is_null();
        let part = |name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
        let [id, says, seen] = ["contract", "says", "seen"].map(part);
        is_one.then(|| format!("contract {id} (and a step): {says}; but: {seen}"))
    });
    breaches.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_counts_and_what_was_broken_beside_it_does_not() {
        let line = |verdict: &str, case: &str, label: &str| {
            format!(
                r#"{{"type":"attempt_finished","result":{{"verdict":"{verdict}","case":"{case}","failure":{{"label":"{label}","message":"why"}}}}}}"#
            )
        };
        let text = [
            line("broken", "a", "step"),
            line("passed", "b", "step"),
            line("failed", "c", "step"),
            line("failed", "d", "contract x"),
        ]
        .join("\n");
        let told = |attempt: Option<Attempt>| attempt.map(|attempt| attempt.to_string());
        let (failed, broken) = read(&text, false);
        assert_eq!(told(failed).as_deref(), Some("c: step: why"));
        assert_eq!(told(broken).as_deref(), Some("a: step: why"));
        let (failed, _) = read(&text, true);
        assert_eq!(told(failed).as_deref(), Some("d: contract x: why"));
    }

    #[test]
    fn a_contract_that_is_broken_before_a_step_fails_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let broken = |id: &str, more: &str| {
            format!(
                r#"{{"kind":"contract_broken","data":{{"contract":"{id}","says":"so","seen":"not so"{more}}}}}"#
            )
        };
        let trace = [
            r#"{"kind":"started","data":{}}"#.to_owned(),
            broken("x", r#","excepted":"why""#),
            broken("y", ""),
        ];
        fs::write(folder.path().join("trace.jsonl"), trace.join("\n")).expect("a trace");
        let told = breach(folder.path());
        assert_eq!(
            told.as_deref(),
            Some("contract y (and a step): so; but: not so")
        );
        assert_eq!(breach(&folder.path().join("none")), None);
    }
}
