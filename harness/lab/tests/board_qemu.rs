//! A board behind a debug probe, through an unmodified probe-rs, with a firmware in miniature
//! (`board_guest/guest.s`) on an emulated chip.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use board::probe::{Attach, Crash, Limits, LogFormat, ProbeBoard, ProbeSettings};
use board::{Board, Exited, Garbage, ImageFlashed, Power, PowerChanged, RestartCause, Restarted};
use clock::Clock;
use lab::probe::ProbeFault;
use lab::qemu::{Cables, Machine, MachineSettings};
use tempfile::TempDir;
use trace::{Event, Payload, Trace, WitnessReport};

/// Longer than anything here takes on a host with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the miniature does, as it stands in its factory data.
#[derive(Clone, Copy)]
enum Does {
    Logs = 0,
    Panics = 1,
    Faults = 2,
    Restarts = 3,
    Floods = 4,
    Corrupts = 5,
    Babbles = 6,
    Writes = 7,
    Stops = 8,
}

/// An emulated chip with power, the board behind its probe, and what was seen of it.
struct World {
    machine: Machine,
    board: ProbeBoard,
    trace: Trace,
    _folder: TempDir,
}

fn guest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board_guest/guest.elf")
}

fn settings(machine: &Machine) -> ProbeSettings {
    ProbeSettings {
        device: "device".to_owned(),
        selector: machine.selector().to_owned(),
        chip: machine.chip().to_owned(),
        target_description: Some(machine.target_description().to_owned()),
        image: guest(),
        log: LogFormat::Defmt,
        limits: Limits::default(),
        attach: Attach::Normal,
        speed_khz: None,
        factory: None,
        storage: None,
        unexplained_reset: RestartCause::Unknown,
    }
}

impl World {
    async fn new(change: impl FnOnce(&mut ProbeSettings)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let trace = Trace::in_memory(Clock::start(1.0));
        let settings_of_machine = MachineSettings {
            device: "device".to_owned(),
            folder: folder.path().to_owned(),
            qemu: "qemu-system-arm".into(),
        };
        let mut machine = Machine::start(settings_of_machine, trace.clone(), Cables::default())
            .await
            .expect("an emulator");
        machine.power(true).await.expect("power");
        let mut settings = settings(&machine);
        change(&mut settings);
        let board = ProbeBoard::new(settings, trace.clone()).expect("an image");
        Self {
            machine,
            board,
            trace,
            _folder: folder,
        }
    }

    /// A board on which the miniature does this from its start on.
    async fn that(does: Does) -> Self {
        let mut world = Self::new(|_| {}).await;
        let factory = (does as u32).to_le_bytes();
        world
            .board
            .write_factory(&factory)
            .await
            .expect("room for a word");
        world.board.power_on().await.expect("a start");
        world
    }

    fn events(&self) -> Vec<Arc<Event>> {
        self.trace.since(0)
    }

    fn all<P: Payload + for<'de> serde::Deserialize<'de>>(&self) -> Vec<P> {
        self.events()
            .iter()
            .filter_map(|event| event.payload())
            .collect()
    }

    fn texts(&self) -> Vec<String> {
        self.events()
            .iter()
            .filter_map(|event| Some(event.line()?.text.to_owned()))
            .collect()
    }

    /// Waits until `found` finds something in the trace.
    async fn until<R>(&self, what: &str, mut found: impl FnMut(&Self) -> Option<R>) -> R {
        let began = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{what} did not come: {:#?}",
                self.events().iter().rev().take(20).collect::<Vec<_>>()
            );
            let seen = self.trace.len();
            let more = self.trace.longer_than(seen);
            let _ = self
                .trace
                .clock()
                .timeout(Duration::from_millis(200), more)
                .await;
        }
    }

    async fn until_line(&self, text: &str) {
        self.until(text, |world| {
            world.texts().iter().any(|line| line == text).then_some(())
        })
        .await;
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// The number in a line `count …`: seven bits to a byte.
fn number(text: &str) -> Option<u32> {
    let sent = u32::from_str_radix(text.strip_prefix("count ")?, 16).ok()?;
    let digits = sent.to_le_bytes().map(|byte| u32::from(byte & 0x7F));
    Some(
        digits
            .iter()
            .rev()
            .fold(0, |number, digit| number << 7 | digit),
    )
}

fn numbers(texts: &[String]) -> Vec<u32> {
    texts.iter().filter_map(|text| number(text)).collect()
}

#[test]
fn every_line_is_heard_from_the_first_instruction_on() {
    run(async {
        let world = World::that(Does::Logs).await;
        world.until_line("last").await;
        let texts = world.texts();
        assert_eq!(texts.first().map(String::as_str), Some("first"));
        assert_eq!(numbers(&texts), (0..100).collect::<Vec<_>>());
        assert_eq!(texts.len(), 102);
        assert!(world.all::<Garbage>().is_empty());
        let line: trace::LogLine = world
            .events()
            .iter()
            .find_map(|event| event.payload())
            .expect("a line");
        assert_eq!((line.tag.as_str(), line.device_ms), ("guest", Some(16_843)));
    });
}

#[test]
fn an_image_that_is_there_is_not_flashed_again() {
    run(async {
        let mut world = World::that(Does::Logs).await;
        let [first]: [ImageFlashed; 1] = world.all().try_into().expect("one");
        assert!(!first.skipped, "{first:?}");
        world.board.power_off().await.expect("off");
        world.board.flash().await.expect("a look");
        let [_, second]: [ImageFlashed; 2] = world.all().try_into().expect("two");
        assert!(second.skipped, "{second:?}");
        assert_eq!(first.bytes, second.bytes);
    });
}

#[test]
fn power_is_off_and_on_again() {
    run(async {
        let mut world = World::that(Does::Logs).await;
        world.until_line("last").await;
        let twice = world.board.power_on().await;
        assert!(twice.is_err(), "{twice:?}");
        world.board.power_off().await.expect("off");
        let seen = world.texts().len();
        world.board.power_on().await.expect("on");
        world
            .until("as many lines again", |world| {
                (world.texts().len() == 2 * seen).then_some(())
            })
            .await;
        world.board.reset().await.expect("a reset");
        world
            .until("the lines of a reset", |world| {
                (world.texts().len() == 3 * seen).then_some(())
            })
            .await;
        let power: Vec<_> = world
            .all::<PowerChanged>()
            .into_iter()
            .map(|changed| (changed.power, changed.how))
            .collect();
        assert_eq!(
            power,
            [
                (Power::On, "let out of reset".to_owned()),
                (Power::Off, "held in reset".to_owned()),
                (Power::On, "let out of reset".to_owned()),
                (Power::On, "reset".to_owned()),
            ]
        );
    });
}

#[test]
fn a_panic_is_told_with_its_text_and_its_callers() {
    run(async {
        let world = World::that(Does::Panics).await;
        let exited: Exited = world.until("the exit", |world| world.all().pop()).await;
        assert_eq!(exited.how, "panic");
        assert_eq!(
            exited.panic.as_deref(),
            Some("panicked at guest.s:7: on purpose")
        );
        let crash: Crash = world.all().pop().expect("a crash");
        assert!(
            crash.what.contains("an instruction that does not exist"),
            "{crash:?}"
        );
        assert!(!crash.backtrace.is_empty(), "{crash:?}");
    });
}

#[test]
fn a_panic_after_which_nothing_happens_is_told_too() {
    run(async {
        let world = World::that(Does::Stops).await;
        let exited: Exited = world.until("the exit", |world| world.all().pop()).await;
        assert_eq!(exited.how, "panic");
    });
}

#[test]
fn a_hard_fault_is_told_with_its_registers_and_its_callers() {
    run(async {
        let world = World::that(Does::Faults).await;
        let exited: Exited = world.until("the exit", |world| world.all().pop()).await;
        assert!(
            exited.how.starts_with("hard fault: an access"),
            "{exited:?}"
        );
        let crash: Crash = world.all().pop().expect("a crash");
        assert_eq!(crash.registers["BFAR"], "0xf0000000", "{crash:?}");
        let lines: Vec<_> = crash
            .backtrace
            .iter()
            .filter_map(|frame| frame.line)
            .collect();
        assert_eq!(
            crash.backtrace.len(),
            4,
            "inner, outer, main, reset: {crash:#?}"
        );
        assert_eq!(lines.len(), 4, "{crash:#?}");
    });
}

#[test]
fn a_firmware_that_restarts_itself_loses_no_line() {
    run(async {
        let world = World::that(Does::Restarts).await;
        world
            .until("the third start", |world| {
                (numbers(&world.texts()) == [0, 1, 2]).then_some(())
            })
            .await;
        let texts = world.texts();
        let named: Vec<_> = texts.iter().filter(|text| number(text).is_none()).collect();
        assert_eq!(named, ["first", "last", "first", "last", "first"]);
        let causes: Vec<_> = world
            .all::<Restarted>()
            .into_iter()
            .map(|restarted| restarted.cause)
            .collect();
        assert_eq!(causes, [RestartCause::Unknown; 2]);
        // A restart is no switching.
        assert_eq!(world.all::<PowerChanged>().len(), 1);
    });
}

#[test]
fn a_flood_of_lines_loses_none() {
    run(async {
        let mut world = World::that(Does::Floods).await;
        world
            .until("ten thousand lines", |world| {
                (world.trace.len() > 10_000).then_some(())
            })
            .await;
        world.board.power_off().await.expect("off");
        let numbers = numbers(&world.texts());
        assert!(numbers.iter().copied().eq(0..numbers.len() as u32));
        assert!(world.all::<Garbage>().is_empty());
    });
}

#[test]
fn a_corrupt_control_block_is_told_once_and_the_log_goes_on() {
    run(async {
        let world = World::that(Does::Corrupts).await;
        world.until_line("last").await;
        let garbage: Vec<Garbage> = world.all();
        assert_eq!(garbage.len(), 1, "{garbage:?}");
        assert!(garbage[0].problem.contains("control block"), "{garbage:?}");
    });
}

#[test]
fn garbage_between_frames_is_told_and_costs_no_line() {
    run(async {
        let world = World::that(Does::Babbles).await;
        world.until_line("last").await;
        assert_eq!(numbers(&world.texts()), (0..10).collect::<Vec<_>>());
        let garbage: Vec<Garbage> = world.all();
        assert!(!garbage.is_empty());
        assert_eq!(garbage[0].bytes, "5566");
    });
}

#[test]
fn power_that_is_cut_in_a_write_leaves_whole_bytes() {
    run(async {
        let mut world = World::that(Does::Writes).await;
        world.until_line("first").await;
        world.board.cut_power_in_write(5).await.expect("a budget");
        world
            .until("the cut", |world| {
                world
                    .all()
                    .pop()
                    .filter(|changed: &PowerChanged| changed.how == "cut in a write")
            })
            .await;
        let storage = world.board.read_storage().await.expect("storage");
        assert_eq!(storage[..8], [1, 2, 3, 4, 5, 0xFF, 0xFF, 0xFF]);
        assert_eq!(storage.len(), 64 * 1024);
        world.board.erase_storage().await.expect("an erasure");
        let storage = world.board.read_storage().await.expect("storage");
        assert!(storage.iter().all(|byte| *byte == 0xFF));
    });
}

#[test]
fn a_probe_that_hangs_costs_a_bounded_time() {
    run(async {
        let mut world = World::new(|settings| {
            settings.limits.flash = Duration::from_secs(3);
        })
        .await;
        world.machine.set_fault(Some(ProbeFault::Hung));
        let began = Instant::now();
        let error = world
            .board
            .power_on()
            .await
            .expect_err("a probe that hangs");
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(
            error.to_string().contains("did not answer within 3000 ms"),
            "{error}"
        );
        let again = world.board.power_on().await.expect_err("given up");
        assert!(again.to_string().contains("given up"), "{again}");
    });
}

#[test]
fn a_probe_that_hangs_while_nobody_asks_is_told_of() {
    run(async {
        let world = World::that(Does::Logs).await;
        world.until_line("last").await;
        world.machine.set_fault(Some(ProbeFault::Hung));
        let report: WitnessReport = world.until("a report", |world| world.all().pop()).await;
        assert!(
            !report.sound && report.detail.contains("did not answer"),
            "{report:?}"
        );
    });
}

#[test]
fn a_link_that_is_dropped_is_told_of() {
    run(async {
        let world = World::that(Does::Logs).await;
        world.until_line("last").await;
        world.machine.set_fault(Some(ProbeFault::LinkDropped));
        let report: WitnessReport = world.until("a report", |world| world.all().pop()).await;
        assert!(!report.sound, "{report:?}");
    });
}

#[test]
fn a_probe_that_is_not_there_is_told_with_its_address() {
    run(async {
        let mut world = World::new(|settings| {
            settings.selector = "1d50:6018:127.0.0.1:9".to_owned();
        })
        .await;
        let error = world.board.power_on().await.expect_err("nobody is there");
        assert!(
            error.to_string().contains("1d50:6018:127.0.0.1:9"),
            "{error}"
        );
    });
}

#[test]
fn a_chip_that_nobody_knows_is_told_with_those_that_are() {
    run(async {
        let mut world = World::new(|settings| settings.chip = "mps2-an385".to_owned()).await;
        let error = world.board.power_on().await.expect_err("another chip");
        assert!(error.to_string().contains("mps2-an386"), "{error}");
    });
}
