//! What the objects on the bus ask of the host behind them.

use tokio::sync::{mpsc, oneshot};

use super::error::BluezError;
use crate::bluetooth::radio::Address;
use crate::private_bus::linger::Linger;

/// To whom the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, BluezError>>;

/// A request to the host.
pub(super) enum Request {
    /// Scan, or stop.
    Discover { on: bool, reply: Reply<()> },
    /// Forget a device, by the last part of its path.
    Remove { node: String, reply: Reply<()> },
    /// The adapter is pulled out.
    Unplug,
    /// Connect to a device and find what it has.
    Connect { device: Address, reply: Reply<()> },
    /// To a connected device.
    Peer { device: Address, order: Order },
    /// The same, by its address alone, whichever kind that is.
    Raw {
        device: [u8; 6],
        pdu: Vec<u8>,
        reply: oneshot::Sender<Vec<u8>>,
    },
}

/// What is asked of a connection.
pub(super) enum Order {
    /// End it.
    Disconnect { reply: Reply<()> },
    /// Read an attribute, all of it.
    Read { handle: u16, reply: Reply<Vec<u8>> },
    /// Write an attribute.
    Write {
        handle: u16,
        value: Vec<u8>,
        with_response: bool,
        reply: Reply<()>,
    },
    /// Send a PDU of ATT as it is. The reply is the answer; it is dropped if the connection ends before.
    Raw {
        pdu: Vec<u8>,
        reply: oneshot::Sender<Vec<u8>>,
    },
}

/// The way to the host; cheap to clone.
#[derive(Clone)]
pub(super) struct HostHandle {
    pub(super) requests: mpsc::UnboundedSender<Request>,
    pub(super) linger: Linger,
}

impl HostHandle {
    /// Asks, and waits for the answer.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, BluezError> {
        self.linger.touch();
        let (reply, answer) = oneshot::channel();
        // Without a host no reply comes.
        let _ = self.requests.send(request(reply));
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(BluezError::not_connected()));
        self.linger.touch();
        answer
    }

    /// Asks something of a connection.
    pub(super) async fn ask_peer<T>(
        &self,
        device: Address,
        order: impl FnOnce(Reply<T>) -> Order,
    ) -> Result<T, BluezError> {
        self.ask(|reply| Request::Peer {
            device,
            order: order(reply),
        })
        .await
    }
}
