//! Memory that a firmware's own figures show to leak away.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Evidence};

/// The rule on such a leak.
const LEAKS: &str = "heap-leaks";
/// What ends in a firmware without memory.
const WITHOUT_MEMORY: [&str; 7] = [
    "out-of-memory",
    "tls-no-memory",
    "tls-memory-lost",
    "server-no-memory",
    "wifi-call-failed",
    "panic",
    "handshake-failed",
];
/// How many of them say so, the first ones.
const SAY_SO: usize = 3;
/// The one that need not come from a leak: memory in pieces, or another part that has it.
const OF_PIECES: &str = "tls-memory-lost";
/// Figures, each below the one before by a step that counts, that are more than chance.
const FALLS: u64 = 4;
/// The part of all memory that such a step is at least.
const STEP: u64 = 64;
/// A figure of free memory.
static FREE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\bheap(?: ?free)?|\bfree(?:[ _]?(?:heap|mem(?:ory)?|ram|bytes))?)[ :=(]{1,3}(\d+)",
    )
});

/// The figures of free memory that a log tells.
#[derive(Debug, Default)]
pub struct Heap {
    /// The most that was free.
    most: u64,
    /// How much was free last.
    last: u64,
    /// The row of figures that only fall.
    row: Option<Row>,
    /// A leak that ended an attempt.
    leaked: Option<Cause>,
}

#[derive(Debug)]
struct Row {
    /// The highest figure and the lowest, each with its line.
    from: (u64, Evidence),
    to: (u64, Evidence),
    falls: u64,
    /// The line from which on less than half of it was left.
    half: Option<u64>,
}

impl Heap {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let found = FREE.captures(text.as_bytes());
        let free = found.and_then(|found| std::str::from_utf8(&found[1]).ok()?.parse().ok());
        // A figure in KiB, or of something else.
        let Some(free) = free.filter(|free: &u64| (2_000..16_000_000).contains(free)) else {
            return;
        };
        self.most = self.most.max(free);
        self.last = free;
        match &mut self.row {
            Some(row) if free < row.to.0 => {
                row.falls += u64::from((row.to.0 - free) * STEP >= row.from.0);
                row.to = (free, Evidence::of(line, text));
                if row.half.is_none() && free * 2 < row.from.0 {
                    row.half = Some(line);
                }
            }
            // As it goes up and down while it falls.
            Some(row) if free <= row.to.0 + row.to.0 / 8 => {}
            row => {
                let first = || (free, Evidence::of(line, text));
                *row = Some(Row {
                    from: first(),
                    to: first(),
                    falls: 0,
                    half: None,
                });
            }
        }
    }

    /// Whether less than half of what was once free is free.
    pub fn is_short(&self) -> bool {
        self.last * 2 < self.most
    }

    /// What explains a trouble of a firmware without memory.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
        if !WITHOUT_MEMORY.contains(&cause.id.as_str()) {
            return None;
        }
        let half = self.row.as_ref()?.half?;
        let is_behind = cause.evidence.last().is_some_and(|last| last.line > half);
        (is_behind || cause.id != OF_PIECES)
            .then(|| self.leak())
            .flatten()
    }

    /// An attempt ends with this trouble or what followed from it.
    pub fn restarts<'c>(&mut self, causes: impl IntoIterator<Item = &'c Cause>) {
        let says_so = |cause: &Cause| WITHOUT_MEMORY[..SAY_SO].contains(&cause.id.as_str());
        if self.leaked.is_none() && causes.into_iter().any(says_so) {
            self.leaked = self.leak();
        }
        self.row = None;
    }

    /// A leak that ended an attempt.
    pub fn leaked(&self) -> Option<Cause> {
        self.leaked.clone()
    }

    fn leak(&self) -> Option<Cause> {
        let row = self.row.as_ref()?;
        let is_leak = row.falls >= FALLS && row.half.is_some();
        let rule = rules().named(LEAKS).filter(|_| is_leak)?;
        Some(told(rule, vec![row.from.1.clone(), row.to.1.clone()]))
    }
}
