//! A program as the device owes what every board owes.

use std::collections::BTreeMap;

use board::conformance::{self, Bench, Firmware, Storage, Subject};
use board::process::{ProcessBoard, ProcessLink, ProcessSettings, Text};
use board::rig::SerialLog;
use clock::Clock;
use futures_util::future::BoxFuture;
use trace::Trace;

const TALKS: &str = "echo 'I (30) app: first'; echo 'I (40) app: more'; sleep 600";
const RESTARTS: &str = "\
    echo 'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)'; echo 'I (30) app: first'
    echo 'rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)'; echo 'I (30) app: first'
    sleep 600";
const PANICS: &str = "\
    echo 'I (30) app: first'
    echo \"Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\"
    kill -ABRT $$";

/// Makes boards that are shells.
struct Programs;

impl Bench for Programs {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        let script = match firmware {
            Firmware::Talks => Some(TALKS),
            Firmware::Restarts => Some(RESTARTS),
            Firmware::Panics => Some(PANICS),
            // Nothing stops a program in the middle of a write.
            Firmware::Writes => None,
        };
        Box::pin(async move { script.map(shell) })
    }
}

fn shell(script: &str) -> Subject {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("lamp.storage");
    std::fs::create_dir(&state).expect("ours");
    std::fs::write(state.join(".proving-storage"), "").expect("ours");
    std::fs::write(state.join("settings"), "stored").expect("ours");
    let text = |text: &str| Text::parse(text).expect("a text");
    let settings = ProcessSettings {
        device: "lamp".to_owned(),
        link: ProcessLink {
            command: vec![text("sh"), text("-c"), text(script)],
            environment: BTreeMap::new(),
            folder: None,
            log: SerialLog::Auto,
            base: folder.path().to_owned(),
        },
        values: BTreeMap::new(),
        folder: folder.path().to_owned(),
    };
    let trace = Trace::in_memory(Clock::start_fixed(1.0));
    Subject {
        board: Box::new(ProcessBoard::new(settings, trace.clone())),
        trace,
        factory: b"born with this".to_vec(),
        first: "first",
        storage: Storage::Folder,
        keep: Box::new(folder),
    }
}

#[tokio::test]
async fn a_program_owes_what_every_board_owes() {
    let checked = conformance::check(&mut Programs).await;
    let expected = [Firmware::Talks, Firmware::Restarts, Firmware::Panics];
    assert_eq!(checked.expect("no departure"), expected);
}
