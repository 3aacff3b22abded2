//! Rows on networks that are heard: how one has a name, and which security it tells.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;

/// Security that firmware does not take unless it is told to: less than WPA2, or WPA3 and 802.1X alone.
static SECURED_OTHERWISE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:open|none|wep|owe|wapi|sae|eap|enterprise|802\.1x|offen)\b|\bTKIP\b|(?:\b|_)WPA3?(?:[_ -]?(?:PSK|SAE|ENT\w*))?(?:\b|_)|\b(?:auth(?:mode)?|enc\w*(?: type)?)\W{1,3}[0125]\b",
    )
});
static TAKEN: LazyLock<Regex> = LazyLock::new(|| words(r"(?i)WPA2|WPA/WPA2|RSN|CCMP|AES"));

/// Words that a network's name goes on with which is another one beside it.
static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^[ _-]?(?:gast\w*|guest\w*|5 ?g\w*|2\.?4\w*|ext\w*|iot|mesh|plus|invitad\w*|repeater)\b",
    )
});

/// What stands behind the name of a network in a row on it, rather than the rest of the name.
static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r#"(?i)^(?:$|["'>)\]|,;:\t(*}]|  | [-\[(|:/=]| (?:ch\b|chan|rssi|signal|sig\b|wpa|wep|open\b|auth|enc|bssid|mac\b|[0-9a-f]{2}:[0-9a-f]{2}))"#,
    )
});

/// A word that stands before a network's name and is no part of it.
static COLUMN: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)^(?:\W*(?:e?ssid|name|networks?|net|netz|wlan|wi-?fi|ap|access|point|found|scan\w*|heard|seen|sees|saw|got|red|is|gefunden|result|app|[diwev])\W*|.*_.*)$",
    )
});

/// How a row has a name.
#[derive(Clone, Copy, PartialEq)]
pub enum Has {
    Whole,
    /// As the beginning of another one.
    Beginning,
}

/// How a row has a name.
pub fn has(row: &str, name: &str) -> Option<Has> {
    let opens = |before: u8| b" \t\"'<[(:=|#,*`/".contains(&before);
    let places = row.match_indices(name).filter(|(at, _)| {
        let before = at.checked_sub(1).map(|at| row.as_bytes()[at]);
        before.is_none_or(opens) && !is_end_of_name(&row[..*at])
    });
    let mut all = places.filter_map(|(at, _)| {
        let behind = &row.as_bytes()[at + name.len()..];
        if BEHIND.is_match(behind) {
            return Some(Has::Whole);
        }
        let is_cut =
            matches!(behind, [b' ' | b'&' | b'+' | b'%' | b'#' | b'\\', next, ..] if !next.is_ascii_digit());
        (is_cut && !BESIDE.is_match(behind)).then_some(Has::Beginning)
    });
    let first = all.next()?;
    Some(if all.any(|has| has == Has::Whole) {
        Has::Whole
    } else {
        first
    })
}

/// Whether what stands before a name in a row is the beginning of a longer one: a word of which nothing tells
/// that it is a column's.
fn is_end_of_name(before: &str) -> bool {
    let Some(words) = before.strip_suffix(' ') else {
        return false;
    };
    let last = words.rsplit([' ', '|', '"', '\'', ',', '\t']).next();
    let last = last.unwrap_or_default();
    last.ends_with(char::is_alphabetic) && !COLUMN.is_match(last.as_bytes())
}

/// Whether a line has a name and what follows it in a row.
pub fn goes_on_as(given: &str, row: &str, name: &str) -> bool {
    let rest = row.find(name).map(|at| &row[at + name.len()..]);
    let word = rest.and_then(|rest| rest.get(1..)?.split([' ', '(', '"', '\'']).next());
    let place = given.find(name).map(|at| &given[at + name.len()..]);
    let behind = place.and_then(|behind| behind.get(1..));
    behind
        .zip(word)
        .is_some_and(|(behind, word)| !word.is_empty() && behind.starts_with(word))
}

/// Whether a row tells such a security, and none that is taken.
pub fn is_secured_otherwise(row: &str) -> bool {
    SECURED_OTHERWISE.is_match(row.as_bytes()) && !TAKEN.is_match(row.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_whole_or_as_a_beginning_in_rows_of_every_form() {
        for row in [
            "Depot (-39)*Encryption Type: 2 WIFI_AUTH_WPA_PSK",
            "  Depot            -47  ch 6   WPA2_PSK",
            "#0 Depot         5e:a6:e6:10:77:c0 ch 1  rssi -58",
            r#"{"ssid":"Depot","rssi":-58,"auth":3}"#,
            "scan: 'Depot' -61 dBm",
            "* Depot | 6 | -61 | WPA2",
            "SSID: Depot, RSSI: -40",
            "I (9) scan: AP Depot -40",
            "2 Depot -40",
        ] {
            assert!(has(row, "Depot") == Some(Has::Whole), "{row}");
        }
        for row in ["  Depot Huber      -47  ch 6", "2: Depot&Sons (-61)*"] {
            assert!(has(row, "Depot") == Some(Has::Beginning), "{row}");
        }
        for row in [
            "Cafe Depot                  2c:91:ab:40:6e:1f  -47",
            "1 | Our Depot | 6 | -61 | WPA2",
            "  Depot-5      -47",
            "  MyDepot -47",
            "  Depot Guest  -61",
            "  Depot5 -60",
        ] {
            assert!(has(row, "Depot").is_none(), "{row}");
        }
    }

    #[test]
    fn security_that_firmware_does_not_take_is_known() {
        for row in [
            "a (-39) WIFI_AUTH_WPA_PSK",
            "a -40 OPEN",
            "a -40 auth 2 pair TKIP",
            "a -40 WPA3-SAE",
        ] {
            assert!(is_secured_otherwise(row), "{row}");
        }
        for row in [
            "a (-39) WPA2_PSK",
            "a -40 WPA/WPA2",
            "a -40 auth 3 pair CCMP",
            "a -40 ch 6",
        ] {
            assert!(!is_secured_otherwise(row), "{row}");
        }
    }
}
