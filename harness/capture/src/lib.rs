//! Captures of what the air and the radios carried, as one pcapng file an attempt.
//!
//! Whoever carries packets opens an [`Interface`] and hands them over; the engine adds the steps as
//! comments and as packets of an interface of their own, so that they stand between what they
//! caused. Times are the lab's.
//!
//! A capture holds what the trace does not: every byte, also those that secrets are in. Encrypted
//! ones stay encrypted, unless [`Secrets::Written`] was asked for: then the secrets of the broker's
//! TLS sessions stand in the file, each before the first packet that it decrypts.

mod block;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::Clock;

pub use block::{Direction, LinkType};

/// Bytes that wait to be written at most.
const MOST_UNWRITTEN: usize = 64 * 1024;
/// Bytes of a file; what comes after them is left out.
pub const MOST_WRITTEN: u64 = 256 << 20;
/// Comments that wait for the next packet.
const MOST_COMMENTS: usize = 16;

/// Whether secrets of TLS sessions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are not: the file decrypts nothing.
    #[default]
    LeftOut,
    /// They are: whoever has the file reads what was encrypted.
    Written,
}

/// A capture that is written; cheap to clone, all clones write to the same file.
#[derive(Clone)]
pub struct Capture {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    secrets: Secrets,
    state: Mutex<State>,
}

struct State {
    file: File,
    unwritten: Vec<u8>,
    written: u64,
    interfaces: Vec<(String, LinkType)>,
    /// For the next packet.
    comments: Vec<String>,
    failure: Option<io::Error>,
    /// Whether nothing more is written.
    ended: bool,
}

impl Capture {
    /// A new file at `path`, which its owner alone may read; its times are those of `clock`.
    pub fn create(clock: Clock, path: &Path, secrets: Secrets) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let state = State {
            file,
            unwritten: block::section_header(concat!("proving ", env!("CARGO_PKG_VERSION"))),
            written: 0,
            interfaces: Vec::new(),
            comments: Vec::new(),
            failure: None,
            ended: false,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                clock,
                secrets,
                state: Mutex::new(state),
            }),
        })
    }

    /// The interface of this name and type; the same again if there is one.
    pub fn interface(&self, name: &str, link: LinkType) -> Interface {
        let mut state = self.state();
        let known = state.interfaces.iter();
        let number = known
            .enumerate()
            .find(|(_, (other, of))| other == name && *of == link)
            .map(|(number, _)| number);
        let number = number.unwrap_or_else(|| {
            state.interfaces.push((name.to_owned(), link));
            let description = match link {
                LinkType::Ethernet => "frames of the lab's air",
                LinkType::BluetoothH4 => "HCI of the lab's controller",
                LinkType::UpperPdu => "steps of the scenario",
            };
            state.push(block::interface(link, name, description));
            state.interfaces.len() - 1
        });
        Interface {
            capture: self.clone(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
        }
    }

    /// Says what happens now, such as the beginning of a step: on the next packet, and as a packet
    /// of its own.
    pub fn comment(&self, text: &str) {
        let interface = self.interface("steps", LinkType::UpperPdu);
        interface.write(None, &block::text_line(text), &[text.to_owned()]);
        let mut state = self.state();
        if state.comments.len() < MOST_COMMENTS {
            state.comments.push(text.to_owned());
        }
        // What led to a step is in the file even if the process is killed in it.
        state.flush();
    }

    /// Whether secrets of TLS sessions are wanted.
    pub fn wants_secrets(&self) -> bool {
        self.inner.secrets == Secrets::Written
    }

    /// A secret of a TLS session, as SSLKEYLOGFILE has it. Left out unless secrets are wanted.
    ///
    /// It must come before the first packet that it decrypts, or Wireshark does not use it.
    pub fn tls_secret(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if self.wants_secrets() {
            let line = format!(
                "{label} {} {}\n",
                hex::encode(client_random),
                hex::encode(secret)
            );
            self.state().push(block::tls_secrets(&line));
        }
    }

    /// Writes what is left, and why not all could be written.
    pub fn end(&self) -> io::Result<()> {
        let mut state = self.state();
        state.flush();
        state.ended = true;
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

impl State {
    fn push(&mut self, block: Vec<u8>) {
        let full = self.written + (self.unwritten.len() + block.len()) as u64 > MOST_WRITTEN;
        if full && !self.ended {
            self.failure.get_or_insert_with(|| {
                io::Error::other(format!(
                    "the capture has {} MiB already",
                    MOST_WRITTEN >> 20
                ))
            });
            self.ended = true;
        }
        if self.ended {
            return;
        }
        self.unwritten.extend(block);
        if self.unwritten.len() > MOST_UNWRITTEN {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.write_all(&self.unwritten) {
            self.failure.get_or_insert(error);
            self.ended = true;
        }
        self.written += self.unwritten.len() as u64;
        self.unwritten.clear();
    }
}

/// A network or radio in a capture; cheap to clone.
#[derive(Clone)]
pub struct Interface {
    capture: Capture,
    number: u32,
}

impl Interface {
    /// A packet that went that way.
    pub fn packet(&self, direction: Direction, bytes: &[u8]) {
        self.write(Some(direction), bytes, &[]);
    }

    /// A packet with a remark, such as that a fault lost it.
    pub fn remarkable(&self, direction: Direction, bytes: &[u8], remark: &str) {
        self.write(Some(direction), bytes, &[remark.to_owned()]);
    }

    /// An HCI packet with its H4 indicator. It is inbound if it goes to the host.
    pub fn hci(&self, direction: Direction, bytes: &[u8]) {
        let to_host = u32::from(direction == Direction::Inbound);
        let mut with_direction = Vec::with_capacity(bytes.len() + 4);
        with_direction.extend(to_host.to_be_bytes());
        with_direction.extend(bytes);
        self.write(Some(direction), &with_direction, &[]);
    }

    fn write(&self, direction: Option<Direction>, bytes: &[u8], remarks: &[String]) {
        let at = self.capture.inner.clock.unix_now();
        let unix_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let mut state = self.capture.state();
        // A step's own packet must not take the comment that is for the next one.
        let mut comments = match direction {
            Some(_) => std::mem::take(&mut state.comments),
            None => Vec::new(),
        };
        comments.extend_from_slice(remarks);
        state.push(block::packet(
            self.number,
            unix_ns,
            bytes,
            direction,
            &comments,
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn contains(file: &[u8], text: &str) -> bool {
        file.windows(text.len()).any(|part| part == text.as_bytes())
    }

    fn written(secrets: Secrets) -> (Vec<u8>, u32) {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("capture.pcapng");
        let capture = Capture::create(Clock::start(1.0), &path, secrets).expect("it is new");
        let air = capture.interface("station home", LinkType::Ethernet);
        let again = capture.interface("station home", LinkType::Ethernet);
        assert_eq!(air.number, again.number);
        capture.comment("step 1: power on");
        capture.tls_secret("CLIENT_RANDOM", &[1, 2], &[0xAB]);
        air.packet(Direction::Outbound, &[0; 60]);
        capture.end().expect("there is room");
        let mode = std::fs::metadata(&path).expect("it is there").permissions();
        (std::fs::read(&path).expect("it is there"), mode.mode())
    }

    #[tokio::test]
    async fn secrets_are_written_only_if_they_are_asked_for() {
        let (with, mode) = written(Secrets::Written);
        assert!(contains(&with, "CLIENT_RANDOM 0102 ab"));
        assert_eq!(mode & 0o777, 0o600);
        let (without, _) = written(Secrets::LeftOut);
        assert!(!contains(&without, "CLIENT_RANDOM"));
        for file in [with, without] {
            assert!(contains(&file, "step 1: power on"));
        }
    }

    #[tokio::test]
    async fn a_step_is_a_packet_and_a_comment_on_the_next_one() {
        let (file, _) = written(Secrets::LeftOut);
        let comments = file
            .windows(16)
            .filter(|part| *part == b"step 1: power on")
            .count();
        assert_eq!(comments, 3, "in its own packet twice, and on the next one");
    }
}
