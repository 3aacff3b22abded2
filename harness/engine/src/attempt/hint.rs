//! What to look at first when an attempt did not pass.

use std::time::Duration;

use board::{BoardError, Exited, Garbage};
use trace::board::Crash;
use trace::{Event, Level, Spinning, Trace, Verdict, Witness, WitnessReport};

use super::problem::LabError;

/// The gravest thing that happened since `began`, as advice; otherwise the first cause that the device's own
/// log tells, and its last error where it tells none.
pub fn hint(trace: &Trace, began: usize, verdict: Verdict) -> Option<String> {
    if verdict == Verdict::Broken {
        let witness = trace
            .events_from(began)
            .filter_map(|event| event.payload::<WitnessReport>())
            .find(|report| !report.sound)
            .map(|report| report.witness);
        return Some(of_witness(witness).to_owned());
    }
    let (mut exited, mut place, mut garbage, mut spinning) = (None, None, None, None);
    for event in trace.events_from(began) {
        exited = event.payload::<Exited>().or(exited);
        place = innermost(&event).or(place);
        garbage = event.payload::<Garbage>().or(garbage);
        spinning = event.payload::<Spinning>().or(spinning);
    }
    if let Some(exited) = exited {
        let place = place.map_or_else(String::new, |place| format!("; {place}"));
        return Some(match exited.panic {
            Some(panic) => format!("the firmware panicked: {panic}{place}"),
            None => format!("the firmware ended by itself: {}{place}", exited.how),
        });
    }
    if let Some(garbage) = garbage {
        return Some(format!(
            "the device sent garbage on {}: {}",
            garbage.link, garbage.problem
        ));
    }
    if let Some(spinning) = spinning.filter(|told| told.spins) {
        return Some(of_spinning(&spinning));
    }
    match super::told::first_cause(trace) {
        Some(told) if told.is_sure => Some(told.text),
        // What only may be is not told without what the device itself holds for wrong.
        Some(told) => last_line(trace).map(|line| format!("{}\n{line}", told.text)),
        None => last_line(trace),
    }
}

/// The device's last error, or what it logged instead.
fn last_line(trace: &Trace) -> Option<String> {
    let (mut error, mut warning, mut any) = (None, None, false);
    for event in trace.events_from(0) {
        let level = event.line().map(|line| line.level);
        any |= level.is_some();
        match level {
            Some(Level::Error) => error = Some(event),
            Some(Level::Warn) => warning = Some(event),
            _ => {}
        }
    }
    let (what, event) = match (error, warning) {
        (Some(error), _) => ("last error line", error),
        (None, Some(warning)) => ("last warning", warning),
        (None, None) if any => return Some("the device logged no error and no warning".into()),
        (None, None) => {
            return Some(
                "the device logged no line at all: check its power and that it boots".into(),
            );
        }
    };
    let line = event.line()?;
    Some(format!("the device's {what}: {}: {}", line.tag, line.text))
}

/// What to look for in a firmware that computes without end.
fn of_spinning(told: &Spinning) -> String {
    let since = match told.since_start {
        true => "has never become idle since it was started",
        false => "has not become idle any more",
    };
    let seconds = Duration::from_millis(told.for_ms);
    format!(
        "the device {since}: it had computed for {seconds:.1?} without a pause when that was noticed; \
         look for a loop that waits for nothing"
    )
}

/// Where a board behind a debug probe says that its firmware was, if it says so.
fn innermost(event: &Event) -> Option<String> {
    let crash = event.payload::<Crash>()?;
    crash.backtrace.iter().find_map(|frame| {
        let (file, line) = (frame.file.as_ref()?, frame.line?);
        Some(format!("in {} ({file}:{line})", frame.function))
    })
}

/// What to do when the lab could not do its part: the command that mends the host, if one does.
pub fn of_lab(error: &LabError) -> String {
    let advice = of_lab_in_words(error);
    match crate::mend::of(error) {
        Some(mend) => format!("{advice}. What mends it: {mend}"),
        None => advice.to_owned(),
    }
}

fn of_lab_in_words(error: &LabError) -> &'static str {
    match error {
        LabError::Board(BoardError::Probe(_)) => {
            "the debug probe or its connection to the chip, not the firmware: do what the message says; \
             `proving boards` shows whether the board answers"
        }
        LabError::Board(BoardError::Unable { .. } | BoardError::State { .. }) => {
            "the scenario asks for what this board cannot do, not the firmware: see the message"
        }
        LabError::Board(_) => {
            "the connection to the board, not the firmware: do what the message says; `proving boards` \
             shows whether the board answers"
        }
        LabError::HandOver { .. } => {
            "the rig file's `[firmware.NAME]`, not the device: nothing was flashed"
        }
        LabError::Contract(_) => {
            "proving itself, not the device: no step failed and no other contract was broken; report it with \
             the trace"
        }
        LabError::OtherFirmware { .. } => {
            "another program has flashed the board since, or its image was built anew without being \
             linked anew: run it again, and it is flashed first"
        }
        _ => "the host or the lab, not the device: see the message",
    }
}

/// What to do when a part of the lab did not do its work.
fn of_witness(witness: Option<Witness>) -> &'static str {
    match witness {
        Some(Witness::Host) => "the host was too slow, not the device: free a core",
        Some(Witness::BoardLink) => {
            "the connection to the board, not the device: check its cable and power; `proving boards` \
             shows whether it answers"
        }
        _ => "the host or the lab, not the device: see the message",
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    #[tokio::test]
    async fn a_device_that_spins_is_said_to_have_never_become_idle() {
        let trace = Trace::in_memory(Clock::start(1.0));
        let told = |spins, for_ms, since_start| Spinning {
            spins,
            for_ms,
            since_start,
        };
        trace.emit(Some("device"), &told(true, 2000, true));
        let said = hint(&trace, 0, Verdict::Failed).expect("a hint");
        assert!(
            said.starts_with(
                "the device has never become idle since it was started: it had computed for 2.0s"
            ),
            "{said}"
        );
        trace.emit(Some("device"), &told(false, 3000, true));
        let said = hint(&trace, 0, Verdict::Failed).expect("a hint");
        assert!(!said.contains("idle"), "{said}");
        trace.emit(Some("device"), &told(true, 2000, false));
        let said = hint(&trace, 0, Verdict::Failed).expect("a hint");
        assert!(said.contains("has not become idle any more"), "{said}");
    }

    #[test]
    fn only_a_slow_host_is_advised_to_free_a_core() {
        assert!(of_witness(Some(Witness::Host)).contains("free a core"));
        let lost = LabError::Board(BoardError::Io {
            what: "write to the port".to_owned(),
            source: std::io::ErrorKind::BrokenPipe.into(),
        });
        for said in [
            of_witness(None),
            of_witness(Some(Witness::Broker)),
            &of_lab(&lost),
        ] {
            assert!(!said.contains("core"), "{said}");
        }
        assert!(of_lab(&lost).contains("proving boards"));
    }
}
