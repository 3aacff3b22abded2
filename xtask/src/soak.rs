//! What must hold on a loaded machine, and when the harness is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{cargo, command, run, target};

const ROUNDS: u32 = 20;
const KILLS: u64 = 50;
/// How long the descendants of a killed harness may live.
const GRACE: Duration = Duration::from_secs(2);

/// Repeats every scenario with all cores loaded, then kills runs at random moments.
pub fn soak() -> Result<(), String> {
    run(cargo().args(["build", "--release", "--package", "proving"]))?;
    let proving = target().join("release/proving");
    let out = fresh("soak")?;
    repeat(&proving, &out)?;
    kill(&proving, &out)
}

fn repeat(proving: &Path, out: &Path) -> Result<(), String> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    eprintln!("==> {ROUNDS} rounds with {cores} cores loaded");
    let done = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..cores)
        .map(|_| {
            let done = done.clone();
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let began = Instant::now();
    let result = run(command(proving)
        .args([
            "run",
            "--no-skips",
            "--repeat",
            &ROUNDS.to_string(),
            "--out",
        ])
        .arg(out.join("repeat")));
    done.store(true, Ordering::Relaxed);
    for thread in load {
        // A spinning thread cannot panic.
        let _ = thread.join();
    }
    eprintln!("    {} s", began.elapsed().as_secs());
    result
}

fn kill(proving: &Path, out: &Path) -> Result<(), String> {
    eprintln!("==> {KILLS} runs killed at random moments");
    let mut seed = u64::from(std::process::id());
    for round in 0..KILLS {
        let folder = out.join(format!("kill-{round}"));
        let elsewhere = out.join(format!("tmp-{round}"));
        fs::create_dir_all(&elsewhere).map_err(|error| error.to_string())?;
        let mut child = Command::new(proving)
            .current_dir(crate::command::root())
            .args(["run", "--out"])
            .arg(&folder)
            .env("TMPDIR", &elsewhere)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("failed to start {}: {error}", proving.display()))?;
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_millis(20 + (seed >> 33) % 3_000));
        // `Child::kill` sends SIGKILL.
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
        thread::sleep(GRACE);
        let left = living(&folder);
        if !left.is_empty() {
            return Err(format!("round {round}: still alive: {}", left.join("; ")));
        }
        if fs::read_dir(&elsewhere).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!(
                "round {round}: files left in {}",
                elsewhere.display()
            ));
        }
    }
    eprintln!("    no process and no file left behind");
    Ok(())
}

/// Command lines of the processes that name `folder`, which every descendant of a run does.
fn living(folder: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return vec!["/proc cannot be read".into()];
    };
    let needle = folder.to_string_lossy().into_owned() + "/";
    processes
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&needle))
        .collect()
}

fn fresh(name: &str) -> Result<PathBuf, String> {
    let folder = target().join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("failed to clear {}: {error}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder)
        .map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    Ok(folder)
}
