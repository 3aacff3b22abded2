//! Why an expectation was not met.

use clock::LabTime;
use trace::{Failure, Nearest, Place};

/// An expectation was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// One sentence: what was wanted and what happened.
    pub message: String,
    /// The event that came nearest, and what it lacks; for something that must not happen, the
    /// event that did.
    pub nearest: Option<Nearest>,
    /// `seq` of the last events of that source, at most five.
    pub instead: Vec<u64>,
    /// From when on the trace was watched for it.
    pub from: LabTime,
    /// Until when.
    pub until: LabTime,
}

impl Miss {
    /// The failure that this miss is, but for whose fault it is.
    pub fn failure(
        self,
        step: Option<usize>,
        label: impl Into<String>,
        place: Place,
        catches: Vec<String>,
    ) -> Failure {
        Failure {
            step,
            label: label.into(),
            place: Some(place),
            message: self.message,
            nearest: self.nearest,
            instead: self.instead,
            blame: String::new(),
            diagnosis: None,
            catches,
        }
    }
}
