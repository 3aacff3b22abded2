//! Runs walks in workers of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use engine::run::{BoardModel, Case, Plan, Settings};
use language::{Known, parse};
use report::Silent;
use trace::mqtt::SessionOpened;
use trace::{
    ContractsJudged, Event, Failure, Power, PowerChanged, Resources, Source, StepEnded, Verdict,
};

use crate::ExploreError;
use crate::print::{Printed, print, signature};
use crate::walk::Walk;

/// How a walk ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What the engine says of it.
    pub verdict: Verdict,
    /// What failed, for [`Verdict::Failed`]: [`signature`].
    pub signature: Option<String>,
    /// Place of the last action that was begun.
    pub last: usize,
    /// Why it did not pass.
    pub failure: Option<Failure>,
    /// Runs of the firmware, and sessions that phones and broker have had with it.
    pub sessions: Sessions,
    /// Contracts that were exercised, with how often.
    pub contracts: Vec<(String, u64)>,
    /// The events, projected to what is the same in each run: see [`projection`].
    pub projection: Vec<String>,
}

impl Ended {
    /// Whether it failed by this signature.
    pub fn failed_by(&self, signature: &str) -> bool {
        self.signature.as_deref() == Some(signature)
    }
}

/// What a device did in a walk, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Runs of the firmware.
    pub boots: u64,
    /// Sessions with phones: one each time that a handshake was begun.
    pub provisioning: u64,
    /// Sessions with the broker.
    pub mqtt: u64,
}

impl Sessions {
    /// All of them, without the runs of the firmware.
    pub fn all(&self) -> u64 {
        self.provisioning + self.mqtt
    }

    /// Adds those of another walk.
    pub fn add(&mut self, other: Self) {
        self.boots += other.boots;
        self.provisioning += other.provisioning;
        self.mqtt += other.mqtt;
    }
}

/// Runs walks on one board.
pub struct Runner {
    settings: Settings,
    board: BoardModel,
    known: Known,
    /// Where scenarios and traces are while they are needed.
    folder: PathBuf,
    batches: u64,
    /// Whether a signal has ended a batch.
    interrupted: bool,
}

impl Runner {
    /// Runs in `folder`, which it makes, as `settings` say.
    pub fn new(board: BoardModel, settings: Settings, folder: &Path) -> Result<Self, ExploreError> {
        Ok(Self {
            settings,
            board,
            known: language::known().map_err(ExploreError::Profiles)?,
            folder: folder.to_owned(),
            batches: 0,
            interrupted: false,
        })
    }

    /// Whether a signal has ended the last batch.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// How many run at the same time.
    pub fn width(&self) -> usize {
        self.settings.jobs.get()
    }

    /// Runs each of `walks` once. A walk that cannot be printed, or of which the scenario has mistakes, gives
    /// nothing.
    pub fn run(&mut self, walks: &[Walk]) -> Result<Vec<Option<Ended>>, ExploreError> {
        self.batches += 1;
        let folder = self.folder.join(format!("batch-{}", self.batches));
        make(&folder)?;
        let mut plan = Plan {
            cases: Vec::new(),
            repeat: 1,
        };
        let mut printed = Vec::new();
        // Ids as they come back in the results.
        let mut ids = Vec::new();
        for (number, walk) in walks.iter().enumerate() {
            let name = format!("walk {number}");
            let file = folder.join(format!("{number}.yaml"));
            let scenario = print(walk, &name, &[]);
            let case = scenario.as_ref().and_then(|scenario| {
                let text = file.to_string_lossy();
                parse(&text, &scenario.yaml, &self.known).ok()?.pop()
            });
            if let (Some(scenario), Some(case)) = (&scenario, case) {
                write(&file, &scenario.yaml)?;
                let case = Case::of(case, &self.board);
                ids.push(Some(case.id.clone()));
                plan.cases.push(case);
            } else {
                ids.push(None);
            }
            printed.push(scenario);
        }
        let settings = Settings {
            out: folder.clone(),
            ..self.settings.clone()
        };
        let summary = engine::run::run(&plan, &settings, &mut Silent)?;
        self.interrupted = summary.interrupted;
        let mut ended = Vec::new();
        for ((id, walk), printed) in ids.iter().zip(walks).zip(&printed) {
            let case = summary
                .cases
                .iter()
                .find(|case| Some(&case.case) == id.as_ref());
            let attempt = case.and_then(|case| case.attempts.first());
            ended.push(match (attempt, printed) {
                (Some(attempt), Some(printed)) => {
                    let events = trace::read(&attempt.trace()).unwrap_or_default();
                    let failure = attempt.failure.clone();
                    let failed = (attempt.verdict == Verdict::Failed)
                        .then_some(())
                        .and(failure.as_ref());
                    Some(Ended {
                        verdict: attempt.verdict,
                        signature: failed.map(|failure| signature(walk, printed, failure)),
                        last: last(walk, printed, failure.as_ref()),
                        failure,
                        sessions: counted(&events),
                        contracts: exercised(&events),
                        projection: projection(&events),
                    })
                }
                _ => None,
            });
        }
        // Nothing but their results is needed any more; a folder that stays is only in the way.
        let _ = fs::remove_dir_all(&folder);
        Ok(ended)
    }
}

/// The place of the action in which it ended.
fn last(walk: &Walk, printed: &Printed, failure: Option<&Failure>) -> usize {
    let step = failure.and_then(|failure| failure.step);
    let found = step.and_then(|step| printed.steps.get(step.checked_sub(1)?));
    found.map_or(walk.actions.len().saturating_sub(1), |(place, _)| *place)
}

fn counted(events: &[Event]) -> Sessions {
    let mut sessions = Sessions::default();
    for event in events {
        match (event.source, &*event.kind) {
            (Source::Board, "power") => sessions.boots += u64::from(is_on(event)),
            (Source::Provisioning, "outcome") => sessions.provisioning += 1,
            _ if event.is::<SessionOpened>() => sessions.mqtt += 1,
            _ => {}
        }
    }
    sessions
}

fn is_on(event: &Event) -> bool {
    let changed = event.payload::<PowerChanged>();
    changed.is_some_and(|changed| changed.power == Power::On)
}

fn exercised(events: &[Event]) -> Vec<(String, u64)> {
    let judged = events
        .iter()
        .rev()
        .find_map(Event::payload::<ContractsJudged>);
    judged
        .map(|judged| judged.exercised.into_iter().collect())
        .unwrap_or_default()
}

/// What must be the same each time that a walk is run: source, device and kind of each event up to the end of
/// the last step, in the order of each speaker. Speakers run beside each other, so that their order among
/// themselves is chance: sources and devices, and the two ends of a connection. What the harness measures by
/// the clock is nobody's answer.
pub fn projection(events: &[Event]) -> Vec<String> {
    let end = events.iter().rposition(Event::is::<StepEnded>);
    let mut lines: Vec<(String, &str)> = events[..end.map_or(0, |end| end + 1)]
        .iter()
        .filter(|event| event.source != Source::Witness && !event.is::<Resources>())
        .map(|event| (speaker(event), &*event.kind))
        .collect();
    // Stable: within a speaker the order is that of the trace.
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    let told = |(speaker, kind)| format!("{speaker} {kind}");
    lines.into_iter().map(told).collect()
}

/// Who says what an event tells.
fn speaker(event: &Event) -> String {
    let device = event.device.as_deref().unwrap_or("-");
    let direction = event.data.get("direction").and_then(|way| way.as_str());
    let direction = direction.map(|way| format!(" {way}")).unwrap_or_default();
    format!("{:?} {device}{direction}", event.source)
}

/// The first difference of two [`projection`]s, if there is one. What comes again and again may have come
/// once or twice more in one of them when the last step ended.
pub fn difference(one: &[String], other: &[String]) -> Option<String> {
    let (one, other) = (streams(one), streams(other));
    let names: BTreeSet<&str> = one.keys().chain(other.keys()).copied().collect();
    names.into_iter().find_map(|name| {
        let none = Vec::new();
        let (one, other) = (
            one.get(name).unwrap_or(&none),
            other.get(name).unwrap_or(&none),
        );
        let differs = one.iter().zip(other).position(|(one, other)| one != other);
        if let Some(at) = differs {
            return Some(format!(
                "{name}: event {at} is {} or {}",
                one[at], other[at]
            ));
        }
        let lengths = (one.len(), other.len());
        let more = lengths.0.abs_diff(lengths.1);
        (more > 4).then(|| format!("{name}: {} or {} events", lengths.0, lengths.1))
    })
}

/// The kinds of events by speaker.
fn streams(lines: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut streams: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (stream, kind) in lines.iter().filter_map(|line| line.rsplit_once(' ')) {
        streams.entry(stream).or_default().push(kind);
    }
    streams
}

fn make(folder: &Path) -> Result<(), ExploreError> {
    fs::create_dir_all(folder).map_err(|source| ExploreError::Write {
        path: folder.to_owned(),
        source,
    })
}

/// Writes a file of its own.
pub fn write(path: &Path, text: &str) -> Result<(), ExploreError> {
    fs::write(path, text).map_err(|source| ExploreError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn traces_agree_in_the_order_of_each_source() {
        let one = lines("Air device joined, Air device leased, Mqtt device connect");
        assert_eq!(difference(&one, &one), None);
        let longer =
            lines("Air device joined, Air device leased, Mqtt device connect, Mqtt device pingreq");
        assert_eq!(difference(&one, &longer), None);
        let swapped = lines("Air device leased, Air device joined, Mqtt device connect");
        let told = difference(&one, &swapped);
        assert_eq!(
            told.as_deref(),
            Some("Air device: event 0 is joined or leased")
        );
    }

    #[test]
    fn a_source_that_is_silent_in_one_of_them_differs() {
        let one = lines("Air device joined");
        let other = lines(&["Log device line"; 6].join(", "));
        assert!(difference(&one, &other).is_some());
    }
}
