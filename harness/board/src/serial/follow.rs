//! A board's log without any scenario: for people who watch.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use tokio::sync::mpsc;

use super::HostPort;
use super::control::{Dial, Hold, Wiring};
use super::link::{Heard, Link};
use crate::BoardError;
use crate::rig::SerialLink;

/// How long the board is held in reset.
const RESET_HOLD: Duration = Duration::from_millis(100);
/// So many records wait for whoever watches; more are dropped.
const MOST_WAITING: usize = 10_000;

/// A log that is followed until this is dropped.
pub struct Follow {
    /// Keeps the port open.
    _link: Link,
    records: mpsc::Receiver<Heard>,
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
        let sink = Box::new(move |heard| {
            // Whoever watches too slowly misses records, not memory.
            let _ = sender.try_send(heard);
        });
        let port: Arc<dyn Dial> = Arc::new(HostPort::new(link.port.clone(), link.baud));
        let wiring = Wiring {
            reset: link.reset,
            boot: link.boot,
        };
        let open = Link::open(port, wiring, link.log, Duration::ZERO, clock, sink).await?;
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
            _link: open,
            records,
        })
    }

    /// What is heard next.
    pub async fn next(&mut self) -> Option<Heard> {
        self.records.recv().await
    }
}
