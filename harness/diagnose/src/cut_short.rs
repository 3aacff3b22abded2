//! An object of JSON that a device sends and that ends in its middle.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::expressions::Expressions;
use crate::meant::words;
use crate::rules::Pattern;

/// What a rule looks for in place of such a line.
const WORDS: &str = "payload ends in its middle";
/// Bytes of an object from which on it may be cut.
const SHORTEST: usize = 48;

static SENDS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:pub(?:lish\w*)?|tx|sends?|sending|sent|post(?:ing)?|up(?:link)?|payload|telemetry|telemetria|gesendet|sende|enviando|envoi)\b",
    )
});

/// Adds what a rule looks for to what was found in a line with such an object.
pub fn add(found: &mut Vec<Pattern>, line: &str, set: &Expressions) {
    if is_cut(line) {
        set.add_found_in(WORDS.as_bytes(), found);
    }
}

fn is_cut(line: &str) -> bool {
    let Some(at) = line.find("{\"") else {
        return false;
    };
    let object = &line[at..];
    object.len() >= SHORTEST && !ends(object) && SENDS.is_match(&line.as_bytes()[..at])
}

/// Whether an object ends, with each text and each object in it.
fn ends(object: &str) -> bool {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for byte in object.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'{' | b'[' if !is_quoted => depth += 1,
            b'}' | b']' if !is_quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return true;
                }
            }
            _ => {}
        }
    }
    // What a logger cuts ends in points.
    object.ends_with("...") || object.ends_with('\u{2026}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_sent_and_does_not_end_is_cut() {
        let cut = r#"pub 127 {"temp":7.31,"hum":81.40,"press":961.22,"wind":3.42,"uv":0.4"#;
        assert!(is_cut(cut));
        assert!(!is_cut(&format!("{cut}}}")));
        assert!(!is_cut(&format!("{cut}...")));
        assert!(!is_cut(&cut.replace("pub", "got")));
        assert!(!is_cut(r#"tx {"a":1"#));
    }
}
