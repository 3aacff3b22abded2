//! What stands beside the log of a device for comparison: quoted lines, and a part under a heading of its own.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;

/// Bytes of a line that may be a heading.
const LONGEST: usize = 96;

/// Lines in which the first head of a log is looked for.
const MOST: usize = 256;

/// A heading of what another device has printed, or this one when all was well.
static OF_ANOTHER: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^[=#*-]{2,} ?(?:the )?(?:(?:known[- ])?good|working|healthy|intact|reference)\b|^[=#*-]{2,} ?[^\n]{0,16}\bsame (?:unit|device|board|firmware)\b|\b(?:for|as a|in|zum|zur|por|pour) (?:comparison|comparaison|vergleich|comparaci\S+n)\b[^\n]{0,16}:\W*$|^\W{0,3}(?:(?:the|a|an|one|last|my|our) ){0,2}(?:known[- ])?(?:good|working|healthy|intact) (?:one|unit|device|board|log|node|run|boot|sample|case)\b[^\n]{0,40}:\W*$",
    )
});

/// What a terminal prints when it is closed, and what people write where they have left out the rest.
static END: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^\W{0,4}(?:exit|quit|terminating|thanks for using|\[?screen is terminating|connection closed|disconnected from (?:COM|/dev)|(?:the )?(?:rest|log)? ?(?:is )?(?:cut|truncated|snip\w*|missing|left out|abgeschnitten)|end of (?:log|paste|screenshot))\b|^\W{0,3}(?:\.\.\.|\xE2\x80\xA6)\W*$|\xE5\x90\x8E\xE9\x9D\xA2|\xE6\x88\xAA",
    )
});

/// Whether a log's last line says that it was ended there by whoever recorded it.
pub fn is_end(line: &str) -> bool {
    END.is_match(line.as_bytes())
}

/// Whether a log is in such a part.
#[derive(Debug, Default)]
pub struct Compared {
    /// It is under such a heading.
    is_under: bool,
    /// A line with a head was seen that is not quoted, so that quoted ones are of something else.
    has_own: bool,
    /// Lines that were looked at for one.
    looked_at: usize,
}

impl Compared {
    /// Whether a line is in such a part, or heads it.
    pub fn takes(&mut self, line: &str) -> bool {
        let bytes = line.as_bytes();
        if bytes.first() == Some(&b'>') {
            let rest = line[1..].trim_start();
            return self.is_under || (self.has_own && has_head(rest));
        }
        if !self.has_own && self.looked_at < MOST {
            self.looked_at += 1;
            self.has_own = has_head(line);
        }
        if let Some(is_of_another) = heading(bytes) {
            self.is_under = is_of_another;
        }
        self.is_under
    }

    /// Whether the device's own lines have heads, by which they are told from what people write between them.
    pub fn has_own(&self) -> bool {
        self.has_own
    }

    /// A line without letters ends what stood under a heading.
    pub fn blank(&mut self) {
        self.is_under = false;
    }
}

/// Whether a line is a heading, and then whether it is one of such a part.
fn heading(line: &[u8]) -> Option<bool> {
    let [first, second, ..] = line else {
        return None;
    };
    let is_ruled = first == second && matches!(first, b'=' | b'#' | b'*' | b'-');
    let is_followed = line.trim_ascii_end().ends_with(b":");
    if line.len() > LONGEST || !(is_ruled || is_followed) {
        return None;
    }
    let is_of_another = OF_ANOTHER.is_match(line);
    (is_ruled || is_of_another).then_some(is_of_another)
}

/// Whether a line begins as one of a device does.
fn has_head(line: &str) -> bool {
    dialect::head(line).is_some_and(|head| head.device_ms.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of some lines, those that are taken.
    fn taken<'l>(lines: &[&'l str]) -> Vec<&'l str> {
        let mut compared = Compared::default();
        let mut taken = Vec::new();
        for line in lines {
            match *line {
                "" => compared.blank(),
                line if compared.takes(line) => taken.push(line),
                _ => {}
            }
        }
        taken
    }

    #[test]
    fn the_end_of_a_recording_is_told_from_other_lines() {
        for line in [
            "--- exit",
            "Terminating...",
            "[...]",
            "...",
            "（后面的没截到）",
        ] {
            assert!(is_end(line), "{line}");
        }
        for line in ["I (5) app: exit", "connecting ...", "the rest is ok"] {
            assert!(!is_end(line), "{line}");
        }
    }

    #[test]
    fn quoted_lines_are_of_something_else_unless_all_are() {
        let own = "I (5) app: a";
        let quoted = "> I (5) app: b";
        assert_eq!(taken(&[own, quoted, own]), [quoted]);
        assert!(taken(&[quoted, quoted]).is_empty());
        assert!(taken(&[own, "> AT+CWJAP?"]).is_empty());
    }

    #[test]
    fn a_part_under_a_heading_of_another_device_ends_with_the_next() {
        let (good, bad) = ("== good (14)", "== returned (22)");
        let line = "I (5) app: mqtt up";
        assert_eq!(taken(&[good, line, bad, line]), [good, line]);
        let heading = "good one of same lot:";
        assert_eq!(taken(&[line, heading, line, "", line]), [heading, line]);
        for plain in ["--- idf_monitor on COM7 115200", "Good signal:", "state:"] {
            assert!(taken(&[plain, line]).is_empty(), "{plain}");
        }
    }
}
