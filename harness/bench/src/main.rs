//! What the harness costs, beside its peers: one table, and `results.json` for programs.
//!
//! `cargo xtask bench` builds this and `proving` with the same profile, installs the peers, and says
//! in `PROVING_JUDGES` where those are that are written in Python. Names of benchmarks as arguments
//! choose some of them. Everything stays on the loopback and is bounded in number and time.

mod bluetooth;
mod boards;
mod contracts;
mod crowd;
mod diagnosing;
mod exploring;
mod figures;
mod front;
mod happy_path;
mod host_time;
mod latency;
mod matching;
mod own_process;
mod processor;
mod provisioning;
mod reporters;
mod setup;
mod size;
mod start_up;
mod table;
mod talker;
mod uart;
mod viewing;
mod walls;
mod web;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use setup::{Outcome, Setup};
use table::Row;

type Benchmark = fn(&Setup) -> Outcome<Vec<Row>>;

const BENCHMARKS: [(&str, Benchmark); 18] = [
    ("size", size::measure),
    ("start-up", start_up::measure),
    ("happy-path", happy_path::measure),
    ("provisioning", provisioning::measure),
    ("matching", matching::measure),
    ("latency", latency::measure),
    ("front", front::measure),
    ("legacy", front::legacy::measure),
    ("web", web::measure),
    ("crowd", crowd::measure),
    ("uart", uart::measure),
    ("boards", boards::measure),
    ("bluetooth", bluetooth::measure),
    ("contracts", contracts::measure),
    ("explore", exploring::measure),
    ("diagnose", diagnosing::measure),
    ("reporters", reporters::measure),
    ("viewing", viewing::measure),
];

fn main() -> ExitCode {
    match part() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This program also plays the parts that have to be processes of their own.
fn part() -> Outcome<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return all(&[]);
    };
    match first.to_str() {
        Some(engine::DEVICE_COMMAND) => Ok(proving::cli::main()),
        Some(happy_path::WORKER) => {
            let job = arguments.next().ok_or("say which job")?;
            happy_path::worker(Path::new(&job))
        }
        Some(provisioning::PHONE) => {
            let endpoints = arguments.next().ok_or("say which device")?;
            provisioning::phone(Path::new(&endpoints)).map(|()| ExitCode::SUCCESS)
        }
        Some(talker::TALKER) => talker::main(arguments).map(|()| ExitCode::SUCCESS),
        Some(web::PEER) => web::peer(arguments).map(|()| ExitCode::SUCCESS),
        Some(front::ours::BROKER) => front::ours::main(arguments).map(|()| ExitCode::SUCCESS),
        _ => {
            let names: Vec<OsString> = std::iter::once(first).chain(arguments).collect();
            all(&names)
        }
    }
}

/// Runs the benchmarks of these names, or all.
fn all(names: &[OsString]) -> Outcome<ExitCode> {
    let known = |name: &OsString| BENCHMARKS.iter().any(|(known, _)| *name == **known);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "no benchmark {}; there are: {}",
            unknown.display(),
            known.join(", ")
        )
        .into());
    }
    let setup = Setup::new()?;
    let mut rows = Vec::new();
    let mut gaps = Vec::new();
    for (name, measure) in BENCHMARKS {
        if !names.is_empty() && !names.iter().any(|wanted| *wanted == *name) {
            continue;
        }
        eprintln!("measuring {name}");
        match measure(&setup) {
            Ok(measured) => rows.extend(measured),
            Err(error) => gaps.push(format!("{name}: {error}")),
        }
    }
    print!("{}", table::render(&rows));
    let folder = setup.target.join("bench");
    std::fs::create_dir_all(&folder)?;
    let results = folder.join("results.json");
    std::fs::write(&results, format!("{:#}\n", table::json(&rows)))?;
    eprintln!("written to {}", results.display());
    gaps.extend(rows.iter().flat_map(Row::gaps));
    for gap in &gaps {
        eprintln!("not measured: {gap}");
    }
    Ok(if gaps.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
