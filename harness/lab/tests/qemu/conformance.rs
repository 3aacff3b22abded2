//! The emulated board, and a board behind a probe, owe what every board owes.

use std::path::{Path, PathBuf};

use board::conformance::{self, Bench, Firmware, Storage, Subject};
use board::probe::{Attach, Limits, LogFormat, ProbeBoard, ProbeSettings};
use board::{Board, RestartCause};
use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::qemu::{Cables, Machine, MachineSettings, QemuBoard};
use trace::Trace;

use crate::world::{settings, with_emulator};

/// Makes boards with the miniature firmware.
struct Emulated {
    qemu: PathBuf,
    /// Behind a probe and without a switch, as a real board, or as the lab has it.
    bare: bool,
}

fn guest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board_guest/guest.elf")
}

impl Emulated {
    async fn subject(&self, firmware: Firmware) -> Subject {
        let trace = Trace::in_memory(Clock::start(1.0));
        let folder = tempfile::tempdir().expect("a folder");
        let machine = settings(self.qemu.clone(), &folder);
        // As the miniature reads it.
        let word: u32 = match firmware {
            Firmware::Talks => 0,
            Firmware::Restarts => 3,
            Firmware::Writes => 7,
            Firmware::Panics => 8,
        };
        let (board, keep) = match self.bare {
            true => behind_a_probe(machine, &trace).await,
            false => emulated(machine, &trace).await,
        };
        Subject {
            board,
            trace,
            factory: word.to_le_bytes().to_vec(),
            first: "first",
            storage: Storage::Flash,
            keep: Box::new((keep, folder)),
        }
    }
}

async fn emulated(machine: MachineSettings, trace: &Trace) -> (Box<dyn Board>, Option<Machine>) {
    let board = QemuBoard::start(machine, guest(), trace.clone(), Cables::default()).await;
    (Box::new(board.expect("a board")), None)
}

async fn behind_a_probe(
    machine: MachineSettings,
    trace: &Trace,
) -> (Box<dyn Board>, Option<Machine>) {
    let device = machine.device.clone();
    let mut machine = Machine::start(machine, trace.clone(), Cables::default())
        .await
        .expect("an emulator");
    machine.power(true).await.expect("power");
    let settings = ProbeSettings {
        device,
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
    };
    let board = ProbeBoard::new(settings, trace.clone()).expect("an image");
    (Box::new(board), Some(machine))
}

impl Bench for Emulated {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        async move { Some(self.subject(firmware).await) }.boxed()
    }
}

fn owes_what_every_board_owes(bare: bool) {
    with_emulator(async |qemu| {
        let checked = conformance::check(&mut Emulated { qemu, bare }).await;
        assert_eq!(checked.expect("no departure"), Firmware::ALL);
    });
}

#[test]
fn an_emulated_board_owes_what_every_board_owes() {
    owes_what_every_board_owes(false);
}

#[test]
fn a_board_behind_a_probe_owes_what_every_board_owes() {
    owes_what_every_board_owes(true);
}
