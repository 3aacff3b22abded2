//! Running one command.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

use super::CommandError;
use super::descendants::{Killed, kill_family};

/// So much of what a command writes is kept for its error.
const TAIL: usize = 1024;
/// A longer line of a command is told in pieces.
const LONGEST_LINE: usize = 400;
/// What may still stand in the pipes of a command that ended is read for so long: another process may
/// have inherited them.
const DRAIN: Duration = Duration::from_millis(100);

/// A command line, ready to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    words: Vec<String>,
    limit: Duration,
    folder: PathBuf,
}

impl Command {
    pub(super) fn new(words: Vec<String>, limit: Duration, folder: &Path) -> Self {
        Self {
            words,
            limit,
            folder: folder.to_owned(),
        }
    }

    /// Runs it to its end, which must be a good one, and passes on each line that it writes. It
    /// dies, with all that it started, when the future is dropped or the limit is reached.
    pub async fn run(
        &self,
        clock: &Clock,
        heard: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), CommandError> {
        // It computes; lab time must not run away under it.
        let _busy = clock.busy();
        let mut running = Running {
            child: self.start()?,
            done: false,
        };
        let mut said = Said::new(heard);
        let followed = clock
            .timeout(self.limit, follow(&mut running.child, &mut said, clock))
            .await;
        match followed {
            Ok(status) => {
                running.done = true;
                let how = match status {
                    Ok(status) if status.success() => return Ok(()),
                    Ok(status) => ending(status),
                    Err(error) => format!("an unknown end ({error})"),
                };
                Err(CommandError::Ended {
                    command: self.to_string(),
                    how,
                    said: said.tail(),
                })
            }
            Err(_) => {
                // What it held, such as a port, is free on return.
                if let Some(killed) = running.kill() {
                    killed.end(clock).await;
                }
                Err(CommandError::TooSlow {
                    command: self.to_string(),
                    limit: self.limit,
                    said: said.tail(),
                })
            }
        }
    }

    fn start(&self) -> Result<Child, CommandError> {
        let mut command = tokio::process::Command::new(self.program());
        command
            .args(&self.words[1..])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(target_os = "linux")]
        {
            let parent = libc::pid_t::try_from(std::process::id());
            let parent = parent.expect("the kernel's process ids fit pid_t");
            // SAFETY: `die_with` makes async-signal-safe calls only.
            unsafe { command.pre_exec(move || die_with(parent)) };
        }
        command.spawn().map_err(|source| match source.kind() {
            // The folder is the rig file's own, which was read.
            io::ErrorKind::NotFound => CommandError::Missing {
                program: self.words[0].clone(),
            },
            _ => CommandError::Start {
                command: self.to_string(),
                source,
            },
        })
    }

    /// A program with a slash stands relative to the rig file, like all its paths.
    fn program(&self) -> OsString {
        let program = &self.words[0];
        if program.contains('/') {
            self.folder.join(program).into()
        } else {
            program.into()
        }
    }
}

/// As it could be typed into a shell.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        for (number, word) in self.words.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// A command's process, which dies with this unless it is done.
struct Running {
    child: Child,
    done: bool,
}

impl Running {
    /// Kills it and all that came from it, unless it is done.
    fn kill(&mut self) -> Option<Killed> {
        match (self.done, self.child.id()) {
            (false, Some(pid)) => Some(kill_family(pid)),
            _ => None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // They end without being waited for.
        drop(self.kill());
    }
}

async fn follow(child: &mut Child, said: &mut Said<'_>, clock: &Clock) -> io::Result<ExitStatus> {
    let mut out = child.stdout.take();
    let mut err = child.stderr.take();
    let mut of_out = [0; 1024];
    let mut of_err = [0; 1024];
    let status = loop {
        tokio::select! {
            length = read(&mut out, &mut of_out) => said.hear(&of_out[..length]),
            length = read(&mut err, &mut of_err) => said.hear(&of_err[..length]),
            status = child.wait() => break status,
        }
    };
    let drain = async {
        while out.is_some() || err.is_some() {
            tokio::select! {
                length = read(&mut out, &mut of_out) => said.hear(&of_out[..length]),
                length = read(&mut err, &mut of_err) => said.hear(&of_err[..length]),
            }
        }
    };
    // What a process that inherited its pipes writes later is not read.
    let _ = clock.timeout(DRAIN, drain).await;
    said.end();
    status
}

/// Reads from a pipe until it ends; from then on, waits for ever.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, bytes: &mut [u8]) -> usize {
    let Some(open) = pipe else {
        return std::future::pending().await;
    };
    let length = open.read(bytes).await.unwrap_or(0);
    if length == 0 {
        *pipe = None;
    }
    length
}

/// What a command wrote: line by line to the caller, and its end for an error.
struct Said<'h> {
    heard: &'h mut (dyn FnMut(&str) + Send),
    line: Vec<u8>,
    tail: Vec<u8>,
}

impl<'h> Said<'h> {
    fn new(heard: &'h mut (dyn FnMut(&str) + Send)) -> Self {
        Self {
            heard,
            line: Vec::new(),
            tail: Vec::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        for &byte in bytes {
            // Progress bars end their lines with a carriage return.
            if byte == b'\n' || byte == b'\r' {
                self.end();
            } else {
                self.line.push(byte);
                if self.line.len() == LONGEST_LINE {
                    self.end();
                }
            }
        }
    }

    fn end(&mut self) {
        let line = printable(&self.line);
        if !line.is_empty() {
            (self.heard)(&line);
        }
        self.line.clear();
    }

    fn tail(&self) -> String {
        let tail = String::from_utf8_lossy(&self.tail);
        let lines = tail
            .split(['\n', '\r'])
            .map(|line| printable(line.as_bytes()));
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join(" / ")
    }
}

/// Text that does nothing to a terminal.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
}

pub(crate) fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Lets the calling process die when the thread of process `parent` that started it ends.
#[cfg(target_os = "linux")]
pub(crate) fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: prctl and getppid are async-signal-safe and take plain numbers.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before the line above.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}
