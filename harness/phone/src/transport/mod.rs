//! How a phone's requests reach a device.

#[cfg(feature = "ble")]
mod ble;
mod console;
mod error;
mod soft_ap;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::BoxFuture;

#[cfg(feature = "ble")]
pub use ble::{AttributeBearer, Ble, BleError, BleSettings, Bluetooth, Found, Wanted};
pub use console::{Console, ConsoleError, ConsoleSettings};
pub use error::{Cause, TransportError};
pub use soft_ap::{SoftAp, UrlError};

/// A connection to one device, which ends when dropped.
///
/// ```
/// use futures_util::FutureExt;
/// use futures_util::future::BoxFuture;
/// use phone::{Transport, TransportError, TransportKind};
///
/// /// Answers everything with what it was asked.
/// struct Echo;
///
/// impl Transport for Echo {
///     fn kind(&self) -> TransportKind {
///         TransportKind::Console
///     }
///
///     fn peer(&self) -> String {
///         "an echo".into()
///     }
///
///     fn send<'s>(
///         &'s mut self,
///         _endpoint: &'s str,
///         request: &'s [u8],
///     ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>> {
///         async { Ok(request.to_vec()) }.boxed()
///     }
///
///     fn forget(&mut self) {}
/// }
/// ```
pub trait Transport: Send {
    /// Which of the three it is.
    fn kind(&self) -> TransportKind;

    /// Where the device is, for people.
    fn peer(&self) -> String;

    /// Sends one request and waits for its answer.
    ///
    /// A request is never sent twice: a device that lost only the answer would be put out of step
    /// with the session's cipher.
    fn send<'s>(
        &'s mut self,
        endpoint: &'s str,
        request: &'s [u8],
    ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>>;

    /// Makes the next request that of a stranger, with whom the device has no session.
    fn forget(&mut self);

    /// The number by which the device knows the session, where it is the device that gives it.
    fn session(&self) -> Option<String> {
        None
    }

    /// Whether the last answer gave the number with which it was asked.
    fn session_was_given_again(&self) -> bool {
        false
    }

    /// UUID and description of the characteristic that stands for this endpoint, where there are such.
    fn characteristic(&self, _endpoint: &str) -> Option<(String, Option<String>)> {
        None
    }

    /// Sends bytes over a connection of their own, in pieces of so many bytes with a pause between them, and
    /// listens for so long after the last. None where the transport has no such connections.
    fn wire<'s>(
        &'s mut self,
        _bytes: &'s [u8],
        _pieces: (usize, Duration),
        _within: Duration,
    ) -> BoxFuture<'s, Option<Result<WireEnd, TransportError>>> {
        Box::pin(async { None })
    }

    /// Sends a PDU of the Attribute Protocol as it is, on the connection that requests go over, and waits so long for
    /// the answer. None where the transport has no such protocol, or the host keeps it to itself.
    fn attribute<'s>(
        &'s mut self,
        _pdu: &'s [u8],
        _within: Duration,
    ) -> BoxFuture<'s, Option<Result<AttributeEnd, TransportError>>> {
        Box::pin(async { None })
    }

    /// The names of the device's endpoints, where a transport can tell.
    fn endpoints(&mut self) -> BoxFuture<'_, Result<Option<Vec<String>>, TransportError>> {
        Box::pin(async { Ok(None) })
    }

    /// Hangs up in order, where dropping does it in haste.
    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// What came of a connection on which bytes were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEnd {
    /// What the device sent, as far as it is kept.
    pub received: Vec<u8>,
    /// Whether it has ended the connection.
    pub is_closed: bool,
}

/// What came of a PDU of the Attribute Protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeEnd {
    /// This was answered: a response, or an error.
    Answered(Vec<u8>),
    /// Nothing was, and the connection stands.
    Silent,
    /// The connection has ended before.
    Closed,
}

/// ESP-IDF's provisioning schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// HTTP over the device's own access point.
    SoftAp,
    /// GATT characteristics.
    Ble,
    /// Lines on a UART.
    Console,
}

impl TransportKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SoftAp, Self::Ble, Self::Console];

    /// Its name on command lines and in QR codes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftAp => "softap",
            Self::Ble => "ble",
            Self::Console => "console",
        }
    }

    /// How many access points of a scan are asked for at a time: ESP-IDF's attributes hold 481
    /// bytes, and four entries fit.
    pub const fn scan_slice(self) -> u32 {
        match self {
            Self::Ble => 4,
            Self::SoftAp | Self::Console => 100,
        }
    }

    /// How many channels are scanned between two pauses: a SoftAP needs time for its stations.
    pub const fn scan_group(self) -> u32 {
        match self {
            Self::SoftAp => 5,
            Self::Ble | Self::Console => 0,
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TransportKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("`{text}` is no transport; there are softap, ble and console"))
    }
}
