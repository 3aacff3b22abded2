//! Names that begin or end with a blank: by the signs around them, or by a length that is told with them and
//! is one more than theirs.

use std::sync::LazyLock;

use regex::bytes;

use crate::expression::Expression;
use crate::meant::words;

/// Bytes of a network's name.
const LONGEST: usize = 32;
/// Bytes before a name in which a word tells that it is one.
const BEFORE: usize = 40;
/// Blanks at the ends of a name; more of them are a column's.
const MOST: usize = 2;

/// What stands directly before the sign that a network's name begins with.
static TELLS: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:ssid\w*|\b(?:name|network|net|wi-?fi|wlan|ap|access point|join\w*|look\w*(?: for)?|search\w*(?: for)?|connect\w*(?: to| with)?|netz\w*|red|r\xC3\xA9seau|credentials?)\b)[^\w\n]{0,6}(?:len\w*[^\w\n]{0,3})?(?:\d{1,2}[^\w\n]{1,4})?$",
    )
});

/// The same before a bracket, in which firmware puts all kinds of states.
static TELLS_OF_BRACKET: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)(?:ssid|\b(?:network|net|join\w*)\b)[^\w\n]{0,4}$"));

/// A name, and its length before or behind it.
static LENGTH: Expression = Expression::new(
    r#"(?i)(?:ssid|\b(?:network|net|wi-?fi|wlan|ap|name|join\w*))(?:[\[( ]{1,2}(?:len\w*[ :=]{1,2})?(\d{1,2})[\])]{1,2})?[ :=]{1,3}(?:"([^"\n]{1,32})"|'([^'\n]{1,32})'|<([^>\n]{1,32})>|([^\s"'<>,;()\[\]]{2,32}))(?:[ ,;]{0,2}[\[(](?:\w{0,5}len\w*[ :=]{1,2})?(\d{1,2})(?: ?(?:bytes?|chars?|octets?))?[\])]|[ ,;(]{1,3}\w{0,5}len\w*[ :=]{1,2}(\d{1,2})\b|[ ,;(]{1,3}(\d{1,2}) ?(?:bytes?|chars?|octets?)\b)?"#,
);

/// The name of a network in a line that begins or ends with a blank.
pub fn name_in(text: &str) -> Option<&str> {
    let mut from = 0;
    while let Some((at, open)) = opening(text, from) {
        let start = at + open.len_utf8();
        let close = closing(open);
        let rest = &text[start..];
        let near = &rest[..rest.floor_char_boundary(LONGEST + 8)];
        let Some(length) = near.find(close) else {
            from = start;
            continue;
        };
        let name = &rest[..length];
        let before = &text.as_bytes()[at.saturating_sub(BEFORE)..at];
        let tells = || match open {
            '[' => TELLS_OF_BRACKET.is_match(before),
            _ => TELLS.is_match(before),
        };
        if has_blank_end(name) && tells() {
            return Some(name);
        }
        // A bracket may have a name within.
        from = match open {
            '[' | '<' => start,
            _ => start + length + 1,
        };
    }
    None
}

/// The name of a network in a line that tells its length as one more than it looks: with a blank at its end.
pub fn longer_in(text: &str) -> Option<String> {
    if !may_tell_length(text.as_bytes()) {
        return None;
    }
    let found = LENGTH.captures(text)?;
    let first = |groups: &[usize]| groups.iter().find_map(|group| found.get(*group));
    let length: usize = first(&[1, 6, 7, 8])?.as_str().parse().ok()?;
    let name = first(&[2, 3, 4, 5])?.as_str();
    (length == name.len() + 1 && !has_blank_end(name)).then(|| format!("{name} "))
}

/// The next sign that a name may stand behind.
fn opening(text: &str, from: usize) -> Option<(usize, char)> {
    let is_letter = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        before.is_some_and(u8::is_ascii_alphanumeric)
    };
    // By bytes, which is faster; signs of more than one begin with one of the last two.
    let mut bytes = text.as_bytes().iter().enumerate().skip(from);
    bytes.find_map(|(at, byte)| match byte {
        b'"' | b'<' | b'[' => Some((at, char::from(*byte))),
        // An apostrophe stands within a word.
        b'\'' => (!is_letter(at)).then_some((at, '\'')),
        0xc2 | 0xe2 => {
            let sign = text.get(at..)?.chars().next()?;
            matches!(sign, '«' | '„' | '“').then_some((at, sign))
        }
        _ => None,
    })
}

fn closing(open: char) -> &'static [char] {
    match open {
        '<' => &['>'],
        '[' => &[']'],
        '«' => &['»'],
        '„' | '“' => &['“', '”'],
        '\'' => &['\''],
        _ => &['"'],
    }
}

/// Whether a name begins or ends with a blank, or with the end of a line as it is written in a program.
fn has_blank_end(name: &str) -> bool {
    let bare = name.trim();
    let bare = bare
        .strip_suffix("\\n")
        .or_else(|| bare.strip_suffix("\\r"))
        .unwrap_or(bare);
    let blanks = name.len() - bare.len();
    (1..=MOST).contains(&blanks)
        && name.len() <= LONGEST
        && bare.len() > 1
        && bare.chars().any(char::is_alphabetic)
}

/// Whether a line may tell a length.
fn may_tell_length(text: &[u8]) -> bool {
    let is_figure = |four: &[u8]| {
        matches!(four, [b'(' | b'[', b'0'..=b'9', b')' | b']', ..])
            || matches!(four, [b'(' | b'[', b'0'..=b'9', b'0'..=b'9', b')' | b']'])
    };
    let is_word = |four: &[u8]| {
        four.starts_with(b"len") || four.starts_with(b"Len") || matches!(four, b"byte" | b"char")
    };
    text.windows(4).any(|four| is_figure(four) || is_word(four)) || text.ends_with(b")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_or_ends_with_a_blank_is_found_whatever_the_words_are() {
        for (line, name) in [
            (
                "SETUP phone sends network: name[7]=\"Hall 5 \" key[8]=***",
                "Hall 5 ",
            ),
            ("AIR look for \"Hall \"", "Hall "),
            ("joining ' Hall' ...", " Hall"),
            ("cfg ssid=<Hall > psk=<..>", "Hall "),
            ("[ 12.3] net: join [Hall ]", "Hall "),
            ("wlan „Hall “ wird gesucht", "Hall "),
            (r#"wifi "Hall\n" 8 s"#, r"Hall\n"),
        ] {
            assert_eq!(name_in(line), Some(name), "{line}");
        }
        for line in [
            "ssid \"Hall\" key \"\" ",
            "ssid \"\" key \"\"",
            "[   512][I] wifi [ok ]",
            "say \"Hall \" to him",
            "it's a network of Mia's ",
            "ssid \"Hall          \" ch 6",
        ] {
            assert_eq!(name_in(line), None, "{line}");
        }
    }

    #[test]
    fn a_length_that_is_one_more_tells_a_blank() {
        for line in [
            "phone sends name[5]=\"Hall\"",
            "ssid: Hall (5)",
            "got ssid \"Hall\", len 5",
            "network=Hall 5 bytes",
            "ssid=\"Hall\" ssid_len=5",
        ] {
            assert_eq!(longer_in(line).as_deref(), Some("Hall "), "{line}");
        }
        for line in [
            "ssid: Hall (4)",
            "name[4]=\"Hall\"",
            "ssid Hall",
            "Hall (5)",
        ] {
            assert_eq!(longer_in(line), None, "{line}");
        }
    }
}
