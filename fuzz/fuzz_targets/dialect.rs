//! What devices print, as the harness reads it: every line keeps its parts, and a strong head stays one.

#![no_main]

use dialect::{Dialect, Part};
use libfuzzer_sys::fuzz_target;

/// A line that is found whatever stands before it.
const LINE: &str = "E (45012) esp-tls: failed";

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        dialect::event(line);
        for only in [None, Some(Dialect::EspIdf), Some(Dialect::Linkkit)] {
            for parts in [
                dialect::parts(line, only),
                dialect::parts_inside(line, only),
            ] {
                let length = |part: &Part<'_>| match part {
                    Part::Record(head) => head.text.len(),
                    Part::Plain(text) => text.len(),
                };
                assert!(parts.iter().map(length).sum::<usize>() <= line.len());
            }
        }
        let behind = format!("{line}{LINE}");
        let found = dialect::parts(&behind, None);
        let is_kept = |part: &Part<'_>| matches!(part, Part::Record(head) if head.tag == Some("esp-tls") && head.text == "failed");
        assert!(found.iter().any(is_kept), "{behind:?}: {found:?}");
    }
});
