//! Lines of every format, alone and between other bytes.

use std::cell::Cell;

use proptest::prelude::*;
use trace::Level;

use super::starts::LONGEST_HEAD;
use super::*;

mod ends;

/// A line of a format, and what it says.
#[derive(Clone, Copy, Debug)]
struct Sample {
    dialect: Dialect,
    line: &'static str,
    level: Option<Level>,
    tag: Option<&'static str>,
    device_ms: Option<u64>,
    text: &'static str,
}

/// `line ¦ level ¦ tag ¦ ms ¦ text`, below the name of the format.
const LINES: &str = include_str!("lines.txt");

fn samples() -> Vec<Sample> {
    let mut dialect = None;
    let mut samples = Vec::new();
    for row in LINES.lines() {
        if let Some(heading) = row.strip_prefix("# ") {
            let name = heading.split(',').next().expect("a name");
            let named = DIALECTS
                .iter()
                .find(|dialect| format!("{dialect:?}") == name);
            dialect = Some(*named.unwrap_or_else(|| panic!("{heading}")));
            continue;
        }
        let columns: Vec<&str> = row.split(" ¦").collect();
        let [line, level, tag, device_ms, text] = columns[..] else {
            panic!("{row}")
        };
        let value =
            |column: &'static str| Some(column.trim_start()).filter(|column| *column != "-");
        let letter = value(level).map(|letter| letter.as_bytes()[0]);
        samples.push(Sample {
            dialect: dialect.expect("a heading before it"),
            line,
            level: letter.map(|letter| esp_idf::level(letter).expect("a level")),
            tag: value(tag),
            device_ms: value(device_ms).map(|ms| ms.parse().expect("ms")),
            text: text.strip_prefix(' ').unwrap_or(text),
        });
    }
    samples
}

/// The lines whose head is one in the middle of other text, too.
fn strong_samples() -> Vec<Sample> {
    let mut samples = samples();
    samples.retain(|sample| is_strong(sample.line.as_bytes()));
    samples
}

/// Whether `head` is that of `sample`. Without a tag, a colon that follows makes one of what was text,
/// and a place or a number at the end may go on.
fn is_kept(head: &Head<'_>, sample: &Sample) -> bool {
    head.level == sample.level
        && (sample.tag.is_none() || head.tag == sample.tag && head.text.starts_with(sample.text))
}

fn records(line: &str) -> Vec<Head<'_>> {
    let of_record = |part| match part {
        Part::Record(head) => Some(head),
        Part::Plain(_) => None,
    };
    parts(line, None)
        .into_iter()
        .filter_map(of_record)
        .collect()
}

#[test]
fn every_format_has_level_tag_time_and_text() {
    for sample in samples() {
        let found = records(sample.line);
        let [head] = &found[..] else {
            panic!("{}: {found:?}", sample.line)
        };
        let wanted = Head {
            dialect: sample.dialect,
            level: sample.level,
            tag: sample.tag,
            device_ms: sample.device_ms,
            text: sample.text,
        };
        assert_eq!(*head, wanted, "{}", sample.line);
    }
}

#[test]
fn every_format_has_samples() {
    for dialect in DIALECTS {
        assert!(
            samples().iter().any(|sample| sample.dialect == dialect),
            "{dialect:?}"
        );
    }
}

#[test]
fn two_heads_in_one_line_are_two_records() {
    let line = "[ 12000][I][core0.cpp:36] update(): m01_01[ 12001][E][core1.cpp:36] update(): m02";
    let found = records(line);
    let shown: Vec<_> = found.iter().map(|head| (head.level, head.text)).collect();
    assert_eq!(
        shown,
        [(Some(Level::Info), "m01_01"), (Some(Level::Error), "m02")]
    );
}

#[test]
fn a_banner_behind_a_cut_line_is_a_part_of_its_own() {
    let found = parts("I (9) x: vaddr=3fc93cESP-ROM:esp32s3-20210327", None);
    assert_eq!(found[1], Part::Plain("ESP-ROM:esp32s3-20210327"));
}

#[test]
fn lines_in_no_format_stay_plain() {
    for line in [
        "",
        "é",
        "[é] x",
        "I (x) app",
        "[abc] x",
        "[2019-04-24-14:37:26]",
        "iotx_mc_connect(2768): mqtt connect success!",
        "/* 0x0010 */ 0x41, 0x42,    // AB",
        "state: 2 to 3",
        "reconnecting",
        "ip: 1.2.3.4",
        "Error: SSL errors",
        "[1]<D> five digits or less",
        "[12345] <inf> no cycles",
        "12:00:00 no component",
        "E (1-2) app: no time",
        "[E][a:1]: a line has three digits",
        "[warn] f(1): x",
        "Traceback (most recent call last): in prose",
        "[",
        "[12]<X> x",
        "[12]<I x",
        "I () app: text",
        "X (1) app: text",
    ] {
        assert_eq!(records(line), [], "{line}");
    }
}

thread_local! {
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// So many bytes were looked at again.
pub(super) fn count(bytes: usize) {
    WORK.with(|work| work.set(work.get() + bytes));
}

#[test]
fn the_work_grows_with_the_line_and_not_with_its_square() {
    let work = |line: &str| {
        WORK.with(|work| work.set(0));
        parts(line, None);
        WORK.with(Cell::get)
    };
    for bad in [
        "[1][E][",
        "E (1) ",
        "[000001]<I>",
        "[inf] f(1):",
        "[1] <",
        "[2026-01-02T",
        "WARN (1) - ",
        "rst:0x",
        "[",
        "[12:34:56]",
        "[1.000000] [ 1]",
        "[D][a:123][",
        "é",
        "E [",
    ] {
        let (short, long) = (bad.repeat(2_000), bad.repeat(4_000));
        let (short, long) = (work(&short), work(&long));
        assert!(
            5 * long <= 11 * short + LONGEST_HEAD,
            "{bad}: {short}, then {long}"
        );
    }
}

#[test]
fn one_format_alone_takes_the_others_for_text() {
    let line = "[inf] f(2): half E (1) app: whole";
    let shown = |only| match &parts(line, Some(&[only]))[..] {
        [Part::Record(head)] => vec![head.text.to_owned()],
        [Part::Plain(text), Part::Record(head)] => vec![(*text).to_owned(), head.text.to_owned()],
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(Dialect::Linkkit), ["half E (1) app: whole"]);
    assert_eq!(shown(Dialect::EspIdf), ["[inf] f(2): half ", "whole"]);
}

#[test]
fn formats_with_a_head_that_prose_has_not_are_found_in_the_middle_of_lines() {
    use Dialect::{AliOs, Arduino, EnvLogger, EspHome, EspIdf, EspPrintln, Linkkit, NuttX, Zephyr};
    for dialect in [
        EspIdf, Arduino, EspHome, Linkkit, AliOs, Zephyr, NuttX, EspPrintln, EnvLogger,
    ] {
        let found = strong_samples()
            .iter()
            .filter(|sample| sample.dialect == dialect)
            .count();
        assert!(found > 0, "{dialect:?}");
    }
}

#[test]
fn a_stamp_before_a_record_in_the_middle_of_a_line_is_part_of_neither() {
    let line = "[2026-11-28-07:35:07][1]<D> a [2026-11-28-07:35:07][000002]<I> b";
    let found = parts(line, None);
    assert_eq!(found[0], Part::Plain("[2026-11-28-07:35:07][1]<D> a "));
    assert!(
        matches!(&found[1], Part::Record(head) if head.text == "b" && head.device_ms == Some(2))
    );
    assert_eq!(found.len(), 2);
    let line = "[2026-11-28-07:35:07][000001]<D> a [2026-11-28-07:35:07][000002]<I> b";
    let texts: Vec<_> = records(line).iter().map(|head| head.text).collect();
    assert_eq!(texts, ["a ", "b"]);
}

#[test]
fn a_stamp_alone_says_nothing() {
    for line in ["[2019-04-24-14:37:26]", "07:35:07.004 -> ", "[07:35:07] "] {
        assert_eq!(parts(line, None), [Part::Plain("")], "{line}");
    }
}

#[test]
fn a_stamp_stands_before_a_banner_and_before_text_of_the_device_it_is_kept() {
    let banner = "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)";
    for stamp in ["07:35:07.004 -> ", "[12:34:56]"] {
        let line = format!("{stamp}{banner}");
        assert_eq!(
            parts(&line, None).last(),
            Some(&Part::Plain(banner)),
            "{line}"
        );
    }
    let line = "07:35:07.004 -> abort() was called at PC 0x400d1234 on core 0";
    assert_eq!(parts(line, None), [Part::Plain(&line[16..])]);
    let line = "07:35:07 free text";
    assert_eq!(parts(line, None), [Part::Plain(line)]);
}

#[test]
fn a_head_that_a_piece_before_has_given_is_none_in_the_next() {
    let line = "xxE (1) a: oneE (2) b: two";
    let plain = |text| Part::Plain(text);
    assert_eq!(parts_inside(line, 12, None)[0], plain("xxE (1) a: one"));
    // This one was cut in its head.
    assert_eq!(parts_inside(line, 5, None)[0], plain("xx"));
    assert_eq!(parts_inside(line, line.len(), None), [plain(line)]);
    assert_eq!(
        parts_inside("E wifi: in prose", 0, None),
        [plain("E wifi: in prose")]
    );
}

#[test]
fn prompts_alone_are_prompts() {
    for prompt in [
        "esp> ",
        "esp32s3> ",
        "uart:~$ ",
        "nsh> ",
        "> ",
        ">>> ",
        "login: ",
        ">",
        "... ",
    ] {
        assert!(is_prompt(prompt), "{prompt}");
    }
    for text in ["", "state: 1", "a b> ", "x"] {
        assert!(!is_prompt(text), "{text}");
    }
}

/// Text that surrounds a line: anything, and pieces of heads.
#[test]
fn a_place_of_arduinos_does_not_reach_into_the_next_line() {
    let line = "[D][sensor:094]: T 21.5[     9][I][main.cpp:12] setup():I (312) ";
    let first = &records(line)[0];
    assert_eq!(
        (first.dialect, first.tag),
        (Dialect::EspHome, Some("sensor"))
    );
    assert!(first.text.starts_with("T 21.5"), "{}", first.text);
}

fn surrounding() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[EWIDV\\[\\] ()<>0-9:.,a-z\\\\-]{0,12}",
        prop::sample::select(samples()).prop_flat_map(|sample| (0..=sample.line.len())
            .prop_map(move |to| { sample.line[..sample.line.floor_char_boundary(to)].to_owned() })),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Lines whose head a word of prose could be (`E wifi: x`, `[inf] x`, `scandone`) are left out: in
    /// the middle of another line they are that line's text. Those stand in the next test.
    #[test]
    fn a_line_keeps_its_level_and_text_whatever_surrounds_it(
        before in surrounding(),
        sample in prop::sample::select(strong_samples()),
        after in surrounding(),
    ) {
        let line = format!("{before}{}{after}", sample.line);
        let kept = records(&line).iter().any(|head| is_kept(head, &sample));
        prop_assert!(kept, "{:?}: {:?}", line, parts(&line, None));
    }

    /// A format that tells its lines by their whole text has no text behind them.
    #[test]
    fn a_line_of_every_format_keeps_its_level_behind_stamps_and_a_prompt_and_before_any_text(
        stamps in prop::collection::vec(
            prop::sample::select(vec!["07:35:07.004 -> ", "2026-11-28 07:35:07 ", "[12:34:56]"]),
            0..2,
        ),
        prompt in prop::sample::select(vec!["", "esp32> ", "uart:~$ "]),
        sample in prop::sample::select(samples()),
        after in any::<String>(),
    ) {
        let is_whole = matches!(sample.dialect, Dialect::Esp8266 | Dialect::MicroPython)
            || sample.line.starts_with("---");
        let after = if is_whole { "" } else { &after };
        // A line that has its own stamp has no room for more.
        let is_bare = table::head(sample.line, None).is_some();
        let before = if is_bare { format!("{}{prompt}", stamps.concat()) } else { String::new() };
        let line = format!("{before}{}{after}", sample.line);
        let found = records(&line);
        prop_assert!(found.first().is_some_and(|head| is_kept(head, &sample)), "{:?}: {:?}", line, found);
    }

    #[test]
    fn no_text_panics(line in "[EWI\\[\\] ()<>0-9:.a-zé>-]{0,80}") {
        let found = parts(&line, None);
        prop_assert!(!found.is_empty());
        for part in &found {
            event(part, None);
        }
        row(&line);
        exception(&line);
    }
}
