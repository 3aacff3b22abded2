//! A UART at a pseudo-terminal of this host.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use board::serial::pseudo_terminal;
use clock::Clock;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ends::{Line, OVERRUN};

/// How often to look whether a port was opened.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are read at once.
const CHUNK: usize = 1024;

/// A pseudo-terminal, to which `link` leads; every client that opens it after another finds a new one.
/// `unfinished` is a path in the same file system. Gone with its task in `tasks`.
pub fn open(
    link: &Path,
    unfinished: &Path,
    clock: &Clock,
    tasks: &mut JoinSet<()>,
) -> io::Result<Line> {
    let (prints, printed) = mpsc::channel(OVERRUN);
    let (types, typed) = mpsc::channel(OVERRUN);
    let mut pty = Pty {
        link: link.to_owned(),
        unfinished: unfinished.to_owned(),
        clock: clock.clone(),
        printed,
        types,
    };
    let master = pty.open()?;
    tasks.spawn(async move {
        // Nothing is printed any more.
        let Err(Ended) = pty.carry(master).await;
    });
    Ok(Line { prints, typed })
}

struct Pty {
    link: PathBuf,
    unfinished: PathBuf,
    clock: Clock,
    printed: mpsc::Receiver<Vec<u8>>,
    types: mpsc::Sender<Vec<u8>>,
}

/// The device has gone.
struct Ended;

impl Pty {
    /// A new one, to which the link leads from now on.
    fn open(&mut self) -> io::Result<File> {
        let (master, name) = pseudo_terminal()?;
        // Its end is said to be closed only when it once was open: see `has_client`.
        let mut port = File::options();
        let port = port.read(true).write(true).custom_flags(libc::O_NOCTTY);
        drop(port.open(&name)?);
        let fd = master.as_raw_fd();
        // SAFETY: `fd` is open, and all that is changed is whether it waits.
        let set = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        std::os::unix::fs::symlink(&name, &self.unfinished)?;
        std::fs::rename(&self.unfinished, &self.link)?;
        Ok(master)
    }

    async fn carry(&mut self, mut master: File) -> Result<std::convert::Infallible, Ended> {
        loop {
            self.wait_for_client(&master).await?;
            // Registered anew for each client: that an end is closed is never forgotten again, and what
            // there is to be read would be asked for without a pause.
            // SAFETY: a file keeps its descriptor open until it is dropped, and `port` owns it until then.
            let port = unsafe { AsyncFd::register(master) }.map_err(|_| Ended)?;
            self.attend(&port).await?;
            // What the last client has not read, and its claim to be the only one, go with the old
            // terminal. Without a new one, the old one stays.
            master = match self.open() {
                Ok(anew) => anew,
                Err(_) => port.into_inner(),
            };
        }
    }

    /// On a UART that is not listened to, what is printed is lost at once.
    async fn wait_for_client(&mut self, master: &File) -> Result<(), Ended> {
        while !has_client(master) {
            // One that came and went between two looks may have typed something.
            if self.read(master).is_ok_and(|length| length > 0) {
                return Ok(());
            }
            tokio::select! {
                line = self.printed.recv() => drop(line.ok_or(Ended)?),
                () = self.clock.sleep(LOOK) => {}
            }
        }
        Ok(())
    }

    /// Until the client has closed its end.
    async fn attend(&mut self, port: &AsyncFd<File>) -> Result<(), Ended> {
        let mut unsent: Vec<u8> = Vec::new();
        loop {
            tokio::select! {
                line = self.printed.recv(), if unsent.is_empty() => unsent = line.ok_or(Ended)?,
                writable = port.writable(), if !unsent.is_empty() => {
                    let Ok(mut writable) = writable else { return Ok(()) };
                    match writable.try_io(|port| port.get_ref().write(&unsent)) {
                        Ok(Ok(length)) => drop(unsent.drain(..length)),
                        Ok(Err(_)) => return Ok(()),
                        Err(_) => {}
                    }
                }
                readable = port.readable() => {
                    let Ok(mut readable) = readable else { return Ok(()) };
                    match readable.try_io(|port| self.read(port.get_ref())) {
                        Ok(Ok(1..)) | Err(_) => {}
                        Ok(_) => return Ok(()),
                    }
                }
            }
        }
    }

    /// Takes what the client has typed; how many bytes.
    fn read(&self, mut master: &File) -> io::Result<usize> {
        let mut bytes = [0; CHUNK];
        loop {
            match master.read(&mut bytes) {
                Ok(length) => {
                    // What comes too fast for the device is lost.
                    let _ = self.types.try_send(bytes[..length].to_vec());
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a client has the other end of this pseudo-terminal open.
fn has_client(master: &File) -> bool {
    let mut asked = libc::pollfd {
        fd: master.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: one entry is asked about, and there is one.
    let answered = unsafe { libc::poll(&raw mut asked, 1, 0) };
    answered >= 0 && asked.revents & libc::POLLHUP == 0
}
