//! QEMU's GDB server: runs, stops and steps the core, reaches its registers, sets breakpoints.
//!
//! GDB Remote Serial Protocol: `$`, text, `#`, two digits of checksum; the other side answers `+`.
//! QEMU cannot do without these, and any byte that it receives while the core runs stops the core:
//! a packet must be acknowledged if, and only if, it was received.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::LIMIT;
use crate::probe::{BackendError, Stop};

/// What stops a running core.
const INTERRUPT: &[u8] = &[3];
const DESCRIPTION: &str = "qXfer:features:read:target.xml:0,ffb";
/// A step that takes longer never ends.
const STEP_LIMIT: Duration = Duration::from_secs(1);
/// No packet of this server is longer.
const MAX_PACKET: usize = 8192;

/// A connection to QEMU's GDB server.
#[derive(Debug)]
pub(super) struct Gdb {
    stream: UnixStream,
    received: VecDeque<u8>,
}

impl Gdb {
    pub(super) fn new(stream: UnixStream) -> Result<Self, BackendError> {
        stream
            .set_write_timeout(Some(LIMIT))
            .map_err(|source| BackendError::Io {
                what: "connect to the GDB server",
                source,
            })?;
        let mut gdb = Self {
            stream,
            received: VecDeque::new(),
        };
        gdb.ask("find out why the core stands", "?")?;
        // Single registers are given only to those who have read what registers there are.
        gdb.ask("read the description of the core", DESCRIPTION)?;
        Ok(gdb)
    }

    /// Lets the core run.
    pub(super) fn resume(&mut self) -> Result<(), BackendError> {
        self.send("resume the core", "c")
    }

    /// Executes one instruction, with interrupts masked.
    pub(super) fn step(&mut self) -> Result<(), BackendError> {
        const WHAT: &str = "step the core";
        self.send(WHAT, "s")?;
        match self.receive_within(WHAT, STEP_LIMIT)? {
            Some(_) => Ok(()),
            // It sleeps, and nothing wakes it: it stands where it stood.
            None => self.halt().map(drop),
        }
    }

    /// Stops a running core.
    pub(super) fn halt(&mut self) -> Result<Stop, BackendError> {
        const WHAT: &str = "halt the core";
        if let Some(stop) = self.poll_stop()? {
            return Ok(stop);
        }
        self.stream
            .write_all(INTERRUPT)
            .map_err(|source| BackendError::Io { what: WHAT, source })?;
        let packet = self.receive(WHAT)?;
        Ok(stop(&packet))
    }

    /// Whether a running core has stopped.
    pub(super) fn poll_stop(&mut self) -> Result<Option<Stop>, BackendError> {
        const WHAT: &str = "see whether the core stands";
        let failed = |source| BackendError::Io { what: WHAT, source };
        let mut chunk = [0; 256];
        self.stream.set_nonblocking(true).map_err(failed)?;
        let read = self.stream.read(&mut chunk);
        self.stream.set_nonblocking(false).map_err(failed)?;
        match read {
            Ok(0) => return Err(BackendError::LockedUp),
            Ok(length) => self.received.extend(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(source) => return Err(failed(source)),
        }
        if self.received.iter().all(|byte| *byte == b'+') {
            return Ok(None);
        }
        Ok(Some(stop(&self.receive(WHAT)?)))
    }

    /// A register, by its number in QEMU's description of the core; lowest byte first.
    pub(super) fn register(&mut self, number: u8) -> Result<Vec<u8>, BackendError> {
        const WHAT: &str = "read a register";
        let answer = self.ask(WHAT, &format!("p{number:x}"))?;
        match hex::decode(&answer) {
            Ok(value) if value.len() >= 4 => Ok(value),
            _ => Err(refused(WHAT, &answer)),
        }
    }

    /// Sets a register, by its number in QEMU's description of the core; lowest byte first.
    pub(super) fn set_register(&mut self, number: u8, value: &[u8]) -> Result<(), BackendError> {
        let request = format!("P{number:x}={}", hex::encode(value));
        self.command("write a register", &request)
    }

    /// Sets a breakpoint, or removes it.
    pub(super) fn set_breakpoint(&mut self, address: u32, on: bool) -> Result<(), BackendError> {
        let action = if on { 'Z' } else { 'z' };
        self.command("set a breakpoint", &format!("{action}1,{address:x},2"))
    }

    fn command(&mut self, what: &'static str, request: &str) -> Result<(), BackendError> {
        let answer = self.ask(what, request)?;
        if answer == "OK" {
            Ok(())
        } else {
            Err(refused(what, &answer))
        }
    }

    fn ask(&mut self, what: &'static str, request: &str) -> Result<String, BackendError> {
        self.send(what, request)?;
        self.receive(what)
    }

    fn send(&mut self, what: &'static str, text: &str) -> Result<(), BackendError> {
        let packet = format!("${text}#{:02x}", checksum(text.as_bytes()));
        self.stream
            .write_all(packet.as_bytes())
            .map_err(|source| BackendError::Io { what, source })
    }

    /// The next packet, acknowledged.
    fn receive(&mut self, what: &'static str) -> Result<String, BackendError> {
        self.receive_within(what, LIMIT)?.ok_or(BackendError::Io {
            what,
            source: io::ErrorKind::TimedOut.into(),
        })
    }

    fn receive_within(
        &mut self,
        what: &'static str,
        limit: Duration,
    ) -> Result<Option<String>, BackendError> {
        let failed = |source| BackendError::Io { what, source };
        let deadline = Instant::now() + limit;
        let mut chunk = [0; 1024];
        loop {
            if let Some(packet) = self.packet() {
                self.stream.write_all(b"+").map_err(failed)?;
                return Ok(Some(packet));
            }
            if self.received.len() > MAX_PACKET {
                return Err(refused(what, "a packet without end"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left)).map_err(failed)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(BackendError::LockedUp),
                Ok(length) => self.received.extend(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(source) => return Err(failed(source)),
            }
        }
    }

    /// A whole packet among what was received.
    fn packet(&mut self) -> Option<String> {
        let start = self.received.iter().position(|byte| *byte == b'$')?;
        let end = self.received.iter().position(|byte| *byte == b'#')?;
        if self.received.len() < end + 3 {
            return None;
        }
        let taken: Vec<u8> = self.received.drain(..end + 3).collect();
        let text = taken.get(start + 1..end).unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// Why the core stands: the signal of a stop reply. QEMU says SIGINT if it was told to, SIGQUIT if
/// the machine was about to shut down, which here means to be reset.
fn stop(packet: &str) -> Stop {
    match packet.get(..3) {
        Some("T02" | "S02") => Stop::Halted,
        Some("T03" | "S03") => Stop::ResetRequested,
        _ => Stop::Breakpoint,
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn refused(what: &'static str, answer: &str) -> BackendError {
    BackendError::Refused {
        what,
        answer: answer.chars().take(80).collect(),
    }
}
