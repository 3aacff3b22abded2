//! The time that a device says it was told, and the time that it shows.

use clock::LabTime;
use time::{Date, Month, OffsetDateTime};
use trace::{Event, Source};

use crate::read::{number, text};
use crate::{Found, Moment, Watch};

/// What a device may round, and the way takes.
const APART_S: u64 = 2;

/// The time that was told last, when, and by which event. The time server sees no names; with several devices
/// nothing is claimed.
#[derive(Default)]
struct Told {
    last: Option<(u64, LabTime, u64)>,
    devices: Vec<String>,
}

impl Told {
    /// Takes an event of a board or of the time server.
    fn note(&mut self, event: &Event) {
        if event.source == Source::Board {
            let name = event.device.clone().unwrap_or_default();
            if !self.devices.contains(&name) {
                self.devices.push(name);
            }
            return;
        }
        let is_time = text(event, "/kiss_of_death").is_none() && text(event, "/unusable").is_none();
        if let Some(unix_s) = number(event, "/unix_s").filter(|_| is_time) {
            self.last = Some((unix_s, event.at(), event.seq));
        }
    }

    fn is_of_several(&self) -> bool {
        self.devices.len() > 1
    }
}

/// What a device says of the time that it was told.
#[derive(Default)]
pub struct Times(Told);

impl Watch for Times {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match event.source {
            Source::Log => self.line(event, found),
            _ => self.0.note(event),
        }
    }
}

impl Times {
    fn line(&self, event: &Event, found: &mut Found) {
        let Some(line) = event.line() else { return };
        let said = line.text.strip_prefix("Time is set: ");
        let Some(said) = said.and_then(|said| said.parse::<u64>().ok()) else {
            return;
        };
        if self.0.is_of_several() {
            return;
        }
        match self.0.last {
            Some((told, _, seq)) => found.check(
                told.abs_diff(said) <= APART_S,
                || format!("says {said}; it was told {told}"),
                [seq, event.seq],
            ),
            None => found.broken(format!("says {said}; it was told no time"), [event.seq]),
        }
    }
}

/// The time zone of an ESP8266, unless its firmware sets another: UTC+8.
const ZONE_S: u64 = 8 * 3600;

/// The time that an ESP8266 shows, which it forgets with its power.
#[derive(Default)]
pub struct Shown(Told);

impl Watch for Shown {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Log {
            self.line(event, found);
            return;
        }
        self.0.note(event);
        if event.source == Source::Board {
            self.0.last = None;
        }
    }
}

impl Shown {
    fn line(&self, event: &Event, found: &mut Found) {
        let Some(line) = event.line() else { return };
        let Some(shown) = line.text.strip_prefix("CW:") else {
            return;
        };
        if self.0.is_of_several() {
            return;
        }
        let Some(said) = unix_s(shown) else {
            found.broken(format!("`{shown}` is no time"), [event.seq]);
            return;
        };
        let begins = said == ZONE_S;
        match self.0.last {
            Some((told, at, seq)) => {
                let here = told + (event.at() - at).as_secs() + ZONE_S;
                found.check(
                    // What was told may have been on its way.
                    here.abs_diff(said) <= APART_S || begins,
                    || format!("shows {shown}; it was told {told}"),
                    [seq, event.seq],
                );
            }
            None => found.check(
                begins,
                || format!("shows {shown}; it was told no time"),
                [event.seq],
            ),
        }
    }
}

/// `Thu Jan  1 08:00:00 1970` in s since the beginning of 1970; none if it is no such time.
fn unix_s(shown: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = shown.split_whitespace().collect();
    let [weekday, month, day, clock, year] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u8 + 1;
    let date = Date::from_calendar_date(
        year.parse().ok()?,
        Month::try_from(month).ok()?,
        day.parse().ok()?,
    );
    let date = date.ok()?;
    if date.weekday().to_string().get(..3) != Some(weekday) {
        return None;
    }
    let clock: Vec<u64> = clock
        .split(':')
        .filter_map(|part| part.parse().ok())
        .collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = (date - OffsetDateTime::UNIX_EPOCH.date()).whole_days();
    Some(((u64::try_from(days).ok()? * 24 + hour) * 60 + minute) * 60 + second)
}
