//! What a contract is.

use clock::LabTime;
use trace::{Event, Source};

use crate::{Facts, Sight};

/// One rule on what a device does.
pub struct Contract {
    /// Its name, in kebab-case; scenarios except it by this.
    pub id: &'static str,
    /// The rule in one sentence.
    pub says: &'static str,
    /// Where it stands: an RFC, a standard, a vendor's document, or this project's own judgement.
    pub source: &'static str,
    /// Which events it reads, by source and kind.
    pub reads: &'static [(Source, &'static str)],
    /// Parts of the world of which the trace must tell everything, because the rule takes what it
    /// does not tell for what did not happen.
    pub needs: &'static [Sight],
    /// Begins to watch; `None` where the facts that it needs are unknown.
    pub watch: fn(&Facts) -> Option<Box<dyn Watch>>,
}

/// A contract at work on one trace.
///
/// An implementation keeps a few words for each key (a device, a connection, a token), never a
/// history, and drops a key when what it stands for is over.
pub trait Watch: Send {
    /// Takes the next event of a kind that the contract reads.
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found);

    /// When it next wants [`Watch::passed`], if it waits for something.
    fn due(&self) -> Option<LabTime> {
        None
    }

    /// Judges what should have happened by `now`.
    fn passed(&mut self, _now: LabTime, _moment: Moment, _found: &mut Found) {}
}

/// What a rule has to know of the moment beside the event.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since when no fault has been on, its aftermath included; none while one is.
    pub calm_since: Option<LabTime>,
}

impl Moment {
    /// Whether nothing was broken on purpose from `start` until now.
    pub fn calm_from(self, start: LabTime) -> bool {
        self.calm_since.is_some_and(|calm| calm <= start)
    }
}

/// What a rule has found in one event.
#[derive(Debug, Default)]
pub struct Found {
    pub(crate) held: u64,
    pub(crate) broken: Vec<(String, Vec<u64>)>,
}

impl Found {
    /// The rule was exercised and held.
    pub fn held(&mut self) {
        self.held += 1;
    }

    /// The rule was broken: what was seen, and the events (by `seq`) that show it.
    pub fn broken(&mut self, seen: impl Into<String>, events: impl IntoIterator<Item = u64>) {
        self.broken
            .push((seen.into(), events.into_iter().collect()));
    }

    /// Holds if `holds`, is broken otherwise.
    pub fn check(
        &mut self,
        holds: bool,
        seen: impl FnOnce() -> String,
        events: impl IntoIterator<Item = u64>,
    ) {
        match holds {
            true => self.held(),
            false => self.broken(seen(), events),
        }
    }
}

/// A contract was broken.
#[derive(Clone)]
pub struct Breach {
    /// Which.
    pub contract: &'static Contract,
    /// What was seen instead, in one sentence.
    pub seen: String,
    /// The events that show it, by `seq`, in order.
    pub events: Vec<u64>,
    /// When the last of them happened, or when the time for it had passed.
    pub at: LabTime,
}

impl std::fmt::Debug for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {:?}", self.contract.id, self.seen, self.events)
    }
}
