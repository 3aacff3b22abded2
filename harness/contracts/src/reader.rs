//! Reading a trace by all contracts.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Fault, Source};

use crate::cost::{Stopwatch, Unable, Why};
use crate::faults::Faults;
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
    faults: Faults,
    calm_since: Option<LabTime>,
}

struct Rule {
    contract: &'static Contract,
    watch: Option<Box<dyn Watch>>,
    held: u64,
    broken: u64,
    due: Option<LabTime>,
    /// Time of a processor that it has taken.
    spent: Duration,
    /// What it said when it panicked; it watches no more since.
    panicked: Option<String>,
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
        Self::of(ALL.iter().copied().flatten(), facts)
    }

    fn of(contracts: impl IntoIterator<Item = &'static Contract>, facts: &Facts) -> Self {
        let mut readers: HashMap<_, Vec<usize>> = HashMap::new();
        let mut rules = Vec::new();
        for contract in contracts {
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
                spent: Duration::ZERO,
                panicked: None,
            });
        }
        Self {
            rules,
            readers,
            faults: Faults::default(),
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
        let mut stopwatch = Stopwatch::start();
        for &reader in readers {
            let rule = &mut self.rules[reader];
            rule.look(event.at(), &mut breaches, |watch, found| {
                watch.event(event, moment, found);
            });
            rule.spent += stopwatch.lap();
        }
        breaches
    }

    /// Judges what should have happened by `now`.
    pub fn passed(&mut self, now: LabTime) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let moment = self.moment();
        for rule in &mut self.rules {
            if rule.due.is_some_and(|due| due < now) {
                let mut stopwatch = Stopwatch::start();
                rule.look(now, &mut breaches, |watch, found| {
                    watch.passed(now, moment, found);
                });
                rule.spent += stopwatch.lap();
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

    /// The first contract that cannot be relied on, in an attempt that has taken so long on the host: it
    /// panicked, or took more than a hundredth of that time.
    pub fn unable(&self, attempt: Duration) -> Option<Unable> {
        self.rules.iter().find_map(|rule| {
            let why = match &rule.panicked {
                Some(said) => Why::Panicked(said.clone()),
                None => Why::of_cost(rule.spent, attempt)?,
            };
            Some(Unable {
                contract: rule.contract.id,
                why,
            })
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
        self.faults.note(&fault.name, fault.on);
        self.calm_since = match self.faults.is_calm() {
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
        // Nobody looks at it again if it panics.
        let looked = catch_unwind(AssertUnwindSafe(|| {
            look(watch.as_mut(), &mut found);
            watch.due()
        }));
        self.due = match looked {
            Ok(due) => due,
            Err(panic) => {
                let said = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                self.panicked = Some(said.unwrap_or("no text").to_owned());
                self.watch = None;
                self.due = None;
                return;
            }
        };
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use clock::Clock;
    use trace::{Level, LogLine, Trace};

    use super::*;

    struct Panics;

    impl Watch for Panics {
        fn event(&mut self, _: &Event, _: Moment, _: &mut Found) {
            panic!("index 3 of 2");
        }
    }

    struct Ponders;

    impl Watch for Ponders {
        fn event(&mut self, _: &Event, _: Moment, found: &mut Found) {
            let mut stopwatch = Stopwatch::start();
            let mut spent = Duration::ZERO;
            while spent < Duration::from_millis(150) {
                spent += stopwatch.lap();
            }
            found.held();
        }
    }

    struct Holds;

    impl Watch for Holds {
        fn event(&mut self, _: &Event, _: Moment, found: &mut Found) {
            found.held();
        }
    }

    const fn contract(id: &'static str, watch: fn(&Facts) -> Option<Box<dyn Watch>>) -> Contract {
        Contract {
            id,
            says: "nothing",
            source: "this test",
            reads: &[(Source::Log, "line")],
            needs: &[],
            watch,
        }
    }

    static PANICS: Contract = contract("panics", |_| Some(Box::new(Panics)));
    static PONDERS: Contract = contract("ponders", |_| Some(Box::new(Ponders)));
    static HOLDS: Contract = contract("holds", |_| Some(Box::new(Holds)));

    /// What these contracts make of two log lines.
    fn read(contracts: &[&'static Contract]) -> Contracts {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let _entered = runtime.enter();
        let trace = Trace::in_memory(Clock::start(1.0));
        let mut contracts = Contracts::of(contracts.iter().copied(), &Facts::default());
        for text in ["one", "two"] {
            trace.log(
                "device",
                LogLine {
                    level: Level::Info,
                    tag: "app".into(),
                    text: text.into(),
                    device_ms: None,
                    place: None,
                },
            );
        }
        for event in trace.since(0) {
            assert!(contracts.event(&event).is_empty());
        }
        contracts
    }

    #[test]
    fn a_contract_that_panics_is_named_and_the_others_go_on() {
        let contracts = read(&[&PANICS, &HOLDS]);
        let unable = contracts
            .unable(Duration::from_secs(60))
            .expect("it panicked");
        assert_eq!(unable.to_string(), "contract panics panicked: index 3 of 2");
        let held: Vec<u64> = contracts
            .standings()
            .map(|(_, standing)| standing.held)
            .collect();
        assert_eq!(held, [0, 2]);
    }

    #[test]
    fn a_contract_that_takes_more_than_a_hundredth_of_the_attempt_is_named() {
        let contracts = read(&[&HOLDS, &PONDERS]);
        let unable = contracts
            .unable(Duration::from_secs(1))
            .expect("it took 300 ms");
        assert!(
            unable.to_string().starts_with("contract ponders took "),
            "{unable}"
        );
        // A short attempt counts as a longer one.
        assert!(contracts.unable(Duration::ZERO).is_some());
        assert_eq!(contracts.unable(Duration::from_secs(60)), None);
        assert_eq!(read(&[&HOLDS]).unable(Duration::ZERO), None);
    }

    #[test]
    fn time_in_which_the_host_does_other_things_is_nobody_s() {
        let mut stopwatch = Stopwatch::start();
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() >= Duration::from_millis(50));
        assert!(stopwatch.lap() < Duration::from_millis(25));
    }
}
