//! Where the device's UARTs and radios lead.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::super::UpError;
use super::described::Described;
use super::soft_ap::SoftAp;

/// Chunks that wait for a reader of a UART; what comes on top is lost, as without flow control.
pub const OVERRUN: usize = 4096;

/// A UART, as the device has it.
pub struct Line {
    /// What the device prints.
    pub prints: mpsc::Sender<Vec<u8>>,
    /// What is typed.
    pub typed: mpsc::Receiver<Vec<u8>>,
}

/// Everything that leads out of the lab.
pub struct Opened {
    /// The UART that the log is on.
    pub uart: Line,
    /// The second UART, if the console is there.
    pub console: Option<Line>,
    /// What the rig file says of it.
    pub described: Described,
    /// The far side of the device's radios.
    pub radios: Box<dyn Radios>,
}

/// The far side of the device's radios. Dropping it closes what it has opened.
pub trait Radios: Send {
    /// The device's own network is there, or no longer.
    fn soft_ap(&mut self, network: Option<SoftAp>) -> BoxFuture<'_, Result<(), UpError>>;

    /// The device has power, or none.
    fn power(&mut self, _on: bool) -> BoxFuture<'_, Result<(), UpError>> {
        async { Ok(()) }.boxed()
    }
}
