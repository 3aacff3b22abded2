//! Lines of every format, alone and between other bytes.

use std::cell::Cell;

use proptest::prelude::*;
use trace::{Level, RestartCause};

use super::*;

type Row = (
    &'static str,
    Level,
    Option<&'static str>,
    Option<u64>,
    &'static str,
);

const LINES: [Row; 38] = [
    (
        "I (312) main: up",
        Level::Info,
        Some("main"),
        Some(312),
        "up",
    ),
    (
        "E (45012) esp-tls: failed: -0x2700",
        Level::Error,
        Some("esp-tls"),
        Some(45012),
        "failed: -0x2700",
    ),
    (
        "W (9) a b.c: x: y",
        Level::Warn,
        Some("a b.c"),
        Some(9),
        "x: y",
    ),
    (
        "D (88) krate::net: dial",
        Level::Debug,
        Some("krate::net"),
        Some(88),
        "dial",
    ),
    (
        "I (704) wifi:state: init -> auth (b0)",
        Level::Info,
        Some("wifi"),
        Some(704),
        "state: init -> auth (b0)",
    ),
    (
        "V (14:31:18.532) app: t",
        Level::Trace,
        Some("app"),
        None,
        "t",
    ),
    (
        "I (26-11-28 07:35:07.004) app: d",
        Level::Info,
        Some("app"),
        None,
        "d",
    ),
    (
        "W (2023-08-15 14:31:18.532) app: d",
        Level::Warn,
        Some("app"),
        None,
        "d",
    ),
    (
        "E (1692099078540) app: an error in unix time",
        Level::Error,
        Some("app"),
        None,
        "an error in unix time",
    ),
    (
        "E BOD: Brownout detector was triggered",
        Level::Error,
        Some("BOD"),
        None,
        "Brownout detector was triggered",
    ),
    (
        "E wifi: no clock, and an error",
        Level::Error,
        Some("wifi"),
        None,
        "no clock, and an error",
    ),
    (
        "E (7) Temp = 120C",
        Level::Error,
        None,
        Some(7),
        "Temp = 120C",
    ),
    (
        "esp32> I (501) cmd: ok",
        Level::Info,
        Some("cmd"),
        Some(501),
        "ok",
    ),
    (
        "[     9][I][main.cpp:12] setup(): go",
        Level::Info,
        Some("main.cpp:12"),
        Some(9),
        "go",
    ),
    (
        "[  1234][E][WiFiProv.cpp:155] beginProvision(): failed!",
        Level::Error,
        Some("WiFiProv.cpp:155"),
        Some(1234),
        "failed!",
    ),
    (
        "[E][ssl_client.cpp:36] _handle_error(): (-1)",
        Level::Error,
        Some("ssl_client.cpp:36"),
        None,
        "(-1)",
    ),
    (
        "[    60][D][l.cpp:9] operator()(): z",
        Level::Debug,
        Some("l.cpp:9"),
        Some(60),
        "z",
    ),
    (
        "07:35:07.004 -> [    70][W][m.cpp:2] f(): c",
        Level::Warn,
        Some("m.cpp:2"),
        Some(70),
        "c",
    ),
    ("[dbg] f(83): Enter", Level::Debug, Some("f"), None, "Enter"),
    ("[crt] k(1): x", Level::Error, Some("k"), None, "x"),
    (
        "[inf] no function here",
        Level::Info,
        None,
        None,
        "no function here",
    ),
    (
        "[2026-11-28-07:35:07][018930]<I> res:13",
        Level::Info,
        None,
        Some(18930),
        "res:13",
    ),
    (
        "[00:00:01.234,567] <inf> net: up",
        Level::Info,
        Some("net"),
        Some(1234),
        "up",
    ),
    (
        "[100:00:00.000,001] <wrn> app: long",
        Level::Warn,
        Some("app"),
        Some(360_000_000),
        "long",
    ),
    (
        "[    1.234000] <inf> app: lin",
        Level::Info,
        Some("app"),
        Some(1234),
        "lin",
    ),
    (
        "<wrn> bt: no time",
        Level::Warn,
        Some("bt"),
        None,
        "no time",
    ),
    (
        "[00:00:03.000,000] <err> [main] os: t",
        Level::Error,
        Some("os"),
        Some(3000),
        "t",
    ),
    ("WARN (5123) - low", Level::Warn, None, None, "low"),
    ("TRACE - a - b", Level::Trace, None, None, "a - b"),
    (
        "[2026-01-02T03:04:05Z INFO  krate::m] text",
        Level::Info,
        Some("krate::m"),
        None,
        "text",
    ),
    (
        "2026-11-28 07:35:07 E (5) app: stamped",
        Level::Error,
        Some("app"),
        Some(5),
        "stamped",
    ),
    (
        "Nov 28 07:35:07 E wifi: by ts",
        Level::Error,
        Some("wifi"),
        None,
        "by ts",
    ),
    ("[wrn] f(1):x", Level::Warn, Some("f"), None, "x"),
    (
        "[prt] ok (0 skipped)",
        Level::Info,
        None,
        None,
        "ok (0 skipped)",
    ),
    ("[dbg] a b(1): x", Level::Debug, None, None, "a b(1): x"),
    (
        "E (0) wifi:mode : sta",
        Level::Error,
        Some("wifi"),
        Some(0),
        "mode : sta",
    ),
    (
        "V (12:34:56.789) a b: ",
        Level::Trace,
        Some("a b"),
        None,
        "",
    ),
    (
        "D (99999999999999999999) x: y",
        Level::Debug,
        Some("x"),
        None,
        "y",
    ),
];

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
    for (line, level, tag, device_ms, text) in LINES {
        let found = records(line);
        let [head] = &found[..] else {
            panic!("{line}: {found:?}")
        };
        assert_eq!(
            (head.level, head.tag, head.device_ms, head.text),
            (level, tag, device_ms, text),
            "{line}"
        );
    }
}

#[test]
fn two_heads_in_one_line_are_two_records() {
    let line = "[ 12000][I][core0.cpp:36] update(): m01_01[ 12001][E][core1.cpp:36] update(): m02";
    let found = records(line);
    let shown: Vec<_> = found.iter().map(|head| (head.level, head.text)).collect();
    assert_eq!(shown, [(Level::Info, "m01_01"), (Level::Error, "m02")]);
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
        "state: 2 -> 3 (0)",
        "scandone",
        "[",
        "[12]<X> x",
        "[12]<I x",
        "I () app: text",
        "X (1) app: text",
    ] {
        assert_eq!(records(line), [], "{line}");
    }
}

#[test]
fn resets_have_their_reason() {
    for (line, cause) in [
        (
            "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
            RestartCause::PowerOn,
        ),
        (
            "rst:0xc (RTC_SW_CPU_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)",
            RestartCause::Software,
        ),
        (
            "rst:0x3 (LP_SW_HPSYS),boot:0xc (SPI_FAST_FLASH_BOOT)",
            RestartCause::Software,
        ),
        (
            "rst:0x5 (DSLEEP),boot:0x8 (SPI_FAST_FLASH_BOOT)",
            RestartCause::DeepSleep,
        ),
        (
            "rst:0x7 (TG0_WDT_HPSYS),boot:0xc (SPI_FAST_FLASH_BOOT)",
            RestartCause::Watchdog,
        ),
        (
            "rst:0x12 (SUPER_WDT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)",
            RestartCause::Watchdog,
        ),
        (
            "rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
            RestartCause::Brownout,
        ),
        (
            "rst:0xf (LP_BOD_SYS),boot:0xc (SPI_FAST_FLASH_BOOT)",
            RestartCause::Brownout,
        ),
        (
            "rst:0x17 (CHIP_USB_UART_RESET),boot:0x1f (SPI_FAST_FLASH_BOOT)",
            RestartCause::External,
        ),
        (
            " ets Jan  8 2013,rst cause:2, boot mode:(3,6)",
            RestartCause::External,
        ),
        (
            " ets Jan  8 2013,rst cause:4, boot mode:(3,6)",
            RestartCause::Watchdog,
        ),
    ] {
        assert_eq!(event(line), Some(Event::Reset(cause)), "{line}");
    }
    assert_eq!(event("rst:0x14 (SW_RST), wakeup:0x40000"), None);
}

#[test]
fn crashes_are_known_and_prose_about_them_is_none() {
    for (line, cause) in [
        (
            "Guru Meditation Error: Core  1 panic'ed (Interrupt wdt timeout on CPU1). ",
            RestartCause::Watchdog,
        ),
        (
            "Guru Meditation Error: Core  0 panic'ed (Load access fault).",
            RestartCause::Panic,
        ),
        ("Stack smashing protect failure!", RestartCause::Panic),
        (
            "assertion \"x != NULL\" failed: file \"main.c\", line 7, function: app_main",
            RestartCause::Panic,
        ),
        (
            "CORRUPT HEAP: Bad head at 0x3ffb1234. Expected 0xabba1234 got 0x00000000",
            RestartCause::Panic,
        ),
        (
            "ESP_ERROR_CHECK failed: esp_err_t 0x103 (ESP_ERR_INVALID_STATE) at 0x400d0000",
            RestartCause::Panic,
        ),
        (
            "thread 'main' panicked at src/main.rs:9:5:",
            RestartCause::Panic,
        ),
        ("panicked at src/main.rs:7:5:", RestartCause::Panic),
        (
            "***ERROR*** A stack overflow in task main has been detected.",
            RestartCause::Panic,
        ),
        ("Brownout detector was triggered", RestartCause::Brownout),
        ("Soft WDT reset", RestartCause::Watchdog),
        ("Exception (28):", RestartCause::Panic),
        (
            ">>> ZEPHYR FATAL ERROR 3: Kernel oops on CPU 0",
            RestartCause::Panic,
        ),
    ] {
        assert_eq!(event(line), Some(Event::Crash(cause)), "{line}");
    }
    for line in [
        "no abort() here, \"Backtrace\" in prose",
        "ESP_ERROR_CHECK_WITHOUT_ABORT failed: esp_err_t 0x103 at 0x400d1234",
        "Task watchdog got triggered. The following tasks/users did not reset the watchdog in time:",
    ] {
        assert_eq!(event(line), None, "{line}");
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
        "\\xff",
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
    let shown = |only| match &parts(line, Some(only))[..] {
        [Part::Record(head)] => vec![head.text.to_owned()],
        [Part::Plain(text), Part::Record(head)] => vec![(*text).to_owned(), head.text.to_owned()],
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(Dialect::Linkkit), ["half E (1) app: whole"]);
    assert_eq!(shown(Dialect::EspIdf), ["[inf] f(2): half ", "whole"]);
}

#[test]
fn each_format_has_lines_that_stand_in_the_middle_of_others() {
    for (dialect, _) in HEADS {
        let strong = LINES.iter().filter(|row| is_strong(row.0.as_bytes()));
        let found = strong
            .filter(|row| records(row.0)[0].dialect == dialect)
            .count();
        assert!(found > 0, "{dialect:?}");
    }
}

/// Text that surrounds a line: anything, and pieces of heads.
fn surrounding() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[EWIDV\\[\\] ()<>0-9:.,a-z\\\\-]{0,12}",
        prop::sample::select(LINES.map(|row| row.0).to_vec())
            .prop_flat_map(|line| (0..=line.len()).prop_map(|to| line[..to].to_owned())),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Lines whose head a word of prose could be (`E wifi: x`, `[E][a.c:1] f(): x`, `[inf] x`,
    /// `<wrn> x`, `INFO - x`) are left out: in the middle of another line they are that line's text.
    /// Those stand in the next test.
    #[test]
    fn a_line_keeps_its_level_and_text_whatever_surrounds_it(
        before in surrounding(),
        row in prop::sample::select(LINES.iter().filter(|row| is_strong(row.0.as_bytes())).collect::<Vec<_>>()),
        after in surrounding(),
    ) {
        let line = format!("{before}{}{after}", row.0);
        let kept = records(&line).into_iter().any(|head| {
            // Without a tag, a colon that follows makes one of what was text.
            head.level == row.1 && (row.2.is_none() || head.tag == row.2 && head.text.starts_with(row.4))
        });
        prop_assert!(kept, "{:?}: {:?}", line, parts(&line, None));
    }

    #[test]
    fn every_line_keeps_its_level_behind_bytes_that_are_no_text_and_before_any(
        noise in "(\\\\x[0-9a-f]{2}){0,6}",
        row in prop::sample::select(LINES.to_vec()),
        after in any::<String>(),
    ) {
        let line = format!("{noise}{}{after}", row.0);
        let found = records(&line);
        prop_assert!(!found.is_empty(), "{:?}", line);
        prop_assert_eq!(found[0].level, row.1);
        if row.2.is_some() {
            prop_assert_eq!(found[0].tag, row.2);
            prop_assert!(found[0].text.starts_with(row.4));
        }
    }

    #[test]
    fn no_text_panics(line in "[EWI\\[\\] ()<>0-9:.a-zé>-]{0,80}") {
        prop_assert!(!parts(&line, None).is_empty());
        event(&line);
    }
}
