//! The emulated board as the harness sees it, with a firmware in miniature (`board_guest/guest.s`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlink::{Mode, Request, encode_request};
use board::probe::Limits;
use board::{Board, Exited, Power, PowerChanged};
use clock::Clock;
use lab::air::Air;
use lab::probe::ProbeFault;
use lab::qemu::{Cables, QemuBoard};
use tempfile::TempDir;
use trace::{Event, Payload, Trace, WitnessReport};

use crate::world::{settings, with_emulator};

const PATIENCE: Duration = Duration::from_secs(30);
/// What the miniature does, as it stands in its factory data.
const LOGS: u32 = 0;
const PANICS: u32 = 1;
const WRITES: u32 = 7;

struct World {
    board: QemuBoard,
    trace: Trace,
    _folder: TempDir,
}

impl World {
    async fn new(qemu: PathBuf, limits: Limits) -> Self {
        let trace = Trace::in_memory(Clock::start(1.0));
        let folder = tempfile::tempdir().expect("a folder");
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board_guest/guest.elf");
        let settings = settings(qemu, &folder);
        let board =
            QemuBoard::start_within(settings, image, limits, trace.clone(), Cables::default())
                .await;
        Self {
            board: board.expect("a board"),
            trace,
            _folder: folder,
        }
    }

    async fn start(&mut self, does: u32) {
        let factory = does.to_le_bytes();
        self.board.write_factory(&factory).await.expect("room");
        self.board.power_on().await.expect("power");
    }

    fn events(&self) -> Vec<Arc<Event>> {
        self.trace.since(0)
    }

    fn texts(&self) -> Vec<String> {
        let events = self.events();
        let lines = events.iter().filter_map(|event| event.line());
        lines.map(|line| line.text.to_owned()).collect()
    }

    async fn until<P: Payload + for<'de> serde::Deserialize<'de>>(
        &self,
        what: &str,
        mut is_it: impl FnMut(&P) -> bool,
    ) -> P {
        let begun = Instant::now();
        loop {
            let found = self
                .events()
                .iter()
                .filter_map(|event| event.payload())
                .find(&mut is_it);
            if let Some(found) = found {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}: {:?}",
                self.texts()
            );
            let more = self.trace.longer_than(self.trace.len());
            let _ = self
                .trace
                .clock()
                .timeout(Duration::from_millis(100), more)
                .await;
        }
    }

    async fn until_line(&self, text: &str) {
        self.until_lines(text, 1).await;
    }

    async fn until_lines(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.texts().iter().filter(|line| *line == text).count() < times {
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {text}: {:?}",
                self.texts()
            );
            let more = self.trace.longer_than(self.trace.len());
            let clock = self.trace.clock();
            let _ = clock.timeout(Duration::from_millis(100), more).await;
        }
    }
}

fn with_board(test: impl AsyncFnOnce(World)) {
    with_emulator(async |qemu| test(World::new(qemu, Limits::default()).await).await);
}

#[test]
fn it_can_do_what_an_emulated_board_can() {
    with_board(async |world| {
        let abilities = world.board.abilities();
        assert!(
            abilities.power && abilities.torn_write && abilities.storage,
            "{abilities:?}"
        );
        assert!(!abilities.scaled_time && !abilities.bugs, "{abilities:?}");
        assert_eq!(world.board.device(), "lamp");
    });
}

#[test]
fn its_firmware_runs_from_power_on_to_power_off_and_not_in_between() {
    with_board(async |mut world| {
        for round in 1..=3 {
            world.start(LOGS).await;
            world.until_lines("last", round).await;
            assert!(world.board.power_on().await.is_err(), "it is on");
            world.board.power_off().await.expect("no power");
            let texts = world.texts();
            assert_eq!(
                texts.iter().filter(|text| *text == "first").count(),
                round,
                "{texts:?}"
            );
        }
        let switched: Vec<PowerChanged> = world
            .events()
            .iter()
            .filter_map(|event| event.payload())
            .collect();
        let on = switched
            .iter()
            .filter(|changed| changed.power == Power::On)
            .count();
        assert_eq!((on, switched.len()), (3, 6), "{switched:?}");
    });
}

#[test]
fn storage_is_read_and_erased_and_cut_in_a_write() {
    with_board(async |mut world| {
        world.start(WRITES).await;
        world.until_line("first").await;
        world.board.cut_power_in_write(5).await.expect("a budget");
        world
            .until("the cut", |changed: &PowerChanged| {
                changed.how == "cut in a write"
            })
            .await;
        let storage = world.board.read_storage().await.expect("storage");
        assert_eq!(storage[..8], [1, 2, 3, 4, 5, 0xFF, 0xFF, 0xFF]);
        world.board.power_off().await.expect("no power");
        world.board.erase_storage().await.expect("erased");
        let storage = world.board.read_storage().await.expect("storage");
        assert_eq!(storage.len(), 0x10000);
        assert!(storage.iter().all(|byte| *byte == 0xFF));
        world.start(LOGS).await;
        world.until_line("last").await;
    });
}

#[test]
fn a_board_that_is_reset_starts_anew() {
    with_board(async |mut world| {
        world.start(LOGS).await;
        world.until_line("last").await;
        let before = world.texts().len();
        world.board.reset().await.expect("reset");
        let begun = Instant::now();
        while world.texts().len() < 2 * before {
            assert!(begun.elapsed() < PATIENCE, "{:?}", world.texts());
            world.trace.clock().sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn the_radio_of_a_firmware_that_ended_is_dark() {
    with_emulator(async |qemu| {
        let trace = Trace::in_memory(Clock::start(1.0));
        let air = Air::new(trace.clone());
        let link = air.attach("lamp");
        let folder = tempfile::tempdir().expect("a folder");
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board_guest/guest.elf");
        let board = QemuBoard::start(
            settings(qemu, &folder),
            image,
            trace.clone(),
            Cables {
                link: Some(link.clone()),
                ..Cables::default()
            },
        )
        .await;
        let mut world = World {
            board: board.expect("a board"),
            trace,
            _folder: folder,
        };
        world.start(PANICS).await;
        let exited: Exited = world.until("the panic", |_| true).await;
        assert_eq!(exited.how, "panic");
        // A radio without power takes no request: nothing in the air answers a scan.
        world.trace.clock().sleep(Duration::from_millis(50)).await;
        link.from_device(&encode_request(&Request::SetMode(Mode::Station)).encode());
        let scan = Request::Scan {
            channel: 0,
            passive: false,
        };
        link.from_device(&encode_request(&scan).encode());
        let heard = link.to_device();
        let answer = world
            .trace
            .clock()
            .timeout(Duration::from_millis(500), heard)
            .await;
        assert!(answer.is_err(), "{answer:?}");
    });
}

#[test]
fn every_fault_of_the_probe_ends_within_its_bound() {
    let faults = [
        ProbeFault::LinkDropped,
        ProbeFault::WaitForever,
        ProbeFault::Hung,
        ProbeFault::WrongIdcode,
        ProbeFault::LockedUp,
        ProbeFault::PowerLostInFlash { after: 500 },
    ];
    let limits = Limits {
        attach: Duration::from_secs(2),
        flash: Duration::from_secs(8),
        command: Duration::from_secs(2),
        ..Limits::default()
    };
    with_emulator(async |qemu| {
        for fault in faults {
            let mut world = World::new(qemu.clone(), limits).await;
            world.board.set_fault(Some(fault));
            let begun = Instant::now();
            world
                .board
                .write_factory(&LOGS.to_le_bytes())
                .await
                .expect("room");
            let error = world.board.power_on().await.expect_err("a fault");
            println!("{fault:?}: {error} ({:?})", begun.elapsed());
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{fault:?}: {error}"
            );
        }
    });
}

#[test]
fn faults_while_the_firmware_runs_are_told_of() {
    let faults = [
        ProbeFault::LinkDropped,
        ProbeFault::WaitForever,
        ProbeFault::Hung,
    ];
    with_emulator(async |qemu| {
        for fault in faults {
            let mut world = World::new(qemu.clone(), Limits::default()).await;
            world.start(LOGS).await;
            world.until_line("last").await;
            world.board.set_fault(Some(fault));
            let report: WitnessReport = world.until(&format!("{fault:?}"), |_| true).await;
            println!("{fault:?}: {}", report.detail);
            assert!(!report.sound);
        }
    });
}

#[test]
fn a_core_that_locks_up_while_it_runs_is_told_of() {
    with_board(async |mut world| {
        world.start(LOGS).await;
        world.until_line("last").await;
        world.board.set_fault(Some(ProbeFault::LockedUp));
        let exited: Exited = world.until("the lock-up", |_| true).await;
        assert!(exited.how.contains("lock"), "{exited:?}");
    });
}
