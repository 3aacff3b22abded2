//! A board, and what its trace has told since the rule before.

use std::time::Duration;

use trace::{Event, Trace, in_full};

use super::{Departure, Firmware, Storage, Subject};
use crate::{Board, BoardError, Exited, ImageFlashed, Power, PowerChanged, Restarted};

/// Time of the trace's clock within which every event comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time of the trace's clock in which a board that is to say nothing is listened to.
const SILENCE: Duration = Duration::from_millis(300);

/// What a board told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Flashed,
    On,
    Off,
    Line(String),
    Exited { panic: bool },
    Restarted,
}

/// A board under the rules.
pub(super) struct Watched<'s> {
    pub board: &'s mut dyn Board,
    pub factory: &'s [u8],
    pub first: &'static str,
    pub storage: Storage,
    firmware: Firmware,
    trace: Trace,
    seen: usize,
}

impl<'s> Watched<'s> {
    pub fn new(firmware: Firmware, subject: &'s mut Subject) -> Self {
        Self {
            board: subject.board.as_mut(),
            factory: &subject.factory,
            first: subject.first,
            storage: subject.storage,
            firmware,
            trace: subject.trace.clone(),
            seen: 0,
        }
    }

    /// What was told since this was asked last.
    pub fn take(&mut self) -> Vec<Told> {
        let told = self.look();
        self.seen = self.trace.len();
        told
    }

    fn look(&self) -> Vec<Told> {
        let device = self.board.device();
        let events = self.trace.since(self.seen);
        let own = events
            .iter()
            .filter(|event| event.device.as_deref() == Some(device));
        own.filter_map(|event| Told::of(event)).collect()
    }

    /// Waits until `wanted` was told, and gives all that was told by then.
    pub async fn until(
        &mut self,
        rule: &'static str,
        wanted: impl Fn(&Told) -> bool,
    ) -> Result<Vec<Told>, Departure> {
        let clock = self.trace.clock().clone();
        let end = clock.now() + PATIENCE;
        while !self.look().iter().any(&wanted) {
            let more = self.trace.longer_than(self.trace.len());
            // A line may have come between the look and the wait.
            let _ = clock.timeout(Duration::from_millis(50), more).await;
            if clock.now() >= end {
                return Err(self.departs(rule, format!("it did not within {PATIENCE:?}")));
            }
        }
        Ok(self.take())
    }

    /// Nothing is told for a while.
    pub async fn is_silent(&mut self, rule: &'static str) -> Result<(), Departure> {
        self.trace.clock().sleep(SILENCE).await;
        self.nothing(rule)
    }

    /// Nothing was told.
    pub fn nothing(&mut self, rule: &'static str) -> Result<(), Departure> {
        let told = self.look();
        self.rule(rule, told.is_empty())?;
        self.take();
        Ok(())
    }

    /// What was asked for was done.
    pub fn done<R>(
        &self,
        rule: &'static str,
        result: Result<R, BoardError>,
    ) -> Result<R, Departure> {
        result.map_err(|error| self.departs(rule, format!("it failed: {}", in_full(&error))))
    }

    /// It was refused because of the state, or because the board cannot do it in any state.
    pub fn refused<R>(
        &self,
        rule: &'static str,
        result: Result<R, BoardError>,
        able: bool,
    ) -> Result<(), Departure> {
        match (result, able) {
            (Err(BoardError::State { .. }), true) => Ok(()),
            (Err(BoardError::Unable { .. }), false) => Ok(()),
            (Err(BoardError::Probe(_)), false) => Ok(()),
            (Ok(_), _) => Err(self.departs(rule, "it was done".to_owned())),
            (Err(error), _) => Err(self.departs(rule, format!("it failed otherwise: {error}"))),
        }
    }

    /// It is so.
    pub fn rule(&self, rule: &'static str, holds: bool) -> Result<(), Departure> {
        match holds {
            true => Ok(()),
            false => Err(self.departs(rule, "it is not so".to_owned())),
        }
    }

    /// `told` is as the rule says.
    pub fn order(&self, rule: &'static str, told: &[Told], holds: bool) -> Result<(), Departure> {
        match holds {
            true => Ok(()),
            false => Err(self.departs(rule, format!("there was {told:?}"))),
        }
    }

    fn departs(&self, rule: &'static str, what: String) -> Departure {
        Departure {
            firmware: self.firmware,
            rule,
            what: format!("{what}; told last: {:?}", self.look()),
        }
    }
}

impl Told {
    fn of(event: &Event) -> Option<Self> {
        if let Some(line) = event.line() {
            return Some(Self::Line(line.text.to_owned()));
        }
        if let Some(changed) = event.payload::<PowerChanged>() {
            return Some(match changed.power {
                Power::On => Self::On,
                Power::Off => Self::Off,
            });
        }
        if let Some(exited) = event.payload::<Exited>() {
            let panic = exited.panic.is_some();
            return Some(Self::Exited { panic });
        }
        if event.payload::<Restarted>().is_some() {
            return Some(Self::Restarted);
        }
        event.payload::<ImageFlashed>().map(|_| Self::Flashed)
    }

    pub fn is_line(&self) -> bool {
        matches!(self, Self::Line(_))
    }

    /// It is a line that holds `text`.
    pub fn says(&self, text: &str) -> bool {
        matches!(self, Self::Line(line) if line.contains(text))
    }
}
