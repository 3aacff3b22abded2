//! Reading a trace for a page: line by line, as far as it can be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use trace::Event;

/// Events of a longer trace that are left out of a page are those after its beginning.
pub(super) const MOST_EVENTS: u64 = 500_000;
/// So many of the first events stay in any case.
const BEGINNING: u64 = 50_000;
/// Bytes of a line; no event is longer.
const LONGEST_LINE: u64 = 8 << 20;

/// How far a trace could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Events that were handed on.
    pub events: u64,
    /// Events that were left out because there are too many.
    pub left_out: u64,
    /// Why the trace ends before its file does, if it does.
    pub cut: Option<String>,
}

/// Hands every event of the trace at `path` to `take`, up to the place where it is cut or damaged.
pub(crate) fn each(path: &Path, mut take: impl FnMut(Event)) -> io::Result<Extent> {
    let total = lines(path)?;
    let skipped = match total > MOST_EVENTS {
        true => BEGINNING..BEGINNING + (total - MOST_EVENTS),
        false => 0..0,
    };
    let mut from = BufReader::new(File::open(path)?);
    let mut extent = Extent::default();
    let (mut number, mut offset) = (0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut from)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(extent);
        }
        if skipped.contains(&number) {
            extent.left_out += 1;
        } else if line.last() != Some(&b'\n') {
            extent.cut = Some(format!("the line at byte {offset} has no end"));
            return Ok(extent);
        } else {
            match serde_json::from_slice(&line) {
                Ok(event) => take(event),
                Err(error) => {
                    extent.cut = Some(format!("the line at byte {offset} is no event: {error}"));
                    return Ok(extent);
                }
            }
            extent.events += 1;
        }
        number += 1;
        offset += length as u64;
    }
}

/// Number of line feeds in the file.
fn lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; 128 * 1024];
    let mut lines = 0;
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(lines),
            length => {
                let feeds = bytes[..length].iter().filter(|byte| **byte == b'\n');
                lines += feeds.count() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> String {
        format!(
            "{{\"seq\":{seq},\"lab_us\":{seq},\"wall_us\":5,\"source\":\"log\",\"kind\":\"line\",\
             \"data\":{{\"level\":\"info\",\"tag\":\"a\",\"text\":\"b\"}}}}\n"
        )
    }

    fn extent(text: &[u8]) -> (Extent, Vec<u64>) {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("trace.jsonl");
        std::fs::write(&path, text).expect("there is room");
        let mut seqs = Vec::new();
        let extent = each(&path, |event| seqs.push(event.seq)).expect("it can be read");
        (extent, seqs)
    }

    #[test]
    fn a_trace_that_is_cut_or_damaged_is_read_up_to_there() {
        let whole = event(0) + &event(1);
        let (all, seqs) = extent(whole.as_bytes());
        assert_eq!((all.events, all.cut, seqs), (2, None, vec![0, 1]));
        for (tail, why) in [
            (&event(2).as_bytes()[..30], "has no end"),
            (b"\x00\xff\xfe\n", "is no event"),
            (b"{}\n", "is no event"),
        ] {
            let (cut, seqs) = extent(&[whole.as_bytes(), tail].concat());
            assert_eq!(seqs, [0, 1]);
            let cut = cut.cut.expect("it is cut");
            assert!(
                cut.contains(why) && cut.contains(&whole.len().to_string()),
                "{cut}"
            );
        }
    }

    #[test]
    fn of_too_many_events_the_first_and_the_last_stay() {
        let mut text = String::new();
        for seq in 0..MOST_EVENTS + 7 {
            text.push_str(&event(seq));
        }
        let (extent, seqs) = extent(text.as_bytes());
        assert_eq!((extent.events, extent.left_out), (MOST_EVENTS, 7));
        let at = usize::try_from(BEGINNING).expect("it is small");
        assert_eq!(seqs[at - 1..=at], [BEGINNING - 1, BEGINNING + 7]);
        assert_eq!(seqs.last(), Some(&(MOST_EVENTS + 6)));
    }
}
