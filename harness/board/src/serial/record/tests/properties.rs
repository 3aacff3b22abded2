//! Lines of every format between any bytes.

use proptest::prelude::*;

use super::*;

/// A line, its format, its level, and how its text begins.
type Sample = (&'static [u8], Dialect, Level, &'static str);

/// Lines of every format that has a head which prose has not.
const STRONG: [Sample; 15] = [
    (
        b"E (45012) esp-tls: failed",
        Dialect::EspIdf,
        Level::Error,
        "failed",
    ),
    (
        b"V (14:31:18.532) app: t",
        Dialect::EspIdf,
        Level::Trace,
        "t",
    ),
    (
        b"W (2023-08-15 14:31:18.532) app: d",
        Dialect::EspIdf,
        Level::Warn,
        "d",
    ),
    (
        b"E (1692099078540) app: u",
        Dialect::EspIdf,
        Level::Error,
        "u",
    ),
    (
        b"[  1234][E][W.cpp:155] begin(): no!",
        Dialect::Arduino,
        Level::Error,
        "no!",
    ),
    (b"[E][wifi:0123]: no", Dialect::EspHome, Level::Error, "no"),
    (
        b"[dbg] f(83): Enter",
        Dialect::Linkkit,
        Level::Debug,
        "Enter",
    ),
    (
        b"[018930]<E> res:13",
        Dialect::AliOs,
        Level::Error,
        "res:13",
    ),
    (
        b"[  12.034]<W> net [sal.c#77] : no route",
        Dialect::AliOs,
        Level::Warn,
        "no route",
    ),
    (
        b"[00:00:01.234,567] <err> net: bad",
        Dialect::Zephyr,
        Level::Error,
        "bad",
    ),
    (
        b"[00:00:01.234,567] \x1b[1;33m<wrn> net: bad",
        Dialect::Zephyr,
        Level::Warn,
        "bad",
    ),
    (
        b"\x1b[0m[    1.234000] [CPU0] [ 3] \x1b[31m[ ERROR] init: hi",
        Dialect::NuttX,
        Level::Error,
        "hi",
    ),
    (
        b"WARN (5123) - low",
        Dialect::EspPrintln,
        Level::Warn,
        "low",
    ),
    (
        b"\x1b[33mWARN (5123) - low",
        Dialect::EspPrintln,
        Level::Warn,
        "low",
    ),
    (
        b"[2026-01-02T03:04:05Z ERROR krate::m] te",
        Dialect::EnvLogger,
        Level::Error,
        "te",
    ),
];

/// Lines whose head is one at the beginning of a line alone: in the middle of another, it could
/// be a word of that one.
const WEAK: [Sample; 10] = [
    (
        b"E wifi: no clock",
        Dialect::EspIdf,
        Level::Error,
        "no clock",
    ),
    (
        b"[E][ssl.cpp:36] f(): (-1)",
        Dialect::Arduino,
        Level::Error,
        "(-1)",
    ),
    (
        b"[err] no function",
        Dialect::Linkkit,
        Level::Error,
        "no function",
    ),
    (
        b"<wrn> bt: no time",
        Dialect::Zephyr,
        Level::Warn,
        "no time",
    ),
    (
        b"E: minimal",
        Dialect::ZephyrMinimal,
        Level::Error,
        "minimal",
    ),
    (b"[ EMERG] x: y", Dialect::NuttX, Level::Error, "y"),
    (b"TRACE - a - b", Dialect::EspPrintln, Level::Trace, "a - b"),
    (b"[ERROR krate] e", Dialect::EnvLogger, Level::Error, "e"),
    (
        b"Traceback (most recent call last):",
        Dialect::MicroPython,
        Level::Error,
        "Traceback",
    ),
    (
        b"Error: SSL error -256",
        Dialect::Esp8266,
        Level::Error,
        "Error: SSL error",
    ),
];

/// Lines of formats that tell no level.
const LEVELLESS: [Sample; 2] = [
    (
        b"14:30:16.749-172/38 MQT: t",
        Dialect::Tasmota,
        Level::Info,
        "t",
    ),
    (
        b"state: 2 -> 3 (0)",
        Dialect::Esp8266,
        Level::Info,
        "state: 2 -> 3 (0)",
    ),
];

/// Every sample stands in its format, and each format of the table has one.
#[test]
fn every_format_is_among_the_samples() {
    let samples = [&STRONG[..], &WEAK, &LEVELLESS].concat();
    for (line, dialect, ..) in &samples {
        let text = Text::of(line);
        let found = dialect::parts(text.clean(), None);
        assert!(
            matches!(&found[..], [Part::Record(head)] if head.dialect == *dialect),
            "{found:?}"
        );
    }
    for dialect in dialect::DIALECTS {
        assert!(
            samples.iter().any(|sample| sample.1 == dialect),
            "{dialect:?}"
        );
    }
}

fn is_kept(bytes: &[u8], (_, _, level, text): Sample) -> bool {
    let found = records(SerialLog::Auto, bytes);
    let mut lines = found.iter().map(|record| &record.line);
    lines.any(|line| line.level == level && without_escapes(&line.text).starts_with(text))
}

/// Without what stands for bytes that are no text.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\\x");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.get(2..).unwrap_or_default())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\x1b[]()<>0123456789;:. mEWIDV\r\n\t\xff\0".to_vec()),
    ];
    prop::collection::vec(byte, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_line_keeps_its_level_whatever_bytes_surround_it(
        before in bytes(),
        sample in prop::sample::select(STRONG.to_vec()),
        after in bytes(),
    ) {
        let all = [&before, sample.0, &after].concat();
        prop_assert!(is_kept(&all, sample), "{:?}", records(SerialLog::Auto, &all));
    }

    #[test]
    fn a_line_of_its_own_keeps_its_level_whatever_lines_surround_it(
        before in bytes(),
        noise in prop::collection::vec(prop::sample::select(b"\0\x80\xf8\xff".to_vec()), 0..6),
        sample in prop::sample::select([&STRONG[..], &WEAK, &LEVELLESS].concat()),
        after in bytes(),
    ) {
        let all = [&before, &b"\n"[..], &noise, sample.0, b"\n", &after].concat();
        prop_assert!(is_kept(&all, sample), "{:?}", records(SerialLog::Auto, &all));
    }

    #[test]
    fn a_line_keeps_its_level_and_text_with_noise_inside_its_head(
        sample in prop::sample::select([&STRONG[..], &WEAK, &LEVELLESS].concat()),
        noise in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                prop::sample::select(vec![
                    &b"\0"[..], b"\x80", b"\xf8\xff", b"\x07", b"\x1b[0m", b"\x1b[1;31m", b"\x1b[K",
                ]),
            ),
            1..5,
        ),
    ) {
        prop_assume!(!sample.0.contains(&0x1b));
        let mut line: Vec<&[u8]> = sample.0.chunks(1).collect();
        let mut places: Vec<_> = noise.iter().map(|(at, noise)| (at.index(line.len()), *noise)).collect();
        places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, noise) in places {
            line.insert(at, noise);
        }
        let all = line.concat();
        prop_assert!(is_kept(&all, sample), "{:?} {:?}", all.escape_ascii().to_string(), records(SerialLog::Auto, &all));
    }
}

proptest! {
    #[test]
    fn records_do_not_depend_on_how_bytes_arrive(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                &b"I (12) app: text\r\n"[..],
                &b"\x1b[0;31mE (1) x: y"[..],
                &b"\x1b[0m\n"[..],
                &b"\tindented\n"[..],
                &b"[dbg] f(1): z\n"[..],
                &b"Guru Meditation Error\n"[..],
                &b"\xff\xfe\n"[..],
                &b"\n"[..],
            ]),
            0..20,
        ),
        cut in 1..7_usize,
    ) {
        let bytes = parts.concat();
        let mut cut_up = Records::new(SerialLog::Auto);
        let mut found = Vec::new();
        for chunk in bytes.chunks(cut) {
            cut_up.push(chunk, |record| found.push(record));
        }
        cut_up.flush(|record| found.push(record));
        prop_assert_eq!(found, records(SerialLog::Auto, &bytes));
    }

    #[test]
    fn no_bytes_panic_and_all_text_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for log in [SerialLog::Auto, SerialLog::EspIdf, SerialLog::Linkkit, SerialLog::Plain] {
            let found = records(log, &bytes);
            prop_assert!(found.iter().all(|record| !record.line.tag.is_empty()));
        }
    }
}
