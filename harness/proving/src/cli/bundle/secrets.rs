//! What must not leave the house.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::pack::Files;

/// Findings that are told one by one.
const SHOWN: usize = 20;
/// What stands in a secret's place.
const REPLACED: &str = "<removed>";

/// A value that a name says is secret, in quotes up to their end. What a trace has replaced already
/// (`<passphrase home>`), and what a device has masked (`b****e`), is none.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r#"(?i)(\b(?:\w+_)?(?:passphrase|password|passwd|psk|secret|secret_?key|access_?token|api_?key|private_?key|pop)\\?["']?\s*[=:]\s*)(\\?["'][^"'\\<*\n][^"'\\*\n]{3,}|[^\s"'\\,;}<>*{(\[][^\s"'\\,;}<>*]{3,})"#,
    )
});

/// The passphrase as ESP-IDF's provisioning prints it, which ends with the line.
static PRINTED: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?m)(\bPassword\s+: )([^<*\s][^*\r\n]{3,})\r?$"));

/// A private key in PEM, also with its line feeds escaped.
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\\\s]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?",
    )
});

fn expression(text: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the expressions are part of the program"
    )]
    Regex::new(text).expect("the expression is sound")
}

/// Where something looks like a secret.
pub struct Found {
    path: String,
    line: usize,
    what: String,
}

/// Looks for secrets in the files, and replaces them if `replace`. Scenarios are passed over but for private
/// keys: they name roles, and values of theirs are made for the test.
pub fn look(files: &mut Files, replace: bool) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, bytes) in files.iter_mut() {
        let mut expressions: Vec<(&Regex, bool)> = vec![(&*KEY, false)];
        if !path.contains("/scenario/") {
            expressions.extend([(&*PRINTED, true), (&*NAMED, true)]);
        }
        let mut lines = BTreeSet::new();
        for (expression, named) in expressions {
            let (mut at, mut line) = (0, 1);
            for captures in expression.captures_iter(bytes) {
                let begins = captures.get(0).map_or(0, |all| all.start());
                line += bytes[at..begins]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                at = begins;
                if lines.insert(line) {
                    found.push(Found {
                        path: path.clone(),
                        line,
                        what: what(&captures, named),
                    });
                }
            }
            if replace {
                let by = |captures: &Captures<'_>| replacement(captures, named);
                *bytes = expression.replace_all(bytes, by).into_owned();
            }
        }
    }
    found
}

/// A scenario without private keys, which have no place in one.
pub fn without_keys(bytes: Vec<u8>) -> Vec<u8> {
    KEY.replace_all(&bytes, REPLACED.as_bytes()).into_owned()
}

fn what(captures: &Captures<'_>, named: bool) -> String {
    match captures.get(1).filter(|_| named) {
        Some(name) => {
            let name = String::from_utf8_lossy(name.as_bytes());
            name.trim_end_matches(|c: char| !c.is_alphanumeric())
                .to_owned()
        }
        None => "a private key".to_owned(),
    }
}

fn replacement(captures: &Captures<'_>, named: bool) -> Vec<u8> {
    let mut text = Vec::new();
    if named {
        let part = |group| captures.get(group).map_or(&b""[..], |part| part.as_bytes());
        text.extend(part(1));
        // The quote that it begins with; the one that it ends with stands behind it.
        text.extend(part(2).iter().take_while(|byte| b"\\\"'".contains(byte)));
    }
    text.extend(REPLACED.as_bytes());
    text
}

/// What was found, for people; never the secrets themselves.
pub fn told(found: &[Found]) -> String {
    let mut text = "nothing was written, since this looks like secrets:\n".to_owned();
    for found in found.iter().take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}:{}: {}", found.path, found.line, found.what);
    }
    if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
        let _ = writeln!(text, "  and {more} more");
    }
    text.push_str("replace them by --redact, or leave the files out\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        Files::from([("1-a.log".to_owned(), text.as_bytes().to_vec())])
    }

    #[test]
    fn secrets_are_found_by_their_names_and_replaced_without_being_told() {
        let log = "I (5) app: Received Wi-Fi credentials\n\tPassword : kaffeekanne\n\
                   {\"pop\":\"abcd1234\"}\npassphrase = \"four words of it\"\n\
                   -----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
        let mut read = files(log);
        let found = look(&mut read, false);
        assert_eq!(found.len(), 4, "{}", told(&found));
        assert_eq!(read, files(log));
        assert!(
            told(&found).contains("1-a.log:2: Password"),
            "{}",
            told(&found)
        );
        assert!(!told(&found).contains("kaffee"));
        look(&mut read, true);
        let text = String::from_utf8_lossy(&read["1-a.log"]).into_owned();
        for secret in ["kaffeekanne", "abcd1234", "words of it", "MHcCAQEE"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("Password : <removed>"), "{text}");
        assert!(look(&mut read, false).is_empty(), "{text}");
    }

    #[test]
    fn what_is_replaced_or_masked_already_is_no_secret() {
        let mut read = files(
            "\tPassword : <passphrase home>\nFound Wi-Fi Password : b****e\nbad username or password\n\
             {\"kind\":\"token_reported\",\"token\":\"<token 1>\"}\n",
        );
        assert!(look(&mut read, false).is_empty());
    }
}
