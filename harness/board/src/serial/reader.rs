//! A UART that is listened to, and found again when it goes away.

use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, LabTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::console::Tap;
use super::control::{Channel, Dial, Hold, Wiring};
use super::record::{Record, Records};
use crate::error::PortError;
use crate::rig::SerialLog;

/// After so long without a byte, a record does not go on. USB adapters deliver every 16 ms.
const RECORD_PAUSE: Duration = Duration::from_millis(25);
/// After so long without a byte, what there is of a line is given.
const LINE_PAUSE: Duration = Duration::from_millis(200);
/// What a UART may take to send a line that is typed at its console.
const TYPE_LIMIT: Duration = Duration::from_secs(5);
/// How often to look whether a port that went away is back.
const REDIAL: Duration = Duration::from_millis(100);
/// A board that restarts may take its own USB port away for so long.
const VANISH_GRACE: Duration = Duration::from_secs(3);
/// All that a host keeps of a port that is not read comes at once: after so long without a byte, it has come.
const KEPT: Duration = Duration::from_millis(5);
/// No host keeps more, in bytes; a board that is still running prints on.
const MOST_KEPT: usize = 1 << 16;

/// What is heard of a UART.
#[derive(Debug)]
pub enum PortEvent {
    /// A record of the log.
    Record(Record),
    /// The port went away.
    Gone,
    /// It is back.
    Back,
}

/// What is done with it. Called on the runtime; must not block.
pub(super) type Sink = Box<dyn FnMut(PortEvent) + Send>;

/// A UART that is listened to until this is dropped or closed.
pub(super) struct PortReader {
    port: String,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

enum Order {
    /// Tell the board.
    Hold(Hold, oneshot::Sender<Result<(), PortError>>),
    /// Give what comes from now on, or drop it.
    Listen(bool, oneshot::Sender<()>),
    /// Drop what has come and was not read.
    Forget(oneshot::Sender<()>),
    /// Give what has come, whether its line has ended or not.
    Divide(oneshot::Sender<()>),
    /// Close the port.
    Close(oneshot::Sender<()>),
}

impl PortReader {
    /// Opens a UART, within `patience` if it is not there yet. Nothing is given before
    /// [`PortReader::listen`].
    pub async fn open(
        dial: Arc<dyn Dial>,
        wiring: Wiring,
        log: SerialLog,
        patience: Duration,
        clock: &Clock,
        console: Option<Tap>,
        sink: Sink,
    ) -> Result<Self, PortError> {
        let began = clock.now();
        let channel = loop {
            match dial.dial(clock).await {
                Ok(channel) => break channel,
                Err(error) if clock.now() >= began + patience => return Err(error),
                Err(PortError::Missing { .. } | PortError::NotServed { .. }) => {
                    clock.sleep(REDIAL).await;
                }
                Err(error) => return Err(error),
            }
        };
        let (orders, received) = mpsc::channel(4);
        let port = dial.port();
        let mut attendant = Attendant {
            dial,
            wiring,
            hold: Hold::default(),
            log,
            clock: clock.clone(),
            console,
            sink,
            orders: received,
            channel: Some(channel),
            records: Records::new(log),
            listening: false,
            lost: None,
        };
        attendant.apply()?;
        let task = tokio::spawn(attendant.attend());
        Ok(Self { port, orders, task })
    }

    /// Tells the board through the control lines.
    pub async fn hold(&self, hold: Hold) -> Result<(), PortError> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Hold(hold, done)).await;
        answer.await.unwrap_or_else(|_| {
            Err(PortError::Gone {
                port: self.port.clone(),
            })
        })
    }

    /// Gives what comes from now on, or nothing.
    pub async fn listen(&self, on: bool) {
        let (done, answer) = oneshot::channel();
        self.order(Order::Listen(on, done)).await;
        let _ = answer.await;
    }

    /// Gives what comes from now on, and nothing of what the host has kept since the port was read last: a
    /// board that is to be started has said that in an earlier life.
    pub async fn listen_anew(&self) {
        let (done, answer) = oneshot::channel();
        self.order(Order::Forget(done)).await;
        let _ = answer.await;
        self.listen(true).await;
    }

    /// Gives all that has come, so that nothing of it stands behind what is told next.
    pub async fn divide(&self) {
        let (done, answer) = oneshot::channel();
        self.order(Order::Divide(done)).await;
        let _ = answer.await;
    }

    /// Closes the port, so that others can open it.
    pub async fn close(self) {
        let (done, answer) = oneshot::channel();
        self.order(Order::Close(done)).await;
        let _ = answer.await;
    }

    /// An attendant that is gone answers nothing, which its callers see.
    async fn order(&self, order: Order) {
        let _ = self.orders.send(order).await;
    }
}

impl Drop for PortReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Attendant {
    dial: Arc<dyn Dial>,
    wiring: Wiring,
    hold: Hold,
    log: SerialLog,
    clock: Clock,
    console: Option<Tap>,
    sink: Sink,
    orders: mpsc::Receiver<Order>,
    channel: Option<Box<dyn Channel>>,
    records: Records,
    listening: bool,
    lost: Option<Lost>,
}

/// A port that went away.
struct Lost {
    since: LabTime,
    told: bool,
}

impl Attendant {
    async fn attend(mut self) {
        let mut bytes = vec![0; 4096];
        loop {
            let pause = match (self.records.has_open(), self.records.has_partial()) {
                (_, true) => Some(LINE_PAUSE),
                (true, false) => Some(RECORD_PAUSE),
                (false, false) => None,
            };
            let clock = self.clock.clone();
            tokio::select! {
                // A caller that has asked to listen gets what has come by then.
                biased;
                order = self.orders.recv() => match order {
                    None => return,
                    Some(Order::Close(done)) => {
                        self.flush();
                        drop(self);
                        let _ = done.send(());
                        return;
                    }
                    Some(Order::Divide(done)) => {
                        self.flush();
                        self.records = Records::new(self.log);
                        let _ = done.send(());
                    }
                    Some(Order::Hold(hold, done)) => {
                        self.hold = hold;
                        let _ = done.send(self.apply());
                    }
                    Some(Order::Forget(done)) => {
                        self.forget(&mut bytes).await;
                        let _ = done.send(());
                    }
                    Some(Order::Listen(on, done)) => {
                        self.flush();
                        self.records = Records::new(self.log);
                        self.listening = on;
                        if let Some(console) = &self.console {
                            console.restart();
                        }
                        let _ = done.send(());
                    }
                },
                length = read(&mut self.channel, &mut bytes) => match length {
                    0 => self.lose(),
                    length => self.hear(&bytes[..length]),
                },
                bytes = typed(self.console.as_ref()), if self.channel.is_some() => {
                    self.send(&bytes).await;
                }
                () = clock.sleep(pause.unwrap_or_default()), if pause.is_some() => {
                    match pause {
                        Some(RECORD_PAUSE) => self.records.pause(give(self.listening, &mut self.sink)),
                        _ => self.flush(),
                    }
                }
                () = clock.sleep(REDIAL), if self.channel.is_none() => self.redial().await,
            }
        }
    }

    /// Reads what the host has kept, and drops it.
    async fn forget(&mut self, bytes: &mut [u8]) {
        let mut left = MOST_KEPT;
        let clock = self.clock.clone();
        while left > 0 && self.channel.is_some() {
            match clock.timeout(KEPT, read(&mut self.channel, bytes)).await {
                Ok(0) => self.lose(),
                Ok(length) => left = left.saturating_sub(length),
                Err(_) => return,
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.clock.touch();
        let log = match &self.console {
            Some(console) if self.listening => console.printed(bytes),
            _ => bytes.to_vec(),
        };
        self.records
            .push(&log, give(self.listening, &mut self.sink));
    }

    /// What is typed at the console of a board that is not there is lost.
    async fn send(&mut self, bytes: &[u8]) {
        let Some(channel) = &mut self.channel else {
            return;
        };
        let sent = async {
            channel.write_all(bytes).await?;
            channel.flush().await
        };
        if !matches!(self.clock.timeout(TYPE_LIMIT, sent).await, Ok(Ok(()))) {
            self.lose();
        }
        self.clock.touch();
    }

    fn flush(&mut self) {
        self.records.flush(give(self.listening, &mut self.sink));
    }

    fn lose(&mut self) {
        self.flush();
        self.channel = None;
        self.lost = Some(Lost {
            since: self.clock.now(),
            told: false,
        });
    }

    async fn redial(&mut self) {
        if let Ok(channel) = self.dial.dial(&self.clock).await {
            self.channel = Some(channel);
            if self.apply().is_err() {
                self.channel = None;
                return;
            }
            if self.lost.take().is_some_and(|lost| lost.told) {
                (self.sink)(PortEvent::Back);
            }
        } else if let Some(lost) = &mut self.lost
            && self.listening
            && !lost.told
            && self.clock.now() >= lost.since + VANISH_GRACE
        {
            lost.told = true;
            (self.sink)(PortEvent::Gone);
        }
    }

    fn apply(&mut self) -> Result<(), PortError> {
        let port = self.dial.port();
        let Some(channel) = &mut self.channel else {
            return Err(PortError::Gone { port });
        };
        if self.wiring == Wiring::default() {
            return Ok(());
        }
        let Some(lines) = channel.control_lines() else {
            return Err(PortError::NoLines { port });
        };
        let applied = self.wiring.apply(lines, self.hold);
        applied.map_err(|error| match is_missing_ioctl(&error) {
            true => PortError::NoLines { port },
            false => PortError::Gone { port },
        })
    }
}

/// What a pty answers to a program that sets its control lines. The serial library keeps the text alone.
fn is_missing_ioctl(error: &std::io::Error) -> bool {
    let text = error.to_string().to_lowercase();
    [libc::ENOTTY, libc::EINVAL].iter().any(|code| {
        let missing = std::io::Error::from_raw_os_error(*code)
            .to_string()
            .to_lowercase();
        let missing = missing.split(" (os error").next().unwrap_or_default();
        text.contains(missing)
    }) || text.contains("typewriter")
}

fn give(listening: bool, sink: &mut Sink) -> impl FnMut(Record) {
    move |record| {
        if listening {
            sink(PortEvent::Record(record));
        }
    }
}

/// What is typed next; waits for ever without a console.
async fn typed(console: Option<&Tap>) -> Vec<u8> {
    match console {
        Some(console) => console.typed().await,
        None => std::future::pending().await,
    }
}

/// Reads from an open channel; 0 when it has gone away. Waits for ever for one that is not open.
async fn read(channel: &mut Option<Box<dyn Channel>>, bytes: &mut [u8]) -> usize {
    match channel {
        Some(open) => open.read(bytes).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}
