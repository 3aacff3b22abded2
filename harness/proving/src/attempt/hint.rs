//! What to look at first when an attempt did not pass.

use board::{Exited, Garbage};
use trace::{Level, LogLine, Trace, Verdict};

/// The gravest thing that happened since `began`, as advice; the device's last error otherwise.
pub fn hint(trace: &Trace, began: usize, verdict: Verdict) -> Option<String> {
    if verdict == Verdict::Broken {
        return Some("the host or the lab, not the device: free a core, or see the message".into());
    }
    let events = trace.since(began);
    if let Some(exited) = events
        .iter()
        .rev()
        .find_map(|event| event.payload::<Exited>())
    {
        return Some(match exited.panic {
            Some(panic) => format!("the firmware panicked: {panic}"),
            None => format!("the firmware ended by itself: {}", exited.how),
        });
    }
    if let Some(garbage) = events
        .iter()
        .rev()
        .find_map(|event| event.payload::<Garbage>())
    {
        return Some(format!(
            "the device sent garbage on {}: {}",
            garbage.link, garbage.problem
        ));
    }
    let all = trace.since(0);
    let lines = || {
        all.iter()
            .rev()
            .filter_map(|event| event.payload::<LogLine>())
    };
    let gravest = lines()
        .find(|line| line.level == Level::Error)
        .or_else(|| lines().find(|line| line.level == Level::Warn));
    match gravest {
        Some(line) => Some(format!(
            "the device's last complaint: {}: {}",
            line.tag, line.text
        )),
        None => match lines().next() {
            Some(line) => Some(format!(
                "the device complained of nothing; it last said: {}: {}",
                line.tag, line.text
            )),
            None => Some("the device said nothing at all: does it boot?".into()),
        },
    }
}
