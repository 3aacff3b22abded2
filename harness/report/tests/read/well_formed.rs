//! JUnit's XML is well-formed, whatever a device sends.

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event as Xml;
use report::{AttemptResult, junit};
use serde_json::json;
use trace::{Event, Level, LogLine, Payload, Verdict};

use crate::world::{World, attempt, case, failure};

/// All character data and attribute values of `xml`, which must be well-formed.
fn texts(xml: &str) -> Vec<String> {
    // The production Char of XML 1.0, which quick-xml does not check.
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let mut texts = Vec::new();
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_comments = true;
    let mut open = 0;
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Xml::Start(tag) | Xml::Empty(tag) => {
                open += usize::from(matches!(event, Xml::Start(_)));
                for attribute in tag.attributes() {
                    let value = attribute.unwrap().value;
                    let value = std::str::from_utf8(&value).unwrap();
                    assert!(!value.contains('<'), "{value:?}");
                    texts.push(unescape(value).unwrap().into_owned());
                }
            }
            Xml::End(_) => open -= 1,
            Xml::Text(text) => {
                let text = std::str::from_utf8(text).unwrap();
                assert!(!text.contains("]]>"), "{text:?}");
                texts.push(unescape(text).unwrap().into_owned());
            }
            Xml::GeneralRef(reference) => {
                let name = std::str::from_utf8(reference).unwrap();
                texts.push(unescape(&format!("&{name};")).unwrap().into_owned());
            }
            Xml::CData(data) => texts.push(std::str::from_utf8(data).unwrap().to_owned()),
            Xml::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0, "{xml}");
    for text in std::iter::once(xml).chain(texts.iter().map(String::as_str)) {
        assert!(text.chars().all(allowed), "{text:?}");
    }
    texts
}

/// A report in which `text` stands wherever a device or a scenario can put it.
fn report_with(text: &str) -> String {
    let world = World::new();
    let line = LogLine {
        level: Level::Error,
        tag: text.to_owned(),
        text: text.to_owned(),
        device_ms: Some(200),
        place: None,
    };
    let event = Event {
        seq: 0,
        lab_us: 200_000,
        wall_us: 200_000,
        source: LogLine::SOURCE,
        device: Some("device".to_owned()),
        kind: LogLine::KIND.to_owned().into(),
        data: json!(line).into(),
    };
    let folder = world.attempt_folder("attempt", &[event]);
    let mut summary = world.summary();
    summary.cases.clear();
    for verdict in [
        Verdict::Failed,
        Verdict::Broken,
        Verdict::Flaky,
        Verdict::Skipped,
    ] {
        let mut case = case("case", verdict);
        case.case = text.to_owned();
        case.scenario = format!("{text}.yaml").into();
        case.board = text.to_owned();
        if verdict == Verdict::Skipped {
            case.skipped = Some(text.to_owned());
        } else {
            let mut failure = failure();
            failure.label = text.to_owned();
            failure.message = text.to_owned();
            failure.instead = vec![0];
            failure.nearest = None;
            let verdict = match verdict {
                Verdict::Flaky => Verdict::Failed,
                other => other,
            };
            case.attempts.push(AttemptResult {
                failure: Some(failure),
                stderr_tail: vec![text.to_owned()],
                ..attempt("case", 1, verdict, &folder)
            });
        }
        summary.cases.push(case);
    }
    junit::to_xml(&summary).unwrap()
}

#[test]
fn odd_bytes_of_a_log_are_told_visibly() {
    let sent = b"]]> &amp; <b> \x01\x02 \x1b]0;t\x07 \xff\xfe \xef\xbf\xbe end";
    let xml = report_with(&String::from_utf8_lossy(sent));
    let told = "]]> &amp; <b> \\u{1}\\u{2} \\u{1b}]0;t\\u{7} \u{fffd}\u{fffd} \\u{fffe} end";
    let texts = texts(&xml).concat();
    // As name, class, message, property and in the log.
    assert!(texts.matches(told).count() >= 10, "{texts}");
}

#[test]
fn colours_are_left_out_and_nothing_else() {
    assert_eq!(junit::text("\x1b[1;31mred\x1b[0m\n"), "red\n");
    assert_eq!(junit::text("\x1b[2Ja\tb\r"), "\\u{1b}[2Ja\\tb\\r");
    assert_eq!(junit::text("\u{ffff}\u{1ffff}"), "\\u{ffff}\u{1ffff}");
}

/// Characters of every kind, those that mean something to XML and terminals often.
fn anything() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        (0..0x20_u8).prop_map(char::from),
        (0x7f..=0x9f_u8).prop_map(char::from),
        prop::sample::select(vec!['\u{fffd}', '\u{fffe}', '\u{ffff}', '\u{10ffff}']),
        prop::sample::select("<>&\"'][!-?;#x0m/".chars().collect::<Vec<_>>()),
    ];
    prop::collection::vec(character, 0..40).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #[test]
    fn a_report_is_well_formed_whatever_is_in_it(text in anything()) {
        let texts = texts(&report_with(&text));
        let told = junit::text(&text);
        let told = told.trim();
        prop_assert!(told.is_empty() || told.contains('\n') || texts.concat().contains(told));
    }
}
