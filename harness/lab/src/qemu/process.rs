//! The emulator as a child process.
//!
//! It is reached through socket pairs that it inherits, so that no other process can be. A thread of
//! its own starts it and lives as long as it does: the kernel ends the child when the thread that
//! started it ends, and with it when this process does.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::gdb::Gdb;
use super::qmp::{Message, Qmp};
use super::qtest::QTest;
use crate::probe::BackendError;

/// The machine that is emulated: a Cortex-M4F with a LAN9118 network controller.
const MACHINE: &str = "mps2-an386";
/// Its UARTs by the names of their sockets, in their order.
pub(super) const UARTS: [&str; 2] = ["console", "hci"];
/// File of what it says on standard error.
const LOG: &str = "stderr";
/// Bytes of standard error that are shown.
const SHOWN: usize = 2000;

/// A running emulator; dropping it ends the process.
#[derive(Debug)]
pub(super) struct Emulator {
    child: Arc<Mutex<Child>>,
    pub(super) gdb: Gdb,
    pub(super) qtest: QTest,
    pub(super) qmp: Qmp,
}

/// Something happened in the emulator while no task may have polled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The core stands.
    Stopped,
    /// The process is gone.
    Gone,
}

/// Our ends of the child's sockets.
struct Sockets {
    gdb: UnixStream,
    qmp: UnixStream,
    qtest: UnixStream,
    network: UnixStream,
}

impl Emulator {
    /// Starts an emulator whose core stands. What it says on standard error goes to a file in
    /// `private`, where the sockets of its UARTs are too. Our end of its network comes back.
    pub(super) fn start(
        program: &Path,
        private: &Path,
        events: Sender<Event>,
    ) -> Result<(Self, UnixStream), BackendError> {
        let failed = |source| BackendError::Io {
            what: "start qemu-system-arm",
            source,
        };
        let (ours, theirs) = socket_pairs().map_err(failed)?;
        let log = &private.join(LOG);
        let mut command = command(program, &theirs);
        for uart in UARTS {
            command.args(serial(uart, private));
        }
        command.stderr(File::create(log).map_err(failed)?);
        let qmp_reader = ours.qmp.try_clone().map_err(failed)?;
        let (started, start) = mpsc::channel();
        let (messages, inbox) = mpsc::channel();
        thread::Builder::new()
            .name("qemu".to_owned())
            .spawn(move || {
                let child = command.spawn();
                // The child alone holds them now, so that its end is the end of the sockets.
                drop((theirs, command));
                let child = match child {
                    Ok(child) => Arc::new(Mutex::new(child)),
                    Err(error) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                if started.send(Ok(Arc::clone(&child))).is_ok() {
                    attend(qmp_reader, &messages, &events);
                }
                end(&child);
                drop(messages);
                // No receiver is left if the machine is gone too.
                let _ = events.send(Event::Gone);
            })
            .map_err(failed)?;
        let child = match start.recv() {
            Ok(child) => child.map_err(failed)?,
            Err(_) => return Err(failed(io::ErrorKind::BrokenPipe.into())),
        };
        let connected = Qmp::new(ours.qmp, inbox)
            .and_then(|qmp| Ok((qmp, Gdb::new(ours.gdb)?, QTest::new(ours.qtest)?)));
        match connected {
            Ok((qmp, gdb, qtest)) => Ok((
                Self {
                    child,
                    gdb,
                    qtest,
                    qmp,
                },
                ours.network,
            )),
            Err(error) => {
                end(&child);
                Err(explain(error, log))
            }
        }
    }

    /// Process id.
    pub(super) fn id(&self) -> u32 {
        self.child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .id()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Reads QMP until the emulator ends, and passes on what it says.
fn attend(stream: UnixStream, messages: &Sender<Message>, events: &Sender<Event>) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let Some(message) = Message::parse(&line) else {
            continue;
        };
        let stands = matches!(message, Message::ResetRequested | Message::Stopped);
        if !matches!(message, Message::Stopped) && messages.send(message).is_err() {
            return;
        }
        if stands {
            let _ = events.send(Event::Stopped);
        }
    }
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have ended by itself, which is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// An emulator that ends at once says why on standard error.
fn explain(error: BackendError, log: &Path) -> BackendError {
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(SHOWN)..]);
    match said.trim() {
        "" => error,
        said => BackendError::Refused {
            what: "start",
            answer: said.to_owned(),
        },
    }
}

fn socket_pairs() -> io::Result<(Sockets, [OwnedFd; 4])> {
    let (gdb, their_gdb) = UnixStream::pair()?;
    let (qmp, their_qmp) = UnixStream::pair()?;
    let (qtest, their_qtest) = UnixStream::pair()?;
    let (network, their_network) = UnixStream::pair()?;
    let ours = Sockets {
        gdb,
        qmp,
        qtest,
        network,
    };
    let theirs = [their_gdb, their_qmp, their_qtest, their_network].map(OwnedFd::from);
    Ok((ours, theirs))
}

fn command(program: &Path, sockets: &[OwnedFd; 4]) -> Command {
    let fds: [RawFd; 4] = [0, 1, 2, 3].map(|index: usize| sockets[index].as_raw_fd());
    let [gdb, qmp, qtest, network] = fds;
    let mut command = Command::new(program);
    command
        .args(["-M", MACHINE, "-accel", "tcg", "-S", "-nodefaults"])
        .args(["-display", "none", "-monitor", "none"])
        .args(["-action", "shutdown=pause"])
        .args(["-chardev", &format!("socket,id=gdb,fd={gdb}")])
        .args(["-gdb", "chardev:gdb"])
        .args(["-chardev", &format!("socket,id=qmp,fd={qmp}")])
        .args(["-qmp", "chardev:qmp"])
        // Its name must be that of the server that it is for.
        .args(["-chardev", &format!("socket,id=qtest,fd={qtest}")])
        .args(["-qtest", "chardev:qtest", "-qtest-log", "none"])
        .args([
            "-netdev",
            &format!("stream,id=air,addr.type=fd,addr.str={network}"),
        ])
        .args(["-net", "nic,netdev=air"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe functions are called, on descriptors that
    // the parent keeps open until the child runs.
    unsafe {
        command.pre_exec(move || inherit(parent, &fds));
    }
    command
}

/// The arguments for the next UART.
fn serial(name: &str, private: &Path) -> [OsString; 4] {
    let path = private.join(name);
    // A comma ends an option, unless there are two.
    let path = path.as_os_str().as_bytes().split(|byte| *byte == b',');
    let path = path.collect::<Vec<_>>().join(&b",,"[..]);
    let mut socket = OsString::from(format!("socket,id={name},server=on,wait=off,path="));
    socket.push(OsStr::from_bytes(&path));
    [
        "-chardev".into(),
        socket,
        "-serial".into(),
        format!("chardev:{name}").into(),
    ]
}

/// In the child: ends with the parent, and keeps its sockets.
fn inherit(parent: u32, sockets: &[RawFd]) -> io::Result<()> {
    // SAFETY: these calls touch no memory of ours.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended before that.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for fd in sockets {
            if libc::fcntl(*fd, libc::F_SETFD, 0) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}
