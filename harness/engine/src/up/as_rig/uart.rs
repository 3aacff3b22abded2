//! What a UART prints, and a UART at a Unix socket.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trace::{Level, LogLine, Trace};

use super::ends::{Line, OVERRUN};

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
