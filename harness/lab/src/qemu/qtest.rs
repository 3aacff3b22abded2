//! QEMU's test protocol: reads and writes the machine's address space, also while the core runs.
//!
//! A request is one line, its answer is `OK` and a value on one line. It reaches memory, devices and
//! the system control space. What it writes to memory is translated anew before it is executed.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LIMIT;
use crate::probe::BackendError;

/// Most bytes of memory in one request.
const CHUNK: usize = 256 * 1024;
const READ: &str = "read through qtest";
const WRITE: &str = "write through qtest";

/// A connection to QEMU's test protocol.
#[derive(Debug)]
pub(super) struct QTest {
    stream: BufReader<UnixStream>,
    line: String,
}

impl QTest {
    pub(super) fn new(stream: UnixStream) -> Result<Self, BackendError> {
        let bounded = stream
            .set_read_timeout(Some(LIMIT))
            .and_then(|()| stream.set_write_timeout(Some(LIMIT)));
        bounded.map_err(|source| BackendError::Io { what: READ, source })?;
        Ok(Self {
            stream: BufReader::new(stream),
            line: String::new(),
        })
    }

    /// Reads memory.
    pub(super) fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        for (address, chunk) in chunk_addresses(address).zip(bytes.chunks_mut(CHUNK)) {
            let answer = self.ask(READ, &format!("b64read {address:#x} {:#x}\n", chunk.len()))?;
            let decoded = STANDARD.decode_slice(answer, chunk);
            if decoded != Ok(chunk.len()) {
                return Err(garbage(READ, answer));
            }
        }
        Ok(())
    }

    /// Writes memory.
    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError> {
        for (address, chunk) in chunk_addresses(address).zip(bytes.chunks(CHUNK)) {
            let encoded = STANDARD.encode(chunk);
            let request = format!("b64write {address:#x} {:#x} {encoded}\n", chunk.len());
            self.ask(WRITE, &request)?;
        }
        Ok(())
    }

    /// Fills memory.
    pub(super) fn fill(&mut self, address: u32, length: u32, byte: u8) -> Result<(), BackendError> {
        self.ask(
            WRITE,
            &format!("memset {address:#x} {length:#x} {byte:#x}\n"),
        )
        .map(drop)
    }

    /// Reads a device's register of one, two or four bytes.
    pub(super) fn read_register(
        &mut self,
        address: u32,
        width: usize,
    ) -> Result<u32, BackendError> {
        let answer = self.ask(READ, &format!("read{} {address:#x}\n", suffix(width)))?;
        let digits = answer.trim_start_matches("0x");
        match u64::from_str_radix(digits, 16) {
            Ok(value) => Ok(value as u32),
            Err(_) => Err(garbage(READ, answer)),
        }
    }

    /// Writes a device's register of one, two or four bytes.
    pub(super) fn write_register(
        &mut self,
        address: u32,
        width: usize,
        value: u32,
    ) -> Result<(), BackendError> {
        let request = format!("write{} {address:#x} {value:#x}\n", suffix(width));
        self.ask(WRITE, &request).map(drop)
    }

    /// What stands behind `OK` in the answer.
    fn ask(&mut self, what: &'static str, request: &str) -> Result<&str, BackendError> {
        let failed = |source: io::Error| BackendError::Io { what, source };
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).map_err(failed)?;
        self.line.clear();
        let length = self.stream.read_line(&mut self.line).map_err(failed)?;
        if length == 0 {
            return Err(BackendError::LockedUp);
        }
        match self.line.trim_end().strip_prefix("OK") {
            Some(answer) => Ok(answer.trim_start()),
            None => Err(garbage(what, &self.line)),
        }
    }
}

fn chunk_addresses(start: u32) -> impl Iterator<Item = u64> {
    (u64::from(start)..).step_by(CHUNK)
}

fn suffix(width: usize) -> char {
    match width {
        1 => 'b',
        2 => 'w',
        _ => 'l',
    }
}

fn garbage(what: &'static str, answer: &str) -> BackendError {
    BackendError::Refused {
        what,
        answer: answer.chars().take(80).collect(),
    }
}
