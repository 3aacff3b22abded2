//! Requests as lines on a UART (ESP-IDF's `protocomm_console`).
//!
//! A request is `ENDPOINT SESSION HEX` and a single CR. The device echoes every character, answers
//! with one line of lower-case hex digits, and prints a prompt. Between all of these it may log.

mod listening;

use std::io;
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rand_core::{OsRng, RngCore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Transport, TransportError, TransportKind};
use crate::Stream;
use listening::{ConsoleEvent, Listening};

/// Ends a line. CR LF would not: the device looks for the end of a line at the last byte of what
/// arrives together.
const END: u8 = b'\r';
/// After the answer, the prompt comes at once unless something else is printed in its place.
const PROMPT_GRACE: Duration = Duration::from_millis(500);
/// Silence after which nothing of what was asked before is still under way.
const SETTLED: Duration = Duration::from_millis(100);
/// Bytes that a device may print before its answer; it logs a few hundred.
const MOST_BYTES: usize = 1024 * 1024;
/// Session ids are short, because they take room on the line. The device keeps them in a C `int`,
/// with -1 for none.
const SESSION_IDS: u32 = 9_999;

/// What a console can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Longest line that the device reads, its CR included, in bytes; none if there is no limit.
    /// ESP-IDF 5.5: 256.
    pub line_limit: Option<usize>,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            line_limit: Some(256),
        }
    }
}

/// A device's console, over a port that leads to its UART.
pub struct Console {
    port: Box<dyn Stream>,
    name: String,
    clock: Clock,
    limit: Duration,
    settings: ConsoleSettings,
    session: u32,
    /// Whether the device waits for a line, as far as the phone knows.
    is_prompted: bool,
}

/// Why a console gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The line would be longer than the device reads; nothing was sent.
    #[error(
        "the console's line holds {limit} bytes, and the request to {endpoint} takes {needed}; \
         nothing was sent"
    )]
    TooLong {
        /// The endpoint.
        endpoint: String,
        /// Length of the line with its CR, in bytes.
        needed: usize,
        /// Longest line, in bytes.
        limit: usize,
    },
    /// A line has three words, none of them empty; nothing was sent.
    #[error("the console cannot carry an empty request, or one to {endpoint:?}; nothing was sent")]
    Words {
        /// The endpoint.
        endpoint: String,
    },
    /// Failure of the port.
    #[error("failed to read from or write to the console's port")]
    Port(#[source] io::Error),
    /// Port that was closed at its other end.
    #[error("the console's port was closed at its other end")]
    Hung,
    /// There is no console, or it is stuck.
    #[error("the device printed no prompt within {limit:?}")]
    NoPrompt {
        /// How long was waited, in lab time.
        limit: Duration,
    },
    /// Neither an answer nor a prompt came in time.
    #[error(
        "the device printed neither an answer nor a prompt within {limit:?}{}",
        listening::shown(said)
    )]
    Timeout {
        /// How long was waited, in lab time.
        limit: Duration,
        /// What the device printed meanwhile.
        said: Vec<String>,
    },
    /// The device printed its next prompt and no answer before it, which is how it says no.
    #[error(
        "the device printed its next prompt without an answer{}",
        listening::shown(said)
    )]
    NoAnswer {
        /// What it printed instead.
        said: Vec<String>,
    },
    /// The device prints without end.
    #[error(
        "the device printed {MOST_BYTES} bytes without an answer{}",
        listening::shown(said)
    )]
    Flood {
        /// The end of it.
        said: Vec<String>,
    },
}

impl Console {
    /// The device behind `port`, which people call `name`. `limit` is how long one request may
    /// take, in lab time.
    pub fn new(
        port: Box<dyn Stream>,
        name: impl Into<String>,
        clock: Clock,
        limit: Duration,
        settings: ConsoleSettings,
    ) -> Self {
        Self {
            port,
            name: name.into(),
            clock,
            limit,
            settings,
            session: any_session(),
            is_prompted: false,
        }
    }

    /// Finds out whether there is a console: sends an empty line and waits for the prompt.
    pub async fn find_prompt(&mut self) -> Result<(), ConsoleError> {
        let clock = self.clock.clone();
        let limit = self.limit;
        clock
            .timeout(limit, self.synchronise())
            .await
            .unwrap_or(Err(ConsoleError::NoPrompt { limit }))
    }

    fn line(&self, endpoint: &str, request: &[u8]) -> Result<Vec<u8>, ConsoleError> {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if request.is_empty() || !is_word(endpoint) {
            return Err(ConsoleError::Words {
                endpoint: endpoint.to_owned(),
            });
        }
        let mut line = format!("{endpoint} {} {}", self.session, hex::encode(request)).into_bytes();
        line.push(END);
        match self.settings.line_limit {
            Some(limit) if line.len() > limit => Err(ConsoleError::TooLong {
                endpoint: endpoint.to_owned(),
                needed: line.len(),
                limit,
            }),
            _ => Ok(line),
        }
    }

    async fn exchange(&mut self, line: &[u8]) -> Result<Vec<u8>, ConsoleError> {
        if !self.is_prompted {
            self.find_prompt().await?;
        }
        self.is_prompted = false;
        self.write(line).await?;
        let mut listening = Listening::to_answer_of(line);
        let clock = self.clock.clone();
        let limit = self.limit;
        let heard = clock
            .timeout(limit, self.hear(&mut listening))
            .await
            .unwrap_or_else(|_| {
                Err(ConsoleError::Timeout {
                    limit,
                    said: listening.said(),
                })
            })?;
        match heard {
            ConsoleEvent::Answer(answer) => {
                let prompt = clock.timeout(PROMPT_GRACE, self.hear(&mut listening));
                self.is_prompted = matches!(prompt.await, Ok(Ok(ConsoleEvent::Prompt)));
                Ok(answer)
            }
            ConsoleEvent::Prompt => {
                self.is_prompted = true;
                Err(ConsoleError::NoAnswer {
                    said: listening.said(),
                })
            }
        }
    }

    /// Gets rid of a line that was left half-way, and of everything that was printed before.
    async fn synchronise(&mut self) -> Result<(), ConsoleError> {
        self.write(&[END]).await?;
        let mut listening = Listening::to_prompt();
        while !matches!(self.hear(&mut listening).await?, ConsoleEvent::Prompt) {}
        // A second prompt may be on its way if the device was at work on something.
        let clock = self.clock.clone();
        while let Ok(heard) = clock.timeout(SETTLED, self.hear(&mut listening)).await {
            heard?;
        }
        self.is_prompted = true;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ConsoleError> {
        self.port
            .write_all(bytes)
            .await
            .map_err(ConsoleError::Port)?;
        self.port.flush().await.map_err(ConsoleError::Port)?;
        self.clock.touch();
        Ok(())
    }

    /// Cancel safe.
    async fn hear(&mut self, listening: &mut Listening) -> Result<ConsoleEvent, ConsoleError> {
        let mut bytes = [0; 512];
        loop {
            if let Some(heard) = listening.next() {
                return Ok(heard);
            }
            if listening.total() > MOST_BYTES {
                return Err(ConsoleError::Flood {
                    said: listening.said(),
                });
            }
            let length = self
                .port
                .read(&mut bytes)
                .await
                .map_err(ConsoleError::Port)?;
            if length == 0 {
                return Err(ConsoleError::Hung);
            }
            self.clock.touch();
            listening.feed(&bytes[..length]);
        }
    }
}

impl Transport for Console {
    fn kind(&self) -> TransportKind {
        TransportKind::Console
    }

    fn peer(&self) -> String {
        self.name.clone()
    }

    fn send<'s>(
        &'s mut self,
        endpoint: &'s str,
        request: &'s [u8],
    ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>> {
        async move {
            let line = self.line(endpoint, request)?;
            Ok(self.exchange(&line).await?)
        }
        .boxed()
    }

    fn forget(&mut self) {
        let before = self.session;
        while self.session == before {
            self.session = any_session();
        }
    }
}

fn any_session() -> u32 {
    1 + OsRng.next_u32() % SESSION_IDS
}
