//! The device's console, as ESP-IDF has it: echo, one answer line, prompt.

use phone::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{FakeDevice, Request};

/// What a console does besides answering.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Longest line with its CR; what is longer is lost.
    pub limit: usize,
    /// Printed in the middle of the echo.
    pub in_echo: &'static str,
    /// Printed before the answer, on lines of its own.
    pub before: &'static str,
    /// Printed after the answer, on lines of its own.
    pub after: &'static str,
    /// Whether the prompt is printed at all.
    pub prompts: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            limit: 256,
            in_echo: "",
            before: "",
            after: "",
            prompts: true,
        }
    }
}

impl FakeDevice {
    pub fn with_console(self, habits: Habits) -> Self {
        self.inner.lock().unwrap().console = habits;
        self
    }

    /// A port that leads to the device's UART.
    pub fn port(&self) -> Box<dyn Stream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().run_console(theirs));
        Box::new(ours)
    }

    async fn run_console(self, mut uart: DuplexStream) -> Option<()> {
        let habits = self.inner.lock().unwrap().console.clone();
        let mut line: Vec<u8> = Vec::new();
        loop {
            let mut burst = [0; 512];
            let length = uart.read(&mut burst).await.ok()?;
            if length == 0 || self.inner.lock().unwrap().silent {
                std::future::pending::<()>().await;
            }
            let burst = &burst[..length];
            line.extend_from_slice(burst);
            self.print(&mut uart, &echo(burst, habits.in_echo)).await?;
            // Only the last byte of a burst can end a line.
            if !line.ends_with(b"\r") {
                continue;
            }
            let whole = std::mem::take(&mut line);
            if whole.len() <= habits.limit {
                let text = String::from_utf8_lossy(&whole).into_owned();
                let mut printed = habits.before.to_owned();
                if let Some(answer) = self.answer_line(&text) {
                    printed += &format!("\r\n{}\r\n", hex::encode(answer));
                }
                printed += habits.after;
                self.print(&mut uart, printed.as_bytes()).await?;
            }
            if habits.prompts {
                self.print(&mut uart, b"\n>> ").await?;
            }
        }
    }

    fn answer_line(&self, line: &str) -> Option<Vec<u8>> {
        let mut words = line.split_ascii_whitespace();
        let (endpoint, session, payload) = (words.next()?, words.next()?, words.next()?);
        let request = Request {
            path: format!("/{endpoint}"),
            headers: vec![("session".into(), session.into())],
            connection: 1,
        };
        self.answer(request, &hex::decode(payload).ok()?)
    }

    async fn print(&self, uart: &mut DuplexStream, bytes: &[u8]) -> Option<()> {
        uart.write_all(bytes).await.ok()?;
        self.clock.touch();
        Some(())
    }
}

fn echo(burst: &[u8], noise: &str) -> Vec<u8> {
    let mut echo = Vec::new();
    for (index, byte) in burst.iter().enumerate() {
        if index == burst.len() / 2 && burst.len() > 1 {
            echo.extend_from_slice(noise.as_bytes());
        }
        match byte {
            b'\r' => echo.extend_from_slice(b"\r\n"),
            byte => echo.push(*byte),
        }
    }
    echo
}
