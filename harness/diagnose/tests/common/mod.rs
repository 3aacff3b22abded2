//! What a log says that a test has as text.

use diagnose::{Diagnosis, Log};

pub fn read(text: &str) -> Diagnosis {
    let mut log = Log::new("example");
    for line in text.trim().lines() {
        log.line(line.as_bytes());
    }
    log.end()
}

/// The rule of the first cause; empty if there is no cause.
pub fn first(text: &str) -> String {
    read(text)
        .causes
        .first()
        .map_or_else(String::new, |cause| cause.id.clone())
}
