//! How many messages of telemetry there are, and how they are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use super::told::{Said, said};
use super::{connection, is_from_client};
use crate::facts::TelemetryFacts;
use crate::read::{device, flag, is_boot, text};
use crate::{Found, Moment, Watch};

/// For so long a client waits for a network that takes nothing, and measures nothing meanwhile.
const STUCK: Duration = Duration::from_secs(12);
/// What was measured without a session leaves at its beginning.
const ARREARS: Duration = Duration::from_secs(2);

/// The present session of a device, and what it has published there last.
#[derive(Clone, Copy)]
struct Session {
    connection: u64,
    since: LabTime,
    last: Option<Message>,
}

#[derive(Clone, Copy)]
struct Message {
    at: LabTime,
    seq: u64,
}

/// The present session of each device.
#[derive(Default)]
struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Takes an event. What was published before it in the same session, if it is a message of telemetry that
    /// was not sent before.
    fn message(&mut self, event: &Event, topic: &str) -> Option<(Session, Message)> {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return None;
        }
        if event.kind == "session_opened" {
            let session = Session {
                connection: connection(event),
                since: event.at(),
                last: None,
            };
            self.0.insert(name.to_owned(), session);
            return None;
        }
        if !is_from_client(event)
            || flag(event, "/duplicate")
            || text(event, "/topic") != Some(topic)
        {
            return None;
        }
        let session = self.0.get_mut(name)?;
        if session.connection != connection(event) {
            return None;
        }
        let this = Message {
            at: event.at(),
            seq: event.seq,
        };
        let before = *session;
        session.last = Some(this);
        Some((before, this))
    }
}

/// No more telemetry than was told.
pub struct NoMore {
    facts: TelemetryFacts,
    sessions: Sessions,
}

impl NoMore {
    pub fn new(facts: TelemetryFacts) -> Self {
        Self {
            facts,
            sessions: Sessions::default(),
        }
    }
}

impl Watch for NoMore {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let message = self.sessions.message(event, &self.facts.topic);
        let Some((session, this)) = message else {
            return;
        };
        let Some(last) = session.last else {
            found.held();
            return;
        };
        let every = self.facts.every;
        if every.is_zero() {
            found.broken("a second message in one session", [last.seq, this.seq]);
            return;
        }
        // Frames that are late or lost make several messages of one moment.
        if last.at < session.since + ARREARS || !moment.calm_from(last.at) {
            return;
        }
        let apart = this.at - last.at;
        found.check(
            apart >= every * 8 / 10,
            || format!("the next message came after {apart:.1?}; it was told {every:.1?}"),
            [last.seq, this.seq],
        );
    }
}

/// The number that each device has sent last.
pub struct CountsOn {
    facts: TelemetryFacts,
    sessions: Sessions,
    last: BTreeMap<String, (u64, u64)>,
}

impl CountsOn {
    /// None for telemetry that is not numbered.
    pub fn new(facts: TelemetryFacts) -> Option<Self> {
        facts.payload.contains("%n").then(|| Self {
            facts,
            sessions: Sessions::default(),
            last: BTreeMap::new(),
        })
    }
}

impl Watch for CountsOn {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        if is_boot(event) {
            self.last.remove(device(event));
        }
        let message = self.sessions.message(event, &self.facts.topic);
        let Some((session, this)) = message else {
            return;
        };
        let Said::Told(Some(number)) = said(&self.facts.payload, event) else {
            return;
        };
        let before = self
            .last
            .insert(device(event).to_owned(), (number, this.seq));
        let Some((last, seq)) = before else { return };
        // What falls due without a session may be lost, where there is no room for it.
        let follows = session
            .last
            .is_some_and(|last| last.at >= session.since + ARREARS && moment.calm_from(last.at));
        let is_next = match follows {
            true => number == last + 1,
            false => number > last,
        };
        found.check(
            is_next,
            || format!("message {number} comes after message {last}"),
            [seq, this.seq],
        );
    }
}

/// When each device has sent a number as it fell due, and which.
pub struct CountsTime {
    facts: TelemetryFacts,
    sessions: Sessions,
    last: BTreeMap<String, (u64, LabTime, u64)>,
}

impl CountsTime {
    /// None for telemetry that is not numbered, or has no interval.
    pub fn new(facts: TelemetryFacts) -> Option<Self> {
        (facts.payload.contains("%n") && !facts.every.is_zero()).then(|| Self {
            facts,
            sessions: Sessions::default(),
            last: BTreeMap::new(),
        })
    }
}

impl Watch for CountsTime {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        if is_boot(event) {
            self.last.remove(device(event));
        }
        let message = self.sessions.message(event, &self.facts.topic);
        let Some((session, this)) = message else {
            return;
        };
        let Said::Told(Some(number)) = said(&self.facts.payload, event) else {
            return;
        };
        // What falls due without a session, or waits behind what does, comes later.
        let is_due_now = session
            .last
            .is_some_and(|last| last.at >= session.since + ARREARS && moment.calm_from(last.at));
        if !is_due_now {
            return;
        }
        let next = (number, this.at, this.seq);
        let Some((last, at, seq)) = self.last.insert(device(event).to_owned(), next) else {
            return;
        };
        let every = self.facts.every;
        let counted =
            every.saturating_mul(u32::try_from(number.saturating_sub(last)).unwrap_or(u32::MAX));
        let passed = this.at - at;
        found.check(
            counted.abs_diff(passed) <= every * 3 / 2 + STUCK,
            || format!("message {number} comes {passed:.0?} after message {last}; the interval is {every:.0?}"),
            [seq, this.seq],
        );
    }
}
