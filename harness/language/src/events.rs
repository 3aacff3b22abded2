//! Whether a scenario's patterns and captures name what the trace can hold.

use std::collections::BTreeMap;

use serde_json::Value;
use trace::Source;
use trace::catalogue::{self, Kind, Shape, UnknownField};

use super::captures::{CaptureList, references};
use super::mistake::Mistake;
use super::pattern::{Field, Pattern, Vendor, regular_expression};
use super::span::{Placed, Span};

/// What is wrong with `pattern`: a kind that its source has not, a field that the kind has not, a
/// value that the field never has.
pub(super) fn mistakes(pattern: &Pattern) -> Vec<Mistake> {
    let kinds = match kinds(pattern) {
        Ok(kinds) => kinds,
        Err(mistake) => return vec![mistake],
    };
    let fields = pattern.fields.iter();
    fields
        .filter_map(|field| field_mistake(field, &kinds))
        .collect()
}

/// What is wrong with what is captured from an event that matches `pattern`.
pub(super) fn capture_mistakes(pattern: &Pattern, list: &CaptureList) -> Vec<Mistake> {
    // A wrong kind is told once, by `mistakes`.
    let Ok(kinds) = kinds(pattern) else {
        return Vec::new();
    };
    let mistake = |(_, pointer): (&str, &Placed<String>)| {
        if pointer.is_empty() || !pointer.starts_with('/') {
            return None;
        }
        shapes(&kinds, pointer)
            .err()
            .map(|unknown| unknown.mistake(pointer.span))
    };
    list.iter().filter_map(mistake).collect()
}

/// The kinds that `pattern` can match.
fn kinds(pattern: &Pattern) -> Result<Vec<&'static Kind>, Mistake> {
    let of_vendor = |name: &str| {
        pattern.vendor.is_none_or(|vendor| {
            catalogue::is_of_thingsboard(name) == (vendor == Vendor::ThingsBoard)
        })
    };
    let all = catalogue::kinds(pattern.source).iter();
    let all: BTreeMap<&str, &'static Kind> = all
        .filter(|(name, _)| of_vendor(name))
        .map(|(name, kind)| (*name, kind))
        .collect();
    // What a phone receives is the only kind that scenarios can name of CoAP.
    let Some(name) = &pattern.kind else {
        return Ok(all.into_values().collect());
    };
    match all.get(name.value.as_str()) {
        Some(kind) => Ok(vec![*kind]),
        None => {
            // In its short form a kind stands where its pattern does.
            let span = Some(name.span).filter(|span| *span != Span::default());
            let span = span.unwrap_or(pattern.span);
            let what = format!("kind of {} events", word(pattern.source));
            Err(Mistake::unknown(
                Some(span),
                &what,
                name,
                all.keys().copied(),
            ))
        }
    }
}

fn field_mistake(field: &Field, kinds: &[&Kind]) -> Option<Mistake> {
    let mut unknown = None;
    let mut shapes_there = Vec::new();
    for pointer in field.pointers() {
        if !pointer.starts_with('/') {
            return None;
        }
        match shapes(kinds, &pointer) {
            Ok(shapes) => shapes_there.extend(shapes),
            Err(error) => unknown = Some(error),
        }
    }
    if shapes_there.is_empty() {
        return unknown.map(|unknown| unknown.mistake(field.name_span()));
    }
    let mistakes = shapes_there
        .into_iter()
        .map(|shape| value_mistake(field, shape));
    // One kind that takes the value is enough.
    mistakes.collect::<Option<Vec<_>>>()?.into_iter().next()
}

/// Why `field` can never have its value where `shape` stands.
fn value_mistake(field: &Field, shape: &Shape) -> Option<Mistake> {
    let span = field.value.span;
    let wrong = |wanted: &str| {
        let message = format!("`{}` is {wanted}, so this never matches", field.name);
        Some(Mistake::at(span, message))
    };
    match (shape, &field.value.value) {
        (Shape::Choice(words), Value::String(word)) => {
            let is_open = references(word).next().is_some() || regular_expression(word).is_some();
            let known = words.iter().map(String::as_str);
            let what = format!("value of `{}`", field.name);
            (!is_open && !words.contains(word))
                .then(|| Mistake::unknown(Some(span), &what, word, known))
        }
        (Shape::Choice(words), Value::Number(_) | Value::Bool(_)) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            let message = format!("`{}` is a word, so this never matches", field.name);
            Some(Mistake::at(span, message).help(format!("there are: {}", words.join(", "))))
        }
        (Shape::Text, Value::Number(_) | Value::Bool(_)) => {
            let value = &field.value.value;
            let message = format!("`{}` is a text, so this never matches", field.name);
            Some(Mistake::at(span, message).help(format!("write it in quotes: '{value}'")))
        }
        (Shape::Number, Value::Bool(_)) => wrong("a number"),
        (Shape::Flag, Value::Number(_)) => wrong("`true` or `false`"),
        _ => None,
    }
}

/// What stands at `pointer` in those of `kinds` that have it; the mistake if none has.
fn shapes<'k>(kinds: &[&'k Kind], pointer: &str) -> Result<Vec<&'k Shape>, Unknown> {
    let (mut there, mut errors) = (Vec::new(), Vec::new());
    for kind in kinds {
        match kind.shape().at(pointer) {
            Ok(shape) => there.push(shape),
            Err(error) => errors.push(error),
        }
    }
    if !there.is_empty() {
        return Ok(there);
    }
    let of = match kinds {
        [kind] => format!("`{}`", kind.name()),
        _ => kinds.first().map_or_else(String::new, |kind| {
            format!("any {} event", word(kind.source()))
        }),
    };
    Err(Unknown {
        pointer: pointer.to_owned(),
        of,
        errors,
    })
}

/// A pointer that no kind has.
struct Unknown {
    pointer: String,
    of: String,
    errors: Vec<UnknownField>,
}

impl Unknown {
    fn mistake(self, span: Span) -> Mistake {
        // Several kinds fail at different depths; the deepest had most of the pointer.
        let depth =
            |error: &UnknownField| self.pointer.split('/').position(|part| part == error.name);
        let deepest = self.errors.iter().map(depth).max().flatten();
        let errors = self.errors.iter().filter(|error| depth(error) == deepest);
        let mut known: Vec<&str> = errors
            .clone()
            .flat_map(|error| error.known.iter().map(String::as_str))
            .collect();
        known.sort_unstable();
        known.dedup();
        let name = errors
            .map(|error| error.name.as_str())
            .next()
            .unwrap_or_default();
        let message = format!("{} has no field `{}`", self.of, self.pointer);
        let help = match Mistake::unknown(None, "field", name, known.iter().copied()).help {
            Some(help) if !known.is_empty() => help,
            _ => format!("there is nothing below it: leave out `/{name}`"),
        };
        Mistake::at(span, message).help(help)
    }
}

/// What scenarios call `source`.
fn word(source: Source) -> &'static str {
    source.name()
}

#[cfg(test)]
mod tests {
    use crate::{Known, parse};

    /// Place, message and advice of each mistake in a scenario that expects `expect` and lets
    /// `never` never happen.
    fn told(expect: &str, never: &str) -> Vec<String> {
        let text = format!(
            "name: N
world:
  access_points: {{ home: {{}} }}
  cloud: {{ linkkit: {{ profile: seed-2019 }} }}
  devices: {{ device: {{}} }}
  phones: [alice]
steps:
  - expect: {expect}
never:
  - {never}
"
        );
        let Err(mistakes) = parse("n.yaml", &text, &Known::default()) else {
            return Vec::new();
        };
        let told = mistakes.iter().map(|mistake| {
            let span = mistake.span();
            let help = miette::Diagnostic::help(mistake).map(|help| help.to_string());
            let help = help.unwrap_or_default();
            format!("{}:{} {mistake}; {help}", span.line, span.column)
        });
        told.collect()
    }

    const FINE: &str = "{ board: exited }";

    #[test]
    fn a_misspelt_kind_is_a_mistake_for_every_source() {
        for (source, wrong, right) in [
            ("board", "exitd", "exited"),
            ("air", "joind", "joined"),
            ("tls", "handshak", "handshake"),
            ("mqtt", "pubish", "publish"),
            ("provisioning", "exchang", "exchange"),
        ] {
            let told_never = told(
                "{ board: power, within: 1s }",
                &format!("{{ {source}: {wrong} }}"),
            );
            assert_eq!(told_never.len(), 1, "{told_never:?}");
            let wanted =
                format!("unknown kind of {source} events `{wrong}`; did you mean `{right}`?");
            assert!(told_never[0].ends_with(&wanted), "{told_never:?}");
            assert!(told_never[0].starts_with("10:"), "{told_never:?}");
            let told_expect = told(
                &format!("{{ {source}: {{ kind: {wrong} }}, within: 1s }}"),
                FINE,
            );
            assert!(told_expect[0].starts_with("8:"), "{told_expect:?}");
            assert!(told_expect[0].ends_with(&wanted), "{told_expect:?}");
        }
        let told = told("{ cloud: { linkkit: token_reportd }, within: 1s }", FINE);
        assert!(
            told[0].ends_with("did you mean `token_reported`?"),
            "{told:?}"
        );
    }

    #[test]
    fn a_misspelt_pointer_is_a_mistake_where_it_stands() {
        let told = told(
            "{ mqtt: { kind: publish, where: { /tpoic: a, /payload/any/thing: b } }, within: 1s }",
            "{ mqtt: { where: { /tpoic: a } } }",
        );
        assert_eq!(
            told,
            [
                "8:47 `publish` has no field `/tpoic`; did you mean `topic`?",
                "10:24 any mqtt event has no field `/tpoic`; did you mean `topic`?",
            ]
        );
    }

    #[test]
    fn a_pointer_below_what_has_no_fields_is_a_mistake() {
        let told = told(
            "{ tls: { kind: handshake, where: { /cause/x: a, /alert_sent/nam: b } }, within: 1s }",
            FINE,
        );
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("leave out `/x`"), "{told:?}");
        assert!(told[1].ends_with("did you mean `name`?"), "{told:?}");
    }

    #[test]
    fn a_capture_that_the_kind_does_not_have_is_a_mistake() {
        for (expect, advice) in [
            (
                "{ cloud: { linkkit: bound }, capture: { t: /tokne }, within: 1s }",
                "`token`?",
            ),
            (
                "{ log: { text: a }, capture: { t: /txt }, within: 1s }",
                "`text`?",
            ),
            (
                "{ mqtt: publish, capture: { t: /tpoic }, within: 1s }",
                "`topic`?",
            ),
            ("{ air: {}, capture: { t: /sid }, within: 1s }", "`ssid`?"),
        ] {
            let told = told(expect, FINE);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].ends_with(advice), "{told:?}");
        }
        for expect in [
            "{ mqtt: publish, capture: { t: /payload/params/x/0 }, within: 1s }",
            "{ coap: { to: alice }, capture: { t: /json/params/token }, within: 1s }",
            "{ cloud: { linkkit: token_reported }, capture: { t: /params/token }, within: 1s }",
            "{ log: { text: a }, capture: { t: '' }, within: 1s }",
        ] {
            assert_eq!(told(expect, FINE), Vec::<String>::new());
        }
    }

    #[test]
    fn a_value_that_the_field_never_has_is_a_mistake() {
        for (fields, advice) in [
            (
                "tls: { where: { /cause: client-certificate-expird } }",
                "`client-certificate-expired`?",
            ),
            (
                "board: { kind: power, where: { /power: of } }",
                "did you mean `off`?",
            ),
            (
                "mqtt: { kind: publish, where: { /topic: 5 } }",
                "write it in quotes: '5'",
            ),
            (
                "mqtt: { kind: publish, where: { /qos: true } }",
                "this never matches; ",
            ),
            ("tls: { where: { /ok: 1 } }", "this never matches; "),
        ] {
            let told = told(&format!("{{ {fields}, within: 1s }}"), FINE);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].ends_with(advice), "{told:?}");
        }
        for fields in [
            "tls: { where: { /cause: '/^client-/' } }",
            "mqtt: { where: { /qos: '1', /retain: 'true' } }",
            "mqtt: { where: { /payload/on: 5 } }",
        ] {
            let told = told(&format!("{{ {fields}, within: 1s }}"), FINE);
            assert_eq!(told, Vec::<String>::new());
        }
    }

    #[test]
    fn a_misspelt_part_of_a_log_pattern_is_a_mistake() {
        let told = told(
            "{ log: { txet: a }, within: 1s }",
            "{ log: { level: eror } }",
        );
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("8:") && told[0].contains("`text`"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("10:") && told[1].contains("`error`"),
            "{told:?}"
        );
    }

    #[test]
    fn expressions_that_are_too_large_together_are_a_mistake() {
        let each = |letter: char| format!("{{ log: {{ text: '/{letter}\\w{{60}}/' }} }}");
        let list: Vec<_> = ('a'..='z').map(each).collect();
        let expect = format!("{{ any_order: [{}], within: 1s }}", list.join(", "));
        let told = told(&expect, FINE);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("take more than"), "{told:?}");
        assert!(told[0].starts_with("8:"), "{told:?}");
    }
}
