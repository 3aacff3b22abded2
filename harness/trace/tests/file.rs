//! What a trace file promises its readers.

use std::fs::OpenOptions;
use std::io::Write;

use clock::Clock;
use trace::{Level, LogLine, Trace};

fn line(text: &str) -> LogLine {
    LogLine {
        level: Level::Info,
        tag: "app".into(),
        text: text.into(),
        device_ms: Some(5),
        place: None,
    }
}

async fn written(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("trace.jsonl");
    let trace = Trace::create(Clock::start(1.0), &path).expect("a trace");
    trace.emit(Some("device"), &line("first"));
    trace.emit(Some("device"), &line("second\nwith a break"));
    path
}

#[tokio::test]
async fn what_was_emitted_is_read_back_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder).await;
    let events = trace::read(&path).expect("a readable trace");
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(
        events[2].payload::<LogLine>(),
        Some(line("second\nwith a break"))
    );
}

#[tokio::test]
async fn every_event_is_in_the_file_at_once_unless_it_is_gathered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    let trace = Trace::create(Clock::start(1.0), &path).expect("a trace");
    let count = || trace::read(&path).expect("a readable trace").len();
    trace.emit(None, &line("alone"));
    assert_eq!(count(), 2);
    let outer = trace.gather();
    let inner = trace.gather();
    trace.emit(None, &line("together"));
    drop(inner);
    trace.emit(None, &line("with others"));
    assert_eq!((count(), trace.len()), (2, 4));
    drop(outer);
    assert_eq!(count(), 4);
}

#[tokio::test]
async fn not_everything_is_gathered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    let trace = Trace::create(Clock::start(1.0), &path).expect("a trace");
    let _gather = trace.gather();
    for _ in 0..2000 {
        trace.emit(None, &line("a line of quite an ordinary length"));
    }
    let (events, _) = trace::read_from(&path, 0).expect("a readable trace");
    assert!(events.len() > 1000, "{}", events.len());
}

#[tokio::test]
async fn a_last_line_cut_short_is_left_for_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder).await;
    let whole = std::fs::metadata(&path).expect("metadata").len();
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("the file");
    file.write_all(br#"{"seq":3,"lab_us":1,"#).expect("a write");
    let (events, offset) = trace::read_from(&path, 0).expect("a readable trace");
    assert_eq!((events.len(), offset), (3, whole));
    file.write_all(b"\"wall_us\":1,\"source\":\"log\",\"kind\":\"line\",\"data\":null}\n")
        .expect("a write");
    let (events, _) = trace::read_from(&path, offset).expect("a readable trace");
    assert_eq!(events[0].seq, 3);
}

#[tokio::test]
async fn a_line_that_is_no_event_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    std::fs::write(&path, "{}\n").expect("a write");
    let error = trace::read(&path).expect_err("no event");
    assert!(error.to_string().contains("no event at byte 0"), "{error}");
}

#[tokio::test]
async fn an_existing_file_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder).await;
    assert!(Trace::create(Clock::start(1.0), &path).is_err());
}
