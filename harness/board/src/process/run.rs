//! One process, from its start to its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;
use trace::{Trace, UnreadLines};

use crate::command::{CommandError, Killed, die_with, ending, kill_family};
use crate::rig::SerialLog;
use crate::serial::{Record, Records};
use crate::state::is_restart;
use crate::{BoardError, Exited, Garbage, Restarted};

/// After so long without a byte, a record does not go on.
const RECORD_PAUSE: Duration = Duration::from_millis(25);
/// After so long without a byte, what there is of a line is given.
const LINE_PAUSE: Duration = Duration::from_millis(200);
/// What still stands in the pipes of a process that ended is read for so long: a child of it may have
/// inherited them.
const DRAIN: Duration = Duration::from_millis(200);
/// Records of one start that are kept. A device that says more is out of its mind.
const MOST_RECORDS: u64 = 1_000_000;

/// What is started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    pub(super) log: SerialLog,
}

/// Reads the log that a program writes. The forms are those of UARTs.
fn log_reader(log: SerialLog) -> Records {
    Records::new(log)
}

/// A process that is attended until it ends. Dropping it ends the process.
pub(super) struct Running {
    device: String,
    trace: Trace,
    /// Dropped before its leader is, whose children are not found any more once that is gone.
    group: Group,
    child: Child,
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    of_out: Records,
    of_err: Records,
    said: Said,
}

/// What the log has said.
#[derive(Default)]
struct Said {
    records: u64,
    garbled: u64,
    /// Records whose level nothing tells.
    unread: u64,
    panic: Option<String>,
    /// It has told of a start, as the ROM of an emulated chip does.
    booted: bool,
}

/// A process and all that came from it, killed when dropped.
struct Group {
    /// None once it was killed.
    leader: Option<u32>,
    /// The leader has ended and was waited for, so that its number alone means nothing any more.
    is_reaped: bool,
}

impl Running {
    /// Starts the program in a process group of its own.
    pub(super) fn start(start: &Start, device: &str, trace: &Trace) -> Result<Self, BoardError> {
        let mut command = Command::new(&start.program);
        command
            .args(&start.arguments)
            .envs(&start.environment)
            .current_dir(&start.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        #[cfg(target_os = "linux")]
        {
            let parent = libc::pid_t::try_from(std::process::id());
            let parent = parent.expect("the kernel's process ids fit pid_t");
            // SAFETY: `die_with` makes async-signal-safe calls only.
            unsafe { command.pre_exec(move || die_with(parent)) };
        }
        let mut child = command.spawn().map_err(|source| match source.kind() {
            // The folder was made just now.
            io::ErrorKind::NotFound => CommandError::Missing {
                program: start.program.display().to_string(),
            },
            // The arguments may hold secrets.
            _ => CommandError::Start {
                command: start.program.display().to_string(),
                source,
            },
        })?;
        Ok(Self {
            device: device.to_owned(),
            trace: trace.clone(),
            group: Group {
                leader: child.id(),
                is_reaped: false,
            },
            out: child.stdout.take(),
            err: child.stderr.take(),
            child,
            of_out: log_reader(start.log),
            of_err: log_reader(start.log),
            said: Said::default(),
        })
    }

    /// Attends it until it ends, or `stop` comes.
    pub(super) async fn attend(mut self, mut stop: oneshot::Receiver<()>) {
        let clock = self.trace.clock().clone();
        let ended = self.until_ended(&mut stop, &clock).await;
        let mut killed = None;
        if ended.is_some() {
            self.group.is_reaped = true;
        } else {
            killed = self.group.kill();
            // It was killed, so it ends.
            let _ = self.child.wait().await;
        }
        self.drain(&clock).await;
        // What it left behind is not ended by anything later.
        if let Some(killed) = killed.or_else(|| self.group.kill()) {
            killed.end(&clock).await;
        }
        let (unknown, of) = (self.said.unread, self.said.records.min(MOST_RECORDS));
        if unknown > 0 {
            self.trace
                .emit(Some(&self.device), &UnreadLines { unknown, of });
        }
        if let Some(status) = ended {
            let how = match status {
                Ok(status) => ending(status),
                Err(error) => format!("an unknown end ({error})"),
            };
            let panic = self.said.panic.take();
            self.trace.emit(Some(&self.device), &Exited { how, panic });
        }
    }

    /// How it ended, if it did so by itself.
    async fn until_ended(
        &mut self,
        stop: &mut oneshot::Receiver<()>,
        clock: &Clock,
    ) -> Option<io::Result<ExitStatus>> {
        let (mut of_out, mut of_err) = ([0; 4096], [0; 4096]);
        loop {
            let all = [&self.of_out, &self.of_err];
            let pause = if all.iter().any(|records| records.has_partial()) {
                Some(LINE_PAUSE)
            } else if all.iter().any(|records| records.has_open()) {
                Some(RECORD_PAUSE)
            } else {
                None
            };
            tokio::select! {
                _ = &mut *stop => return None,
                length = read(&mut self.out, &mut of_out) => {
                    self.of_out.push(&of_out[..length], note(&self.trace, &self.device, &mut self.said));
                }
                length = read(&mut self.err, &mut of_err) => {
                    self.of_err.push(&of_err[..length], note(&self.trace, &self.device, &mut self.said));
                }
                status = self.child.wait() => return Some(status),
                () = clock.sleep(pause.unwrap_or_default()), if pause.is_some() => {
                    if pause == Some(RECORD_PAUSE) {
                        for records in [&mut self.of_out, &mut self.of_err] {
                            records.pause(note(&self.trace, &self.device, &mut self.said));
                        }
                    } else {
                        self.flush();
                    }
                }
            }
        }
    }

    /// Reads what still stands in the pipes.
    async fn drain(&mut self, clock: &Clock) {
        let (mut of_out, mut of_err) = ([0; 4096], [0; 4096]);
        let end = clock.now() + DRAIN;
        while (self.out.is_some() || self.err.is_some()) && clock.now() < end {
            tokio::select! {
                length = read(&mut self.out, &mut of_out) => {
                    self.of_out.push(&of_out[..length], note(&self.trace, &self.device, &mut self.said));
                }
                length = read(&mut self.err, &mut of_err) => {
                    self.of_err.push(&of_err[..length], note(&self.trace, &self.device, &mut self.said));
                }
                () = clock.sleep_until(end) => {}
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        for records in [&mut self.of_out, &mut self.of_err] {
            records.flush(note(&self.trace, &self.device, &mut self.said));
        }
    }
}

/// Appends records to the trace.
fn note<'s>(trace: &'s Trace, device: &'s str, said: &'s mut Said) -> impl FnMut(Record) + 's {
    move |record| {
        said.records += 1;
        if said.records > MOST_RECORDS {
            if said.records == MOST_RECORDS + 1 {
                let problem = format!("more than {MOST_RECORDS} lines; the rest is not kept");
                garbage(trace, device, problem, &[]);
            }
            return;
        }
        said.unread += u64::from(record.unread);
        if !record.garbage.is_empty() {
            said.garbled += 1;
            // Told ever more rarely.
            if said.garbled.is_power_of_two() {
                let problem = format!("{} lines hold bytes that are no text", said.garbled);
                garbage(trace, device, problem, &record.garbage);
            }
        }
        let text = record.line.text.clone();
        let restart = match record.event {
            Some(dialect::Event::Crash(_)) => {
                said.panic.get_or_insert_with(|| text.clone());
                None
            }
            Some(dialect::Event::Reset(cause)) => {
                let is_first = !std::mem::replace(&mut said.booted, true);
                is_restart(is_first, cause).then_some(cause)
            }
            None => None,
        };
        trace.clock().touch();
        if restart.is_some()
            && let Some(panic) = said.panic.take()
        {
            let (how, panic) = ("panicked".to_owned(), Some(panic));
            trace.emit(Some(device), &Exited { how, panic });
        }
        trace.log(device, record.line);
        if let Some(cause) = restart {
            trace.emit(Some(device), &Restarted { cause, said: text });
        }
    }
}

fn garbage(trace: &Trace, device: &str, problem: String, bytes: &[u8]) {
    let bytes = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let link = "output".to_owned();
    let garbage = Garbage {
        link,
        problem,
        bytes,
    };
    trace.emit(Some(device), &garbage);
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

impl Group {
    /// Kills all of it, once.
    fn kill(&mut self) -> Option<Killed> {
        let pid = self.leader.take()?;
        let killed = match self.is_reaped {
            true => Killed::default(),
            // Among them those that have left the group.
            false => kill_family(pid),
        };
        Some(killed.and_group(pid))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // They end without being waited for.
        drop(self.kill());
    }
}

/// Whether this is a program that can be started, if it can be told without starting it.
pub(crate) fn is_there(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let is_executable = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 || program.is_absolute() {
        return is_executable(program);
    }
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
}
