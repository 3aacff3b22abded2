//! What is told of a file that is no log, or none that can be read.

use crate::{Cause, Certainty, Stage};

/// A file that is no log.
pub fn no_log(what: &str) -> Cause {
    Cause {
        id: "no-log".to_owned(),
        cause: format!("this is {what}, and no log"),
        certainty: Certainty::Certain,
        check: vec![
            "unpack it, or name the text that the device or the broker has printed".to_owned(),
        ],
        would_tell: Vec::new(),
        ..garbled()
    }
}

/// A log that is mostly no text.
pub fn garbled() -> Cause {
    Cause {
        id: "log-garbled".to_owned(),
        stage: Stage::Power,
        cause: "the serial output is garbled: another baud rate than the port was read with, or noise on the line"
            .to_owned(),
        whose: "the reader of the log".to_owned(),
        certainty: Certainty::Likely,
        evidence: Vec::new(),
        readings: Vec::new(),
        check: vec![
            "read the port at the baud rate of the firmware: 115200 for most, 74880 for an ESP8266's ROM".to_owned(),
            "on an ESP8266, flash all images at their addresses: without one of them it prints rubbish".to_owned(),
        ],
        ruled_out: Vec::new(),
        would_tell: vec!["noise: it stays garbled at every baud rate".to_owned()],
    }
}
