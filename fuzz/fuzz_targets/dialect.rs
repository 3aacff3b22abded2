//! What devices print, as the harness reads it: every line keeps its parts, and a head that prose has not
//! stays one whatever stands before it.

#![no_main]

use dialect::{Chip, DIALECTS, Dialect, Head, Part, Text};
use libfuzzer_sys::fuzz_target;

/// Lines that are found whatever stands before them, one of each format that has such. Each has a tag.
const LINES: [&str; 8] = [
    "E (45012) esp-tls: failed",
    "[  1234][E][W.cpp:155] begin(): failed",
    "[E][wifi:0123]: failed",
    "[err] connect(83): failed",
    "[  12.034]<E> net [sal.c#77] : failed",
    "[00:00:01.234,567] <err> net: failed",
    "[    1.234000] [CPU0] [ 3] [ ERROR] init: failed",
    "[2026-01-02T03:04:05Z ERROR krate::m] failed",
];

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = Text::of(line);
        Chip::named_in(text.clean());
        dialect::row(text.clean());
        dialect::exception(text.clean());
        for dialect in DIALECTS {
            dialect::goes_on(dialect, text.clean());
        }
        for only in [None, Some(&[Dialect::EspIdf][..])] {
            let seen = line.len() / 2;
            for parts in [
                dialect::parts(text.clean(), only),
                dialect::parts_inside(text.clean(), seen, only),
            ] {
                assert!(!parts.is_empty());
                let shown = parts.iter().map(|part| text.shown_of(part).len());
                assert!(shown.sum::<usize>() <= text.shown().len());
                for part in &parts {
                    dialect::event(part, None);
                }
            }
        }
    }
    let wanted = LINES[bytes.len() % LINES.len()];
    let [Part::Record(head)] = &dialect::parts(wanted, None)[..] else {
        panic!("{wanted}");
    };
    let line = bytes
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let behind = Text::of(&[line, wanted.as_bytes()].concat());
    let found = dialect::parts(behind.clean(), None);
    let same = |other: &Head<'_>| other == head;
    assert!(
        found
            .iter()
            .any(|part| matches!(part, Part::Record(other) if same(other))),
        "{behind:?}: {found:?}"
    );
});
