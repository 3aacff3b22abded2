//! What it costs to look at a run: the page of a trace, and the capture of its packets.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use capture::{Capture, Direction, LinkType, Secrets};
use clock::Clock;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

const SCRIPT: &str = include_str!("../peers/first_screen.py");
const SAMPLES: &str = "5";
/// Numbers of events, and the ms within which the page of the last has to be there.
const EVENTS: [usize; 3] = [1_000, 10_000, 100_000];
const LIMIT_MS: f64 = 2_000.0;
const PACKETS: usize = 200_000;
/// Bytes of a frame, about as MQTT over TLS has them.
const FRAME: [u8; 200] = [0x5A; 200];

/// Pages of 1000 to 100 000 events in Chromium, and captured packets.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for events in EVENTS {
        let page = page(setup, events)?;
        let kilobytes = std::fs::metadata(&page)?.len() as f64 / 1000.0;
        let per_thousand = kilobytes / (events as f64 / 1000.0);
        rows.push(
            Row::new(
                format!("page of {events} events: size per 1000"),
                Ok(Figure::single(per_thousand, Unit::Kilobytes)),
            )
            .note("the whole file, with script and style, by the number of its events"),
        );
        rows.push(
            Row::new(
                format!("page of {events} events: first screen"),
                first_screen(setup, &page).map_err(|error| error.to_string()),
            )
            .target(Target::Below(LIMIT_MS))
            .note("from the start of the navigation to the first events on screen, in Chromium"),
        );
    }
    rows.push(
        Row::new(
            "capture: packets of 200 bytes",
            packets(setup).map_err(|error| error.to_string()),
        )
        .note("from the air to the file, on one core"),
    );
    Ok(rows)
}

/// The page of a trace of so many events.
fn page(setup: &Setup, events: usize) -> Outcome<PathBuf> {
    let mut trace = String::new();
    for seq in 0..events {
        // Like a device that is busy: lines that differ in their numbers, and packets between them.
        let (source, kind, data) = match seq % 10 {
            7 | 8 => (
                "mqtt",
                "publish",
                format!(
                    "{{\"connection\":1,\"topic\":\"v1/devices/me/telemetry\",\"qos\":{}}}",
                    seq % 2
                ),
            ),
            9 => (
                "air",
                "name_asked",
                "{\"name\":\"broker\",\"answer\":\"10.0.0.1\"}".to_owned(),
            ),
            _ => (
                "log",
                "line",
                format!(
                    "{{\"level\":\"info\",\"tag\":\"app\",\"text\":\"reading {seq}: {} mV, heap {}\",\
                     \"device_ms\":{seq}}}",
                    seq * 7919 % 3300,
                    seq * 104_729 % 200_000
                ),
            ),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            trace,
            "{{\"seq\":{seq},\"lab_us\":{},\"wall_us\":{seq},\"source\":\"{source}\",\"device\":\"device\",\
             \"kind\":\"{kind}\",\"data\":{data}}}",
            seq * 997
        );
    }
    let trace = setup.file(&format!("{events}.jsonl"), trace)?;
    let page = trace.with_extension("html");
    let mut command = Command::new(&setup.proving);
    command
        .args(["trace", "open"])
        .arg(trace)
        .arg("--out")
        .arg(&page);
    timed(&mut command)?;
    Ok(page)
}

fn first_screen(setup: &Setup, page: &std::path::Path) -> Outcome<Figure> {
    let page = page.to_string_lossy();
    let told = setup.peer("first_screen.py", SCRIPT, &[page.as_ref(), SAMPLES])?;
    let times: Vec<f64> = serde_json::from_value(told)?;
    Ok(Figure::of(times, Unit::Millis)?)
}

fn packets(setup: &Setup) -> Outcome<Figure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let path = setup.folder()?.join("capture.pcapng");
    let capture = Capture::create(Clock::start(1.0), &path, Secrets::LeftOut)?;
    let interface = capture.interface("station home", LinkType::Ethernet);
    let began = Instant::now();
    for _ in 0..PACKETS {
        interface.packet(Direction::Outbound, &FRAME);
    }
    capture.end()?;
    let rate = PACKETS as f64 / began.elapsed().as_secs_f64();
    Ok(Figure::single(rate, Unit::PerSecond("packets")))
}
