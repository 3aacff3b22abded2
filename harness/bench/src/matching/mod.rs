//! How fast a log is matched, and that the cost is linear in its length.

mod ours;
mod text;

use std::time::Duration;

use serde_json::Value;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row, Target};
use ours::LogRoute;

pub use text::{Text, scenario};

const MEGABYTE: usize = 1_000_000;
/// How often each of ours is measured.
const SAMPLES: usize = 5;
const LINES: Unit = Unit::PerSecond("lines");
const PEER: &str = include_str!("../../peers/pexpect_lines.py");

/// Lines per second, ours with fifty patterns and pexpect's with one.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let (one, eight) = (Text::of(MEGABYTE), Text::of(8 * MEGABYTE));
    let mut rows = Vec::new();
    for route in LogRoute::ALL {
        let (short, long) = (ours(setup, route, &one), ours(setup, route, &eight));
        let mut group = vec![
            Row::new(name("1 MB", route), rates(&one, &short)).target(Target::AtLeast(1e6)),
            Row::new(name("8 MB", route), rates(&eight, &long)).target(Target::AtLeast(1e6)),
            Row::new(
                format!("  cost of 8 MB over 1 MB, {route}"),
                growth(&short, &long),
            )
            .target(Target::Below(1.3 * 8.0)),
        ];
        if let Some(window) = route.peer() {
            let (short, long) = (peer(setup, &one, window), peer(setup, &eight, window));
            let peers = [
                rates(&one, &short),
                rates(&eight, &long),
                growth(&short, &long),
            ];
            let peer = format!("pexpect, 1 pattern, {window} window");
            group = std::iter::zip(group, peers)
                .map(|(row, figure)| row.peer(&peer, figure))
                .collect();
        }
        rows.extend(group.into_iter().map(|row| row.note(route.note())));
    }
    Ok(rows)
}

fn name(size: &str, route: LogRoute) -> String {
    format!("log matching, 50 patterns, {size}, {route}")
}

fn ours(setup: &Setup, route: LogRoute, log: &Text) -> Result<Vec<Duration>, String> {
    (0..SAMPLES)
        .map(|_| ours::take(setup, route, log).map_err(|error| error.to_string()))
        .collect()
}

/// The same text through pexpect, which looks for what comes last.
fn peer(setup: &Setup, log: &Text, window: &str) -> Result<Vec<Duration>, String> {
    let text: String = log.lines.iter().map(text::console).collect();
    let last = format!("Marker <{}> reached", text::MARKERS - 1);
    let measured = setup
        .file("console.log", text)
        .and_then(|_| setup.peer("pexpect_lines.py", PEER, &["console.log", &last, window]))
        .map_err(|error| error.to_string())?;
    let seconds = measured.get("seconds").and_then(Value::as_f64);
    seconds
        .map(|seconds| vec![Duration::from_secs_f64(seconds)])
        .ok_or_else(|| format!("pexpect told no time: {measured}"))
}

fn rates(log: &Text, times: &Result<Vec<Duration>, String>) -> Measured {
    let rates = times.clone()?;
    let rates = rates
        .iter()
        .map(|time| log.lines.len() as f64 / time.as_secs_f64());
    Figure::of(rates.collect(), LINES)
}

/// How much longer the longer log takes, by the medians.
fn growth(short: &Result<Vec<Duration>, String>, long: &Result<Vec<Duration>, String>) -> Measured {
    let short = Figure::of_times(short.clone()?)?.value;
    let long = Figure::of_times(long.clone()?)?.value;
    Ok(Figure::single(long / short, Unit::Times))
}
