//! The loop: draw walks, run them, shrink what fails.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::run::{BoardModel, Settings};
use trace::Verdict;

use crate::ExploreError;
use crate::chance::Chance;
use crate::coverage::Coverage;
use crate::finding::{Finding, both_traces};
use crate::run::{Ended, Runner, Sessions};
use crate::setting::Setting;
use crate::shrink::{cut, shrink};
use crate::walk::Walk;

/// Walks that are tried at most to make one shorter.
const MOST_TRIES: usize = 300;
/// How often a failing walk is run before it is shrunk, and the shrunk one after.
const CONFIRMATIONS: usize = 5;
/// Walks of the model alone, for what there is to be covered.
const MODEL_WALKS: u64 = 1500;

/// How to explore.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of all walks.
    pub seed: u64,
    /// Wall time after which no further walk is begun.
    pub lasts: Duration,
    /// Walks after which no further one is begun; no limit if none.
    pub walks: Option<u64>,
    /// Whether to end with the first finding.
    pub fail_fast: bool,
    /// Where findings are written.
    pub out: PathBuf,
    /// What walks begin with.
    pub from: Option<Walk>,
    /// Walks that reached something new before: half of all walks go on from one of them.
    pub kept: Vec<Walk>,
}

/// What is told while it goes on.
#[derive(Clone, Debug)]
pub enum News<'n> {
    /// So many walks have ended.
    Walked {
        /// Walks that have ended.
        walks: u64,
        /// What devices did in them.
        sessions: Sessions,
        /// How long it has taken.
        elapsed: Duration,
    },
    /// A walk failed, and will be shrunk.
    Failed {
        /// What failed.
        signature: &'n str,
        /// Which walk.
        index: u64,
        /// How long it has taken.
        elapsed: Duration,
    },
    /// It was shrunk.
    Found(&'n Finding),
    /// A walk proved nothing.
    Broken {
        /// Which walk.
        index: u64,
        /// Why.
        why: &'n str,
    },
}

/// What exploring came to.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Seed of all walks.
    pub seed: u64,
    /// Walks that have ended, those for shrinking not counted.
    pub walks: u64,
    /// Walks of which the lab or the host was the fault.
    pub broken: u64,
    /// What devices did in all walks, those for shrinking included.
    pub sessions: Sessions,
    /// How long it took.
    pub elapsed: Duration,
    /// In the order in which they were found.
    pub findings: Vec<Finding>,
    /// What walks have been through.
    pub covered: Coverage,
    /// What there is to be covered.
    pub model: Coverage,
    /// Walks that reached something new, in the order in which they did.
    pub kept: Vec<Walk>,
    /// Whether a signal ended it.
    pub interrupted: bool,
}

/// Explores `board`. `settings` are those of a run; walks and traces are below its folder while they are
/// needed.
pub fn explore(
    board: BoardModel,
    settings: Settings,
    options: &Options,
    news: &mut dyn FnMut(News<'_>),
) -> Result<Exploration, ExploreError> {
    let folder = settings.out.clone();
    let mut explorer = Explorer {
        runner: Runner::new(board, settings, &folder)?,
        started: Instant::now(),
        options,
        news,
        done: Exploration {
            seed: options.seed,
            walks: 0,
            broken: 0,
            sessions: Sessions::default(),
            elapsed: Duration::ZERO,
            findings: Vec::new(),
            covered: Coverage::default(),
            model: Coverage::default(),
            kept: Vec::new(),
            interrupted: false,
        },
        by_signature: BTreeMap::new(),
    };
    explorer.explore()?;
    explorer.done.model = Coverage::of_model(MODEL_WALKS);
    explorer.done.model.merge(&explorer.done.covered);
    explorer.done.elapsed = explorer.elapsed();
    Ok(explorer.done)
}

struct Explorer<'o> {
    runner: Runner,
    started: Instant,
    options: &'o Options,
    news: &'o mut dyn FnMut(News<'_>),
    done: Exploration,
    /// Where each finding stands.
    by_signature: BTreeMap<String, usize>,
}

impl Explorer<'_> {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_over(&self) -> bool {
        let walked = self
            .options
            .walks
            .is_some_and(|most| self.done.walks >= most);
        let found = self.options.fail_fast && !self.done.findings.is_empty();
        walked || found || self.done.interrupted || self.elapsed() >= self.options.lasts
    }

    fn explore(&mut self) -> Result<(), ExploreError> {
        let mut next = 0;
        while !self.is_over() {
            let mut size = self.runner.width() as u64 * 8;
            if let Some(most) = self.options.walks {
                size = size.min(most - self.done.walks);
            }
            let walks: Vec<Walk> = (next..next + size).map(|index| self.draw(index)).collect();
            let ended = self.run(&walks)?;
            self.done.interrupted = self.runner.was_interrupted();
            if self.done.interrupted {
                break;
            }
            for (offset, (walk, ended)) in walks.iter().zip(ended).enumerate() {
                let index = next + offset as u64;
                self.done.walks += 1;
                match ended {
                    Some(ended) => self.judge(index, walk, &ended)?,
                    None => self.broken(
                        index,
                        "its scenario has mistakes; this is a defect of explore",
                    ),
                }
                if self.options.fail_fast && !self.done.findings.is_empty() {
                    break;
                }
            }
            next += size;
            let elapsed = self.elapsed();
            (self.news)(News::Walked {
                walks: self.done.walks,
                sessions: self.done.sessions,
                elapsed,
            });
        }
        Ok(())
    }

    /// The walk of this index: half of them go on from what was kept, if there is anything.
    fn draw(&self, index: u64) -> Walk {
        let mut chance = Chance::part(self.options.seed, index);
        if let Some(from) = &self.options.from {
            return Walk::drawn_on(from.setting.clone(), from.actions.clone(), &mut chance);
        }
        let kept = &self.options.kept;
        if index.is_multiple_of(2) || kept.is_empty() {
            return Walk::drawn(self.options.seed, index);
        }
        let place = usize::try_from(chance.below(kept.len() as u64)).unwrap_or(0);
        mutated(&kept[place], &mut chance)
    }

    fn run(&mut self, walks: &[Walk]) -> Result<Vec<Option<Ended>>, ExploreError> {
        let ended = self.runner.run(walks)?;
        for ended in ended.iter().flatten() {
            self.done.sessions.add(ended.sessions);
            for (contract, times) in &ended.contracts {
                *self
                    .done
                    .covered
                    .contracts
                    .entry(contract.clone())
                    .or_default() += times;
            }
        }
        Ok(ended)
    }

    fn broken(&mut self, index: u64, why: &str) {
        self.done.broken += 1;
        (self.news)(News::Broken { index, why });
    }

    fn judge(&mut self, index: u64, walk: &Walk, ended: &Ended) -> Result<(), ExploreError> {
        if self.done.covered.add(walk, ended.last) {
            self.done.kept.push(walk.clone());
        }
        match (ended.verdict, &ended.signature) {
            (Verdict::Passed, _) => {}
            (Verdict::Failed, Some(signature)) => match self.by_signature.get(signature) {
                Some(place) => self.done.findings[*place].times += 1,
                None => self.found(index, walk, ended, &signature.clone())?,
            },
            _ => {
                let why = ended
                    .failure
                    .as_ref()
                    .map_or("nothing says why", |f| &f.message);
                self.broken(index, why);
            }
        }
        Ok(())
    }

    /// Shrinks a failure that was not there before, and writes it down.
    fn found(
        &mut self,
        index: u64,
        walk: &Walk,
        ended: &Ended,
        signature: &str,
    ) -> Result<(), ExploreError> {
        let found_after = self.elapsed();
        (self.news)(News::Failed {
            signature,
            index,
            elapsed: found_after,
        });
        self.by_signature
            .insert(signature.to_owned(), self.done.findings.len());
        let start = cut(walk, ended.last);
        let again = self.again(&start, signature, CONFIRMATIONS)?;
        // Counted with the run that found it, so that it is never nothing.
        let chance = (again + 1) as f64 / (CONFIRMATIONS + 1) as f64;
        let repeats = repeats(chance);
        let shrunk = shrink(&start, MOST_TRIES, &mut |walks: &[Walk]| {
            self.fail_alike(walks, signature, repeats)
        })?;
        let runs = self.run(&vec![shrunk.walk.clone(); 2 * CONFIRMATIONS])?;
        let runs: Vec<Ended> = runs.into_iter().flatten().collect();
        let fails = failed_alike(&runs, signature);
        let told = runs.iter().find(|run| run.failed_by(signature));
        let failure = told
            .and_then(|run| run.failure.as_ref())
            .or(ended.failure.as_ref());
        let mut finding = Finding {
            signature: signature.to_owned(),
            seed: self.options.seed,
            index,
            found_after_ms: u64::try_from(found_after.as_millis()).unwrap_or(u64::MAX),
            drawn: walk.actions.len(),
            tried: shrunk.tried,
            was_cut: shrunk.was_cut,
            walk: shrunk.walk,
            fails: (fails, runs.len()),
            message: failure
                .map(|failure| failure.message.clone())
                .unwrap_or_default(),
            times: 1,
            file: PathBuf::new(),
            traces: both_traces(signature, &runs),
        };
        finding.write(&self.options.out)?;
        (self.news)(News::Found(&finding));
        self.done.findings.push(finding);
        Ok(())
    }

    /// How often `walk` fails alike, of so many times.
    fn again(&mut self, walk: &Walk, signature: &str, times: usize) -> Result<usize, ExploreError> {
        let runs = self.run(&vec![walk.clone(); times])?;
        let runs: Vec<Ended> = runs.into_iter().flatten().collect();
        Ok(failed_alike(&runs, signature))
    }

    /// Of each of the first of `walks` whether it fails alike in any of `repeats` runs, up to the first that
    /// does.
    fn fail_alike(
        &mut self,
        walks: &[Walk],
        signature: &str,
        repeats: usize,
    ) -> Result<Vec<bool>, ExploreError> {
        let mut failed = Vec::new();
        let width = (self.runner.width() * 2).div_ceil(repeats).max(1);
        for some in walks.chunks(width) {
            let all: Vec<Walk> = some
                .iter()
                .flat_map(|walk| std::iter::repeat_n(walk.clone(), repeats))
                .collect();
            let runs = self.run(&all)?;
            failed.extend(runs.chunks(repeats).map(|runs| {
                let mut runs = runs.iter().flatten();
                runs.any(|run| run.failed_by(signature))
            }));
            if failed.contains(&true) || self.runner.was_interrupted() {
                break;
            }
        }
        Ok(failed)
    }
}

fn failed_alike(runs: &[Ended], signature: &str) -> usize {
    runs.iter().filter(|run| run.failed_by(signature)).count()
}

/// So many runs overlook a failure of this chance once in a hundred times.
fn repeats(chance: f64) -> usize {
    if chance >= 0.99 {
        return 1;
    }
    let runs = (0.01_f64.ln() / (1.0 - chance.max(0.2)).ln()).ceil();
    // Between 1 and 21 for the chances that there are.
    (1..=21).find(|count| *count as f64 >= runs).unwrap_or(21)
}

/// `kept`, changed a little, and gone on from.
fn mutated(kept: &Walk, chance: &mut Chance) -> Walk {
    let mut walk = kept.clone();
    let length = walk.actions.len() as u64;
    let place = |chance: &mut Chance| usize::try_from(chance.below(length)).unwrap_or(0);
    match chance.below(4) {
        0 => {
            let from = place(chance);
            walk = walk.without(&std::collections::BTreeSet::from([from]));
        }
        1 => {
            let (one, other) = (place(chance), place(chance));
            walk.actions.swap(one, other);
        }
        2 => {
            let twice = walk.actions[place(chance)];
            let at = place(chance);
            walk.actions.insert(at, twice);
        }
        _ => {
            let simpler = Setting::drawn(chance);
            walk.setting = simpler;
        }
    }
    let walk = walk.repaired();
    let kept = usize::try_from(1 + chance.below(walk.actions.len().max(1) as u64)).unwrap_or(1);
    let mut begun = walk.actions;
    begun.truncate(kept);
    Walk::drawn_on(walk.setting, begun, chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_failures_are_looked_for_more_often() {
        assert_eq!(repeats(1.0), 1);
        assert_eq!(repeats(0.8), 3);
        assert_eq!(repeats(0.5), 7);
        assert_eq!(repeats(0.3), 13);
    }

    #[test]
    fn what_was_kept_and_changed_can_be_walked() {
        let mut chance = Chance::new(9);
        for index in 0..500 {
            let walk = mutated(&Walk::drawn(2, index), &mut chance);
            assert!(walk.end().is_some(), "{walk:?}");
        }
    }
}
