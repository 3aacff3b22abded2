//! A diagnosis, for people.

use std::fmt::Write;

use crate::{Cause, Diagnosis, Evidence, Incident};

/// Problems of the past that are shown.
const PAST: usize = 6;
/// What followed that is shown.
const FOLLOWED: usize = 4;

/// What the logs of an incident tell, as text.
pub fn to_text(incident: &Incident) -> String {
    let mut text = String::new();
    let several = incident.logs.len() > 1;
    if several && let Some(named) = &incident.cause {
        let log = incident
            .logs
            .get(named.log)
            .map_or("", |log| log.log.as_str());
        line(
            &mut text,
            "together",
            &format!(
                "{} ({}), as {log} tells",
                named.cause.cause, named.cause.stage
            ),
        );
        text.push('\n');
    }
    for (number, diagnosis) in incident.logs.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        one(&mut text, diagnosis, several);
    }
    text
}

fn one(text: &mut String, diagnosis: &Diagnosis, several: bool) {
    if several {
        line(text, "log", &diagnosis.log);
    }
    let last = &diagnosis.last;
    let reached = last
        .reached
        .map_or("nothing that is known", |stage| stage.name());
    let of = if last.number > 1 {
        format!(" (attempt {}, from line {})", last.number, last.first_line)
    } else {
        String::new()
    };
    line(text, "reached", &format!("{reached}{of}"));
    for milestone in &last.proved {
        line(
            text,
            "",
            &format!("{}: {}", milestone.stage, milestone.what),
        );
        show(text, &milestone.evidence);
    }
    match diagnosis.causes.split_first() {
        None => line(
            text,
            "cause",
            "none: nothing in the log says that anything is wrong",
        ),
        Some((first, others)) => {
            cause(text, "cause", first);
            for other in others {
                cause(text, "or", other);
            }
        }
    }
    for followed in diagnosis.consequences.iter().take(FOLLOWED) {
        line(
            text,
            "followed",
            &format!("{} ({})", followed.cause, followed.stage),
        );
        if let Some(evidence) = followed.evidence.first() {
            show(text, evidence);
        }
    }
    for hint in &diagnosis.hints {
        line(text, "perhaps", &format!("{} ({})", hint.cause, hint.stage));
    }
    for past in diagnosis.history.iter().take(PAST) {
        let ended = match past.recovered {
            true => "and was over",
            false => "which ended the attempt",
        };
        line(
            text,
            "earlier",
            &format!("{} ({}), {ended}", past.cause, past.stage),
        );
        show(text, &past.evidence);
    }
    for note in &diagnosis.notes {
        line(text, "note", note);
    }
}

fn cause(text: &mut String, name: &str, cause: &Cause) {
    let sure = cause.certainty.words();
    line(
        text,
        name,
        &format!("{} ({}; {sure})", cause.cause, cause.stage),
    );
    for evidence in &cause.evidence {
        show(text, evidence);
    }
    for reading in &cause.readings {
        line(
            text,
            "",
            &format!("{} = {}", reading.number, reading.meaning),
        );
    }
    for out in &cause.ruled_out {
        line(
            text,
            "not",
            &format!(
                "{}, since line {} says: {}",
                out.cause,
                out.by.line,
                out.by.text.trim()
            ),
        );
    }
    for tell in &cause.would_tell {
        line(text, "unless", tell);
    }
    line(text, "mend", &format!("{} is to be looked at", cause.whose));
    for check in &cause.check {
        line(text, "", &format!("- {check}"));
    }
}

fn show(text: &mut String, evidence: &Evidence) {
    let times = match evidence.count {
        1 => String::new(),
        count => format!("  ({count} times)"),
    };
    line(
        text,
        "",
        &format!("{:>6} | {}{times}", evidence.line, evidence.text.trim()),
    );
}

fn line(text: &mut String, name: &str, what: &str) {
    // A String takes everything.
    let _ = writeln!(text, "{name:<9} {what}");
}
