//! A program of this host as the device: its log, its power, its storage.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use board::process::{ProcessBoard, ProcessLink, ProcessSettings, Text, Value};
use board::rig::SerialLog;
use board::{Board, BoardError, Exited, Power, PowerChanged, RestartCause, Restarted};
use clock::Clock;
use tempfile::TempDir;
use trace::{Level, LogLine, Payload, Trace, UnreadLines};

/// A shell that runs `script`, as the device `lamp`.
struct Bench {
    board: ProcessBoard,
    trace: Trace,
    folder: TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        Self::with(script, |_| {})
    }

    fn with(script: &str, change: impl FnOnce(&mut ProcessSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = Trace::in_memory(Clock::start_fixed(1.0));
        let text = |text: &str| Text::parse(text).expect("a text");
        let mut settings = ProcessSettings {
            device: "lamp".to_owned(),
            link: ProcessLink {
                command: vec![text("sh"), text("-c"), text(script)],
                environment: BTreeMap::from([("BROKER".to_owned(), text("${broker.host}"))]),
                folder: None,
                log: SerialLog::Auto,
                base: folder.path().to_owned(),
            },
            values: BTreeMap::from([(Value::BrokerHost, "127.0.0.1".to_owned())]),
            folder: folder.path().to_owned(),
        };
        change(&mut settings);
        let board = ProcessBoard::new(settings, trace.clone());
        Self {
            board,
            trace,
            folder,
        }
    }

    fn events<P: Payload + for<'de> serde::Deserialize<'de>>(&self) -> Vec<P> {
        let events = self.trace.since(0);
        events.iter().filter_map(|event| event.payload()).collect()
    }

    /// Waits until so many events of this kind are there.
    async fn until<P: Payload + for<'de> serde::Deserialize<'de>>(&self, count: usize) -> Vec<P> {
        let began = Instant::now();
        loop {
            let found = self.events::<P>();
            if found.len() >= count {
                return found;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{:#?}",
                self.trace.since(0)
            );
            self.trace.clock().sleep(Duration::from_millis(5)).await;
        }
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn pid_in(path: &Path) -> String {
    let pid = std::fs::read_to_string(path).expect("written");
    pid.trim().to_owned()
}

#[tokio::test]
async fn what_it_writes_is_the_log_in_the_forms_that_uarts_have() {
    let script = "echo \"I (27) app: broker $BROKER\"; echo 'E (30) app: lost' >&2; printf 'no form'; sleep 60";
    let mut bench = Bench::new(script);
    bench.board.power_on().await.expect("started");
    let lines = bench.until::<LogLine>(3).await;
    let find = |text: &str| lines.iter().find(|line| line.text == text).expect(text);
    let told = find("broker 127.0.0.1");
    assert_eq!(
        (told.level, &told.tag[..], told.device_ms),
        (Level::Info, "app", Some(27))
    );
    assert_eq!(find("lost").level, Level::Error);
    find("no form");
    bench.board.power_off().await.expect("ended");
}

#[tokio::test]
async fn lines_whose_level_nothing_tells_are_counted_for_each_start() {
    let mut bench =
        Bench::new("echo 'I (27) app: up'; echo free; echo 'state: 2 -> 3 (0)'; sleep 60");
    bench.board.power_on().await.expect("started");
    bench.until::<LogLine>(3).await;
    bench.board.power_off().await.expect("ended");
    let told = bench.until::<UnreadLines>(1).await;
    assert_eq!((told[0].unknown, told[0].of), (2, 3));
}

#[tokio::test]
async fn its_end_is_told_after_its_last_words_and_the_power_stays_on() {
    for (script, how) in [
        ("echo bye; exit 3", "exit code 3"),
        ("echo bye; kill -ABRT $$", "signal 6"),
    ] {
        let mut bench = Bench::new(script);
        bench.board.power_on().await.expect("started");
        let ended = bench.until::<Exited>(1).await;
        assert_eq!((&ended[0].how[..], &ended[0].panic), (how, &None));
        let kinds: Vec<_> = bench
            .trace
            .since(0)
            .iter()
            .map(|e| e.kind.clone())
            .collect();
        assert_eq!(
            kinds,
            ["started", "power", "line", "unread_lines", "exited"]
        );
        let again = bench.board.power_on().await.expect_err("it is on");
        assert!(
            matches!(again, BoardError::State { state: "on", .. }),
            "{again}"
        );
        bench.board.reset().await.expect("started anew");
        bench.until::<Exited>(2).await;
        for _ in 0..2 {
            bench.board.power_off().await.expect("off");
        }
        let power: Vec<_> = bench.events::<PowerChanged>();
        let power: Vec<_> = power
            .iter()
            .map(|change| (change.power, &change.how[..]))
            .collect();
        assert_eq!(
            power,
            [
                (Power::On, "switched on"),
                (Power::On, "reset"),
                (Power::Off, "switched off")
            ]
        );
    }
}

#[tokio::test]
async fn without_power_nothing_of_it_is_left() {
    let script = "trap '' TERM INT HUP; sleep 600 & echo $! > child; \
                  setsid sh -c 'echo $$ > away; exec sleep 600' & \
                  while [ ! -s away ]; do sleep 0.01; done; echo up; while :; do sleep 600; done";
    let mut bench = Bench::new(script);
    bench.board.power_on().await.expect("started");
    bench.until::<LogLine>(1).await;
    let storage = bench.folder.path().join("lamp.storage");
    let pids = ["child", "away"].map(|name| pid_in(&storage.join(name)));
    assert!(
        pids.iter().all(|pid| is_alive(pid)),
        "{pids:?} {:#?}",
        bench.trace.since(0)
    );
    let began = Instant::now();
    bench.board.power_off().await.expect("ended");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");
    assert!(bench.events::<Exited>().is_empty());
}

#[tokio::test]
async fn what_a_program_that_ended_left_running_ends_too() {
    let mut bench = Bench::new("sleep 600 & echo $! > child; exit 0");
    bench.board.power_on().await.expect("started");
    bench.until::<Exited>(1).await;
    let pid = pid_in(&bench.folder.path().join("lamp.storage/child"));
    // Its end is told when nothing of it is left.
    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn its_folder_is_its_storage() {
    let mut bench = Bench::new("echo x >> kept; wc -l < kept; sleep 60");
    for round in 1..=2 {
        bench.board.power_on().await.expect("started");
        let lines = bench.until::<LogLine>(round).await;
        assert_eq!(lines[round - 1].text.trim(), round.to_string());
        assert!(bench.board.erase_storage().await.is_err(), "it is on");
        bench.board.power_off().await.expect("ended");
    }
    let image = bench.board.read_storage().await.expect("readable");
    assert_eq!(image, b"kept\n\x04\0\0\0\0\0\0\0x\nx\n");
    bench.board.erase_storage().await.expect("erased");
    bench.board.power_on().await.expect("started");
    let lines = bench.until::<LogLine>(3).await;
    assert_eq!(lines[2].text.trim(), "1");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_why_and_leaves_the_board_off() {
    let text = |text: &str| Text::parse(text).expect("a text");
    let mut bench = Bench::with("", |settings| {
        settings.link.command = vec![text("./no-such-program")];
    });
    let error = bench.board.power_on().await.expect_err("not there");
    assert!(error.to_string().contains("no-such-program"), "{error}");
    let mut bench = Bench::with("", |settings| {
        settings.link.command.push(text("${client.key}"));
    });
    let error = bench.board.power_on().await.expect_err("no key");
    assert!(
        error.to_string().contains("wants `${client.key}`"),
        "{error}"
    );
    assert!(bench.events::<PowerChanged>().is_empty());
    bench.board.power_off().await.expect("it is off");
}

#[tokio::test]
async fn a_program_that_writes_without_end_can_be_ended() {
    let mut bench = Bench::new("while :; do echo 'I (1) app: noise'; done");
    bench.board.power_on().await.expect("started");
    bench.until::<LogLine>(100).await;
    let began = Instant::now();
    bench.board.power_off().await.expect("ended");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn factory_data_are_a_file_that_it_is_told() {
    let text = |text: &str| Text::parse(text).expect("a text");
    let mut bench = Bench::with("", |settings| {
        settings.link.command = vec![text("cat"), text("${factory.bin}")];
    });
    bench
        .board
        .write_factory(b"I (1) app: born\n")
        .await
        .expect("written");
    bench.board.power_on().await.expect("started");
    assert_eq!(bench.until::<LogLine>(1).await[0].text, "born");
}

#[tokio::test]
async fn a_panic_of_an_emulated_chip_ends_the_firmware_before_its_rom_starts_anew() {
    let script = "\
        echo 'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)'
        echo 'abort() was called at PC 0x400d1234 on core 0'
        echo 'rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)'
        sleep 600";
    let mut bench = Bench::new(script);
    bench.board.power_on().await.expect("started");
    let restarted = bench.until::<Restarted>(1).await;
    assert_eq!(restarted[0].cause, RestartCause::Software);
    assert!(restarted[0].said.starts_with("rst:0xc"), "{restarted:?}");
    let events = bench.trace.since(0);
    let kinds: Vec<_> = events.iter().map(|event| &event.kind[..]).collect();
    let expected = [
        "started",
        "power",
        "line",
        "line",
        "exited",
        "line",
        "restarted",
    ];
    assert_eq!(kinds, expected);
    bench.board.power_off().await.expect("off");
}

#[tokio::test]
async fn a_reset_that_fails_leaves_it_on_until_it_is_switched_off() {
    let mut bench = Bench::with("sleep 600", |settings| {
        let program = settings.folder.join("device");
        std::os::unix::fs::symlink("/bin/sh", &program).expect("linked");
        settings.link.command[0] = Text::parse("./device").expect("a text");
    });
    bench.board.power_on().await.expect("started");
    std::fs::remove_file(bench.folder.path().join("device")).expect("ours");
    bench.board.reset().await.expect_err("there is no program");
    let again = bench.board.power_on().await.expect_err("it is on");
    assert!(matches!(again, BoardError::State { state: "on", .. }));
    bench.board.power_off().await.expect("off");
    let power = bench.events::<PowerChanged>();
    let power: Vec<_> = power.iter().map(|change| change.power).collect();
    assert_eq!(power, [Power::On, Power::Off]);
}
