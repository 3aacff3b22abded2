//! The logs of one incident: a device's, its broker's.

use serde::Serialize;

use crate::{Cause, Certainty, Diagnosis, Kind, Stage};

/// What the logs of one incident tell together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// The first cause, of whichever log tells most of it.
    pub cause: Option<Named>,
    /// Each log for itself.
    pub logs: Vec<Diagnosis>,
}

/// A cause, and the log that tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Which log, from 0.
    pub log: usize,
    /// The cause.
    pub cause: Cause,
}

impl Incident {
    /// Weighs the logs of one incident.
    pub fn of(logs: Vec<Diagnosis>) -> Self {
        // A broker's log is of many clients: what it says of the stage that the device fails in is of this one.
        let fails_in = logs
            .iter()
            .filter(|diagnosis| diagnosis.kind != Some(Kind::Broker))
            .find_map(|diagnosis| diagnosis.causes.first())
            .map(|cause| cause.stage);
        let named = logs.iter().enumerate().filter_map(|(log, diagnosis)| {
            let mut told = diagnosis.causes.iter().chain(&diagnosis.consequences);
            let of_it = match diagnosis.kind {
                Some(Kind::Broker) => told.find(|cause| Some(cause.stage) == fails_in),
                _ => None,
            };
            let cause = of_it.or(diagnosis.causes.first())?.clone();
            Some((diagnosis.kind, Named { log, cause }))
        });
        let mut named: Vec<(Option<Kind>, Named)> = named.collect();
        named.sort_by_key(|(kind, named)| rank(*kind, &named.cause));
        Self {
            cause: named.into_iter().next().map(|(_, named)| named),
            logs,
        }
    }
}

/// The device's own trouble before it reaches the broker comes first; of what happens between the two, the
/// log that is surer of it.
fn rank(kind: Option<Kind>, cause: &Cause) -> (u8, std::cmp::Reverse<Certainty>, u8) {
    let of_broker = kind == Some(Kind::Broker);
    let before_it = cause.stage < Stage::Tcp && !of_broker;
    let place = if before_it && cause.certainty > Certainty::Possible {
        0
    } else {
        1
    };
    (
        place,
        std::cmp::Reverse(cause.certainty),
        u8::from(!of_broker),
    )
}
