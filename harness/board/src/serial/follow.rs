//! A board's log without any scenario: for people who watch.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use tokio::sync::mpsc;
use trace::{Level, LogLine};

use super::HostPort;
use super::control::{Dial, Hold, Wiring};
use super::reader::{PortEvent, PortReader};
use super::record::Record;
use crate::BoardError;
use crate::rig::SerialLink;

/// How long the board is held in reset.
const RESET_HOLD: Duration = Duration::from_millis(100);
/// So many records wait to be read; more are lost, which is told.
const MOST_WAITING: usize = 10_000;

/// A log that is followed until this is dropped.
pub struct Follow {
    /// Keeps the port open.
    _reader: PortReader,
    records: mpsc::Receiver<PortEvent>,
}

impl Follow {
    /// Opens the port and listens; with `reset`, the board is restarted first, by its control line or
    /// else its command.
    pub async fn open(link: &SerialLink, reset: bool, clock: &Clock) -> Result<Self, BoardError> {
        let command = match &link.reset_command {
            Some(template) if reset && link.reset.is_none() => {
                let (port, baud) = (link.port.to_string(), link.baud.to_string());
                Some(template.fill(&[("port", &port), ("baud", &baud)]))
            }
            _ => None,
        };
        let needs_port = link
            .reset_command
            .as_ref()
            .is_some_and(|template| template.mentions("port"));
        if let (Some(command), true) = (&command, needs_port) {
            command.run(clock, &mut |_| {}).await?;
        }
        let (sender, records) = mpsc::channel(MOST_WAITING);
        let sink = Box::new(bounded(sender));
        let port: Arc<dyn Dial> = Arc::new(HostPort::new(link.port.clone(), link.baud));
        let wiring = Wiring {
            reset: link.reset,
            boot: link.boot,
        };
        let open =
            PortReader::open(port, wiring, link.log, Duration::ZERO, clock, None, sink).await?;
        if reset && wiring.reset.is_some() {
            let hold = Hold {
                reset: true,
                boot: false,
            };
            open.hold(hold).await?;
            clock.sleep(RESET_HOLD).await;
            open.listen(true).await;
            open.hold(Hold::default()).await?;
        } else {
            open.listen(true).await;
        }
        if let (Some(command), false) = (&command, needs_port) {
            command.run(clock, &mut |_| {}).await?;
        }
        Ok(Self {
            _reader: open,
            records,
        })
    }

    /// What is heard next.
    pub async fn next(&mut self) -> Option<PortEvent> {
        self.records.recv().await
    }
}

/// A reader that is too slow costs records, not memory, and is told how many.
fn bounded(sender: mpsc::Sender<PortEvent>) -> impl FnMut(PortEvent) + Send {
    let mut missed = 0;
    move |heard| {
        if missed > 0 && sender.capacity() > 1 && sender.try_send(lost(missed)).is_ok() {
            missed = 0;
        }
        if missed > 0 || sender.try_send(heard).is_err() {
            missed += 1;
        }
    }
}

/// A record of this host's own, where some of the board's are missing.
fn lost(missed: u64) -> PortEvent {
    PortEvent::Record(Record {
        line: LogLine {
            level: Level::Warn,
            tag: "proving".to_owned(),
            text: format!("{missed} lines are lost here: they came faster than they were read"),
            device_ms: None,
            place: None,
        },
        garbage: Vec::new(),
        dialect: None,
        event: None,
        unread: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_too_slow_is_told_how_much_is_lost() {
        let (sender, mut received) = mpsc::channel(2);
        let mut sink = bounded(sender);
        for _ in 0..5 {
            sink(PortEvent::Back);
        }
        for _ in 0..2 {
            assert!(matches!(received.try_recv(), Ok(PortEvent::Back)));
        }
        sink(PortEvent::Gone);
        let told = received.try_recv();
        assert!(
            matches!(&told, Ok(PortEvent::Record(record)) if record.line.text.starts_with("3 lines are lost")),
            "{told:?}"
        );
        assert!(matches!(received.try_recv(), Ok(PortEvent::Gone)));
    }
}
