//! Where everything is that is measured.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// What a benchmark gives, or why it could not be run.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Longer than any of the programs that are measured.
const LIMIT: Duration = Duration::from_secs(90);

/// Programs, and a folder for their files.
pub struct Setup {
    /// This program, which plays other parts too ([`crate::roles`]).
    pub own: PathBuf,
    /// `proving`, built by the same profile.
    pub proving: PathBuf,
    /// The folder of what was built.
    pub target: PathBuf,
    /// Where scenarios are.
    pub scenarios: PathBuf,
    python: Option<PathBuf>,
    scratch: TempDir,
}

impl Setup {
    /// Looks for the programs. Python's environment is the one that `PROVING_JUDGES` names.
    pub fn new() -> Outcome<Self> {
        let own = std::env::current_exe()?;
        let proving = own.with_file_name("proving");
        if !proving.exists() {
            return Err(format!(
                "{} is missing; `cargo xtask bench` builds it",
                proving.display()
            )
            .into());
        }
        // The program is `TARGET/PROFILE/bench`.
        let target = own.ancestors().nth(2);
        let target = target.ok_or("this program is in no folder of a build")?;
        Ok(Self {
            target: target.to_owned(),
            own,
            proving,
            scenarios: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios"),
            python: std::env::var_os("PROVING_JUDGES")
                .map(|judges| Path::new(&judges).join("bin/python")),
            scratch: tempfile::tempdir()?,
        })
    }

    /// A new folder.
    pub fn folder(&self) -> Outcome<PathBuf> {
        Ok(tempfile::tempdir_in(self.scratch.path())?.keep())
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// `proving run`, with its output in a new folder.
    pub fn run(&self, scenario: &Path) -> Outcome<Command> {
        let mut command = Command::new(&self.proving);
        command
            .arg("run")
            .arg(scenario)
            .arg("--out")
            .arg(self.folder()?);
        Ok(command)
    }

    /// The Python that has the peers.
    pub fn python(&self) -> Outcome<Command> {
        let python = self.python.as_ref().ok_or(
            "PROVING_JUDGES does not name a Python environment with the peers; \
             `cargo xtask bench` sets it",
        )?;
        let mut command = Command::new(python);
        command.current_dir(self.scratch.path());
        Ok(command)
    }

    /// Runs one of `peers/*.py`, which prints one JSON value.
    pub fn peer(&self, name: &str, script: &str, arguments: &[&str]) -> Outcome<Value> {
        let script = self.file(name, script)?;
        let (_, output) = timed(self.python()?.arg(script).args(arguments))?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Runs `command` to its end, which has to be a success, and takes its time.
pub fn timed(command: &mut Command) -> Outcome<(Duration, Output)> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start {command:?}: {error}"))?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let stdout = stdout.recv_timeout(LIMIT);
    if stdout.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let wall = began.elapsed();
    let output = Output {
        status,
        stdout: stdout.map_err(|_| format!("{command:?} took longer than {LIMIT:?}"))?,
        stderr: stderr.recv_timeout(LIMIT).unwrap_or_default(),
    };
    if !output.status.success() {
        return Err(format!(
            "{command:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        )
        .into());
    }
    Ok((wall, output))
}

/// Everything that comes out of `pipe`, once it is closed.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is as good as it gets.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}
