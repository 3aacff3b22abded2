//! A process in the place of a native device, which does nothing but log.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use airlink::tether::{FromDevice, encode};
use lab::air::Air;
use lab::native::{NativeBoard, NativeSettings};
use trace::{Level, LogLine, Trace};

use crate::host_time;
use crate::matching::Text;
use crate::setup::{Outcome, Setup};

/// The hidden subcommand that is such a process.
pub const TALKER: &str = "__talker";
/// Its first argument where standard output is a UART.
pub const UART: &str = "uart";
/// Bytes that go out at once in a flood; the firmware's own limit.
const BATCH: usize = 32 * 1024;
/// Pauses between drops, in ms: none in step with any timer of the lab.
const PAUSES: [u64; 5] = [3, 7, 4, 6, 5];

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// The log of [`matching::Text`], as fast as it can.
    Flood {
        /// Size of the log.
        bytes: usize,
    },
    /// Single lines (`line N at T`, where T is the host's monotonic time in ns) with pauses.
    Drops {
        /// How many lines.
        lines: usize,
    },
}

/// A board that runs such a process.
pub fn board(setup: &Setup, trace: &Trace, speech: Speech) -> Outcome<NativeBoard> {
    let (how, much) = match speech {
        Speech::Flood { bytes } => ("flood", bytes),
        Speech::Drops { lines } => ("drops", lines),
    };
    let settings = NativeSettings {
        device: "device".to_owned(),
        folder: setup.folder()?,
        executable: setup.own.clone(),
        arguments: vec![TALKER.into(), how.into(), much.to_string().into()],
    };
    let link = Air::new(trace.clone()).attach("device");
    Ok(NativeBoard::new(settings, trace.clone(), link))
}

/// The process: standard input is the tether; it says what it has to say, and waits for its end.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> Outcome<()> {
    let how = arguments.next().ok_or("say `flood`, `drops` or `uart`")?;
    let much = arguments.next().and_then(|much| much.into_string().ok());
    let much: usize = much.ok_or("say how much")?.parse()?;
    if how == UART {
        return type_lines(much);
    }
    let mut tether = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    match how.to_str() {
        Some("flood") => flood(&mut tether, much)?,
        Some("drops") => drops(&mut tether, much)?,
        _ => return Err("say `flood`, `drops` or `uart`".into()),
    }
    // The lab ends the process when the power is switched off; so does a lab that is gone.
    tether.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn flood(tether: &mut UnixStream, bytes: usize) -> Outcome<()> {
    let log: Vec<_> = Text::of(bytes).lines.into_iter().map(message).collect();
    let mut batch = Vec::with_capacity(2 * BATCH);
    for line in &log {
        batch.extend_from_slice(&encode(line));
        if batch.len() >= BATCH {
            tether.write_all(&batch)?;
            batch.clear();
        }
    }
    Ok(tether.write_all(&batch)?)
}

fn drops(tether: &mut UnixStream, lines: usize) -> Outcome<()> {
    for (number, pause) in std::iter::zip(0..lines, PAUSES.into_iter().cycle()) {
        std::thread::sleep(Duration::from_millis(pause));
        let line = LogLine {
            level: Level::Info,
            tag: "bench".into(),
            text: format!("line {number} at {}", host_time::monotonic_ns()),
            device_ms: Some(0),
            place: None,
        };
        tether.write_all(&encode(&message(line)))?;
    }
    Ok(())
}

/// The same lines as ESP-IDF writes them, to standard output.
fn type_lines(lines: usize) -> Outcome<()> {
    let mut uart = std::io::stdout();
    for (number, pause) in std::iter::zip(0..lines, PAUSES.into_iter().cycle()) {
        std::thread::sleep(Duration::from_millis(pause));
        let now = host_time::monotonic_ns();
        uart.write_all(format!("I (0) bench: line {number} at {now}\r\n").as_bytes())?;
        uart.flush()?;
    }
    Ok(())
}

fn message(line: LogLine) -> FromDevice {
    FromDevice::Log {
        level: match line.level {
            Level::Error => 1,
            Level::Warn => 2,
            Level::Info => 3,
            Level::Debug => 4,
            Level::Trace => 5,
        },
        tag: line.tag,
        text: line.text,
        device_ms: line.device_ms.unwrap_or_default(),
    }
}
