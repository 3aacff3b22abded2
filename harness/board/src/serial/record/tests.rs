//! Records of every format, whole and damaged.

use trace::RestartCause;

use super::*;

mod properties;

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
fn a_log_of_any_bytes_costs_memory_for_its_longest_line() {
    // A byte that is no text stands as four in the text.
    const MOST: usize = 4 * LONGEST;
    for part in [
        &b"x"[..],
        b"\x80",
        b"\0x",
        b"\x1b[",
        b"\x1b[m",
        b"\xff\xff\xff\xff\n",
        b"\n",
        b"E (1) a: ",
        b"[000001]<E> ",
        b"rst:0x1 (",
        b"\x1b[0;32mI (1) a: x\nindented\xff\n",
        b"Traceback (most recent call last):\n  \xff\xff\xff\xff\xff\xff\xff\xff\xff\n",
        b"Guru Meditation Error\nx\n",
    ] {
        let chunk = part.repeat(1024);
        let mut records = Records::new(SerialLog::Auto);
        let (mut given, mut longest, mut pushed) = (0, 0, 0);
        while pushed < 24 * LONGEST {
            records.push(&chunk, |record| {
                given += 1;
                longest = longest.max(record.line.text.len() + record.garbage.len());
            });
            pushed += chunk.len();
            let open = records
                .open
                .as_ref()
                .map_or(0, |open| open.record.line.text.len());
            let held = records.lines.held() + open;
            assert!(
                held <= 2 * LONGEST + MOST,
                "{held} of {:?}",
                part.escape_ascii().to_string()
            );
        }
        assert!(
            longest <= MOST + GARBAGE,
            "{longest} of {:?}",
            part.escape_ascii().to_string()
        );
        let is_blank = part == b"\n";
        assert!(
            given > 0 || is_blank,
            "{:?}",
            part.escape_ascii().to_string()
        );
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
