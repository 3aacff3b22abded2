//! A serial line of the machine: bytes from one of its UARTs to the lab and back.
//!
//! The emulator listens on a socket in a private folder. Each life of the firmware has a connection
//! of its own, so that what was under way to one is not heard by the next.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clock::Clock;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::wire::BoardEnd;

/// Bytes moved at once.
const CHUNK: usize = 4096;
/// The emulator takes the next connection as soon as it has noticed the end of the former one.
const CONNECT_TRIES: u32 = 100;
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// From a UART of the machine to the lab's wire, if one is plugged in.
#[derive(Debug)]
pub(super) struct Serial {
    socket: PathBuf,
    wire: Option<BoardEnd>,
    stream: Option<UnixStream>,
    chunk: Vec<u8>,
    /// What the lab has sent and the emulator has not taken.
    outgoing: Vec<u8>,
}

enum Moved {
    FromBoard(io::Result<usize>),
    ToBoard(io::Result<usize>),
    FromLab(io::Result<usize>),
}

impl Serial {
    /// The line whose socket is `socket`, without power.
    pub(super) fn new(socket: PathBuf, wire: Option<BoardEnd>) -> Self {
        Self {
            socket,
            wire,
            stream: None,
            chunk: vec![0; CHUNK],
            outgoing: Vec::new(),
        }
    }

    /// The firmware starts.
    pub(super) async fn power_on(&mut self, clock: &Clock) {
        self.power_off();
        if let Some(wire) = &self.wire {
            // Without it the line is dead, which its user will report.
            self.stream = connect(&self.socket, clock).await;
            wire.set_power(true);
        }
    }

    /// The firmware has ended; what it has sent is heard, what it has not taken is lost.
    pub(super) fn power_off(&mut self) {
        self.hear_last_words();
        self.stream = None;
        self.outgoing.clear();
        if let Some(wire) = &self.wire {
            wire.set_power(false);
        }
    }

    fn hear_last_words(&mut self) {
        while let (Some(stream), Some(wire)) = (&self.stream, &self.wire) {
            match stream.try_read(&mut self.chunk) {
                Ok(length @ 1..) => wire.send(&self.chunk[..length]),
                _ => return,
            }
        }
    }

    /// Waits until some bytes can be moved, and moves them; for ever without a line. Cancel safe.
    pub(super) async fn carry(&mut self) {
        let (Some(stream), Some(wire)) = (&mut self.stream, &mut self.wire) else {
            return std::future::pending().await;
        };
        let (mut reader, mut writer) = stream.split();
        let is_idle = self.outgoing.is_empty();
        let mut typed = [0; CHUNK];
        let moved = tokio::select! {
            read = reader.read(&mut self.chunk) => Moved::FromBoard(read),
            written = writer.write(&self.outgoing), if !is_idle => Moved::ToBoard(written),
            read = wire.read(&mut typed), if is_idle => Moved::FromLab(read),
        };
        match moved {
            Moved::FromBoard(Ok(length @ 1..)) => wire.send(&self.chunk[..length]),
            Moved::ToBoard(Ok(length @ 1..)) => drop(self.outgoing.drain(..length)),
            Moved::FromLab(Ok(length @ 1..)) => self.outgoing.extend_from_slice(&typed[..length]),
            Moved::FromLab(_) => self.wire = None,
            // The emulator is gone.
            Moved::FromBoard(_) | Moved::ToBoard(_) => self.stream = None,
        }
    }
}

async fn connect(socket: &Path, clock: &Clock) -> Option<UnixStream> {
    for _ in 0..CONNECT_TRIES {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Some(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                clock.sleep(CONNECT_PAUSE).await;
            }
            Err(_) => return None,
        }
    }
    None
}
