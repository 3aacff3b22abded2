//! UARTs: a pseudo-terminal of this host, or a Unix socket.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
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
    loop {
        trace.longer_than(next).await;
        for event in trace.events_from(next) {
            next += 1;
            if let Some(line) = event.payload::<LogLine>()
                && !form.without.contains(&line.tag)
            {
                // What comes too fast for the reader is lost.
                let _ = to.try_send(as_esp_idf(&line, form.lan));
            }
        }
    }
}

fn as_esp_idf(line: &LogLine, lan: Option<Ipv4Addr>) -> Vec<u8> {
    let letter = match line.level {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'V',
    };
    let ms = line.device_ms.unwrap_or_default();
    let text = match (line.text.strip_prefix("sta ip: "), lan) {
        (Some(rest), Some(lan)) => match rest.split_once(',') {
            Some((_, rest)) => format!("sta ip: {lan},{rest}"),
            None => format!("sta ip: {lan}"),
        },
        _ => line.text.clone(),
    };
    format!("{letter} ({ms}) {}: {text}\r\n", line.tag).into_bytes()
}

/// A pseudo-terminal, to which `link` leads. Gone with its task in `tasks`.
pub fn pty(link: &Path, clock: &Clock, tasks: &mut JoinSet<()>) -> io::Result<Line> {
    let (master, slave) = SerialStream::pair()?;
    let name = slave
        .name()
        .ok_or_else(|| io::Error::other("a pseudo-terminal has no name"))?;
    std::os::unix::fs::symlink(&name, link)?;
    // The modes of the terminal last as long as its master. Held open, it could not be seen whether
    // another has opened it.
    drop(slave);
    let (prints, printed) = mpsc::channel(OVERRUN);
    let (types, typed) = mpsc::channel(OVERRUN);
    tasks.spawn(carry_pty(master, printed, types, clock.clone()));
    Ok(Line { prints, typed })
}

async fn carry_pty(
    mut master: SerialStream,
    mut printed: mpsc::Receiver<Vec<u8>>,
    types: mpsc::Sender<Vec<u8>>,
    clock: Clock,
) {
    let fd = master.as_raw_fd();
    let mut bytes = vec![0; CHUNK];
    loop {
        tokio::select! {
            line = printed.recv() => match line {
                // On a UART that is not listened to, it is lost.
                Some(line) if is_open(fd) => {
                    let _ = master.write_all(&line).await;
                }
                Some(_) => {}
                None => return,
            },
            read = master.read(&mut bytes) => match read {
                Ok(length @ 1..) => {
                    let _ = types.try_send(bytes[..length].to_vec());
                }
                // Closed at the other side.
                Ok(_) | Err(_) => clock.sleep(LOOK).await,
            },
        }
    }
}

/// Whether the slave of this pseudo-terminal is open in any process.
fn is_open(master: RawFd) -> bool {
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
