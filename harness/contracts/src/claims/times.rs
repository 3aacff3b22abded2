//! The time that a device says it was told, and the time that it shows.

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{number, text};
use crate::{Found, Moment, Watch};

/// What a device may round, and the way takes.
const APART_S: u64 = 2;

/// The time that was told last. The time server sees no names; with several devices nothing is claimed.
#[derive(Default)]
pub struct Times {
    told: Option<(u64, u64)>,
    devices: Vec<String>,
}

impl Watch for Times {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match event.source {
            Source::Board => {
                let name = event.device.clone().unwrap_or_default();
                if !self.devices.contains(&name) {
                    self.devices.push(name);
                }
            }
            Source::Sntp => {
                let is_time =
                    text(event, "/kiss_of_death").is_none() && text(event, "/unusable").is_none();
                if let Some(unix_s) = number(event, "/unix_s").filter(|_| is_time) {
                    self.told = Some((unix_s, event.seq));
                }
            }
            _ => self.line(event, found),
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
        if self.devices.len() > 1 {
            return;
        }
        match self.told {
            Some((told, seq)) => found.check(
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

/// The time that was told last, and when. The time server sees no names; with several devices nothing is claimed.
#[derive(Default)]
pub struct Shown {
    told: Option<(u64, LabTime, u64)>,
    devices: Vec<String>,
}

impl Watch for Shown {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match event.source {
            Source::Board => {
                let name = event.device.clone().unwrap_or_default();
                if !self.devices.contains(&name) {
                    self.devices.push(name);
                }
                self.told = None;
            }
            Source::Sntp => {
                let is_time =
                    text(event, "/kiss_of_death").is_none() && text(event, "/unusable").is_none();
                if let Some(unix_s) = number(event, "/unix_s").filter(|_| is_time) {
                    self.told = Some((unix_s, event.at(), event.seq));
                }
            }
            _ => self.line(event, found),
        }
    }
}

impl Shown {
    fn line(&self, event: &Event, found: &mut Found) {
        let Some(line) = event.line() else { return };
        let Some(shown) = line.text.strip_prefix("CW:") else {
            return;
        };
        if self.devices.len() > 1 {
            return;
        }
        let Some(said) = unix_s(shown) else {
            found.broken(format!("`{shown}` is no time"), [event.seq]);
            return;
        };
        let begins = said == ZONE_S;
        match self.told {
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
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<_> = shown.split_whitespace().collect();
    let [weekday, month, day, clock, year] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Vec<u64> = clock
        .split(':')
        .filter_map(|part| part.parse().ok())
        .collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    if year < 1970 || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March end with the day that not each of them has.
    let (years, months) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let before = years * 365 + years / 4 - years / 100 + years / 400;
    // From March of the year 0 to 1970.
    let days = before + (months * 153 + 2) / 5 + day - 1 - 719_468;
    (DAYS.get(usize::try_from(days % 7).ok()?) == Some(&weekday))
        .then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}
