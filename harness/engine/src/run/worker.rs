//! One worker process: started, followed, ended.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore};
use trace::{Event, Finished, ReadError};

use super::group::{Group, die_with};
use super::{Job, Settings, boards};

/// What a worker's processes get to go after it, before they count as leaked.
const LEAK_GRACE: Duration = Duration::from_secs(1);
/// What the kernel gets to end a group that was sent SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// How often to look whether a group is gone: nothing tells when it is.
const GROUP_INTERVAL: Duration = Duration::from_millis(5);
/// So much of a worker's standard error is kept in the result.
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 20;

/// A worker process, from its start until nothing is left of it.
pub(super) struct Worker {
    child: Child,
    group: Group,
    folder: PathBuf,
    started: Instant,
    stage: Stage,
    grace: Duration,
    follower: Follower,
    ended_by_us: Option<EndReason>,
    leaked: Vec<String>,
}

/// Why the parent ended a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// It came to no verdict in time.
    Timeout(Duration),
    /// It did not end after its verdict.
    Lingering(Duration),
    /// The run was interrupted.
    Interrupted,
}

/// What is left of a worker once it is gone.
pub(super) struct Remains {
    pub(super) wall: Duration,
    /// None if it could not even be killed.
    pub(super) status: Option<ExitStatus>,
    pub(super) ended_by_us: Option<EndReason>,
    pub(super) finished: Option<Finished>,
    pub(super) lab_us: Option<u64>,
    pub(super) damage: Option<ReadError>,
    pub(super) leaked: Vec<String>,
    pub(super) stderr_tail: Vec<String>,
}

enum Stage {
    Running {
        deadline: Instant,
    },
    /// SIGTERM was sent.
    Terminating {
        kill_at: Instant,
    },
    /// SIGKILL was sent.
    Killed {
        give_up_at: Instant,
    },
    /// The worker ended; its group may still have members.
    Ended {
        status: ExitStatus,
        leak_at: Instant,
    },
    /// Members of its group were sent SIGKILL.
    Sweeping {
        status: ExitStatus,
        give_up_at: Instant,
    },
    Gone {
        status: Option<ExitStatus>,
    },
}

impl Worker {
    /// Starts a worker for `job`, which [`Job::write`] put at `job_file`. It dies with the calling
    /// thread. `lasts` of wall time is what the steps themselves wait for.
    pub(super) fn start(
        job: &Job,
        job_file: &Path,
        settings: &Settings,
        lasts: Duration,
    ) -> io::Result<Self> {
        let folder = job.out.clone();
        let parent =
            libc::pid_t::try_from(std::process::id()).expect("the kernel's process ids fit pid_t");
        let mut command = Command::new(&settings.executable);
        command
            .args(&settings.arguments)
            .arg(job_file)
            // How insta is told whether to renew; it must not look for a workspace of its own.
            .env("INSTA_UPDATE", if job.accept { "always" } else { "no" })
            .env("INSTA_WORKSPACE_ROOT", ".")
            .stdin(Stdio::null())
            .stdout(File::create_new(folder.join("worker.out"))?)
            .stderr(File::create_new(folder.join("worker.err"))?)
            .process_group(0);
        // A bus of its own, so that nothing in it reaches the host's Bluetooth or Wi-Fi, unless a rig file names what
        // of these phones use.
        if !job.uses_host_radios {
            command.env(board::SYSTEM_BUS, private_bus());
        }
        // SAFETY: `die_with` makes async-signal-safe calls only.
        unsafe { command.pre_exec(move || die_with(parent)) };
        let child = command.spawn()?;
        let patience = boards::patience(&job.board, job.speed);
        let started = Instant::now();
        Ok(Self {
            group: Group::led_by(child.id()),
            child,
            started,
            stage: Stage::Running {
                deadline: started + settings.timeout.mul_f64(patience) + lasts,
            },
            grace: settings.grace,
            follower: Follower::new(job.trace()),
            ended_by_us: None,
            leaked: Vec::new(),
            folder,
        })
    }

    /// The events that the worker wrote since the last call.
    pub(super) fn follow(&mut self) -> Vec<Event> {
        let events = self.follower.follow();
        // Once the verdict stands, only the end is waited for.
        if self.follower.finished.is_some()
            && let Stage::Running { deadline } = &mut self.stage
        {
            *deadline = (*deadline).min(Instant::now() + self.grace);
        }
        events
    }

    /// Does what is due at `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        let alive = matches!(
            self.stage,
            Stage::Running { .. } | Stage::Terminating { .. } | Stage::Killed { .. },
        );
        if alive && let Ok(Some(status)) = self.child.try_wait() {
            self.stage = Stage::Ended {
                status,
                leak_at: now + LEAK_GRACE,
            };
        }
        match self.stage {
            Stage::Running { deadline } if now >= deadline => {
                let reason = match self.follower.finished {
                    Some(_) => EndReason::Lingering(self.grace),
                    None => EndReason::Timeout(self.started.elapsed()),
                };
                self.terminate(reason, now);
            }
            Stage::Terminating { kill_at } if now >= kill_at => self.kill(now),
            Stage::Killed { give_up_at } if now >= give_up_at => {
                self.stage = Stage::Gone { status: None };
            }
            Stage::Ended { status, .. } if self.group.is_empty() => {
                self.stage = Stage::Gone {
                    status: Some(status),
                };
            }
            Stage::Ended { status, leak_at } if now >= leak_at || self.ended_by_us.is_some() => {
                // What a worker that was ended by force leaves behind is no leak of its own.
                if self.ended_by_us.is_none() {
                    self.leaked = self.group.members();
                }
                self.group.signal(libc::SIGKILL);
                self.stage = Stage::Sweeping {
                    status,
                    give_up_at: now + KILL_GRACE,
                };
            }
            Stage::Sweeping { status, give_up_at }
                if self.group.is_empty() || now >= give_up_at =>
            {
                self.stage = Stage::Gone {
                    status: Some(status),
                };
            }
            _ => {}
        }
    }

    /// Asks the worker to end, unless it was asked already.
    pub(super) fn terminate(&mut self, reason: EndReason, now: Instant) {
        if let Stage::Running { .. } = self.stage {
            self.ended_by_us = Some(reason);
            self.group.signal(libc::SIGTERM);
            self.stage = Stage::Terminating {
                kill_at: now + self.grace,
            };
        }
    }

    /// Ends the worker's whole group at once.
    pub(super) fn kill(&mut self, now: Instant) {
        if let Stage::Running { .. } | Stage::Terminating { .. } = self.stage {
            self.ended_by_us.get_or_insert(EndReason::Interrupted);
            self.group.signal(libc::SIGKILL);
            self.stage = Stage::Killed {
                give_up_at: now + KILL_GRACE,
            };
        }
    }

    /// Stops the worker's group until [`Worker::resume`].
    pub(super) fn pause(&self) {
        self.group.signal(libc::SIGSTOP);
    }

    /// Lets the worker's group go on after `paused`, which its deadlines do not count.
    pub(super) fn resume(&mut self, paused: Duration) {
        self.group.signal(libc::SIGCONT);
        self.started += paused;
        match &mut self.stage {
            Stage::Running { deadline: at }
            | Stage::Terminating { kill_at: at }
            | Stage::Killed { give_up_at: at }
            | Stage::Ended { leak_at: at, .. }
            | Stage::Sweeping { give_up_at: at, .. } => *at += paused,
            Stage::Gone { .. } => {}
        }
    }

    /// When [`Worker::advance`] has to be called again, unless a child ends before; none once the
    /// worker is gone.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        match self.stage {
            Stage::Running { deadline: at }
            | Stage::Terminating { kill_at: at }
            | Stage::Killed { give_up_at: at } => Some(at),
            Stage::Ended { .. } | Stage::Sweeping { .. } => Some(now + GROUP_INTERVAL),
            Stage::Gone { .. } => None,
        }
    }

    /// What is left, once [`Worker::next`] is none. Call [`Worker::follow`] once more before.
    pub(super) fn remains(self) -> Remains {
        let Stage::Gone { status } = self.stage else {
            unreachable!("the dispatcher waits until the worker is gone")
        };
        Remains {
            wall: self.started.elapsed(),
            status,
            ended_by_us: self.ended_by_us,
            finished: self.follower.finished,
            lab_us: self.follower.lab_us,
            damage: self.follower.damage,
            leaked: self.leaked,
            stderr_tail: tail(&self.folder.join("worker.err")),
        }
    }
}

/// The address of a bus that this process or a worker may start, and no other process can guess. It is in no file system, so
/// that nothing is left of it.
pub fn private_bus() -> String {
    let mut name = [0; 16];
    OsRng.fill_bytes(&mut name);
    format!("unix:abstract=proving-{}", hex::encode(name))
}

/// Reads a trace while it grows.
struct Follower {
    path: PathBuf,
    offset: u64,
    lab_us: Option<u64>,
    finished: Option<Finished>,
    damage: Option<ReadError>,
}

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            offset: 0,
            lab_us: None,
            finished: None,
            damage: None,
        }
    }

    fn follow(&mut self) -> Vec<Event> {
        let grown = fs::metadata(&self.path).is_ok_and(|file| file.len() > self.offset);
        if !grown || self.damage.is_some() {
            return Vec::new();
        }
        match trace::read_from(&self.path, self.offset) {
            Ok((events, offset)) => {
                self.offset = offset;
                if let Some(last) = events.last() {
                    self.lab_us = Some(last.lab_us);
                }
                // Normally the last event; stragglers behind it do not undo the verdict.
                if let Some(finished) = events.iter().rev().find_map(Event::payload) {
                    self.finished = Some(finished);
                }
                events
            }
            Err(error) => {
                self.damage = Some(error);
                Vec::new()
            }
        }
    }
}

/// The last lines of the file at `path`; none if there is no such file.
fn tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
}
