//! `proving up --as-rig`, as the tests that run cases on it start it.

#[path = "../sandbox/mod.rs"]
mod sandbox;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What the rig may take to stand.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rig, in a folder of its own; it ends when dropped.
pub struct Standing {
    folder: TempDir,
    process: Child,
    told: Arc<Mutex<Vec<String>>>,
}

impl Standing {
    /// Starts it with these further arguments, and waits until it stands.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = sandbox::folder();
        let mut process = Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(["up", "--as-rig"])
            .arg(folder.path().join("rig"))
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (lines, kept) = (BufReader::new(process.stderr.take().unwrap()), told.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let standing = Self {
            folder,
            process,
            told,
        };
        let began = Instant::now();
        while !standing.rig_toml().exists() {
            assert!(began.elapsed() < PATIENCE, "{:?}", standing.told());
            std::thread::sleep(Duration::from_millis(10));
        }
        standing
    }

    /// A folder for what a run writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the rig.
    pub fn rig(&self) -> PathBuf {
        self.folder().join("rig")
    }

    /// Its rig file.
    pub fn rig_toml(&self) -> PathBuf {
        self.rig().join("rig.toml")
    }

    /// The lines that it has told so far.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// The variables of its file `env`.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.rig().join("env")).unwrap();
        let variable = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        text.lines().map(|line| variable(line).unwrap()).collect()
    }

    /// Has its script do something.
    pub fn rig_does(&self, words: &[&str]) {
        let mut rig = Command::new(self.rig().join("rig"));
        assert!(rig.args(words).status().unwrap().success(), "{words:?}");
    }

    /// `proving` with these arguments, in the folder for what a run writes and with the variables of the
    /// rig.
    pub fn proving(&self, arguments: &[&str]) -> Command {
        let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), self.folder());
        command.args(arguments).envs(self.env());
        command
    }

    /// Ends it with this signal; everything that it has made is gone then, after any but SIGKILL.
    pub fn end(&mut self, signal: &str) {
        let mut kill = Command::new("kill");
        let kill = kill.args(["-s", signal]).arg(self.process.id().to_string());
        assert!(kill.status().unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            self.end("TERM");
        }
    }
}
