//! What is typed at a device's console, and what it prints.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lab::wire::LabEnd;
use language::{Case, Console};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::problem::{LabError, Missed, Problem};
use super::world::World;

/// What a console prints when it waits for a line.
const PROMPT: [u8; 3] = *b">> ";
/// Silence after a prompt, after which nothing more of what was printed before is under way.
const SETTLED: Duration = Duration::from_millis(50);
/// The same where no prompt was printed: the device is slow, or has none to print.
const UNPROMPTED: Duration = Duration::from_secs(2);
/// So much of what a console printed is kept.
const MOST: usize = 256 * 1024;

/// The lab's end of a device's console; clones are the same end.
#[derive(Clone, Debug)]
pub struct Port(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    end: LabEnd,
    /// The last bytes that were printed.
    tail: [u8; PROMPT.len()],
}

impl Port {
    /// A port that several may use in turn.
    pub fn new(end: LabEnd) -> Self {
        let tail = Default::default();
        Self(Arc::new(Mutex::new(Shared { end, tail })))
    }

    /// Whether the last thing that was printed is a prompt.
    fn is_prompted(&self) -> bool {
        self.shared().tail == PROMPT
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Its last reader only polled, which leaves the end whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Port {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut shared = self.shared();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut shared.end).poll_read(context, buffer);
        for byte in &buffer.filled()[before..] {
            shared.tail.rotate_left(1);
            shared.tail[PROMPT.len() - 1] = *byte;
        }
        polled
    }
}

impl AsyncWrite for Port {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.shared().end).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.shared().end).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.shared().end).poll_shutdown(context)
    }
}

/// Takes the step.
pub async fn type_at(case: &Case, step: &Console, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut port = world.console(device)?;
    // What was printed before is no answer to this line.
    settle(&mut port, world).await?;
    let failed = |source| LabError::Io {
        what: format!("type at the console of {device}"),
        source,
    };
    port.write_all(step.typed.as_bytes())
        .await
        .map_err(failed)?;
    let shows = |printed: &str| {
        step.shows
            .as_deref()
            .is_none_or(|wanted| printed.contains(wanted))
    };
    // Where something must not come, all of the time has to pass.
    let is_enough = |printed: &str| step.lacks.is_none() && step.shows.is_some() && shows(printed);
    let printed = read_for(&mut port, step.within, world, is_enough).await?;
    if !shows(&printed) {
        let wanted = step.shows.as_deref().unwrap_or_default();
        return Err(Missed::saying(format!(
            "the console of {device} printed {printed:?}, which does not contain {wanted:?}"
        )));
    }
    match &step.lacks {
        Some(unwanted) if printed.contains(unwanted.as_str()) => Err(Missed::saying(format!(
            "the console of {device} printed {printed:?}, which contains {unwanted:?}"
        ))),
        _ => Ok(()),
    }
}

/// Waits until nothing more of what was printed before is under way.
async fn settle(port: &mut Port, world: &World) -> Result<(), LabError> {
    let mut total = 0;
    while total < MOST {
        let patience = if port.is_prompted() {
            SETTLED
        } else {
            UNPROMPTED
        };
        let printed = read_for(port, patience, world, |printed| !printed.is_empty()).await?;
        if printed.is_empty() {
            break;
        }
        total += printed.len();
    }
    Ok(())
}

/// What is printed within `limit` of lab time, or until it is enough.
async fn read_for(
    port: &mut Port,
    limit: Duration,
    world: &World,
    is_enough: impl Fn(&str) -> bool,
) -> Result<String, LabError> {
    let clock = world.trace().clock().clone();
    let deadline = clock.now() + limit;
    let mut printed = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&printed).into_owned();
        let left = deadline.since(clock.now());
        if left.is_zero() || printed.len() > MOST || is_enough(&text) {
            return Ok(text);
        }
        match clock.timeout(left, port.read(&mut chunk)).await {
            Ok(Ok(0)) | Err(_) => return Ok(String::from_utf8_lossy(&printed).into_owned()),
            Ok(Ok(length)) => printed.extend_from_slice(&chunk[..length]),
            Ok(Err(source)) => {
                return Err(LabError::Io {
                    what: "read a console".into(),
                    source,
                });
            }
        }
    }
}
