//! Names of networks that look alike and are not: the one that a device was given, and the one that it hears.

mod blanks;

use std::sync::LazyLock;

use regex::bytes;

use crate::expression::Expression;
use crate::meant::words;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on such names.
const LOOKS_ALIKE: &str = "name-looks-alike";
/// The rule on names that differ by a blank at an end.
const BLANK: &str = "name-with-blank";
/// What a device tells that finds no network of the name that it was given.
const NOT_FOUND: [&str; 3] = ["ap-not-found", "portal-ap-not-found", "name-with-odd-signs"];
/// Levels of Zephyr's lines.
const LEVELS: [&str; 4] = ["<inf>", "<wrn>", "<err>", "<dbg>"];
/// Names that are kept.
const MOST: usize = 64;
/// Bytes of a network's name.
const LONGEST: usize = 32;
/// Bytes of a row of a dump from which on it may be a name.
const SHORTEST: usize = 3;
/// What makes a line one on networks.
static ANY: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)ssid|wi-?fi|wlan|network|\bnet\b|netz|\bAP\b|access point|scan|heard|found|rssi|dBm|-\d\d\b|\bch(?:annel)? ?\d|join|credential|WPA|phone|\bapp\b|red\b|r\xC3\xA9seau",
    )
});

/// What makes it one on a network that is heard: its signal or its channel.
static HEARD: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)rssi|dBm|[ (\[,:=|]-\d\d\b|\bch(?:annel|an)?[ :=]?\d|\b(?:heard|scanned|neighbou?r|visible|in range|seen)\b",
    )
});

/// A name in quotes or brackets, or behind a word.
static NAME: Expression = Expression::new(
    r#""([^"\n]{1,40})"|'([^\n]{1,40})'|„([^“”\n]{1,40})[“”]|«([^»\n]{1,40})»|<([^<>\n]{1,40})>|(?i)\bssid[ :=]{1,3}([^\s"'<\[(,;][^,;()\[\]\n]{0,40})|\bssid[ :=]{1,3}\[([^\]\n]{1,40})\]"#,
)
.in_ascii(
    r#""([^"\n]{1,40})"|'([^\n]{1,40})'|<([^<>\n]{1,40})>|(?i)\bssid[ :=]{1,3}([^\s"'<\[(,;][^,;()\[\]\n]{0,40})|\bssid[ :=]{1,3}\[([^\]\n]{1,40})\]"#,
);

/// A name in the row of a table of the networks that are heard: before the address of its radio, its signal,
/// or its length.
static ROW: Expression = Expression::new(
    r"(?i)^(?:.{0,32}[\]:] )? {0,4}(\S[^\n]{0,31}?)(?: {2,}| +\| +)(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|^ {0,4}\d+ *\| *(\S[^|\n]{0,31}?) +\d* *\| *\d+ |^ {0,4}\d+[:)] (\S[^\n]{0,31}?) \(-\d{2,3}\)",
);

/// A row of bytes in hexadecimal digits, and nothing else behind the line's head.
static BYTES: Expression = Expression::new(
    r"(?i)(?:^|[\]:)=] ?|\bhex[ :=]*)((?:[0-9a-f]{2}[ :]){2,31}[0-9a-f]{2}) *(?:\||$)",
);

/// The names that a log tells.
#[derive(Debug, Default)]
pub struct Names {
    heard: Vec<(String, Evidence)>,
    wanted: Vec<(String, Evidence)>,
    /// Those of them that begin or end with a blank.
    blank: Vec<(String, Evidence)>,
    /// The last line on a network that is heard.
    last_heard: Option<u64>,
}

impl Names {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let (may_quote, may_dump) = (may_quote(text), may_dump(text));
        if let Some(name) = may_dump.then(|| of_bytes(text)).flatten() {
            let is_heard = self.last_heard.is_some_and(|last| last + 1 == line);
            self.keep(is_heard, name, line, text);
            return;
        }
        if may_be_row(text)
            && let Some(found) = ROW.captures(text)
        {
            let name = found.iter().skip(1).flatten().next();
            if let Some(name) = name {
                self.keep(true, name.as_str().to_owned(), line, text);
            }
            return;
        }
        self.take_blank(line, text);
        if !may_quote || !ANY.is_match(text.as_bytes()) {
            return;
        }
        let is_heard = HEARD.is_match(text.as_bytes());
        if is_heard {
            self.last_heard = Some(line);
        }
        if let Some(found) = NAME.captures(behind_level(text)) {
            let name = found.iter().skip(1).flatten().next();
            if let Some(name) = name {
                self.keep(is_heard, name.as_str().to_owned(), line, text);
            }
        }
    }

    fn take_blank(&mut self, line: u64, text: &str) {
        let is_heard = || HEARD.is_match(text.as_bytes());
        if let Some(name) = blanks::name_in(text) {
            let is_heard = is_heard();
            let is_known = self.blank.iter().any(|(known, _)| known == name);
            if !is_heard && !is_known && self.blank.len() < MOST {
                let evidence = Evidence::of(line, text);
                self.blank.push((name.to_owned(), evidence));
            }
            self.keep(is_heard, name.to_owned(), line, text);
        } else if let Some(name) = blanks::longer_in(text).filter(|_| !is_heard()) {
            // It may count the byte behind the name: it says something beside the name that is heard.
            self.keep(false, name, line, text);
        }
    }

    fn keep(&mut self, is_heard: bool, name: String, line: u64, text: &str) {
        let names = if is_heard {
            &mut self.heard
        } else {
            &mut self.wanted
        };
        let is_known = names.iter().any(|(known, _)| *known == name);
        if !is_known && names.len() < MOST && name.len() <= LONGEST + 8 {
            let evidence = Evidence::of(line, text);
            names.push((name, evidence));
        }
    }

    /// What explains that no network of the name was found: one is heard whose name only looks the same.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
        if !NOT_FOUND.contains(&cause.id.as_str()) {
            return None;
        }
        self.alike(|_| true)
    }

    /// The same in a log that tells no more than that the device came into no network, or not even that,
    /// whatever the words of its firmware are. Without a network that is heard, a name that begins or ends
    /// with a blank is no more than a possible cause.
    pub fn explain_silence(
        &self,
        cause: Option<&Cause>,
        is_joined_behind: impl Fn(u64) -> bool,
    ) -> Option<Cause> {
        if !cause.is_none_or(says_little) {
            return None;
        }
        let counts = |wants: &Evidence| !is_joined_behind(wants.line);
        self.alike(counts).or_else(|| self.blank(cause, counts))
    }

    /// A name that was given and is not heard, where one is heard that looks the same.
    fn alike(&self, counts: impl Fn(&Evidence) -> bool) -> Option<Cause> {
        let mut alike = self.wanted.iter().filter(|(wanted, wants)| {
            let is_heard = self.is_heard(wanted);
            !is_heard && counts(wants)
        });
        alike.find_map(|(wanted, wants)| {
            let looks = look(wanted);
            let is_same = |(heard, _): &&(String, Evidence)| look(heard) == looks;
            let (heard, hears) = self.heard.iter().find(is_same)?;
            let is_blank = wanted.trim() == heard.trim();
            let rule = rules().named(if is_blank { BLANK } else { LOOKS_ALIKE })?;
            let mut evidence = vec![wants.clone(), hears.clone()];
            evidence.sort_by_key(|evidence| evidence.line);
            Some(told(rule, evidence))
        })
    }

    /// A name that begins or ends with a blank.
    fn blank(&self, cause: Option<&Cause>, counts: impl Fn(&Evidence) -> bool) -> Option<Cause> {
        let mut blank = self.blank.iter();
        let (_, wants) = blank.find(|(name, told)| counts(told) && !self.is_heard(name))?;
        let is_not_found = cause.is_some_and(|cause| NOT_FOUND.contains(&cause.id.as_str()));
        let mut cause = told(rules().named(BLANK)?, vec![wants.clone()]);
        if !is_not_found {
            cause.certainty = Certainty::Possible;
        }
        Some(cause)
    }

    /// The names that the device was given, as far as they are told by their signs.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|(name, _)| name.as_str())
    }

    fn is_heard(&self, name: &str) -> bool {
        self.heard.iter().any(|(heard, _)| heard == name)
    }
}

/// Whether a cause tells no more than that no network was joined, or a trouble that is not known.
fn says_little(cause: &Cause) -> bool {
    let is_of_way = (Stage::Provisioning..=Stage::Join).contains(&cause.stage);
    NOT_FOUND.contains(&cause.id.as_str())
        || cause.id == UNNAMED
        || (is_of_way && cause.is_general())
}

/// A line behind the level in brackets by which Zephyr's lines begin, which is no name.
fn behind_level(text: &str) -> &str {
    let level = LEVELS.iter().find_map(|level| text.find(level));
    level.map_or(text, |at| &text[at + LEVELS[0].len()..])
}

/// Whether a line has a sign that a name may stand behind.
fn may_quote(text: &str) -> bool {
    let is_sign = |byte: u8| matches!(byte, b'"' | b'\'' | b'<' | 0xc2 | 0xe2);
    let is_told = |word: &str| {
        // Quicker than to look where it is.
        let place = text.contains(word).then(|| text.find(word)).flatten();
        let behind = place.map(|at| at + word.len());
        let next = behind.and_then(|behind| text.as_bytes().get(behind));
        matches!(next, Some(b' ' | b':' | b'=' | b'['))
    };
    text.bytes().any(is_sign) || is_told("ssid") || is_told("SSID")
}

/// Whether a line may be a row of a table with a signal in it.
fn may_be_row(text: &str) -> bool {
    let is_figure = |at: usize| matches!(text.as_bytes().get(at + 2), Some(b'2'..=b'9'));
    let has_signal = |sign: &str| {
        let place = text.contains(sign).then(|| text.find(sign)).flatten();
        place.is_some_and(is_figure)
    };
    let is_table = text.contains("  ") || text.contains(" | ");
    (is_table && has_signal(" -")) || has_signal("(-")
}

/// Whether a line ends with bytes in hexadecimal digits.
fn may_dump(text: &str) -> bool {
    let is_byte = |high: u8, low: u8| high.is_ascii_hexdigit() && low.is_ascii_hexdigit();
    match *text.trim_end().as_bytes() {
        [.., b'|'] => true,
        [.., a, b, b' ' | b':', c, d, b' ' | b':', e, f] => {
            is_byte(a, b) && is_byte(c, d) && is_byte(e, f)
        }
        _ => false,
    }
}

/// The name in a row of bytes.
fn of_bytes(text: &str) -> Option<String> {
    let row = BYTES.captures(text)?;
    let byte = |pair: &str| u8::from_str_radix(pair, 16).ok();
    let bytes: Option<Vec<u8>> = row[1].split([' ', ':']).map(byte).collect();
    let name = String::from_utf8(bytes?).ok()?;
    (name.len() >= SHORTEST && !name.contains('\0')).then_some(name)
}

/// How a name looks: without case, blanks at its ends, marks above letters and what stands for other signs.
fn look(name: &str) -> String {
    let mut looks = String::with_capacity(name.len());
    for letter in name.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{b4}' | '`' | '\u{ff07}' => {
                looks.push('\'');
            }
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => looks.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => looks.push('-'),
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' | '_' => looks.push(' '),
            // Signs without a width, and marks above the letter before them.
            '\u{200b}'..='\u{200f}'
            | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{300}'..='\u{36f}' => {}
            '\u{2026}' => looks.push_str("..."),
            'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' | 'а' => looks.push('a'),
            'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'о' => looks.push('o'),
            'ü' | 'ù' | 'ú' | 'û' => looks.push('u'),
            'è' | 'é' | 'ê' | 'ë' | 'е' => looks.push('e'),
            'ì' | 'í' | 'î' | 'ï' => looks.push('i'),
            'с' | 'ç' => looks.push('c'),
            'р' => looks.push('p'),
            'ñ' => looks.push('n'),
            'ß' => looks.push_str("ss"),
            '\u{ff01}'..='\u{ff5e}' => {
                let plain = u32::from(letter) - 0xfee0;
                looks.extend(char::from_u32(plain).map(|letter| letter.to_ascii_lowercase()));
            }
            other => looks.push(other),
        }
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_told_from_others() {
        for (one, other) in [
            ("Mia's Place", "Mia\u{2019}s Place"),
            ("Büro", "Bu\u{308}ro"),
            ("FRITZ!Box 7590", "Fritz!box 7590"),
            ("Depot 5", "Depot\u{a0}5"),
            ("Depot-5", "Depot\u{2013}5"),
            ("Hall", "Hall\u{200b}"),
            ("Cafe", "Café"),
        ] {
            assert_eq!(look(one), look(other), "{one}");
        }
        assert_ne!(look("Depot 5"), look("Depot 6"));
    }

    #[test]
    fn a_name_stands_in_the_rows_of_tables_of_networks() {
        for row in [
            "Depot 5                  2c:91:ab:40:6e:1f  WPA2_AES_PSK   -47    1  144",
            "1    | Depot 5                          7     | 6    | -51  | WPA2-PSK",
            "3: Depot 5 (-61)*",
        ] {
            assert!(may_be_row(row), "{row}");
            let found = ROW.captures(row).unwrap_or_else(|| panic!("{row}"));
            let name = found.iter().skip(1).flatten().next();
            assert_eq!(name.map(|name| name.as_str()), Some("Depot 5"), "{row}");
        }
    }

    #[test]
    fn a_level_is_no_name() {
        let mut names = Names::default();
        names.take(1, "[00:00:01.102,000] <inf> net: wifi connect");
        names.take(2, "[00:00:01.103,000] <inf> net: join <Depot>");
        assert_eq!(names.wanted().collect::<Vec<_>>(), ["Depot"]);
    }

    #[test]
    fn a_row_of_bytes_is_a_name_if_it_is_text() {
        let row = "I (88141) owl: 4d 69 61 e2 80 99 73";
        assert_eq!(of_bytes(row).as_deref(), Some("Mia\u{2019}s"));
        assert_eq!(of_bytes("I (5) app: ff fe 00 80"), None);
        assert_eq!(of_bytes("I (5) app: mac 24:0a:c4:00:00:01"), None);
    }
}
