//! What is done with an image: flash it, see that it is there already, start it, hear it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use board::Board;
use board::probe::{self, Flashed, ProbeBoard};
use clock::Clock;
use factory::Scheme;
use lab::qemu::Cables;
use lab::wire::Wire;
use tokio::io::AsyncWriteExt;
use trace::LogLine;

use super::NOTE;
use super::emulated::{Emulated, on_runtime};
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};

const MIB: usize = 1 << 20;
const FLASHES: usize = 5;
const RESETS: usize = 20;
const ECHOES: usize = 50;
/// No handshake begins like this.
const REQUEST: &[u8] = b"prov-session 0 00\r";
const REFUSAL: &str = "Unable to unpack setup_req";
/// In the factory data of the miniature: logs as fast as it is read.
const FLOODS: u32 = 4;
const FLOODED: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let (flashed, skipped) = on_runtime(flashes(setup))?;
    let first = on_runtime(first_lines(setup))?;
    let lines = on_runtime(lines(setup))?;
    let echoes = on_runtime(echoes(setup)).map_err(|error| error.to_string());
    let times = |all: Vec<Flashed>| Figure::of_times(all.into_iter().map(|flashed| flashed.took));
    Ok(vec![
        Row::new("board: erase, flash and verify 1 MiB", times(flashed))
            .target(Target::Below(2000.0))
            .note(NOTE),
        Row::new("board: 1 MiB that is there already", times(skipped)).note(
            "every byte is compared through the probe; attaching is part of it, as it is of flashing",
        ),
        Row::new("board: reset to first line", Figure::of_times(first))
            .note("from the call to the line of `main` in the trace"),
        Row::new(
            "board: lines through to the trace",
            Ok(Figure::single(lines, Unit::PerSecond("lines"))),
        )
        .note("a firmware that logs as fast as it is read: RTT, defmt, redaction, trace in memory"),
        Row::new(
            "board: echo through to the trace",
            echoes.and_then(Figure::of_times),
        )
        .note(
            "from a request at the UART to the line of its refusal in the trace, by the whole \
             firmware in the host's time: its executor, RTT, the polling of it, defmt, redaction",
        ),
    ])
}

async fn flashes(setup: &Setup) -> Outcome<(Vec<Flashed>, Vec<Flashed>)> {
    let emulated = Emulated::start(setup).await?;
    let image = image_of(setup, MIB)?;
    let settings = emulated.settings(&image);
    tokio::task::spawn_blocking(move || {
        let mut flashed = Vec::new();
        let mut skipped = Vec::new();
        for _ in 0..FLASHES {
            flashed.push(probe::flash(settings.clone(), true, drop)?);
            let again = probe::flash(settings.clone(), false, drop)?;
            if !again.skipped {
                return Err("an image that is there was flashed again".into());
            }
            skipped.push(again);
        }
        Ok((flashed, skipped))
    })
    .await?
}

/// From the call of `reset` to the first line in the trace.
async fn first_lines(setup: &Setup) -> Outcome<Vec<Duration>> {
    let emulated = Emulated::start(setup).await?;
    let image = PathBuf::from(super::MINIATURE);
    let mut board = ProbeBoard::new(emulated.settings(&image), emulated.trace.clone())?;
    board.power_on().await?;
    let mut samples = Vec::new();
    for _ in 0..RESETS {
        let known = emulated.trace.len();
        let began = Instant::now();
        board.reset().await?;
        until_line(&emulated, known, began, |_| true).await?;
        samples.push(began.elapsed());
    }
    board.power_off().await?;
    Ok(samples)
}

/// From a command at the whole firmware's UART to the line in the trace that it is followed by.
async fn echoes(setup: &Setup) -> Outcome<Vec<Duration>> {
    let clock = Clock::start(1.0);
    let (console, mut terminal) = Wire::pair(&clock);
    let cables = Cables {
        console: Some(console),
        ..Cables::default()
    };
    let emulated = Emulated::with_cables(setup, cables, clock).await?;
    let mut board = emulated.firmware(setup, Scheme::CONSOLE).await?;
    until_line(&emulated, 0, Instant::now(), |text| {
        text.starts_with("Provisioning started")
    })
    .await?;
    let mut samples = Vec::new();
    for _ in 0..ECHOES {
        let known = emulated.trace.len();
        let began = Instant::now();
        terminal.write_all(REQUEST).await?;
        until_line(&emulated, known, began, |text| text == REFUSAL).await?;
        samples.push(began.elapsed());
    }
    board.power_off().await?;
    Ok(samples)
}

async fn until_line(
    emulated: &Emulated,
    known: usize,
    began: Instant,
    is_it: impl Fn(&str) -> bool,
) -> Outcome<()> {
    let fits = |event: &Arc<trace::Event>| {
        let line = event.payload::<LogLine>();
        line.is_some_and(|line| is_it(&line.text))
    };
    while !emulated.trace.since(known).iter().any(fits) {
        if began.elapsed() > LIMIT {
            let events = emulated.trace.since(0);
            let mut lines = events
                .iter()
                .rev()
                .filter_map(|event| event.payload::<LogLine>());
            let last = lines.next().map_or_else(String::new, |line| line.text);
            return Err(
                format!("the line that is waited for does not come; the last is `{last}`").into(),
            );
        }
        emulated
            .trace
            .clock()
            .sleep(Duration::from_micros(200))
            .await;
    }
    Ok(())
}

/// Lines of the log in a second.
async fn lines(setup: &Setup) -> Outcome<f64> {
    let emulated = Emulated::start(setup).await?;
    let image = PathBuf::from(super::MINIATURE);
    let mut board = ProbeBoard::new(emulated.settings(&image), emulated.trace.clone())?;
    board.write_factory(&FLOODS.to_le_bytes()).await?;
    board.power_on().await?;
    let (known, began) = (emulated.trace.len(), Instant::now());
    emulated.trace.clock().sleep(FLOODED).await;
    let events = emulated.trace.since(known);
    let took = began.elapsed();
    board.power_off().await?;
    let lines = events
        .iter()
        .filter(|event| event.payload::<LogLine>().is_some());
    Ok(lines.count() as f64 / took.as_secs_f64())
}

/// An ELF file for a Cortex-M that loads `size` bytes to address 0 and goes round in a circle.
fn image_of(setup: &Setup, size: usize) -> Outcome<PathBuf> {
    const HEADERS: u32 = 52 + 32;
    const NAMES: &[u8] = b"\0.text\0.shstrtab\0";
    let length = u32::try_from(size)?;
    let names = u32::try_from(NAMES.len())?;
    let mut flash: Vec<u8> = (0..size).map(|index| (index / 3) as u8).collect();
    // Stack, entry, and there a branch to itself.
    flash[..4].copy_from_slice(&0x2001_0000_u32.to_le_bytes());
    flash[4..8].copy_from_slice(&0x41_u32.to_le_bytes());
    flash[0x40..0x42].copy_from_slice(&0xE7FE_u16.to_le_bytes());
    let mut elf = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // Executable, for ARM.
    elf.extend([2_u16, 40].map(u16::to_le_bytes).concat());
    // Version, entry, program headers, section headers, flags of EABI 5.
    let sections = HEADERS + length + names;
    let words = [1, 0x41, 52, sections, 0x0500_0000];
    elf.extend(words.map(u32::to_le_bytes).concat());
    // Sizes and numbers of headers; the names are in the last section.
    elf.extend([52_u16, 32, 1, 40, 3, 2].map(u16::to_le_bytes).concat());
    // One segment to load, readable and executable.
    let segment = [1, HEADERS, 0, 0, length, length, 5, 4];
    elf.extend(segment.map(u32::to_le_bytes).concat());
    elf.extend(flash);
    elf.extend(NAMES);
    let text = [1, 1, 6, 0, HEADERS, length, 0, 0, 4, 0];
    let strings = [7, 3, 0, 0, HEADERS + length, names, 0, 0, 1, 0];
    for section in [[0; 10], text, strings] {
        elf.extend(section.map(u32::to_le_bytes).concat());
    }
    setup.file("one-mib.elf", elf)
}
