//! What stands beside the log of a device for comparison: quoted lines, and a part under a heading of its own.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;

/// Bytes of a line that may be a heading.
const LONGEST: usize = 120;

/// Bytes of a line in which a shell's prompt ends.
const PROMPT: usize = 48;

/// Lines that a tool prints.
const OUTPUT: usize = 40;

/// Lines in which the first head of a log is looked for.
const MOST: usize = 256;

/// A heading of what another device has printed, or this one when all was well.
static OF_ANOTHER: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^[=#*-]{2,} ?(?:the )?(?:(?:known[- ])?good|working|healthy|intact|reference)\b|^[=#*-]{2,} ?[^\n]{0,16}\bsame (?:unit|device|board|firmware)\b|\b(?:for|as a|in|zum|zur|por|pour) (?:comparison|comparaison|vergleich|comparaci\S+n)\b[^\n]{0,16}:\W*$|^\W{0,3}(?:(?:the|a|an|one|last|my|our) ){0,2}(?:known[- ])?(?:good|working|healthy|intact) (?:one|unit|device|board|log|node|run|boot|sample|case)\b[^\n]{0,40}:\W*$",
    )
});

/// A heading of what another device has printed, or this one in another network, by another firmware or when
/// it went well, if it comes behind a trouble.
static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:an?|another|other|second|2nd|third|3rd|different|neighbou?r\S*|ander\w+|zweit\w+|otr[oa]|autre|altr[oa]) (?:[\w-]+ )?(?:plug|lamp|device|unit|board|box|sensor|node|sample|bulb|gateway|controller|module|meter|esp\w*|chip|switch|lock|token|account|ger\S{1,2}t|platine|steckdose|modul|dose|placa|dispositivo|equipo|appareil|carte)\b|\b(?:unit|device|board|node|plug|lamp|module|ger\S{1,2}t) (?:[B-Z]|#?[2-9])\b|\b(?:other|another|different|ander\w+|otra|autre) (?:wi-?fi|wlan|network|netz\w*|ssid|router|access point|ap|red|house|site)\b|\b(?:with|on|over|via|at|mit|\xC3\xBCber|am|im|con|avec|par)\b[^\n]{0,16}\bhotspot\b|\b(?:taken|brought|moved) home\b|\bsame (?:sketch|firmware|fw|image|code|program|binary|build|yaml|config\w*|script)\b[^\n]{0,24}\b(?:room|board|unit|device|place|site)\b|\b(?:old|older|previous|alte\w*|vorige\w*|anterior) (?:firmware|fw|version|sketch|build|release|sdk|core|image)\b|\b(?:works|working|pairs|joins|connects|goes online|l\xC3\xA4uft|laeuft|funktioniert|funciona|marche|funziona|werkt)\b|\bger\S{1,2}t daneben\b|\b(?:one|device|unit|board) (?:beside|next to) it\b",
    )
});

/// What a heading says of the device whose log it is, at the time of its trouble.
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:today|now|heute|jetzt|again|still|since|after|nach|seit|fails?|failing|failed|faulty|broken|bad|not|nicht|never|kaputt|defekt|no longer|stopped)\b|n't\b|^\W*(?:the |log of )?(?:broker|router|server|phone|app)\b",
    )
});

/// A command of a shell that looks at the network or at a server, whose output is none of the device's.
static TOOL: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"^(?:[\w.@~:/ -]{0,40}[$%>#] ?|[$%] ?)(?:sudo )?(?:openssl s_client|ping6?|mosquitto_(?:sub|pub)|nslookup|dig|host|curl|wget|nc|ncat|nmap|telnet|traceroute|tracert|adb)\b",
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
    /// Lines behind a command that may be what it prints; none left if it is over.
    of_tool: usize,
}

impl Compared {
    /// Whether a line is in such a part, or heads it.
    pub fn takes(&mut self, line: &str, is_in_trouble: impl Fn() -> bool) -> bool {
        let bytes = line.as_bytes();
        self.take_tool(line);
        if bytes.first() == Some(&b'>') {
            let rest = line[1..].trim_start();
            return self.is_under || (self.has_own && has_head(rest));
        }
        if !self.has_own && self.looked_at < MOST {
            self.looked_at += 1;
            self.has_own = has_head(line);
        }
        if let Some(is_of_another) = heading(bytes, is_in_trouble) {
            self.is_under = is_of_another;
            self.of_tool = 0;
        }
        self.is_under
    }

    /// Whether a line is what a tool has printed that was asked beside the device: it proves nothing of the
    /// device's own way.
    pub fn is_of_tool(&self) -> bool {
        self.of_tool > 0
    }

    fn take_tool(&mut self, line: &str) {
        if may_be_command(line.as_bytes()) && TOOL.is_match(line.as_bytes()) {
            self.of_tool = OUTPUT;
        } else if self.of_tool > 0 {
            self.of_tool = if has_head(line) { 0 } else { self.of_tool - 1 };
        }
    }

    /// Whether the device's own lines have heads, by which they are told from what people write between them.
    pub fn has_own(&self) -> bool {
        self.has_own
    }

    /// A line without letters ends what stood under a heading.
    pub fn blank(&mut self) {
        self.is_under = false;
        self.of_tool = 0;
    }
}

/// Whether a line has a prompt and a word behind it.
fn may_be_command(line: &[u8]) -> bool {
    let head = &line[..line.len().min(PROMPT)];
    let is_prompt = |pair: &[u8]| matches!(pair, [b'$' | b'%' | b'#' | b'>', b' ' | b'a'..=b'z']);
    head.windows(2).any(is_prompt)
}

/// Whether a line is a heading, and then whether it is one of such a part.
fn heading(line: &[u8], is_in_trouble: impl Fn() -> bool) -> Option<bool> {
    let [first, second, ..] = line else {
        return None;
    };
    let is_ruled = first == second && matches!(first, b'=' | b'#' | b'*' | b'-');
    let end = line.trim_ascii_end();
    let end = end.strip_suffix(b")").unwrap_or(end);
    let is_followed = end.ends_with(b":");
    let is_remark = *first == b'#' && *second == b' ';
    if line.len() > LONGEST || !(is_ruled || is_followed) {
        return None;
    }
    let is_own = || OWN.is_match(line);
    let is_of_another = (OF_ANOTHER.is_match(line) && !is_own())
        || (BESIDE.is_match(line) && !is_own() && is_in_trouble());
    (is_ruled || is_remark || is_of_another).then_some(is_of_another)
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
                line if compared.takes(line, || true) => taken.push(line),
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
        for heading in [
            "-- a plug of lot 7 on the same table --",
            "(same sketch, other token, same server:)",
            "# same box taken home, other wlan:",
            "### unit B, same app, pairs at once",
            "== das andere Gerät daneben ==",
            "-- old firmware, same board --",
            "with my phone's hotspot it works:",
        ] {
            assert_eq!(taken(&[line, heading, line]), [heading, line], "{heading}");
        }
        let heading = "good one of same lot:";
        assert_eq!(taken(&[line, heading, line, "", line]), [heading, line]);
        for plain in [
            "--- idf_monitor on COM7 115200",
            "Good signal:",
            "state:",
            "-- log from today, same firmware, I didn't change anything --",
            "-- same plug, iPhone of the installer --",
        ] {
            assert!(taken(&[plain, line]).is_empty(), "{plain}");
        }
    }
}
