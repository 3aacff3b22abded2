//! A long trace is bounded in memory, and nothing of it is lost.
//!
//! One test alone, because the memory that it looks at is that of its process.

use std::fs;

use clock::Clock;
use trace::mqtt::{PayloadForm, Publish};
use trace::{LogLine, Trace};

const MESSAGES: u64 = 50_000;
const MOST_GROWN: u64 = 20 << 20;

#[test]
fn fifty_thousand_messages_stay_readable_and_cost_a_few_mib() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.jsonl");
        let trace = Trace::create(Clock::start(1.0), &path).expect("a trace");
        let before = resident();
        for number in 0..MESSAGES {
            trace.emit(Some("device"), &message(number));
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < MOST_GROWN, "{grown} bytes more than before");

        // Everything is there, in order, also what was forgotten, and reading it costs no more.
        let mut number = 0;
        for (position, event) in trace.events_from(0).enumerate() {
            assert_eq!(event.seq, position as u64);
            if let Some(publish) = event.payload::<Publish>() {
                assert_eq!(publish, message(number));
                number += 1;
            }
        }
        assert_eq!(number, MESSAGES);
        assert_eq!(trace.len() as u64, MESSAGES + 1);
        let grown = resident().saturating_sub(before);
        assert!(grown < MOST_GROWN, "{grown} bytes more after it was read");

        // Each single one, and from anywhere.
        for position in [0, 1, 63, 64, 65, 4_095, 30_000, 49_999, 50_000] {
            let event = trace.event(position).expect("an event");
            assert_eq!(event.seq, position as u64);
            let after = trace.events_from(position).next().expect("an event");
            assert_eq!(*after, *event);
        }
        assert!(trace.event(50_001).is_none());
        assert_eq!(trace.events_from(50_001).count(), 0);
        assert_eq!(trace.since(49_990).len(), 11);
        assert!(trace.take_failure().is_none());

        // A line of a log that was forgotten is still read as one.
        let line = LogLine {
            level: trace::Level::Error,
            tag: "app".into(),
            text: "the only one".into(),
            device_ms: Some(7),
            place: None,
        };
        let position = trace.log("device", line.clone());
        for number in 0..MESSAGES {
            trace.emit(Some("device"), &message(number));
        }
        let event = trace.event(usize::try_from(position).expect("a position"));
        let event = event.expect("an event");
        assert_eq!(event.line().expect("a line").text, "the only one");
        assert_eq!(event.payload::<LogLine>(), Some(line));

        // A trace whose file is gone wrong says so instead of leaving events out.
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(10))
            .expect("cut");
        assert!(trace.event(5).is_none());
        assert!(trace.take_failure().is_some());
    });
}

fn message(number: u64) -> Publish {
    let payload = serde_json::json!({
        "id": number.to_string(),
        "params": { "temperature": 21.5, "humidity": 40, "note": "some more text, as devices send" },
    });
    Publish {
        connection: 1,
        client: Some("device".into()),
        topic: Some("/sys/a1b2c3/device/thing/event/property/post".into()),
        qos: Some(1),
        retain: Some(false),
        id: Some(7),
        length: Some(120),
        form: Some(PayloadForm::Json),
        payload: Some(payload),
        ..Publish::default()
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse::<u64>().ok())
        .expect("kB")
        * 1024
}
