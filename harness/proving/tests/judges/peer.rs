//! Programs of others.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::up::{PATIENCE, within};

/// Set where a judge that is missing is a failure.
const REQUIRED: &str = "PROVING_JUDGES_REQUIRED";
/// Folder of the Python environment with the judges.
const JUDGES: &str = "PROVING_JUDGES";

/// Whether the program `program` is there; says so if it is not.
pub fn is_there(program: &str, package: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    found || missing(program, package)
}

/// A Python that has `module`; says so if there is none.
pub fn python(module: &str, package: &str) -> Option<PathBuf> {
    let python = judges().join("bin/python");
    let found = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    (found || missing(package, package)).then_some(python)
}

fn missing(peer: &str, package: &str) -> bool {
    let message =
        format!("{peer} is not installed: `cargo xtask setup` installs {package} and the others");
    assert!(std::env::var_os(REQUIRED).is_none(), "{message}");
    println!("skipped, because {message}");
    false
}

/// Where `cargo xtask setup` puts Python's judges, if nobody says otherwise.
fn judges() -> PathBuf {
    if let Some(folder) = std::env::var_os(JUDGES) {
        return folder.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
        .join("judges")
}

/// What a program has said in the end.
pub struct Said {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Said {
    /// Standard output, which has to be text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts that it went well.
    pub fn well(self) -> Self {
        assert!(self.status.success(), "{self:?}");
        self
    }

    /// Asserts that it did not, and that standard error says why.
    pub fn failed_with(self, why: &str) -> Self {
        assert!(!self.status.success(), "{self:?}");
        assert!(self.stderr.contains(why), "no `{why}` in {self:?}");
        self
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.status,
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        )
    }
}

/// Runs a program to its end, which must come soon.
pub fn run(command: &mut Command) -> Said {
    Running::start(command).end()
}

/// Runs a program that takes as long as that, to its end.
pub fn run_within(patience: Duration, command: &mut Command) -> Said {
    Running::start(command).end_within(patience)
}

/// A program that runs. Ended when dropped.
pub struct Running {
    shown: String,
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            shown: format!("{command:?}"),
            stdout: child.stdout.take().map(collect),
            stderr: child.stderr.take().map(collect),
            child,
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Interrupts it, as Ctrl-C does.
    pub fn interrupt(&self) {
        let id = i32::try_from(self.child.id()).unwrap();
        // SAFETY: a plain system call; the child has not been waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    }

    /// Waits for its end.
    pub fn end(self) -> Said {
        self.end_within(PATIENCE)
    }

    fn end_within(mut self, patience: Duration) -> Said {
        let status = within(patience, &format!("the end of {}", self.shown), || {
            self.child.try_wait().unwrap()
        });
        let all = |from: &mut Option<JoinHandle<Vec<u8>>>| from.take().unwrap().join().unwrap();
        Said {
            status,
            stdout: all(&mut self.stdout),
            stderr: String::from_utf8_lossy(&all(&mut self.stderr)).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        // What was read until an error is shown all the same.
        let _ = from.read_to_end(&mut all);
        all
    })
}
