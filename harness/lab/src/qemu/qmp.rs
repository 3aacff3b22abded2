//! QEMU's machine protocol: one JSON object per line.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use serde_json::{Value, json};

use super::LIMIT;
use crate::probe::BackendError;

/// What QEMU says, as far as anybody wants to know.
#[derive(Debug)]
pub(super) enum Message {
    /// It is there.
    Greeting,
    /// The value of a command.
    Return(Value),
    /// A command failed.
    Error(String),
    /// The machine was reset.
    Reset,
    /// The firmware asked for a reset.
    ResetRequested,
    /// The core stands.
    Stopped,
}

impl Message {
    /// What a line says; none if no caller asks.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(line).ok()?;
        if let Some(event) = value.get("event").and_then(Value::as_str) {
            return match event {
                "RESET" => Some(Self::Reset),
                "SHUTDOWN" if value["data"]["reason"] == "guest-reset" => {
                    Some(Self::ResetRequested)
                }
                "STOP" | "SHUTDOWN" => Some(Self::Stopped),
                _ => None,
            };
        }
        if value.get("QMP").is_some() {
            return Some(Self::Greeting);
        }
        if let Some(error) = value.get("error") {
            let description = error.get("desc").and_then(Value::as_str);
            return Some(Self::Error(description.unwrap_or("no reason").to_owned()));
        }
        value.get_mut("return").map(Value::take).map(Self::Return)
    }
}

/// A connection to QEMU's machine protocol.
#[derive(Debug)]
pub(super) struct Qmp {
    stream: UnixStream,
    inbox: Receiver<Message>,
    /// The firmware asked for a reset, and there was none since.
    reset_requested: bool,
}

impl Qmp {
    /// Waits until QEMU is there. `inbox` gets what a thread reads from the stream.
    pub(super) fn new(stream: UnixStream, inbox: Receiver<Message>) -> Result<Self, BackendError> {
        let what = "wait for the emulator's greeting";
        stream
            .set_write_timeout(Some(LIMIT))
            .map_err(|source| BackendError::Io { what, source })?;
        let mut qmp = Self {
            stream,
            inbox,
            reset_requested: false,
        };
        let deadline = Instant::now() + LIMIT;
        while !matches!(qmp.next(what, deadline)?, Message::Greeting) {}
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Where in the emulator's memory a guest address is.
    pub(super) fn host_address(&mut self, guest: u32) -> Result<Option<u64>, BackendError> {
        let command = json!({ "command-line": format!("gpa2hva {guest:#x}") });
        let answer = self.execute("human-monitor-command", command)?;
        let text = answer.as_str().unwrap_or_default();
        let address = text.rsplit_once("is 0x").map(|(_, hex)| hex.trim());
        Ok(address.and_then(|hex| u64::from_str_radix(hex, 16).ok()))
    }

    /// Makes the firmware's requests for a reset stop the core, so that we see them.
    pub(super) fn catch_resets(&mut self) -> Result<(), BackendError> {
        self.execute("set-action", json!({ "reboot": "shutdown" }))
            .map(drop)
    }

    /// Whether the firmware of a core that stands asked for a reset before it stood.
    ///
    /// The emulator's main loop takes up such a request between two rounds. If the debugger stops the
    /// core in the same round, it says to the debugger only that the core was stopped, and runs it on
    /// as if nothing had been asked for. One answer may still be of that round; the next cannot.
    pub(super) fn reset_was_requested(&mut self) -> Result<bool, BackendError> {
        for _ in 0..2 {
            self.execute("query-status", json!({}))?;
        }
        Ok(self.reset_requested)
    }

    /// Resets core and devices; on return they are.
    pub(super) fn reset(&mut self) -> Result<(), BackendError> {
        // Otherwise it would only stop.
        self.execute("set-action", json!({ "reboot": "reset" }))?;
        while self.inbox.try_recv().is_ok() {}
        self.send("system_reset", json!({}))?;
        let deadline = Instant::now() + LIMIT;
        let (mut answered, mut reset) = (false, false);
        while !(answered && reset) {
            match self.next("system_reset", deadline)? {
                Message::Reset => reset = true,
                Message::Return(_) => answered = true,
                Message::Error(answer) => {
                    return Err(BackendError::Refused {
                        what: "reset",
                        answer,
                    });
                }
                Message::Greeting | Message::ResetRequested | Message::Stopped => {}
            }
        }
        self.reset_requested = false;
        self.catch_resets()
    }

    fn execute(&mut self, command: &'static str, arguments: Value) -> Result<Value, BackendError> {
        self.send(command, arguments)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.next(command, deadline)? {
                Message::Return(value) => return Ok(value),
                Message::Error(answer) => {
                    return Err(BackendError::Refused {
                        what: command,
                        answer,
                    });
                }
                Message::Greeting | Message::Reset | Message::ResetRequested | Message::Stopped => {
                }
            }
        }
    }

    fn send(&mut self, command: &'static str, arguments: Value) -> Result<(), BackendError> {
        let line = format!(
            "{}\n",
            json!({ "execute": command, "arguments": arguments })
        );
        self.stream
            .write_all(line.as_bytes())
            .map_err(|source| BackendError::Io {
                what: command,
                source,
            })
    }

    fn next(&mut self, what: &'static str, deadline: Instant) -> Result<Message, BackendError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let next = self.inbox.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => BackendError::Io {
                what,
                source: std::io::ErrorKind::TimedOut.into(),
            },
            RecvTimeoutError::Disconnected => BackendError::LockedUp,
        });
        self.reset_requested |= matches!(next, Ok(Message::ResetRequested));
        next
    }
}
