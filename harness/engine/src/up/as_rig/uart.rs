//! UARTs: a pseudo-terminal of this host, or a Unix socket.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_serial::{SerialPort, SerialStream};
use trace::{Level, LogLine, Trace};

use super::ends::{Line, OVERRUN};

/// How often to look whether a port was opened.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are read at once.
const CHUNK: usize = 1024;

/// How the log appears on the UART.
#[derive(Clone, Debug, Default)]
pub struct LogForm {
    /// The device's address on the LAN of the rig, which its log names in the place of that on the air.
    pub lan: Option<Ipv4Addr>,
    /// Components (tags) whose lines do not appear.
    pub without: Vec<String>,
}

/// Prints the log of the device as ESP-IDF does.
pub async fn print_log(trace: Trace, form: LogForm, to: mpsc::Sender<Vec<u8>>) {
    let mut next = 0;
    let mut on_air = None;
    loop {
        trace.longer_than(next).await;
        for event in trace.events_from(next) {
            next = event.seq as usize + 1;
            let Some(mut line) = event.payload::<LogLine>() else {
                continue;
            };
            on_air = station_address(&line.text).or(on_air);
            if let (Some(on_air), Some(lan)) = (on_air, form.lan) {
                line.text = line.text.replace(&on_air.to_string(), &lan.to_string());
            }
            if !form.without.contains(&line.tag) {
                // What comes too fast for the reader is lost.
                let _ = to.try_send(as_esp_idf(&line));
            }
        }
    }
}

/// The address that a line says the station has.
fn station_address(text: &str) -> Option<Ipv4Addr> {
    let (address, _) = text.strip_prefix("sta ip: ")?.split_once(',')?;
    address.parse().ok()
}

fn as_esp_idf(line: &LogLine) -> Vec<u8> {
    let letter = match line.level {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'V',
    };
    let ms = line.device_ms.unwrap_or_default();
    format!("{letter} ({ms}) {}: {}\r\n", line.tag, line.text).into_bytes()
}

/// A pseudo-terminal, to which `link` leads; every client that opens it after another finds a new one.
/// `unfinished` is a path in the same file system. Gone with its task in `tasks`.
pub fn pty(
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
    tasks.spawn(async move { pty.carry(master).await });
    Ok(Line { prints, typed })
}

struct Pty {
    link: PathBuf,
    unfinished: PathBuf,
    clock: Clock,
    printed: mpsc::Receiver<Vec<u8>>,
    types: mpsc::Sender<Vec<u8>>,
}

impl Pty {
    /// A new one, to which the link leads from now on.
    fn open(&mut self) -> io::Result<SerialStream> {
        let (master, slave) = SerialStream::pair()?;
        let name = slave
            .name()
            .ok_or_else(|| io::Error::other("a pseudo-terminal has no name"))?;
        std::os::unix::fs::symlink(&name, &self.unfinished)?;
        std::fs::rename(&self.unfinished, &self.link)?;
        // The modes of the terminal last as long as its master. With this end held open, it could not be
        // seen whether a client has it open.
        Ok(master)
    }

    async fn carry(&mut self, mut master: SerialStream) {
        let was_open = AtomicBool::new(false);
        let mut bytes = vec![0; CHUNK];
        loop {
            let fd = master.as_raw_fd();
            let is_open = || {
                let is_open = has_client(fd);
                was_open.fetch_or(is_open, Ordering::Relaxed);
                is_open
            };
            let reading = async {
                if !is_open() {
                    self.clock.sleep(LOOK).await;
                }
                master.read(&mut bytes).await
            };
            tokio::select! {
                line = self.printed.recv() => match line {
                    // On a UART that is not listened to, it is lost at once.
                    Some(line) if is_open() => {
                        let _ = master.write_all(&line).await;
                    }
                    Some(_) => {}
                    None => return,
                },
                read = reading => match read {
                    Ok(length @ 1..) => {
                        let _ = self.types.try_send(bytes[..length].to_vec());
                    }
                    Ok(_) | Err(_) => {
                        let is_closed = !is_open() && was_open.swap(false, Ordering::Relaxed);
                        // What the last client has not read, and its claim to be the only one, go with
                        // the old terminal. Without a new one, the old one stays.
                        if is_closed && let Ok(anew) = self.open() {
                            master = anew;
                        }
                    }
                },
            }
        }
    }
}

/// Whether a client has the other end of this pseudo-terminal open.
fn has_client(master: RawFd) -> bool {
    let mut asked = libc::pollfd {
        fd: master,
        events: 0,
        revents: 0,
    };
    // SAFETY: one entry is asked about, and there is one.
    let answered = unsafe { libc::poll(&raw mut asked, 1, 0) };
    answered >= 0 && asked.revents & libc::POLLHUP == 0
}

/// A Unix socket at `path`; one client after the other is at the UART. Gone with its task in `tasks`.
pub fn socket(path: &Path, tasks: &mut JoinSet<()>) -> io::Result<Line> {
    let listener = UnixListener::bind(path)?;
    let (prints, mut printed) = mpsc::channel::<Vec<u8>>(OVERRUN);
    let (types, typed) = mpsc::channel(OVERRUN);
    tasks.spawn(async move {
        let mut bytes = vec![0; CHUNK];
        loop {
            let mut client = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => client,
                    Err(_) => return,
                },
                // Nobody is there to read it.
                line = printed.recv() => match line {
                    Some(_) => continue,
                    None => return,
                },
            };
            loop {
                tokio::select! {
                    line = printed.recv() => match line {
                        Some(line) if client.write_all(&line).await.is_ok() => {}
                        Some(_) => break,
                        None => return,
                    },
                    read = client.read(&mut bytes) => match read {
                        Ok(length @ 1..) => {
                            let _ = types.try_send(bytes[..length].to_vec());
                        }
                        Ok(_) | Err(_) => break,
                    },
                }
            }
        }
    });
    Ok(Line { prints, typed })
}
