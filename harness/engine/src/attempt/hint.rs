//! What to look at first when an attempt did not pass.

use board::{BoardError, Exited, Garbage};
use trace::{Event, Level, LogLine, Trace, Verdict, Witness, WitnessReport};

use super::problem::LabError;

/// The gravest thing that happened since `began`, as advice; the device's last error otherwise.
pub fn hint(trace: &Trace, began: usize, verdict: Verdict) -> Option<String> {
    let events = trace.since(began);
    if verdict == Verdict::Broken {
        let witness = events
            .iter()
            .filter_map(|event| event.payload::<WitnessReport>())
            .find(|report| !report.sound)
            .map(|report| report.witness);
        return Some(of_witness(witness).to_owned());
    }
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
    let error = lines().find(|line| line.level == Level::Error);
    let warning = || lines().find(|line| line.level == Level::Warn);
    let (what, line) = match (error, lines().next()) {
        (Some(error), _) => ("the device's last error line", error),
        (None, None) => return Some("the device said nothing at all: does it boot?".into()),
        (None, Some(last)) => match warning() {
            Some(warning) => ("the device's last warning", warning),
            None => (
                "the device logged no error and no warning; its last line",
                last,
            ),
        },
    };
    Some(format!("{what}: {}: {}", line.tag, line.text))
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

/// What to do when the lab could not do its part.
pub fn of_lab(error: &LabError) -> &'static str {
    match error {
        LabError::Board(BoardError::Probe(_)) => {
            "the debug probe or the way to the chip, not the firmware: do what the message says; \
             `proving boards` shows whether the board answers"
        }
        LabError::Board(BoardError::Unable { .. } | BoardError::State { .. }) => {
            "the scenario asks for what this board cannot do, not the firmware: see the message"
        }
        LabError::Board(_) => {
            "the way to the board, not the firmware: do what the message says; `proving boards` \
             shows whether the board answers"
        }
        _ => "the host or the lab, not the device: see the message",
    }
}

/// What to do when a part of the lab did not do its work.
fn of_witness(witness: Option<Witness>) -> &'static str {
    match witness {
        Some(Witness::Host) => "the host was too slow, not the device: free a core",
        Some(Witness::BoardLink) => {
            "the way to the board, not the device: check its cable and power; `proving boards` \
             shows whether it answers"
        }
        _ => "the host or the lab, not the device: see the message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            of_lab(&lost),
        ] {
            assert!(!said.contains("core"), "{said}");
        }
        assert!(of_lab(&lost).contains("proving boards"));
    }
}
