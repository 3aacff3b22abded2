//! How fast a log is read for its cause, and in how much memory.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

/// Lines of a device that runs, with now and then one that tells something.
const LINES: &str = include_str!("../../diagnose/fixtures/busy.log");
/// A start, and the trouble that ends it.
const STARTS: &str = "ets Jun  8 2016 00:22:57\nW (5541) app: disconnected, reason 15\n";
/// Words of many rules.
const WORDS: &str = "mqtt broker connect reason certificate handshake dhcp disconnected error ";
/// Bytes of a line that are looked at.
const LONGEST_LINE: usize = 8 * 1024;
/// Folders of logs of every kind.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../diagnose/fixtures");
const MEGABYTE: usize = 1_000_000;
const GIBIBYTE: usize = 1 << 30;
const SAMPLES: usize = 10;
/// ms for a log of 1 MB, from start to end of the command.
const LIMIT_MS: f64 = 200.0;
/// The same, for lines that no log has together.
const MIXED_LIMIT_MS: f64 = 400.0;
/// kB that a log of any length may take.
const LIMIT_KB: f64 = 64_000.0;

/// Logs of 1 MB from a file, and one of 1 GiB from a pipe.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let walls = diagnosed(setup, &setup.file("megabyte.log", log(MEGABYTE))?)?;
    let mixed = diagnosed(setup, &setup.file("mixed.log", mixed(MEGABYTE)?)?)?;
    let starts = STARTS.repeat(MEGABYTE / STARTS.len());
    let starts = diagnosed(setup, &setup.file("starts.log", starts)?)?;
    let line = WORDS.repeat(LONGEST_LINE / WORDS.len()) + "\n";
    let words = line.repeat(MEGABYTE / line.len());
    let words = diagnosed(setup, &setup.file("words.log", words)?)?;
    let (rate, memory) = streamed(setup)?;
    Ok(vec![
        Row::new("diagnose: a log of 1 MB", Ok(Figure::of_times(walls)?))
            .target(Target::Below(LIMIT_MS))
            .note("wall time of `proving diagnose FILE`"),
        Row::new(
            "diagnose: a log of 1 MB, each line of another kind",
            Ok(Figure::of_times(mixed)?),
        )
        .target(Target::Below(MIXED_LIMIT_MS)),
        Row::new(
            "diagnose: a log of 1 MB, each other line a start",
            Ok(Figure::of_times(starts)?),
        ),
        Row::new(
            "diagnose: a log of 1 MB, words of rules in long lines",
            Ok(Figure::of_times(words)?),
        ),
        Row::new(
            "diagnose: a log of 1 GiB from a pipe",
            Ok(Figure::single(rate, Unit::PerSecond("MB"))),
        )
        .note("`proving diagnose -`, on one core"),
        Row::new(
            "  most memory of it",
            Ok(Figure::single(memory, Unit::Kilobytes)),
        )
        .target(Target::Below(LIMIT_KB)),
    ])
}

/// Wall times of the command.
fn diagnosed(setup: &Setup, log: &Path) -> Outcome<Vec<Duration>> {
    let diagnose = || -> Outcome<Duration> {
        Ok(timed(Command::new(&setup.proving).arg("diagnose").arg(log))?.0)
    };
    diagnose()?;
    (0..SAMPLES).map(|_| diagnose()).collect()
}

/// A log of the lines of all logs of the tests, each behind one of another log.
fn mixed(size: usize) -> Outcome<Vec<u8>> {
    let mut logs = Vec::new();
    for folder in Path::new(FIXTURES).read_dir()? {
        let folder = folder?.path();
        if folder.is_dir() {
            for file in folder.read_dir()? {
                logs.push(file?.path());
            }
        }
    }
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    let logs: std::io::Result<Vec<Vec<u8>>> = logs.iter().map(std::fs::read).collect();
    let logs = logs?;
    let lines = |log: &'_ Vec<u8>| {
        log.split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let logs: Vec<Vec<Vec<u8>>> = logs.iter().map(lines).collect();
    let longest = logs.iter().map(Vec::len).max().unwrap_or(0);
    let all = (0..longest).flat_map(|number| logs.iter().filter_map(move |log| log.get(number)));
    let all = all.flat_map(|line| line.iter().chain(b"\n"));
    Ok(all.copied().cycle().take(size).collect())
}

fn log(size: usize) -> String {
    let lines: Vec<&str> = LINES.lines().collect();
    let mut text = String::with_capacity(size + 100);
    let mut number = 0;
    while text.len() < size {
        // Most lines of a log tell nothing.
        let line = match number % 16 {
            quiet @ 0..12 => quiet % 2,
            telling => telling % 8,
        };
        text.push_str(lines[line]);
        text.push('\n');
        number += 1;
    }
    text
}

/// MB per second, and kB at the most.
fn streamed(setup: &Setup) -> Outcome<(f64, f64)> {
    let chunk = log(MEGABYTE);
    let began = Instant::now();
    let mut child = Command::new(&setup.proving)
        .args(["diagnose", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut written = 0;
    if let Some(mut pipe) = child.stdin.take() {
        while written < GIBIBYTE {
            pipe.write_all(chunk.as_bytes())?;
            written += chunk.len();
        }
    }
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the child is ours and nobody has waited for it; both pointers are to locals of the right type,
    // and zeroes are a value of the second's.
    let usage = unsafe {
        if libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) != pid {
            return Err(std::io::Error::last_os_error().into());
        }
        usage.assume_init()
    };
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) > 1 {
        return Err(format!("proving diagnose ended with {status:#x}").into());
    }
    let rate = written as f64 / 1e6 / began.elapsed().as_secs_f64();
    // Linux tells it in units of 1024 bytes.
    Ok((rate, usage.ru_maxrss as f64 * 1.024))
}
