//! How fast a log is read for its cause, and in how much memory.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

/// Lines of a device that runs, with now and then one that tells something.
const LINES: &str = include_str!("../../diagnose/fixtures/busy.log");
const MEGABYTE: usize = 1_000_000;
const GIBIBYTE: usize = 1 << 30;
const SAMPLES: usize = 10;
/// ms for a log of 1 MB, from start to end of the command.
const LIMIT_MS: f64 = 200.0;
/// kB that a log of any length may take.
const LIMIT_KB: f64 = 64_000.0;

/// A log of 1 MB from a file, and one of 1 GiB from a pipe.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let log = setup.file("megabyte.log", log(MEGABYTE))?;
    let diagnose = || -> Outcome<Duration> {
        Ok(timed(Command::new(&setup.proving).arg("diagnose").arg(&log))?.0)
    };
    diagnose()?;
    let walls: Outcome<Vec<Duration>> = (0..SAMPLES).map(|_| diagnose()).collect();
    let (rate, memory) = streamed(setup)?;
    Ok(vec![
        Row::new("diagnose: a log of 1 MB", Ok(Figure::of_times(walls?)?))
            .target(Target::Below(LIMIT_MS))
            .note("wall time of `proving diagnose FILE`"),
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
