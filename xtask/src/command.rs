//! Running other programs in the workspace's root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Folder of the workspace.
pub fn root() -> PathBuf {
    // The manifest's folder is `<root>/xtask`.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Folder for what xtask builds and installs.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us, in the environment that a user's has: what cargo tells `xtask` of its own
/// package would make ring's build script run again, and all that depends on it be built anew, each
/// time that the two take turns.
pub fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether cargo sets a variable of this name for the package that it runs.
fn is_of_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// A program, to be run in the root.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// This program with other arguments.
pub fn itself(arguments: &[&str]) -> Result<Command, String> {
    let itself = std::env::current_exe()
        .map_err(|error| format!("failed to find the own program: {error}"))?;
    let mut command = command(itself);
    command.args(arguments);
    Ok(command)
}

/// Shows the command, runs it, says how long that took, and fails if it does.
pub fn run(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    eprintln!("==> {shown}");
    let began = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("failed to start {shown}: {error}"))?;
    eprintln!("    took {} s", began.elapsed().as_secs());
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}"))
    }
}

/// Builds the program as tests have it, so that nothing is built twice; where it is.
pub fn release() -> Result<PathBuf, String> {
    run(&mut building_release())?;
    Ok(target().join("release/proving"))
}

/// The command that does so.
pub fn building_release() -> Command {
    let mut build = cargo();
    build
        .args(["build", "--release", "--package", "proving"])
        .args(["--features", "legacy"]);
    build
}

/// A command that goes on while others run.
pub struct Background {
    shown: String,
    log: PathBuf,
    began: Instant,
    child: Child,
}

/// Starts it; what it says goes into a file.
pub fn start(command: &mut Command, name: &str) -> Result<Background, String> {
    let shown = shown(command);
    eprintln!("==> meanwhile: {shown}");
    let log = target().join(format!("{name}.log"));
    let file = File::create(&log)
        .map_err(|error| format!("failed to write {}: {error}", log.display()))?;
    let both = file.try_clone().map_err(|error| error.to_string())?;
    let child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .spawn()
        .map_err(|error| format!("failed to start {shown}: {error}"))?;
    Ok(Background {
        shown,
        log,
        began: Instant::now(),
        child,
    })
}

impl Background {
    /// Waits for its end: what it said; fails if it does, with that.
    pub fn end(mut self) -> Result<String, String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        eprintln!(
            "    {} took {} s",
            self.shown,
            self.began.elapsed().as_secs()
        );
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        if status.success() {
            return Ok(said);
        }
        Err(format!("{}: {status}\n{said}", self.shown))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // What it has started itself would go on without it.
            let _ = Command::new("pkill")
                .args(["-P", &self.child.id().to_string()])
                .status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    command.get_args().fold(program, |line, argument| {
        line + " " + &argument.to_string_lossy()
    })
}

/// Whether a program of this name is on the path, or a file at this absolute one.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}
