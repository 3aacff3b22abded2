//! A trace that is only passed on is bounded in memory, however long it goes on.
//!
//! One test alone, because the memory that it looks at is that of its process.

use std::fs;

use clock::Clock;
use trace::{Level, LogLine, Trace};

const LINES: usize = 200_000;
/// About 4 MiB of events are kept, and the allocator keeps some.
const MOST_GROWN: u64 = 20 << 20;

#[test]
fn what_is_passed_on_is_forgotten_and_readers_find_the_rest() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let trace = Trace::passing(Clock::start(1.0));
        let before = resident();
        let mut next = 0;
        for number in 0..LINES {
            trace.emit(Some("device"), &line(number));
            // A reader that keeps up misses nothing.
            for event in trace.events_from(next) {
                assert_eq!(event.seq, next as u64);
                next += 1;
            }
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < MOST_GROWN, "{grown} bytes more than before");
        assert_eq!((next, trace.len()), (LINES + 1, LINES + 1));

        // One that comes late gets what there is, in order and to the end.
        let rest = trace.since(0);
        assert!(rest.len() > 1_000 && rest.len() < LINES, "{}", rest.len());
        let first = LINES + 1 - rest.len();
        for (expected, event) in (first..).zip(&rest) {
            assert_eq!(event.seq, expected as u64);
        }
        assert!(trace.event(5).is_none());
        let last = trace.event(LINES).expect("the last one");
        // What a device prints is passed on as it is.
        assert_eq!(last.payload::<LogLine>(), Some(line(LINES - 1)));
        assert!(trace.take_failure().is_none());

        // One event that is larger than all that is kept is kept all the same.
        trace.emit(
            Some("device"),
            &LogLine {
                text: "x".repeat(8 << 20),
                ..line(0)
            },
        );
        assert_eq!(trace.since(0).len(), 1);
    });
}

/// A line with a token of its own.
fn line(number: usize) -> LogLine {
    LogLine {
        level: Level::Info,
        tag: "awss".into(),
        text: format!("token: {number:032X}"),
        device_ms: None,
        place: None,
    }
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let digits = line.expect("a line").chars().filter(char::is_ascii_digit);
    digits.collect::<String>().parse::<u64>().expect("a number") * 1024
}
