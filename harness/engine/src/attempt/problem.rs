//! What can keep an attempt from passing, and whose fault it is.

use super::seen::Subject;
use crate::expect::Miss;
use board::BoardError;
use lab::air::AirError;
use trace::{Failure, Finished, Nearest, Place, Trace, Verdict, WitnessReport};

/// A step that did not do what it should.
#[derive(Debug)]
pub enum Problem {
    /// The device did something else.
    Missed(Missed),
    /// The lab could not do its part.
    Lab(LabError),
}

/// What a step wanted and did not get.
#[derive(Debug, Default)]
pub struct Missed {
    /// One sentence.
    pub message: String,
    /// What came nearest.
    pub nearest: Option<Nearest>,
    /// What came instead.
    pub instead: Vec<u64>,
}

impl Missed {
    /// With nothing but a sentence.
    pub fn saying(message: impl Into<String>) -> Problem {
        Problem::Missed(Self {
            message: message.into(),
            ..Self::default()
        })
    }
}

/// The lab could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The board did not do what it was told.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A phone could not join a network.
    #[error(transparent)]
    Air(#[from] AirError),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] pki::PkiError),
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] cloud::StartError),
    /// The Linkkit cloud did not start.
    #[error(transparent)]
    Linkkit(#[from] cloud::linkkit::LinkkitError),
    /// The ThingsBoard cloud did not start.
    #[error(transparent)]
    ThingsBoard(#[from] cloud::thingsboard::ThingsBoardError),
    /// The time server did not start.
    #[error(transparent)]
    Time(#[from] cloud::sntp::SntpError),
    /// A stand-in's port or a file could not be had.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A contract cannot be relied on.
    #[error("{0}: what it says of the device is worth nothing")]
    Contract(::contracts::Unable),
    /// The cloud could not be asked.
    #[error(transparent)]
    Bind(#[from] phone::BindError),
    /// The phone could not do its part.
    #[error(transparent)]
    Phone(#[from] phone::ProvisioningError),
    /// There is no Bluetooth.
    #[error(transparent)]
    StandIn(#[from] lab::bluetooth::StandInError),
    /// A phone has no Bluetooth.
    #[error(transparent)]
    Bluetooth(#[from] phone::BleError),
    /// This host's Wi-Fi.
    #[error(transparent)]
    Wifi(#[from] phone::WifiError),
    /// A query could not be asked.
    #[error(transparent)]
    Query(#[from] phone::QueryError),
    /// The firmware cannot be told of the world as the rig file has it.
    #[error("{firmware}: {why}")]
    HandOver {
        /// Which.
        firmware: String,
        /// What is wrong with a row, or with all of them.
        why: String,
    },
    /// The board runs another firmware than the one that it was flashed with.
    #[error(
        "{board} does not run the image that it was flashed with: its boot log tells version \
         {version}, ELF SHA-256 {elf_sha256}…"
    )]
    OtherFirmware {
        /// Which.
        board: String,
        /// What its boot log tells, in hex.
        elf_sha256: String,
        /// The version that its boot log tells.
        version: String,
    },
    /// The scenario asks for something that its world cannot give.
    #[error("{0}")]
    Scenario(String),
}

impl Problem {
    /// An expectation was not met.
    pub fn from_miss(miss: Miss) -> Self {
        Self::Missed(Missed {
            message: miss.message,
            nearest: miss.nearest,
            instead: miss.instead,
        })
    }
}

impl<E: Into<LabError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Lab(error.into())
    }
}

/// The step or clause that an attempt ended in.
#[derive(Clone, Debug, Default)]
pub struct Where {
    /// From 1; none for what is no step.
    pub step: Option<usize>,
    /// In a few words.
    pub label: String,
    /// Where it stands in the scenario.
    pub place: Option<Place>,
    /// Bugs that it claims to catch.
    pub catches: Vec<String>,
    /// What it is about.
    pub subject: Subject,
    /// Length of the trace when it began: its witnesses are those from here on.
    pub began: usize,
}

/// How the attempt ends that met `problem` at `at`.
pub fn finish(problem: Problem, at: Where, trace: &Trace) -> Finished {
    finish_with(problem, at, trace, None)
}

/// The same, with `advice` on what to look at where one is known already.
pub fn finish_with(
    problem: Problem,
    at: Where,
    trace: &Trace,
    mut advice: Option<String>,
) -> Finished {
    let (verdict, missed, blame) = match problem {
        Problem::Lab(error) => {
            advice = Some(super::hint::of_lab(&error));
            let missed = Missed {
                message: trace::in_full(&error),
                ..Missed::default()
            };
            (
                Verdict::Broken,
                missed,
                "the lab could not do its part".into(),
            )
        }
        Problem::Missed(mut missed) => {
            if let Some(seen) = at.subject.beside_the_claim(trace) {
                missed.message.push_str("; ");
                missed.message.push_str(&seen);
            }
            let (verdict, blame) = blame(trace, at.began);
            (verdict, missed, blame)
        }
    };
    let diagnosis = advice.or_else(|| super::hint::hint(trace, at.began, verdict));
    Finished {
        verdict,
        failure: Some(Failure {
            step: at.step,
            label: at.label,
            place: at.place,
            message: missed.message,
            nearest: missed.nearest,
            instead: missed.instead,
            blame,
            diagnosis,
            catches: at.catches,
        }),
    }
}

/// The device's fault if every witness since `began` was sound, else the lab's.
fn blame(trace: &Trace, began: usize) -> (Verdict, String) {
    let reports: Vec<WitnessReport> = trace
        .events_from(began)
        .filter_map(|event| event.payload())
        .collect();
    match reports.iter().find(|report| !report.sound) {
        Some(report) => (
            Verdict::Broken,
            format!("the lab: {:?}: {}", report.witness, report.detail),
        ),
        None => {
            let mut sound: Vec<String> = reports
                .iter()
                .map(|report| format!("{:?}", report.witness).to_lowercase())
                .collect();
            sound.sort();
            sound.dedup();
            (
                Verdict::Failed,
                format!(
                    "the device: all witnesses were sound ({})",
                    sound.join(", ")
                ),
            )
        }
    }
}
