//! Names, shapes and pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use super::is_from_client;
use crate::read::{device, flag, is_boot, number, text};
use crate::{Found, Moment, Watch};

pub struct AsTold {
    pub keep_alive_s: u64,
    pub clean_session: bool,
}

impl Watch for AsTold {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let keep_alive = number(event, "/keep_alive_s");
        found.check(
            keep_alive == Some(self.keep_alive_s),
            || {
                let sent = keep_alive.unwrap_or_default();
                format!("keep-alive of {sent} s instead of {} s", self.keep_alive_s)
            },
            [event.seq],
        );
        found.check(
            flag(event, "/clean_session") == self.clean_session,
            || format!("clean session is not {}", self.clean_session),
            [event.seq],
        );
    }
}

pub struct WellFormed;

impl Watch for WellFormed {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) {
            return;
        }
        let problem = text(event, "/problem").map(str::to_owned);
        let flags = number(event, "/flags").map(|flags| format!("flags {flags:#x}"));
        let reserved = flag(event, "/reserved_flag").then(|| "a reserved flag is set".to_owned());
        match problem.or(flags).or(reserved) {
            Some(problem) => found.broken(format!("{}: {problem}", event.kind), [event.seq]),
            None => found.held(),
        }
    }
}

pub struct TopicName;

impl Watch for TopicName {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) {
            return;
        }
        let topic = text(event, "/topic").unwrap_or_default();
        found.check(
            !topic.is_empty() && !topic.contains(['+', '#', '\0']),
            || format!("published to `{topic}`"),
            [event.seq],
        );
    }
}

/// By which client id and user name each device came first.
#[derive(Default)]
pub struct OneName(BTreeMap<String, (String, u64)>);

impl Watch for OneName {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        // Without a name the broker cannot tell devices apart.
        if device(event).is_empty() {
            return;
        }
        let client = own_id(text(event, "/client").unwrap_or_default());
        let username = text(event, "/username").unwrap_or_default();
        // So a device of ThingsBoard asks who it is from then on.
        if username == "provision" || client == "provision" {
            self.0.remove(device(event));
            return;
        }
        let name = format!("{client} (user `{username}`)");
        match self.0.get(device(event)) {
            Some((first, seq)) => found.check(
                *first == name,
                || format!("came as {first}, then as {name}"),
                [*seq, event.seq],
            ),
            None => {
                self.0.insert(device(event).to_owned(), (name, event.seq));
            }
        }
    }
}

/// A client id without the parameters that Linkkit devices put behind it, `ID|name=value,…|`: the
/// time in them is another one each time.
fn own_id(client: &str) -> &str {
    match client.split_once('|') {
        Some((id, parameters)) if parameters.ends_with('|') => id,
        _ => client,
    }
}

/// The connections of each device whose sessions it has begun since it last lost its network or its power:
/// older ones may be dead, and the broker hears of their end only when the next one takes over. With each, when
/// the client was last heard: what a fault has cut may be dead, too.
#[derive(Default)]
pub struct TakesOver(BTreeMap<String, BTreeMap<u64, LabTime>>);

impl Watch for TakesOver {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let living = self.0.entry(device(event).to_owned()).or_default();
        let connection = number(event, "/connection").unwrap_or_default();
        if is_boot(event) || event.kind == "left" {
            living.clear();
            return;
        }
        if event.kind == "session_opened" {
            living.insert(connection, event.at());
            found.held();
            return;
        }
        if event.kind != "connection_closed" {
            if let Some(heard) = living
                .get_mut(&connection)
                .filter(|_| is_from_client(event))
            {
                *heard = event.at();
            }
            return;
        }
        // Each connection ends once.
        let lived = living.remove(&connection);
        if text(event, "/end") == Some("taken-over")
            && !device(event).is_empty()
            && lived.is_some_and(|heard| moment.calm_from(heard))
        {
            found.broken("a second session took over a living one", [event.seq]);
        }
    }
}

/// How often in a row each device was refused, and when.
pub struct BacksOff {
    first: Duration,
    longest: Duration,
    refused: BTreeMap<String, (u32, LabTime, u64)>,
}

impl BacksOff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            refused: BTreeMap::new(),
        }
    }
}

impl Watch for BacksOff {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind != "connect_refused" {
            self.refused.remove(device(event));
            return;
        }
        let entry = self.refused.get(device(event)).copied();
        let times = entry.map_or(0, |(times, ..)| times);
        if let Some((times, at, seq)) = entry {
            let least = self
                .first
                .saturating_mul(1 << (times - 1).min(16))
                .min(self.longest);
            let waited = event.at() - at;
            found.check(
                waited >= least * 9 / 10,
                || {
                    let times = times + 1;
                    format!("try {times} came after {waited:.1?}; {least:.1?} is the least")
                },
                [seq, event.seq],
            );
        }
        self.refused
            .insert(device(event).to_owned(), (times + 1, event.at(), event.seq));
    }
}
