//! What to write in place of YAML that cannot be read, or that says something else than was meant.

use super::mistake::quoted;
use super::tree::{Entry, Kind};

/// What to do about text at which the YAML reader has stopped, `offset` bytes into `text`, with
/// `message`.
pub(super) fn of_yaml(message: &str, text: &str, offset: usize) -> Option<String> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next().unwrap_or_default();
    let before = &text[start..offset];
    if before.trim().is_empty() && (line.starts_with('\t') || message.contains("tabs")) {
        return Some("indent with spaces, not with tabs".to_owned());
    }
    if message.contains("mapping values are not allowed")
        || message.contains("did not find expected ','")
    {
        return colon_in_text(line, before.len()).or_else(|| indent(text, start, line));
    }
    if message.contains("did not find expected key")
        || message.contains("did not find expected '-'")
    {
        return indent(text, start, line);
    }
    None
}

/// Advice for a second `: ` in a value, `at` bytes into `line`.
fn colon_in_text(line: &str, at: usize) -> Option<String> {
    let key_end = line.get(..at)?.rfind(": ")?;
    let key_start = line[..key_end]
        .rfind([' ', '{', ','])
        .map_or(0, |end| end + 1);
    let rest = &line[key_end + 2..];
    let is_in_braces = line[..key_end].contains('{');
    let value_end = match is_in_braces {
        true => rest.find([',', '}']).unwrap_or(rest.len()),
        false => rest.find(" #").unwrap_or(rest.len()),
    };
    let value = rest[..value_end].trim();
    let is_plain =
        !value.is_empty() && !value.starts_with(['"', '\'', '{', '[', '&', '*', '!', '|', '>']);
    is_plain.then(|| {
        let quoted = match value.contains(['"', '\\']) {
            true => format!("'{}'", value.replace('\'', "''")),
            false => format!("\"{value}\""),
        };
        format!(
            "a text that holds a colon and a space stands in quotes: `{}: {quoted}`",
            &line[key_start..key_end]
        )
    })
}

/// Advice for a line whose indent fits to none above it.
fn indent(text: &str, start: usize, line: &str) -> Option<String> {
    let spaces = indent_of(line);
    let above = text[..start]
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    // The one that is nearest: first in its indent, then in the file.
    let (_, model) = above
        .rev()
        .enumerate()
        .min_by_key(|(distance, above)| (indent_of(above).abs_diff(spaces), *distance))?;
    let key = model
        .trim()
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_start_matches("- ");
    let wanted = indent_of(model);
    if wanted == spaces || key.is_empty() {
        return None;
    }
    let plural = if wanted == 1 { "" } else { "s" };
    Some(format!(
        "this line is indented by {spaces}; write {wanted} space{plural} before it, as before `{key}`"
    ))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Advice for a step whose fields stand beside its name instead of below it.
pub(super) fn too_far_left(entries: &[Entry], variants: &[&str]) -> Option<String> {
    let (first, fields) = entries.split_first()?;
    let is_step = matches!(first.value.kind, Kind::Null) && variants.contains(&first.key.as_str());
    let names: Vec<&str> = fields.iter().map(|entry| entry.key.as_str()).collect();
    (is_step && !names.is_empty()).then(|| {
        format!(
            "indent {} by two spaces more than `{}`, of which {} a part",
            quoted(&names),
            first.key,
            if names.len() == 1 {
                "it is"
            } else {
                "they are"
            }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::Node;

    fn advice(text: &str) -> String {
        let mistake = Node::read(text).expect_err(text);
        mistake
            .help
            .unwrap_or_else(|| panic!("no advice: {}", mistake.message))
    }

    #[test]
    fn a_colon_in_a_text_is_put_in_quotes() {
        for (text, wanted) in [
            ("a:\n  text: foo: bar\n", "`text: \"foo: bar\"`"),
            (
                "a: { b: { text: foo: bar }, c: 5s }\n",
                "`text: \"foo: bar\"`",
            ),
            (
                "a:\n  - text: say \"x\": y # why\n",
                "`text: 'say \"x\": y'`",
            ),
            ("a: { text: it's: y, c: 5s }\n", "`text: \"it's: y\"`"),
        ] {
            let advice = advice(text);
            assert!(advice.ends_with(wanted), "{text}: {advice}");
        }
    }

    #[test]
    fn an_indent_that_fits_nowhere_is_told_with_the_one_that_does() {
        for (text, wanted) in [
            (
                "a:\n  b: 1\n   c: 2\n",
                "write 2 spaces before it, as before `b`",
            ),
            (
                "a:\n  b: { c: 1 }\n   d: 2\n",
                "write 2 spaces before it, as before `b`",
            ),
            (
                "a:\n  b: {}\n c: 2\n",
                "write 2 spaces before it, as before `b`",
            ),
            ("a:\n\tb: 1\n", "indent with spaces, not with tabs"),
        ] {
            let advice = advice(text);
            assert!(advice.ends_with(wanted), "{text}: {advice}");
        }
    }
}
