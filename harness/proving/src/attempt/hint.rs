//! What to look at first when an attempt did not pass.

use board::{Exited, Garbage};
use trace::{Event, Level, LogLine, Trace, Verdict};

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
        let place = events.iter().rev().find_map(|event| innermost(event));
        let place = place.map_or_else(String::new, |place| format!("; {place}"));
        return Some(match exited.panic {
            Some(panic) => format!("the firmware panicked: {panic}{place}"),
            None => format!("the firmware ended by itself: {}{place}", exited.how),
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

/// Where a board behind a debug probe says that its firmware was, if it says so.
fn innermost(event: &Event) -> Option<String> {
    let frames = event.data["backtrace"].as_array()?;
    (event.kind == "crash").then_some(())?;
    frames.iter().find_map(|frame| {
        let place = (frame["file"].as_str()?, frame["line"].as_u64()?);
        let function = frame["function"].as_str()?;
        Some(format!("in {function} ({}:{})", place.0, place.1))
    })
}
