//! The console scheme: lines on a UART (ESP-IDF 5.5 `scheme_console.c`, `protocomm_console.c`).

mod line;

use alloc::string::String;
use alloc::vec::Vec;
use core::future::pending;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::NorFlash;
use rand_core::{CryptoRng, RngCore};

use super::endpoints::Endpoints;
use crate::board::Radio;
use crate::bugs::{self, Bug};
use line::{Command, Line, Typed};

const TAG: &str = "protocomm_console";
const PROMPT: &[u8] = b"\n>> ";
/// More than a UART keeps for a slow reader.
const BURST: usize = 4_096;

/// Serves for ever, with lines of `limit` bytes at most.
pub(super) async fn serve<C, R, F, N>(
    uart: C,
    limit: usize,
    endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
) where
    C: Read + Write,
    R: Radio,
    F: NorFlash,
    N: RngCore + CryptoRng,
{
    let mut console = Console {
        uart,
        typed: Typed::new(limit),
        burst: alloc::vec![0; BURST],
    };
    loop {
        let answer = match console.line().await {
            Ok(line) => answer(&line, endpoints).await,
            Err(Gone) => break,
        };
        if let Some(answer) = answer
            && console.write(&answer).await.is_err()
        {
            break;
        }
    }
    log::error!(target: TAG, "Console dispatcher error");
    pending().await
}

/// The UART failed.
struct Gone;

struct Console<C> {
    uart: C,
    typed: Typed,
    burst: Vec<u8>,
}

impl<C: Read + Write> Console<C> {
    /// Prompts, echoes what is typed, and waits for a line.
    async fn line(&mut self) -> Result<Line, Gone> {
        self.write(PROMPT).await?;
        loop {
            let length = match self.uart.read(&mut self.burst).await {
                Ok(length @ 1..) => length,
                _ => return Err(Gone),
            };
            let line = self.typed.push(&self.burst[..length]);
            if !bugs::is(Bug::ConsoleEchoMissing) {
                let echo = echo(&self.burst[..length]);
                self.write(&echo).await?;
            }
            if let Some(line) = line {
                return Ok(line);
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.uart.write_all(bytes).await.map_err(|_| Gone)?;
        self.uart.flush().await.map_err(|_| Gone)
    }
}

/// What was typed, with CR as CR LF.
fn echo(typed: &[u8]) -> Vec<u8> {
    let mut echo = Vec::with_capacity(typed.len() + 1);
    for &byte in typed {
        echo.push(byte);
        if byte == b'\r' {
            echo.push(b'\n');
        }
    }
    echo
}

/// What is printed; nothing for whatever goes wrong.
async fn answer<R: Radio, F: NorFlash, N: RngCore + CryptoRng>(
    line: &Line,
    endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
) -> Option<Vec<u8>> {
    let Line::Whole(line) = line else {
        log::warn!(target: TAG, "a line longer than the buffer is dropped");
        return None;
    };
    match Command::parse(line) {
        Command::Nothing => None,
        Command::Help => Some(help(endpoints.lock().await.registered()).into_bytes()),
        Command::Request {
            endpoint,
            session,
            payload,
        } => {
            let session = match bugs::is(Bug::ConsoleSessionIdIgnored) {
                true => 0,
                false => session,
            };
            let mut endpoints = endpoints.lock().await;
            let response = endpoints
                .dispatch(session, &endpoint, &payload)
                .await
                .ok()?;
            let mut printed = b"\r\n".to_vec();
            printed.extend_from_slice(hex::encode(response).as_bytes());
            printed.extend_from_slice(b"\r\n");
            Some(printed)
        }
    }
}

/// The list of commands, as `esp_console` prints it: a name, its arguments, its help.
fn help<'n>(endpoints: impl Iterator<Item = &'n str>) -> String {
    let mut help = String::from("help \r\n  Print the list of registered commands\r\n\r\n");
    for endpoint in endpoints {
        help.push_str(endpoint);
        help.push_str(" \r\n  \r\n\r\n");
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_is_echoed_with_a_line_feed() {
        assert_eq!(echo(b"help\r"), b"help\r\n");
        assert_eq!(echo(b"a\r\nb"), b"a\r\n\nb");
    }

    #[test]
    fn help_names_every_endpoint() {
        assert_eq!(
            help(["proto-ver", "custom-data"].into_iter()),
            "help \r\n  Print the list of registered commands\r\n\r\n\
             proto-ver \r\n  \r\n\r\ncustom-data \r\n  \r\n\r\n"
        );
    }
}
