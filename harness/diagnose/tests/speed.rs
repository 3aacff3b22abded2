//! How fast a long log is read, and that its memory does not grow with it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use diagnose::Log;

/// Lines of a device that runs, with now and then one that tells something.
const LINES: &str = include_str!("../fixtures/busy.log");

#[test]
#[ignore = "a measurement: run it in release"]
fn ten_megabytes_a_second() {
    const SIZE: usize = 64 << 20;
    let lines: Vec<&str> = LINES.lines().collect();
    let mut log = Log::new("long");
    let (mut read, mut number) = (0, 0);
    let began = Instant::now();
    while read < SIZE {
        // Most lines of a log tell nothing.
        let line = lines[if number % 16 < 12 {
            number % 2
        } else {
            number % 8
        }];
        log.line(line.as_bytes());
        read += line.len() + 1;
        number += 1;
    }
    let diagnosis = log.end();
    let speed = SIZE as f64 / 1e6 / began.elapsed().as_secs_f64();
    println!("{speed:.0} MB/s, {} lines", diagnosis.lines);
    assert!(speed >= 10.0, "{speed:.1} MB/s");
    assert!(diagnosis.history.len() <= 64);
}

#[test]
#[ignore = "a measurement: run it in release"]
fn five_megabytes_a_second_of_lines_of_every_kind() {
    let mixed = mixed();
    let read = || {
        let began = Instant::now();
        let mut log = Log::new("mixed");
        for line in &mixed {
            log.line(line);
        }
        log.end();
        let size: usize = mixed.iter().map(|line| line.len() + 1).sum();
        (size as f64 / 1e6, began.elapsed().as_secs_f64())
    };
    let (size, first) = read();
    // What else the machine does is in some of them.
    let again = (0..5).map(|_| read().1).fold(first, f64::min);
    println!("{size:.2} MB: {first:.3} s, and again {again:.3} s");
    // With what is built when it is first needed.
    assert!(size / first >= 1.5, "{:.1} MB/s at first", size / first);
    assert!(size / again >= 5.0, "{:.1} MB/s", size / again);
}

/// The lines of all fixtures, each behind one of another log.
fn mixed() -> Vec<Vec<u8>> {
    let mut logs: Vec<PathBuf> = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|folder| folder.read_dir().unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let logs: Vec<Vec<Vec<u8>>> = logs
        .iter()
        .map(|log| std::fs::read(log).unwrap())
        .map(|log| {
            log.split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        })
        .collect();
    let longest = logs.iter().map(Vec::len).max().unwrap();
    let line = |number: usize| logs.iter().filter_map(move |log| log.get(number).cloned());
    (0..longest).flat_map(line).collect()
}

#[test]
#[ignore = "a measurement: run it in release"]
fn a_log_of_attempts_and_one_without_line_ends_are_read_in_linear_time() {
    let time = |lines: usize| {
        let began = Instant::now();
        let mut log = Log::new("attempts");
        for _ in 0..lines {
            log.line(b"ets Jun  8 2016 00:22:57");
            log.line(b"W (5541) app: disconnected, reason 15");
        }
        log.end();
        began.elapsed().as_secs_f64()
    };
    time(1000);
    let (short, long) = (time(10_000), time(100_000));
    println!("{short:.3} s, {long:.3} s");
    assert!(long < short * 20.0, "{short:.3} s, {long:.3} s");
    // Words of many rules, again and again, in lines as long as they are looked at.
    let words =
        "mqtt broker connect reason certificate handshake dhcp disconnected error ".repeat(110);
    let began = Instant::now();
    let mut log = Log::new("words");
    for _ in 0..1000 {
        log.line(words.as_bytes());
    }
    log.end();
    let speed = words.len() as f64 / 1e3 / began.elapsed().as_secs_f64();
    println!("{speed:.0} MB/s of words");
    assert!(speed >= 10.0, "{speed:.1} MB/s");
    let endless = vec![b'x'; 64 << 20];
    let began = Instant::now();
    let mut log = Log::new("endless");
    log.line(&endless);
    log.end();
    assert!(began.elapsed().as_secs_f64() < 1.0);
}
