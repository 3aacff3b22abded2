//! The verdict on an attempt, from what is left of its worker.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use signal_hook::low_level::signal_name;
use trace::{Failure, Finished, Place, Verdict};

use super::worker::{EndReason, Remains};

/// A step that a worker was in when it ended.
#[derive(Clone, Debug)]
pub(super) struct OpenStep {
    pub(super) step: usize,
    pub(super) label: String,
    pub(super) place: Place,
}

/// The verdict, and why unless it is passed.
///
/// What the trace says holds, except that nothing passes whose worker did not end by itself, in
/// order, leaving nothing behind: that is the lab's fault and must be seen.
pub(super) fn judge(remains: &Remains, open: Option<&OpenStep>) -> (Verdict, Option<Failure>) {
    let trouble = trouble(remains);
    match (&remains.finished, trouble) {
        (
            Some(Finished {
                verdict: Verdict::Passed,
                ..
            }),
            Some(trouble),
        ) => (Verdict::Broken, Some(failure(trouble, None))),
        (Some(finished), _) => (finished.verdict, finished.failure.clone()),
        (None, _) if remains.ended_by_us == Some(EndReason::Interrupted) => {
            (Verdict::Skipped, None)
        }
        (None, trouble) => {
            let trouble = trouble.unwrap_or_else(|| {
                Trouble::new(
                    "the worker ended by itself without a verdict",
                    "a worker writes its verdict last; this one is a defect of proving: please report it",
                )
            });
            (Verdict::Broken, Some(failure(trouble, open)))
        }
    }
}

/// The failure of an attempt whose worker could not be started.
pub(super) fn not_started(error: &dyn std::error::Error) -> Failure {
    let message = format!("the worker could not be started: {}", trace::in_full(error));
    let look_at = "space, limits and permissions of this host, and the output folder";
    failure(Trouble::new(message, look_at), None)
}

struct Trouble {
    message: String,
    look_at: String,
}

impl Trouble {
    fn new(message: impl Into<String>, look_at: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            look_at: look_at.into(),
        }
    }
}

/// What was wrong with the worker itself.
fn trouble(remains: &Remains) -> Option<Trouble> {
    if let Some(damage) = &remains.damage {
        let why = std::error::Error::source(damage)
            .map_or_else(String::new, |source| format!(": {source}"));
        return Some(Trouble::new(
            format!("{damage}{why}"),
            "the disk space, and whether another program wrote to the trace",
        ));
    }
    match remains.ended_by_us {
        Some(EndReason::Timeout(after)) => {
            return Some(Trouble::new(
                format!(
                    "no verdict within {} of wall time, so the worker was ended",
                    rounded(after)
                ),
                "worker.err and the end of the trace; if the host is just slow, raise --timeout",
            ));
        }
        Some(EndReason::Lingering(after)) => {
            return Some(Trouble::new(
                format!(
                    "the worker had not ended {} after its verdict, so it was killed",
                    rounded(after),
                ),
                "worker.err; something in the worker still runs: please report it",
            ));
        }
        Some(EndReason::Interrupted) | None => {}
    }
    if remains.ended_by_us.is_none()
        && let Some(trouble) = bad_end(remains.status?)
    {
        return Some(trouble);
    }
    (!remains.leaked.is_empty()).then(|| {
        Trouble::new(
            format!("the worker left {} running", remains.leaked.join(", ")),
            "the code that started it in the worker must end it; it was killed",
        )
    })
}

fn bad_end(status: ExitStatus) -> Option<Trouble> {
    if let Some(signal) = status.signal() {
        let name = signal_name(signal).unwrap_or("no name");
        let look_at = match signal {
            libc::SIGKILL => "the kernel's log: was memory short?",
            _ => "worker.err and the end of the trace",
        };
        return Some(Trouble::new(
            format!("the worker died of signal {signal} ({name})"),
            look_at,
        ));
    }
    match status.code() {
        Some(0) | None => None,
        Some(code) => Some(Trouble::new(
            format!("the worker ended with exit code {code}"),
            "worker.err",
        )),
    }
}

fn failure(trouble: Trouble, open: Option<&OpenStep>) -> Failure {
    Failure {
        step: open.map(|open| open.step),
        label: open.map_or_else(
            || "the worker runs to its verdict".to_owned(),
            |open| open.label.clone(),
        ),
        place: open.map(|open| open.place.clone()),
        message: trouble.message,
        nearest: None,
        instead: Vec::new(),
        blame: "the lab's or the host's: what a worker does says nothing about the device"
            .to_owned(),
        diagnosis: Some(trouble.look_at),
        catches: Vec::new(),
    }
}

fn rounded(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
