//! What the tests share: a rig, a pty, a trace to look into.

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board::rig::{BoardLink, Rig, RigBoard, SerialLink};
use board::serial::{SerialBoard, pseudo_terminal};
use board::{Board, BoardError};
use clock::Clock;
use trace::{LogLine, Payload, Trace};

/// Runs a test, which must come to its end.
pub fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

pub fn trace() -> Trace {
    Trace::in_memory(Clock::start(1.0))
}

/// The only board of a rig that stands in `folder`.
pub fn board(folder: &Path, keys: &str) -> RigBoard {
    let text = format!("[boards.dut]\nkind = \"serial\"\n{keys}");
    let rig = Rig::parse(&folder.join("rig.toml"), &text).expect("no mistakes");
    rig.boards.into_values().next().expect("one board")
}

pub fn link(folder: &Path, keys: &str) -> SerialLink {
    match board(folder, keys).link {
        BoardLink::Serial(link) => *link,
        other => panic!("{other:?}"),
    }
}

pub fn serial_board(folder: &Path, keys: &str, trace: &Trace) -> SerialBoard {
    SerialBoard::new("dut", link(folder, keys), None, trace.clone())
}

pub fn events<P: Payload + for<'de> serde::Deserialize<'de>>(trace: &Trace) -> Vec<P> {
    trace
        .since(0)
        .iter()
        .filter_map(|event| event.payload())
        .collect()
}

pub fn texts(trace: &Trace) -> Vec<String> {
    events::<LogLine>(trace)
        .into_iter()
        .map(|line| line.text)
        .collect()
}

/// Waits until `done`, which must be within ten seconds of the host's time.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "waited for {what}"
        );
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Turns the board on, in any tests that want nothing else of that.
pub async fn on(board: &mut SerialBoard) {
    board.power_on().await.expect("it can be turned on");
}

/// The whole sentence.
pub fn said(error: &BoardError) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        said.push_str(&format!(": {error}"));
        source = error.source();
    }
    said
}

/// The device's end of a pty, and the path of the other.
pub fn pty() -> (File, PathBuf) {
    pseudo_terminal().expect("a pty")
}

/// A log of `fixtures/logs`.
pub fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/logs")
        .join(name);
    std::fs::read(path).expect("it is part of the repository")
}

/// A script in `folder` that can be started.
pub fn script(folder: &Path, name: &str, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{body}\n")).expect("ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
}
