//! The device's process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use board::BoardError;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use super::NativeSettings;
use super::files::Files;

/// Bytes of standard error that are kept: a panic's message and place.
const TAIL: usize = 4096;

/// A device's process, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    stderr: Option<ChildStderr>,
    tail: Vec<u8>,
}

/// How a process ended by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// The power was cut in the middle of a write.
    Dark,
    /// The firmware panicked, with this on standard error.
    Panicked(String),
    /// In another way.
    Other(String),
}

impl Process {
    /// Starts a device. The lab's end of its tether comes back too.
    pub(super) fn start(
        settings: &NativeSettings,
        files: &Files,
    ) -> Result<(Self, UnixStream), BoardError> {
        let failed = |source| BoardError::Io {
            what: format!("start {} as a device", settings.executable.display()),
            source,
        };
        let (ours, theirs) = tether().map_err(failed)?;
        let mut child = Command::new(&settings.executable)
            .args(&settings.arguments)
            .arg(files.factory())
            .arg(files.flash())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let process = Self {
            stderr: child.stderr.take(),
            child,
            tail: Vec::new(),
        };
        Ok((process, ours))
    }

    /// Process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Keeps the end of what comes on standard error. Never ends; cancel safe.
    pub(super) async fn listen(&mut self) {
        while self.hear().await {}
        std::future::pending().await
    }

    /// False at the end.
    async fn hear(&mut self) -> bool {
        let Some(stderr) = &mut self.stderr else {
            return false;
        };
        let mut chunk = [0; 1024];
        match stderr.read(&mut chunk).await {
            Ok(length) if length > 0 => {
                self.tail.extend_from_slice(&chunk[..length]);
                let excess = self.tail.len().saturating_sub(TAIL);
                self.tail.drain(..excess);
                true
            }
            _ => {
                self.stderr = None;
                false
            }
        }
    }

    /// Ends it at once.
    pub(super) async fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill().await;
    }

    /// Waits until it has ended by itself, and says how.
    pub(super) async fn exit(&mut self) -> Exit {
        let status = self.child.wait().await;
        while self.hear().await {}
        let said = String::from_utf8_lossy(&self.tail).trim().to_owned();
        Exit::new(status, said)
    }
}

impl Exit {
    /// These codes stand in `native::ExitCode`.
    fn new(status: io::Result<ExitStatus>, said: String) -> Self {
        let status = match status {
            Ok(status) => status,
            Err(error) => return Self::Other(format!("unknown: {error}")),
        };
        let how = match (status.code(), status.signal()) {
            (Some(75), _) => return Self::Dark,
            (Some(101), _) => return Self::Panicked(said),
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => status.to_string(),
        };
        if said.is_empty() {
            Self::Other(how)
        } else {
            Self::Other(format!("{how}: {said}"))
        }
    }
}

fn tether() -> io::Result<(UnixStream, StdStream)> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}
