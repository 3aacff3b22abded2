//! What must hold on a loaded machine, and when the harness is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::command::{command, release, run, target};
use crate::firmware;
use crate::test::NATIVE;

const ROUNDS: u32 = 20;
/// Cases at a time for each core: emulated boards wait most of the time.
const JOBS: usize = 4;
const KILLS: u64 = 50;
/// How long the descendants of a killed harness may live.
const GRACE: Duration = Duration::from_secs(2);
/// The variable that all descendants of a run inherit.
const MARK: &str = "PROVING_SOAK";

/// What there is to be done.
const PARTS: [&str; 3] = ["native", "qemu", "kills"];

/// Repeats every scenario on both virtual boards on a loaded host, then kills runs at random moments;
/// or does only the parts that are named.
pub fn soak(parts: &[String]) -> Result<(), String> {
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!(
            "no part {unknown}; there are: {}",
            PARTS.join(", ")
        ));
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    firmware::build(Some("mps2"))?;
    // Every scenario is run, also those that want the listener for old devices.
    let proving = release()?;
    let out = fresh("soak")?;
    if wanted("native") {
        let _load = Load::on_every_core();
        repeat(&proving, &out.join("native"), &["--no-skips", "-E", NATIVE])?;
    }
    if wanted("qemu") {
        // So many emulators are load enough.
        repeat(&proving, &out.join("qemu"), &["--board", "qemu"])?;
    }
    if wanted("kills") {
        kill(&proving, &out, "native", KILLS)?;
        kill(&proving, &out, "qemu", KILLS / 5)?;
    }
    Ok(())
}

/// Threads that do nothing as fast as they can, until this is dropped.
struct Load(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Load {
    fn on_every_core() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let spin = |_| {
            let done = done.clone();
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..cores()).map(spin).collect();
        Self(done, threads)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            // A spinning thread cannot panic.
            let _ = thread.join();
        }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// What is left afterwards of what a run starts is an error, too.
fn repeat(proving: &Path, out: &Path, board: &[&str]) -> Result<(), String> {
    eprintln!("==> {ROUNDS} rounds of {board:?}");
    let began = Instant::now();
    let result = run(command(proving)
        .args(["run", "--repeat", &ROUNDS.to_string()])
        .args(["--jobs", &(JOBS * cores()).to_string()])
        .args(board)
        .arg("--out")
        .arg(out)
        .env(MARK, out));
    eprintln!("    {} s", began.elapsed().as_secs());
    result?;
    thread::sleep(GRACE);
    match living(out) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("still alive: {}", left.join("; "))),
    }
}

fn kill(proving: &Path, out: &Path, board: &str, kills: u64) -> Result<(), String> {
    eprintln!("==> {kills} runs on {board} killed at random moments");
    let mut seed = u64::from(std::process::id());
    for round in 0..kills {
        let folder = out.join(format!("{board}-kill-{round}"));
        let elsewhere = out.join(format!("{board}-tmp-{round}"));
        fs::create_dir_all(&elsewhere).map_err(|error| error.to_string())?;
        let mut child = Command::new(proving)
            .current_dir(crate::command::root())
            .args(["run", "--board", board, "--out"])
            .arg(&folder)
            .env(MARK, &folder)
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

/// Command lines of the processes whose environment says that they descend from the run into
/// `folder`.
fn living(folder: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return vec!["/proc cannot be read".into()];
    };
    let needle = format!("{MARK}={}\0", folder.display());
    let is_ours = |process: &Path| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&needle)
    };
    processes
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| is_ours(process))
        .filter_map(|process| fs::read(process.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
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
