//! Reading a trace by all contracts.

use std::collections::HashMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Fault, Source};

use crate::{ALL, Breach, Contract, Facts, Found, Moment, Watch};

/// How long after a fault a device may still suffer from it: the longest back-off of the devices
/// at hand.
const AFTERMATH: Duration = Duration::from_secs(30);
/// Breaches of one contract that are kept; the first says it all.
const MOST_BREACHES: u64 = 16;

/// All contracts at work on one trace.
pub struct Contracts {
    rules: Vec<Rule>,
    /// Which rules read a kind.
    readers: HashMap<(Source, &'static str), Vec<usize>>,
    /// Names of the faults that are on.
    faults: Vec<String>,
    calm_since: Option<LabTime>,
}

struct Rule {
    contract: &'static Contract,
    watch: Option<Box<dyn Watch>>,
    held: u64,
    broken: u64,
    due: Option<LabTime>,
}

/// How a contract stands after a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Times that it was exercised and held.
    pub held: u64,
    /// Times that it was broken.
    pub broken: u64,
    /// Whether it could be claimed at all; else a fact was unknown.
    pub claimed: bool,
}

impl Contracts {
    /// All contracts, with what is known of the device.
    pub fn new(facts: &Facts) -> Self {
        let mut readers: HashMap<_, Vec<usize>> = HashMap::new();
        let mut rules = Vec::new();
        for contract in ALL.iter().copied().flatten() {
            let sees = |part| facts.sees.contains(part);
            let watch = match contract.needs.iter().all(sees) {
                true => (contract.watch)(facts),
                false => None,
            };
            if watch.is_some() {
                for read in contract.reads {
                    readers.entry(*read).or_default().push(rules.len());
                }
            }
            rules.push(Rule {
                contract,
                watch,
                held: 0,
                broken: 0,
                due: None,
            });
        }
        Self {
            rules,
            readers,
            faults: Vec::new(),
            calm_since: Some(LabTime::START),
        }
    }

    /// Takes the next event of the trace; what it breaks, in the order of [`ALL`].
    pub fn event(&mut self, event: &Event) -> Vec<Breach> {
        let mut breaches = self.passed(event.at());
        self.note_fault(event);
        let moment = self.moment();
        let Some(readers) = self.readers.get(&(event.source, &*event.kind)) else {
            return breaches;
        };
        for &reader in readers {
            self.rules[reader].look(event.at(), &mut breaches, |watch, found| {
                watch.event(event, moment, found);
            });
        }
        breaches
    }

    /// Judges what should have happened by `now`.
    pub fn passed(&mut self, now: LabTime) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let moment = self.moment();
        for rule in &mut self.rules {
            if rule.due.is_some_and(|due| due < now) {
                rule.look(now, &mut breaches, |watch, found| {
                    watch.passed(now, moment, found);
                });
            }
        }
        breaches
    }

    /// How each contract stands, in the order of [`ALL`].
    pub fn standings(&self) -> impl Iterator<Item = (&'static Contract, Standing)> + '_ {
        self.rules.iter().map(|rule| {
            let standing = Standing {
                held: rule.held,
                broken: rule.broken,
                claimed: rule.watch.is_some(),
            };
            (rule.contract, standing)
        })
    }

    fn moment(&self) -> Moment {
        Moment {
            calm_since: self.calm_since,
        }
    }

    fn note_fault(&mut self, event: &Event) {
        let Some(fault) = event.payload::<Fault>() else {
            return;
        };
        match fault.on {
            true => self.faults.push(fault.name),
            false => self.faults.retain(|name| *name != fault.name),
        }
        self.calm_since = match self.faults.is_empty() {
            true => Some(event.at() + AFTERMATH),
            false => None,
        };
    }
}

impl Rule {
    fn look(
        &mut self,
        at: LabTime,
        breaches: &mut Vec<Breach>,
        look: impl FnOnce(&mut dyn Watch, &mut Found),
    ) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let mut found = Found::default();
        look(watch.as_mut(), &mut found);
        self.due = watch.due();
        self.held += found.held;
        for (seen, events) in found.broken {
            self.broken += 1;
            if self.broken <= MOST_BREACHES {
                breaches.push(Breach {
                    contract: self.contract,
                    seen,
                    events,
                    at,
                });
            }
        }
    }
}
