//! Hostile bytes for everything that reads bytes: the targets of `fuzz/`, each for some time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::command::{cargo, root, run, shown, target};

/// How long each target runs unless told otherwise.
const SECONDS: u64 = 30;
/// An input that takes longer is a finding, in seconds.
const SLOWEST: u32 = 10;
/// A target that takes more memory has found something, in MiB.
const MOST_MEMORY: u32 = 2048;
/// How much of what a target said is shown when it fails, in lines.
const SHOWN: usize = 40;
/// To which side of the session target's messages a device's answers belong.
const TO_PHONE: u8 = 7;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    seconds: u64,
    /// All of them if none is named.
    targets: Vec<String>,
}

impl Plan {
    /// As the arguments after `fuzz` say it: `[TARGET]... [--seconds N]`.
    pub fn new(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            seconds: SECONDS,
            targets: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--seconds" => {
                    let seconds = arguments.next().and_then(|text| text.parse().ok());
                    plan.seconds = seconds
                        .filter(|seconds| *seconds > 0)
                        .ok_or("--seconds wants a whole number of seconds")?;
                }
                "--yes" => {}
                name => plan.targets.push(name.to_owned()),
            }
        }
        Ok(plan)
    }
}

/// Builds all targets, runs those of `plan`, and fails if one of them finds anything.
pub fn fuzz(plan: &Plan) -> Result<(), String> {
    let all = targets()?;
    if let Some(unknown) = plan.targets.iter().find(|name| !all.contains(name)) {
        let known = all.join(", ");
        return Err(format!("no fuzz target {unknown}; there are: {known}"));
    }
    let wanted: Vec<&String> = all
        .iter()
        .filter(|name| plan.targets.is_empty() || plan.targets.contains(name))
        .collect();
    run(cargo()
        .current_dir(folder())
        .args(["build", "--profile", "fuzz"])
        .env("CARGO_TARGET_DIR", output()))?;
    let programs = programs()?;
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers.min(wanted.len()) {
            scope.spawn(|| {
                while let Some(name) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = attack(&programs.join(name), name, plan.seconds) {
                        found
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(error);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if found.is_empty() {
        return Ok(());
    }
    Err(found.join("\n"))
}

/// Runs one target, from its seeds and from what earlier runs have kept.
fn attack(program: &Path, name: &str, seconds: u64) -> Result<(), String> {
    let corpus = output().join("corpus").join(name);
    let artifacts = output().join("artifacts").join(name);
    for folder in [&corpus, &artifacts] {
        make(folder)?;
    }
    for (number, seed) in seeds(name)?.iter().enumerate() {
        let path = corpus.join(format!("seed-{number}"));
        fs::write(&path, seed).map_err(|error| failed("write", &path, &error))?;
    }
    let log = artifacts.join("log");
    let file = File::create(&log).map_err(|error| failed("write", &log, &error))?;
    let mut command = Command::new(program);
    command
        .current_dir(folder())
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg(format!("-rss_limit_mb={MOST_MEMORY}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1")
        .arg(&corpus)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    eprintln!("==> fuzz {name} for {seconds} s");
    let status = command
        .status()
        .map_err(|error| format!("failed to start {}: {error}", shown(&command)))?;
    let said = fs::read(&log).map_err(|error| failed("read", &log, &error))?;
    let said = String::from_utf8_lossy(&said);
    if status.success() {
        let figure = |what| figure(&said, what).unwrap_or("?");
        eprintln!(
            "    fuzz {name}: {} inputs, {} of them kept",
            figure("number_of_executed_units"),
            figure("new_units_added"),
        );
        return Ok(());
    }
    eprintln!("{}", why(&said));
    let input = input(&said).unwrap_or("(it left none)");
    Err(format!(
        "fuzz target {name}: {status} on {input}\n  again: {} {input}",
        program.display()
    ))
}

/// What a target said when it failed: from its panic on, or the end.
fn why(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let from = panic.unwrap_or(lines.len().saturating_sub(SHOWN));
    let shown = lines[from..].iter().take(SHOWN);
    shown.copied().collect::<Vec<_>>().join("\n")
}

/// A figure of libFuzzer's final statistics.
fn figure<'s>(said: &'s str, what: &str) -> Option<&'s str> {
    let prefix = format!("stat::{what}:");
    said.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .map(str::trim)
}

/// The input at which a target stopped.
fn input(said: &str) -> Option<&str> {
    said.lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map(|(_, path)| path.trim())
}

/// Inputs to begin with: those of `fuzz/seeds`, and messages of the test vectors.
fn seeds(name: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut seeds = Vec::new();
    let path = folder().join("seeds").join(format!("{name}.txt"));
    if let Ok(text) = fs::read_to_string(&path) {
        for line in text.lines() {
            seeds.push(unescape(line).ok_or_else(|| format!("{}: {line}", path.display()))?);
        }
    }
    match name {
        "protobuf" => {
            for vector in vectors()? {
                texts(&vector, &mut |text| seeds.extend(bytes(text)));
            }
        }
        "session" => {
            for vector in vectors()? {
                seeds.extend(conversation(&vector));
            }
            // A session of two that are honest, and what they say.
            seeds.push(b"\x0a\0\0\x0b\0\x05hello\x0b\0\0\x0e\0\x02no".to_vec());
        }
        _ => {}
    }
    Ok(seeds)
}

/// The messages of a vector's handshake, as the session target reads them: whose they are, the length
/// and the bytes.
fn conversation(vector: &Value) -> Option<Vec<u8>> {
    let mut seed = Vec::new();
    for message in vector["messages"].as_array()? {
        let wire = bytes(message["wire"].as_str()?)?;
        let security = u8::from(wire.get(1) == Some(&1)) + 2 * u8::from(wire.get(1) == Some(&2));
        let is_handshake = message["endpoint"] == "prov-session";
        let to = match (message["dir"].as_str()?, is_handshake) {
            ("C->D", true) => security << 4,
            (_, true) => TO_PHONE,
            _ => break,
        };
        seed.push(to);
        seed.extend(u16::try_from(wire.len()).ok()?.to_be_bytes());
        seed.extend(wire);
    }
    Some(seed)
}

/// The test vectors.
fn vectors() -> Result<Vec<Value>, String> {
    let folder = root().join("fixtures/vectors");
    let mut vectors = Vec::new();
    for path in files(&folder)? {
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
            let vector = serde_json::from_slice(&text);
            vectors.push(vector.map_err(|error| failed("read", &path, &error))?);
        }
    }
    Ok(vectors)
}

/// Shows `see` every text in `value`.
fn texts(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Object(members) => members.values().for_each(|member| texts(member, see)),
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, see)),
        _ => {}
    }
}

/// The bytes of hex digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

/// A line of a seed file: `\r`, `\n`, `\\` and `\xHH` stand for one byte.
fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut seed = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            seed.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        match escape {
            b'r' => seed.push(b'\r'),
            b'n' => seed.push(b'\n'),
            b'\\' => seed.push(b'\\'),
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                seed.extend(bytes(std::str::from_utf8(digits).ok()?)?);
            }
            _ => return None,
        }
    }
    Some(seed)
}

/// Names of the targets, in order.
fn targets() -> Result<Vec<String>, String> {
    let mut names: Vec<String> = files(&folder().join("fuzz_targets"))?
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Where cargo puts programs of this host, whose name is a folder's.
fn programs() -> Result<PathBuf, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output();
    let said = said.map_err(|error| format!("failed to run rustc: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say what it builds for")?;
    Ok(output().join(host).join("fuzz"))
}

fn folder() -> PathBuf {
    root().join("fuzz")
}

fn output() -> PathBuf {
    target().join("fuzz")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| failed("read", folder, &error))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| failed("make", folder, &error))
}

fn failed(what: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("failed to {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Plan::new(&words)
    }

    #[test]
    fn arguments_name_targets_and_a_time() {
        let all = plan(&[]).expect("all of them");
        assert_eq!((all.seconds, all.targets.len()), (SECONDS, 0));
        let some = plan(&["http", "--seconds", "5", "hci"]).expect("two of them");
        assert_eq!(some.seconds, 5);
        assert_eq!(some.targets, ["http", "hci"]);
        assert!(plan(&["--seconds", "0"]).is_err());
        assert!(plan(&["--seconds"]).is_err());
    }

    #[test]
    fn every_target_has_seeds_that_can_be_read() {
        for name in targets().expect("they are there") {
            let seeds = seeds(&name).expect("they can be read");
            assert!(!seeds.is_empty(), "{name} has no seeds");
        }
    }

    #[test]
    fn a_seed_holds_any_byte() {
        assert_eq!(
            unescape(r"a\r\n\\\x00\xff").as_deref(),
            Some(&b"a\r\n\\\0\xff"[..])
        );
        assert_eq!(unescape(r"\q"), None);
        assert_eq!(unescape(r"\xf"), None);
    }

    #[test]
    fn what_libfuzzer_says_is_found() {
        let said = "stat::number_of_executed_units: 12\nartifact_prefix='/a/'; Test unit written to \
                    /a/crash-1\n";
        assert_eq!(figure(said, "number_of_executed_units"), Some("12"));
        assert_eq!(input(said), Some("/a/crash-1"));
        let said = "#1 INITED\nthread '<unnamed>' (1) panicked at a.rs:1:1:\nno\n";
        assert!(why(said).ends_with("panicked at a.rs:1:1:\nno"));
    }
}
