//! From the moment at which a device writes a line to the moment at which an expectation is met.

use std::fmt::Write as _;
use std::time::Duration;

use board::Board;
use clock::Clock;
use engine::expect::{Expectations, NeverWatch};
use language::{Captures, Case, Expect, Known, Step, parse};
use serde_json::Value;
use trace::{LogLine, Trace};

use crate::figures::Figure;
use crate::host_time::monotonic_ns;
use crate::matching;
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row, Target};
use crate::talker::{self, Speech};
use crate::uart::Uart;

const SAMPLES: usize = 400;
const PEER_SAMPLES: usize = 60;
const PTY: &str = include_str!("../peers/pexpect_latency.py");
const SERIAL: &str = include_str!("../peers/serial_latency.py");
/// The line that was waited for is among so many of the last events.
const LAST: usize = 8;
const NAME: &str = "log line written to expectation met";
const UART: &str = "log line written to a pty to expectation met";
const NOTE: &str = "another process writes its monotonic time into each line and pauses 3 to 7 ms in \
                    between; until `meet` returns, beside 40 `never` patterns and with a trace file";

/// Median and p95 of ours, of the native board and of a serial one, and the peers'.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let [native, serial] =
        [Way::Native, Way::Uart].map(|way| ours(setup, way).map_err(|error| error.to_string()));
    let native = Row::new(NAME, native).target(Target::Below(5.0)).note(NOTE);
    let serial = || {
        Row::new(UART, serial.clone())
            .target(Target::Below(5.0))
            .note(NOTE)
    };
    Ok(vec![
        native,
        serial().peer(
            "pytest-embedded, serial on a pty",
            peer(setup, "serial_latency.py", SERIAL),
        ),
        serial().peer("pexpect on a pty", peer(setup, "pexpect_latency.py", PTY)),
    ])
}

/// How a line gets from the device to the harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By the tether of a native board.
    Native,
    /// By a UART.
    Uart,
}

fn ours(setup: &Setup, way: Way) -> Outcome<Figure> {
    let mut scenario = matching::scenario();
    // Behind the steps come the patterns that must never match.
    let steps = (0..SAMPLES).fold(String::new(), |mut steps, number| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            steps,
            "  - expect: {{ log: {{ text: \"line {number} at\" }}, within: 60s }}"
        );
        steps
    });
    scenario.insert_str(scenario.find("never:").unwrap_or_default(), &steps);
    let cases = parse("latency.yaml", &scenario, &Known::default())?;
    let case = cases.first().ok_or("the scenario has no case")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let samples = runtime.block_on(async {
        let file = setup.folder()?.join("trace.jsonl");
        let trace = Trace::create(Clock::start(1000.0), &file)?;
        let mut never = NeverWatch::new(trace.clone(), case.scenario.never.clone())?;
        let mut uart = Uart::open(setup)?;
        let mut board: Box<dyn Board> = match way {
            Way::Native => {
                let speech = Speech::Drops { lines: SAMPLES };
                Box::new(talker::board(setup, &trace, speech)?)
            }
            Way::Uart => Box::new(uart.board(&trace)?),
        };
        board.power_on().await?;
        if way == Way::Uart {
            // Only now: opening the port throws away what was written before.
            uart.speak(setup, SAMPLES)?;
        }
        let samples = tokio::select! {
            biased;
            violation = never.violated() => Err(violation.label().into()),
            samples = samples(&trace, case) => samples,
        };
        board.power_off().await?;
        samples
    })?;
    Ok(Figure::of_times(samples)?)
}

async fn samples(trace: &Trace, case: &Case) -> Outcome<Vec<Duration>> {
    let mut expectations = Expectations::new(trace.clone());
    let mut captures = Captures::default();
    let mut samples = Vec::new();
    // The first step is that of the scenario that this one is made from.
    for step in case.scenario.steps.iter().skip(1) {
        let Step::Expect(Expect::Clause(clause)) = &step.value else {
            return Err("the scenario has other steps than expectations".into());
        };
        let start = trace.clock().now();
        let met = expectations.meet(clause, &mut captures, start).await;
        let now = monotonic_ns();
        met.map_err(|miss| miss.message)?;
        let written = last_line(trace).ok_or("there is no line with a time")?;
        samples.push(Duration::from_nanos(now.saturating_sub(written)));
    }
    Ok(samples)
}

/// The time in the last line of the log.
fn last_line(trace: &Trace) -> Option<u64> {
    let events = trace.since(trace.len().saturating_sub(LAST));
    let line: LogLine = events.iter().rev().find_map(|event| event.payload())?;
    line.text.rsplit_once(' ')?.1.parse().ok()
}

/// Both scripts print a list of ms.
fn peer(setup: &Setup, name: &str, script: &str) -> Measured {
    let times = setup
        .peer(name, script, &[&PEER_SAMPLES.to_string()])
        .map_err(|error| error.to_string())?;
    let times: Option<Vec<f64>> = times
        .as_array()
        .and_then(|times| times.iter().map(Value::as_f64).collect());
    let times = times.ok_or("the peer told no times")?;
    Figure::of_times(
        times
            .into_iter()
            .map(|ms| Duration::from_secs_f64(ms / 1e3)),
    )
}
