//! Which mutants, and what is done with them.

use std::path::PathBuf;

use super::mutant::Mutant;
use super::results::Outcome;

/// What the arguments say.
#[derive(Debug)]
pub struct Plan {
    pub wanted: Wanted,
    /// Parts of paths, of which one must be in the file's.
    files: Vec<String>,
    /// Only the list of defects.
    defects: bool,
    /// The k-th of n parts.
    shard: Option<(usize, usize)>,
    /// So many, drawn by this seed.
    sample: Option<usize>,
    seed: u64,
    /// Outcomes that are tried again.
    again: Vec<Outcome>,
    /// A build of `proving`.
    pub proving: Option<PathBuf>,
    /// How many cases at the same time; as many as `proving` takes by itself if none.
    pub jobs: Option<usize>,
    /// Whether only the cases of a mutant's part are run.
    pub part: bool,
    /// Whether only what a contract says counts, and is kept apart.
    pub contracts_alone: bool,
    /// How long `proving explore` looks for what no case has noticed.
    pub explore: Option<String>,
    /// Whether the device without a change is run first.
    pub checks_the_device: bool,
}

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// They are named.
    List,
    /// They are built and run.
    Run,
    /// Only what is known of them is shown.
    Table,
}

impl Plan {
    pub fn of(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            wanted: Wanted::Run,
            files: Vec::new(),
            defects: false,
            shard: None,
            sample: None,
            seed: 1,
            again: Vec::new(),
            proving: None,
            jobs: None,
            part: false,
            contracts_alone: false,
            explore: None,
            checks_the_device: true,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                let value = rest.next().map(String::as_str);
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--list" => plan.wanted = Wanted::List,
                "--table" => plan.wanted = Wanted::Table,
                "--defects" => plan.defects = true,
                "--part" => plan.part = true,
                "--contracts" => plan.contracts_alone = true,
                "--unchecked" => plan.checks_the_device = false,
                "--file" => plan.files.push(value()?.to_owned()),
                "--shard" => plan.shard = Some(shard(value()?)?),
                "--sample" => plan.sample = Some(number(argument, value()?)?),
                "--seed" => plan.seed = number(argument, value()?)?,
                "--jobs" => plan.jobs = Some(number(argument, value()?)?),
                "--again" => plan.again.push(value()?.parse()?),
                "--explore" => plan.explore = Some(value()?.to_owned()),
                "--proving" => plan.proving = Some(value()?.into()),
                other => return Err(format!("mutants knows no {other}; see `cargo xtask`")),
            }
        }
        Ok(plan)
    }

    /// Those that are meant, in the order of `all`.
    pub fn choose<'m>(&self, all: &'m [Mutant]) -> Vec<&'m Mutant> {
        let mut chosen: Vec<&Mutant> = all
            .iter()
            .filter(|mutant| !self.defects || mutant.operator == "defect")
            .filter(|mutant| {
                self.files.is_empty() || self.files.iter().any(|part| mutant.file().contains(part))
            })
            .collect();
        if let Some(count) = self.sample {
            let seed = self.seed.to_string();
            let mut drawn = chosen.clone();
            drawn.sort_by_key(|mutant| Mutant::id_of(&[&seed, &mutant.id], 0));
            drawn.truncate(count);
            chosen.retain(|mutant| drawn.iter().any(|other| other.id == mutant.id));
        }
        if let Some((k, n)) = self.shard {
            let mut number = 0;
            chosen.retain(|_| {
                number += 1;
                (number - 1) % n == k - 1
            });
        }
        chosen
    }

    /// Whether a mutant is tried that had this outcome before, if it had one.
    pub fn again(&self, before: Option<Outcome>) -> bool {
        before.is_none_or(|outcome| self.again.contains(&outcome))
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("{name} is a number, not {value:?}"))
}

/// `k/n`, with k from 1 to n.
fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/');
    parts
        .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)))
        .filter(|(k, n)| (1..=*n).contains(k))
        .ok_or_else(|| format!("--shard is K/N with K from 1 to N, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::mutant::Edit;
    use super::*;

    fn mutants(count: usize) -> Vec<Mutant> {
        let mutant = |number: usize| Mutant {
            id: Mutant::id_of(&["m"], number),
            operator: "test",
            about: String::new(),
            edits: vec![Edit {
                file: format!(
                    "{}/file.rs",
                    if number.is_multiple_of(2) {
                        "mqtt"
                    } else {
                        "http"
                    }
                ),
                start: 0,
                find: String::new(),
                replace: String::new(),
            }],
            line: 1,
        };
        (0..count).map(mutant).collect()
    }

    fn chosen(arguments: &[&str], all: &[Mutant]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let plan = Plan::of(&arguments).expect("it is sound");
        plan.choose(all)
            .iter()
            .map(|mutant| mutant.id.clone())
            .collect()
    }

    #[test]
    fn shards_are_apart_and_together_all() {
        let all = mutants(10);
        let mut ids: Vec<String> = ["1/3", "2/3", "3/3"]
            .iter()
            .flat_map(|shard| chosen(&["--shard", shard], &all))
            .collect();
        assert_eq!(ids.len(), 10);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }

    #[test]
    fn a_sample_is_the_same_for_the_same_seed() {
        let all = mutants(50);
        let sample = |seed: &str| chosen(&["--sample", "8", "--seed", seed], &all);
        assert_eq!(sample("1"), sample("1"));
        assert_ne!(sample("1"), sample("2"));
        assert_eq!(sample("1").len(), 8);
    }

    #[test]
    fn files_are_chosen_by_a_part_of_their_path() {
        assert_eq!(chosen(&["--file", "mqtt/"], &mutants(10)).len(), 5);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for arguments in [
            vec!["--shard", "4/3"],
            vec!["--sample"],
            vec!["--sample", "x"],
            vec!["--what"],
        ] {
            let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
            assert!(Plan::of(&arguments).is_err(), "{arguments:?}");
        }
    }
}
