//! Records of every format, whole and damaged.

use proptest::prelude::*;
use trace::RestartCause;

use super::*;

fn records(log: SerialLog, bytes: &[u8]) -> Vec<Record> {
    let mut records = Records::new(log);
    let mut found = Vec::new();
    records.push(bytes, |record| found.push(record));
    records.flush(|record| found.push(record));
    found
}

fn shown(log: SerialLog, bytes: &[u8]) -> Vec<String> {
    records(log, bytes)
        .into_iter()
        .map(|Record { line, .. }| format!("{:?} {}: {}", line.level, line.tag, line.text))
        .collect()
}

#[test]
fn a_coloured_record_goes_on_until_its_colour_ends() {
    assert_eq!(
        shown(
            SerialLog::EspIdf,
            b"\x1b[0;32mI (1) app: Open this:\nhttps://x\n\n\tlast\x1b[0m\nother\n"
        ),
        [
            "Info app: Open this:\nhttps://x\n\tlast",
            "Info uart: other"
        ]
    );
}

#[test]
fn a_record_without_colour_goes_on_with_indented_lines() {
    assert_eq!(
        shown(
            SerialLog::EspIdf,
            b"I (1) app: Got\n\tSSID : a\nE (2) app: b\nraw\n"
        ),
        [
            "Info app: Got\n\tSSID : a",
            "Error app: b",
            "Info uart: raw"
        ]
    );
}

#[test]
fn a_record_whose_colour_never_ends_is_given_in_parts() {
    let mut bytes = b"\x1b[0;32mI (1) app: first\n".to_vec();
    bytes.extend(b"more\n".repeat(3 * MOST_LINES));
    let found = shown(SerialLog::EspIdf, &bytes);
    assert!(found.len() > MOST_LINES, "{}", found.len());
    assert_eq!(found[0].lines().count(), MOST_LINES);
}

#[test]
fn a_panic_is_an_error_and_ends_the_record_before_it() {
    let found = records(
        SerialLog::Auto,
        b"\x1b[0;32mI (1) app: on\nGuru Meditation Error: Core  0 panic'ed\r\nBacktrace: 0x4\n",
    );
    assert_eq!(found[1].line.level, Level::Error);
    assert_eq!(found[1].line.tag, "panic");
    assert!(
        matches!(found[1].event, Some(Event::Crash(_)))
            && found[0].event.is_none()
            && found[2].event.is_none()
    );
}

#[test]
fn auto_knows_each_line_by_itself_and_plain_knows_none() {
    let bytes = b"I (1) app: a\n[inf] f(2): b\n[000003]<W> c\nd\n";
    assert_eq!(
        shown(SerialLog::Auto, bytes),
        [
            "Info app: a",
            "Info f: b",
            "Warn linkkit: c",
            "Info uart: d"
        ]
    );
    assert_eq!(shown(SerialLog::Plain, bytes)[0], "Info uart: I (1) app: a");
    assert_eq!(
        shown(SerialLog::Linkkit, bytes)[..2],
        ["Info uart: I (1) app: a", "Info f: b"]
    );
}

#[test]
fn the_second_piece_of_a_line_has_the_level_and_tag_of_the_first() {
    let mut records = Records::new(SerialLog::Auto);
    let mut found = Vec::new();
    records.push(b"E (1) app: fir", |record| found.push(record.line));
    records.flush(|record| found.push(record.line));
    records.push(b"st\n", |record| found.push(record.line));
    let shown: Vec<_> = found
        .iter()
        .map(|line| (line.level, &*line.tag, &*line.text))
        .collect();
    assert_eq!(
        shown,
        [(Level::Error, "app", "fir"), (Level::Error, "app", "st")]
    );
}

#[test]
fn a_record_behind_a_prompt_that_was_given_has_its_own_level() {
    let mut records = Records::new(SerialLog::Auto);
    let mut found = Vec::new();
    records.push(b"esp32> ", |record| found.push(record.line));
    records.flush(|record| found.push(record.line));
    records.push(b"E wifi: late\nesp32> ", |record| found.push(record.line));
    records.flush(|record| found.push(record.line));
    records.push(b"noiseE (1) app: later\n", |record| found.push(record.line));
    records.flush(|record| found.push(record.line));
    let shown: Vec<_> = found.iter().map(|line| (line.level, &*line.text)).collect();
    assert_eq!(
        shown,
        [
            (Level::Info, "esp32> "),
            (Level::Error, "late"),
            (Level::Info, "esp32> "),
            (Level::Info, "noise"),
            (Level::Error, "later")
        ]
    );
}

#[test]
fn a_text_far_behind_in_a_line_stands_in_one_record() {
    for at in [4090, 8190, 60_000] {
        let line = format!("I (1) app: {}needle\n", "x".repeat(at));
        let found = records(SerialLog::Auto, line.as_bytes());
        assert!(found[0].line.text.ends_with("needle"), "{at}");
    }
}

#[test]
fn a_text_stands_in_one_record_wherever_a_line_is_cut() {
    for before in [
        LONGEST - 60,
        LONGEST - 20,
        LONGEST - 6,
        LONGEST - 1,
        LONGEST,
        2 * LONGEST - 5000,
    ] {
        let line = format!("W (1) app: {}the needle of {before}\n", "x".repeat(before));
        let found = records(SerialLog::Auto, line.as_bytes());
        let needle = format!("the needle of {before}");
        let with = found
            .iter()
            .filter(|record| record.line.text.contains(&needle));
        assert!(with.count() >= 1, "{before}");
        assert!(
            found
                .iter()
                .all(|record| record.line.level == Level::Warn && record.line.tag == "app")
        );
    }
}

#[test]
fn a_head_is_found_once_wherever_a_line_is_cut() {
    for before in LONGEST - 40..LONGEST + 40 {
        let line = format!("I (1) app: {}E (2) net: down\n", "x".repeat(before));
        let found = records(SerialLog::Auto, line.as_bytes());
        let errors: Vec<_> = found
            .iter()
            .filter(|record| record.line.level == Level::Error && record.line.text.contains("down"))
            .collect();
        assert_eq!(errors.len(), 1, "{before}");
        assert_eq!(errors[0].line.tag, "net", "{before}");
    }
}

#[test]
fn a_lone_cr_begins_a_record_and_drops_nothing() {
    assert_eq!(
        shown(
            SerialLog::Auto,
            b"10%\r20%\rE (1) app: x\resp32> E wifi: y\r\r\n\tz\r\n"
        ),
        [
            "Info uart: 10%",
            "Info uart: 20%",
            "Error app: x",
            "Error wifi: y\n\tz"
        ]
    );
}

#[test]
fn noise_inside_a_head_hides_no_level() {
    let found = records(
        SerialLog::Auto,
        b"E (4\xff50\x0012) esp\x1b[0m-tls: fai\xfeled\r\n\xf8E\x80 wifi: x\r\n",
    );
    let line = &found[0].line;
    assert_eq!(
        (line.level, &*line.tag, line.device_ms, &*line.text),
        (Level::Error, "esp-tls", Some(45012), "fai\\xfeled")
    );
    assert!(!found[0].garbage.is_empty());
    assert_eq!(
        (found[1].line.level, &*found[1].line.tag),
        (Level::Error, "wifi")
    );
}

#[test]
fn linkkit_switches_a_colour_off_in_the_next_line() {
    assert_eq!(
        shown(
            SerialLog::Auto,
            b"\x1b[1;36m[dbg] f(83): Enter\r\n\x1b[0m\x1b[1;33m[inf] g(2): on\r\n\x1b[0mprinted\r\n\x1b[1;31m[err] h(3): Request (Length: 5 Bytes)\r\n> hello\r\n< {}\r\nfree\r\n"
        ),
        [
            "Debug f: Enter",
            "Info g: on",
            "Info uart: printed",
            "Debug h: Request (Length: 5 Bytes)\n> hello\n< {}",
            "Info uart: free"
        ]
    );
}

#[test]
fn rows_go_on_with_the_record_before_them() {
    assert_eq!(
        shown(
            SerialLog::Auto,
            b"[00:00:03.000,000] <inf> app: buf\r\n                          48 69   |Hi\r\nfree\r\n[    60][D][l.cpp:9] f(): z\r\n/* 0x0010 */ 0x41, 0x42,    // AB\n"
        ),
        [
            "Info app: buf\n                          48 69   |Hi",
            "Info uart: free",
            "Debug l.cpp:9: z\n/* 0x0010 */ 0x41, 0x42,    // AB"
        ]
    );
    let row = "A".repeat(64);
    let pem = format!(
        "I (1) tls: cert\n-----BEGIN CERTIFICATE-----\n{row}\n{row}\nQUJD\n-----END CERTIFICATE-----\nfree\n"
    );
    let found = shown(SerialLog::Auto, pem.as_bytes());
    assert_eq!(found[0].lines().count(), 6, "{found:?}");
    assert_eq!(found[1], "Info uart: free");
    let json = b"I (1) app: got\n{\n  \"a\": 1\n}\nfree\n";
    assert_eq!(
        shown(SerialLog::Auto, json)[0],
        "Info app: got\n{\n  \"a\": 1\n}"
    );
}

#[test]
fn a_record_ends_at_a_banner_and_at_a_prompt() {
    assert_eq!(
        shown(
            SerialLog::Auto,
            b"I (1) app: x\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\n"
        ),
        [
            "Info app: x",
            "Info uart: ets Jan  8 2013,rst cause:2, boot mode:(3,6)"
        ]
    );
    assert_eq!(
        shown(SerialLog::Auto, b"\x1b[0;32mI (1) app: x\nesp32> \nother\n")[..2],
        ["Info app: x", "Info uart: esp32> "]
    );
}

#[test]
fn a_traceback_of_micropython_is_one_error() {
    let found = records(
        SerialLog::Auto,
        b"Traceback (most recent call last):\r\n  File \"main.py\", line 3, in <module>\r\n  File \"main.py\", line 9, in f\r\nOSError: -202\r\n>>> \r\nhello\r\n",
    );
    let line = &found[0].line;
    assert_eq!((line.level, &*line.tag), (Level::Error, "OSError"));
    assert!(
        line.text
            .ends_with("  File \"main.py\", line 9, in f\nOSError: -202")
    );
    assert_eq!((found[1].line.level, found[1].unread), (Level::Info, false));
    assert_eq!((found[2].line.level, found[2].unread), (Level::Info, true));
}

#[test]
fn formats_without_levels_tell_none() {
    let found = records(
        SerialLog::Auto,
        b"scandone\nip:192.168.1.5,mask:255.255.255.0,gw:192.168.1.1\nError: SSL error -256\n00:00:01.234 WIF: x\n",
    );
    let told: Vec<_> = found
        .iter()
        .map(|record| (record.line.level, record.unread))
        .collect();
    assert_eq!(
        told,
        [
            (Level::Info, true),
            (Level::Info, true),
            (Level::Error, false),
            (Level::Info, true)
        ]
    );
    assert_eq!(found[3].line.tag, "WIF");
}

#[test]
fn what_is_printed_of_a_crash_is_of_the_crash_until_the_chip_starts_anew() {
    let found = records(
        SerialLog::Auto,
        b"Core dump\r\nGuru Meditation Error: Core  0 panic'ed (LoadProhibited).\r\nPC      : 0x400d1234\r\nfree\r\n--- 0x400d1234: f at f.c:9\r\n\r\nELF file SHA256: 0a1b\r\nRebooting...\r\nets Jun  8 2016 00:22:57\r\nfree\r\n",
    );
    let told: Vec<_> = found
        .iter()
        .map(|record| (&*record.line.tag, record.unread))
        .collect();
    assert_eq!(
        told,
        [
            ("uart", true),
            ("panic", false),
            ("panic", false),
            ("panic", false),
            ("uart", false),
            ("panic", false),
            ("panic", false),
            ("uart", false),
            ("uart", true)
        ]
    );
}

#[test]
fn the_same_number_says_another_thing_on_another_chip() {
    for (rom, cause) in [
        ("esp32p4-eco2-20240710", RestartCause::External),
        ("esp32s3-20210327", RestartCause::Glitch),
    ] {
        let log = format!("ESP-ROM:{rom}\r\nBuild:x\r\nrst:0x17 (A_NEW_NAME),boot:0x8 (X)\r\n");
        let found = records(SerialLog::Auto, log.as_bytes());
        assert_eq!(
            found.last().expect("some").event,
            Some(Event::Reset(cause)),
            "{rom}"
        );
    }
}

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
