//! Networks that a log shows to be heard, in whatever form, beside the one that the device does not find.

mod rows;

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::gone::{NOT_FOUND, name_in};
use crate::meant::{is_aside, is_remark, words};
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence};
use rows::{Has, goes_on_as, has, is_secured_otherwise};

/// The rule on a network whose security the firmware does not take.
const SECURITY: &str = "ap-security";
/// The rule on a network that is heard and not found, which nothing explains.
const HEARD: &str = "ap-heard";
/// The rule on a name that was cut.
const CUT: &str = "name-cut";
/// Lines that are kept.
const MOST: usize = 64;
/// Bytes of a line in which the name of a network stands.
const LONGEST: usize = 240;
/// Lines between a network's name and its signal, where each has its own.
const NEAR: u64 = 3;
/// Bytes at the beginning of a line in which a prompt stands.
const PROMPT: usize = 20;
/// A signal in dBm below which it explains enough.
const WEAKEST: i64 = -80;
/// A signal in dBm above which a network is near.
const NEARBY: i64 = -75;

/// A signal in dBm.
static SIGNAL: LazyLock<Regex> = LazyLock::new(|| {
    words(r#"(?i)(?:^|[\s(\[{,:=|"])-([2-9]\d|1[01]\d)(?:[\s)\]},;:|"*]|dBm?\b|$)"#)
});

/// What makes a line none of a scan: an event, or a failure, whose negative number is no signal.
static EVENT: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)<err>|<wrn>|^E \(|\b(?:err\w*|rc|ret)\b|reason|grund|motivo|disconn|getrennt|connected|connecting|verbunden|verbinde|joined|joining|\blost\b|fail|\btry|retry|versuch|roam",
    )
});

/// What a name is given by: a command behind a prompt, a command to a modem, a form.
static GIVEN: LazyLock<Regex> =
    LazyLock::new(|| words(r"^[\w:/@~.-]{0,16} ?[>#$] ?[a-zA-Z]|AT\+CWJAP|[?&]ssid="));

/// The networks that a log shows to be heard.
#[derive(Debug, Default)]
pub struct Heard {
    rows: Vec<(i64, Evidence)>,
    /// Lines by which a name may have been given.
    given: Vec<String>,
    /// The last line that may name one whose signal follows.
    named: Option<Evidence>,
}

impl Heard {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let bytes = text.as_bytes();
        if text.len() > LONGEST {
            return;
        }
        let is_named = text.contains("ssid") || text.contains("SSID");
        if self.given.len() < MOST && (is_named || may_give(bytes)) && GIVEN.is_match(bytes) {
            self.given.push(text.to_owned());
        }
        let has_figure = bytes.contains(&b'-') && has_figure(bytes);
        if self.rows.len() == MOST || (!has_figure && !is_named) {
            return;
        }
        let signal = has_figure.then(|| SIGNAL.captures(bytes)).flatten();
        let figure = signal.and_then(|found| std::str::from_utf8(&found[1]).ok()?.parse().ok());
        let figure = figure.map(|figure: i64| -figure);
        match figure {
            // What another station hears, the device need not.
            Some(figure) if !EVENT.is_match(bytes) && !is_aside(text) && !is_remark(text) => {
                let before = self.named.take().filter(|_| !is_named);
                let before = before.filter(|named| named.line + NEAR >= line);
                let row = before.unwrap_or_else(|| Evidence::of(line, text));
                self.rows.push((figure, row));
            }
            None if is_named && !EVENT.is_match(bytes) => {
                self.named = Some(Evidence::of(line, text));
            }
            _ => {}
        }
    }

    /// What explains that no network of a name is found: it is heard, or one whose name begins with it.
    pub fn explain<'n>(
        &self,
        cause: &Cause,
        was_joined: bool,
        wanted: impl Iterator<Item = &'n str>,
    ) -> Option<Cause> {
        let lost = cause.evidence.first()?;
        if !NOT_FOUND.contains(&cause.id.as_str()) {
            return None;
        }
        let named = names_in(&lost.text);
        let names: Vec<&str> = match &named[..] {
            [] => wanted.collect(),
            _ => named,
        };
        // A network that the device was in before may be gone since it was heard.
        let counts = |row: &Evidence| !was_joined || row.line > lost.line;
        let rows = || self.rows.iter().filter(|(_, row)| counts(row));
        let having = |how: Has| {
            rows().find_map(|(figure, row)| {
                let mut named = names
                    .iter()
                    .filter(|name| has(&row.text, name) == Some(how));
                named.next().map(|name| (*figure, row, *name))
            })
        };
        let (rule, certainty, row) = match having(Has::Whole) {
            // Other rules know a weak signal.
            Some((figure, ..)) if figure <= WEAKEST => return None,
            Some((_, row, _)) if is_secured_otherwise(&row.text) => {
                (SECURITY, Certainty::Likely, row)
            }
            Some((_, row, _)) => (HEARD, Certainty::Possible, row),
            None => {
                let (figure, row, name) = having(Has::Beginning)?;
                // A neighbour's network may begin with the same words.
                let is_given = self
                    .given
                    .iter()
                    .any(|given| goes_on_as(given, &row.text, name));
                match (is_given, figure > NEARBY && !name.contains(' ')) {
                    (true, _) => (CUT, Certainty::Likely, row),
                    (false, true) => (CUT, Certainty::Possible, row),
                    (false, false) => return None,
                }
            }
        };
        let mut evidence = vec![row.clone(), lost.clone()];
        evidence.sort_by_key(|evidence| evidence.line);
        let mut cause = told(rules().named(rule)?, evidence);
        cause.certainty = certainty;
        Some(cause)
    }

    /// Takes the certainty from a network that is not found where one is heard whose name begins with its name.
    pub fn doubt(&self, cause: &mut Cause) {
        let is_certain = cause.certainty == Certainty::Certain;
        if !is_certain || !NOT_FOUND.contains(&cause.id.as_str()) {
            return;
        }
        let names = cause.evidence.first().map(|lost| names_in(&lost.text));
        let names = names.unwrap_or_default();
        let begins = |row: &Evidence| {
            let mut names = names.iter();
            names.any(|name| has(&row.text, name) == Some(Has::Beginning))
        };
        let Some((_, row)) = self.rows.iter().find(|(_, row)| begins(row)) else {
            return;
        };
        cause.certainty = Certainty::Likely;
        cause.would_tell.push(format!(
            "a name that was cut: is `{}` in line {} the one that is meant?",
            row.text, row.line
        ));
    }
}

/// The names of a network that a line may mean.
fn names_in(text: &str) -> Vec<&str> {
    let name = name_in(text);
    let first = name
        .and_then(|name| name.split_once(' '))
        .map(|(first, _)| first);
    // What follows the name may be the next word of the line.
    let first = first.filter(|_| name.is_some_and(|name| name.contains('=')));
    name.into_iter().chain(first).collect()
}

/// Whether a line may give a name behind a prompt or to a modem.
fn may_give(text: &[u8]) -> bool {
    let head = &text[..text.len().min(PROMPT)];
    let is_prompt = |byte: &u8| matches!(byte, b'>' | b'#' | b'$' | b'+');
    head.iter().any(is_prompt)
}

/// Whether a line has a negative figure.
fn has_figure(text: &[u8]) -> bool {
    text.windows(3).any(|three| {
        three[1] == b'-' && three[2].is_ascii_digit() && !three[0].is_ascii_alphanumeric()
    }) || text.starts_with(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_its_signal_may_stand_in_lines_of_their_own() {
        let mut heard = Heard::default();
        for (line, text) in (1..).zip([
            "SSID: Depot",
            "  Auth: 1",
            "  RSSI: -50",
            "reason 201, rssi -60",
        ]) {
            heard.take(line, text);
        }
        let rows: Vec<&str> = heard
            .rows
            .iter()
            .map(|(_, row)| row.text.as_str())
            .collect();
        assert_eq!(rows, ["SSID: Depot"]);
    }
}
