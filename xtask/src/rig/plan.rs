//! What is to be run in the machine.

use std::path::PathBuf;
use std::time::Duration;

/// What the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The cases and checks that every change is judged by.
    Cases,
    /// Every scenario that fits, and the checks.
    All,
    /// The checks alone.
    Checks,
    /// Turns of provisioning, ours beside a peer's.
    Bench,
    /// What stands behind `--`.
    Named,
}

/// A run of the machine, as the command line has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub what: What,
    /// The build to be judged; one is made if none is named.
    pub proving: Option<PathBuf>,
    /// Arguments of `proving run` in place of the cases; with [`What::All`], beside them: `--shard K/N`.
    pub named: Vec<String>,
}

impl Plan {
    /// The gate's run, of this build.
    pub fn gate(proving: PathBuf) -> Self {
        Self {
            what: What::Cases,
            proving: Some(proving),
            named: Vec::new(),
        }
    }

    /// As it was typed; every word has to be known.
    pub fn of(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            what: What::Cases,
            proving: None,
            named: Vec::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--yes" => {}
                "--proving" => {
                    let path = words.next().ok_or("--proving wants a file")?;
                    plan.proving = Some(path.into());
                }
                "--shard" if plan.what == What::All => {
                    let part = words.next().ok_or("--shard wants K/N")?;
                    plan.named = vec![word.clone(), part.clone()];
                }
                "--" => {
                    plan.choose(What::Named)?;
                    plan.named = words.by_ref().cloned().collect();
                }
                other => plan.choose(named(other).ok_or_else(|| format!("unknown: {other}"))?)?,
            }
        }
        Ok(plan)
    }

    fn choose(&mut self, what: What) -> Result<(), String> {
        if self.what != What::Cases {
            return Err("choose one of --all, --checks, --bench and -- ARGUMENTS".into());
        }
        self.what = what;
        Ok(())
    }

    /// The plan for the inside of the machine, a word on each line.
    pub fn written(&self) -> String {
        let what = match self.what {
            What::Cases => "--cases",
            What::All => "--all",
            What::Checks => "--checks",
            What::Bench => "--bench",
            What::Named => "--",
        };
        let words = std::iter::once(what).chain(self.named.iter().map(String::as_str));
        words.collect::<Vec<_>>().join("\n")
    }

    /// How long the machine may be up; one that hangs is ended then. The cases take five minutes
    /// on two cores, all that fits hours.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(match self.what {
            What::Cases | What::Checks => 15 * 60,
            What::Bench => 30 * 60,
            What::All | What::Named => 10 * 60 * 60,
        })
    }
}

fn named(word: &str) -> Option<What> {
    match word {
        "--cases" => Some(What::Cases),
        "--all" => Some(What::All),
        "--checks" => Some(What::Checks),
        "--bench" => Some(What::Bench),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Plan::of(&words)
    }

    #[test]
    fn what_is_written_for_the_machine_is_read_there() {
        for words in [
            &["--cases"][..],
            &["--all"],
            &["--all", "--shard", "2/8"],
            &["--checks"],
            &["--bench"],
            &["--", "scenarios/ble", "-E", "name(v1) | !name(v2)"],
        ] {
            let typed = plan(words).expect("a plan");
            let written = typed.written();
            let read = plan(&written.lines().collect::<Vec<_>>()).expect("a plan");
            assert_eq!(read, typed);
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_no_run_of_the_cases() {
        let cases = plan(&["--proving", "a/proving"]).expect("a plan");
        assert_eq!(cases, Plan::gate("a/proving".into()));
        for words in [
            &["--al"][..],
            &["--all", "--bench"],
            &["--proving"],
            &["--shard", "2/8"],
            &["--all", "--shard"],
        ] {
            assert!(plan(words).is_err(), "{words:?}");
        }
    }
}
