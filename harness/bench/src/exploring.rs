//! How many devices are explored in a minute.

use std::process::Command;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

const LASTS: &str = "30s";
const LEAST: f64 = 2000.0;

/// Sessions with phones and brokers that `proving explore` comes to.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut command = Command::new(&setup.proving);
    command
        .args(["explore", "--seed", "1", "--for", LASTS, "--out"])
        .arg(setup.folder()?);
    let (_, output) = timed(&mut command)?;
    let text = String::from_utf8(output.stdout)?;
    let told = text.lines().find_map(|line| {
        let (before, _) = line.split_once(" sessions a minute")?;
        before.rsplit(' ').next()?.parse().ok()
    });
    let rate = told.ok_or_else(|| format!("explore told no rate:\n{text}"))?;
    Ok(vec![
        Row::new(
            "explore: sessions with phones and brokers",
            Ok(Figure::single(rate, Unit::PerMinute("sessions"))),
        )
        .target(Target::AtLeast(LEAST))
        .note(format!(
            "`proving explore --seed 1 --for {LASTS}` on all cores, contracts on"
        )),
    ])
}
