//! The device's end of the tether.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use airlink::tether::{Decoder, FromDevice, TetherError, ToDevice, encode};

/// More than this is not kept back.
const BATCH: usize = 32 * 1024;
/// Bytes taken from the stream at once.
const CHUNK: usize = 16 * 1024;

/// The device's end of the tether: messages out are batched until [`Tether::flush`].
#[derive(Debug)]
pub struct Tether {
    stream: UnixStream,
    outgoing: RefCell<Vec<u8>>,
    decoder: RefCell<Decoder>,
    consumed: Cell<u64>,
}

impl Tether {
    /// The tether on this stream.
    pub fn new(stream: UnixStream) -> Rc<Self> {
        Rc::new(Self {
            stream,
            outgoing: RefCell::default(),
            decoder: RefCell::default(),
            consumed: Cell::new(0),
        })
    }

    /// Queues a message for the lab.
    pub fn send(&self, message: &FromDevice) {
        let full = {
            let mut outgoing = self.outgoing.borrow_mut();
            outgoing.extend_from_slice(&encode(message));
            outgoing.len() >= BATCH
        };
        if full {
            // A closed tether shows at the next flush or receive that cares.
            let _ = self.flush();
        }
    }

    /// Writes what is queued.
    pub fn flush(&self) -> Result<(), TetherEnd> {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.is_empty() {
            return Ok(());
        }
        let written = (&self.stream).write_all(&outgoing);
        outgoing.clear();
        written.map_err(|_| TetherEnd::Closed)
    }

    /// Whether the queue is in use up the stack, so that a panic must not touch it.
    pub(crate) fn in_use(&self) -> bool {
        self.outgoing.try_borrow_mut().is_err()
    }

    /// Messages taken by [`Tether::receive`] so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.get()
    }

    /// Takes what has come. Waits for at least some bytes if nothing has and `wait` is set.
    pub fn receive(&self, wait: bool) -> Result<Vec<ToDevice>, TetherEnd> {
        let mut chunk = [0; CHUNK];
        let read = if wait {
            read(&self.stream, &mut chunk)
        } else {
            self.stream.set_nonblocking(true)?;
            let read = read(&self.stream, &mut chunk);
            self.stream.set_nonblocking(false)?;
            read
        };
        match read {
            Ok(0) => return Err(TetherEnd::Closed),
            Ok(length) => self.decoder.borrow_mut().push(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let mut decoder = self.decoder.borrow_mut();
        let mut messages = Vec::new();
        while let Some(message) = decoder.pop().map_err(TetherEnd::Garbage)? {
            messages.push(message);
        }
        self.consumed
            .set(self.consumed.get() + messages.len() as u64);
        Ok(messages)
    }
}

fn read(mut stream: &UnixStream, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Why there is nothing more to do on a tether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TetherEnd {
    /// The lab closed it.
    Closed,
    /// The lab sent no message.
    Garbage(TetherError),
}

impl From<io::Error> for TetherEnd {
    /// Whatever fails on a connected stream has lost its other end.
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}
