//! What is heard from a board, and who listens.

use trace::{LogLine, Trace, Witness, WitnessReport};

use super::Crash;
use crate::defmt::Lost;
use crate::{Exited, Garbage, Power, PowerChanged, RestartCause, Restarted};

/// Something that a board did by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeEvent {
    /// It logged.
    Line(LogLine),
    /// A part of its log could not be read.
    Lost {
        /// On which channel.
        channel: String,
        /// What.
        lost: Lost,
    },
    /// The core was reset, and nothing here had asked for it.
    Restarted(Restarted),
    /// Its power was cut in a write, as was asked for.
    WentDark,
    /// Its firmware ended.
    Exited {
        /// How.
        exited: Exited,
        /// What the processor was doing.
        crash: Option<Crash>,
    },
    /// The way to it is broken; nothing more will be heard.
    Gone(String),
}

/// Takes what was heard, in order; is called on the probe's thread.
pub(crate) type Listener = Box<dyn FnMut(&mut Vec<ProbeEvent>) + Send>;

/// Writes everything into a trace, as events of `device`; a reset that nothing explains has the
/// cause `unexplained`.
pub(crate) fn into_trace(trace: Trace, device: String, unexplained: RestartCause) -> Listener {
    Box::new(move |heard| {
        trace.clock().touch();
        let _together = trace.gather();
        for mut one in heard.drain(..) {
            if let ProbeEvent::Restarted(restarted) = &mut one
                && restarted.cause == RestartCause::Unknown
            {
                restarted.cause = unexplained;
            }
            write(&trace, &device, one);
        }
    })
}

fn write(trace: &Trace, device: &str, heard: ProbeEvent) {
    match heard {
        ProbeEvent::Line(line) => {
            trace.log(device, line);
        }
        ProbeEvent::Lost { channel, lost } => {
            trace.emit(Some(device), &garbage(channel, &lost));
        }
        ProbeEvent::Restarted(restarted) => {
            trace.emit(Some(device), &restarted);
        }
        ProbeEvent::WentDark => {
            let how = "cut in a write".to_owned();
            let power = Power::Off;
            trace.emit(Some(device), &PowerChanged { power, how });
        }
        ProbeEvent::Exited { exited, crash } => {
            if let Some(crash) = crash {
                trace.emit(Some(device), &crash);
            }
            trace.emit(Some(device), &exited);
        }
        ProbeEvent::Gone(detail) => report(trace, device, false, &detail),
    }
}

/// Says whether the way to the board is sound.
pub(crate) fn report(trace: &Trace, device: &str, sound: bool, detail: &str) {
    trace.emit(
        Some(device),
        &WitnessReport {
            witness: Witness::BoardLink,
            sound,
            detail: detail.to_owned(),
        },
    );
}

fn garbage(link: String, lost: &Lost) -> Garbage {
    let problem = match lost.frames {
        0 | 1 => format!("{} bytes lost: {}", lost.bytes, lost.problem),
        frames => format!(
            "{} bytes in {frames} frames lost; of the first: {}",
            lost.bytes, lost.problem
        ),
    };
    Garbage {
        link,
        problem,
        bytes: hex(&lost.first),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
