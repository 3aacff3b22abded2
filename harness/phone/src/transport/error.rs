//! Why a request has no answer.

#[cfg(feature = "ble")]
use super::BleError;
use super::ConsoleError;
use crate::HttpError;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Over HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Over a console.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// Over Bluetooth.
    #[cfg(feature = "ble")]
    #[error(transparent)]
    Ble(#[from] BleError),
}

/// Kind of the failure, for every transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is there, or not any more.
    Unreachable,
    /// The device ended the exchange in place of an answer, which is how it says no.
    Refused,
    /// An answer began and did not end.
    Cut,
    /// No answer came in time.
    Silent,
    /// Something came that is no answer.
    Nonsense,
    /// The device has no such endpoint.
    NoEndpoint,
    /// This host cannot: its radio is not there, or not any more.
    Host,
    /// The transport cannot carry a request of this length; nothing was sent.
    DoesNotFit,
}

impl Cause {
    /// Whether the same request may well succeed in a new session: what came in between was not the
    /// device's judgement of it.
    pub const fn is_loss(self) -> bool {
        match self {
            Self::Unreachable | Self::Refused | Self::Cut | Self::Silent => true,
            Self::Host | Self::Nonsense | Self::NoEndpoint | Self::DoesNotFit => false,
        }
    }
}

impl TransportError {
    /// Whether a refusal by the device cannot be told from a failure of the radio.
    pub(crate) fn may_be_the_radio(&self) -> bool {
        match self {
            Self::Http(_) | Self::Console(_) => false,
            #[cfg(feature = "ble")]
            Self::Ble(error) => matches!(error, BleError::Disconnected),
        }
    }

    /// Whether the device was looked for as long as it may take, so that looking again is no use.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Http(_) | Self::Console(_) => false,
            #[cfg(feature = "ble")]
            Self::Ble(error) => matches!(error, BleError::NotFound { .. }),
        }
    }

    /// What kind of trouble it is.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Http(error) => match error {
                HttpError::Connect { .. } | HttpError::Gone { .. } => Cause::Unreachable,
                HttpError::Closed { .. } => Cause::Refused,
                HttpError::Cut { .. } => Cause::Cut,
                HttpError::Timeout { .. } => Cause::Silent,
                HttpError::Malformed { .. } => Cause::Nonsense,
                HttpError::Status { status: 404, .. } => Cause::NoEndpoint,
                HttpError::Status { .. } => Cause::Nonsense,
            },
            Self::Console(error) => match error {
                ConsoleError::Port(_) | ConsoleError::Hung => Cause::Unreachable,
                ConsoleError::NoPrompt { .. } | ConsoleError::Timeout { .. } => Cause::Silent,
                ConsoleError::NoAnswer { .. } => Cause::Refused,
                ConsoleError::Flood { .. } => Cause::Nonsense,
                ConsoleError::TooLong { .. } | ConsoleError::Words { .. } => Cause::DoesNotFit,
            },
            #[cfg(feature = "ble")]
            Self::Ble(error) => match error {
                BleError::Adapter { .. }
                | BleError::NoAdapter { .. }
                | BleError::AdapterGone { .. } => Cause::Host,
                BleError::NotFound { .. }
                | BleError::Ambiguous { .. }
                | BleError::Connect { .. } => Cause::Unreachable,
                // Bluedroid hangs up on what it does not accept; NimBLE answers with an error.
                BleError::Refused { .. } | BleError::Disconnected => Cause::Refused,
                BleError::Timeout { .. } => Cause::Silent,
                BleError::NoService { .. } => Cause::Nonsense,
                BleError::NoEndpoint { .. } => Cause::NoEndpoint,
                BleError::TooLong { .. } => Cause::DoesNotFit,
            },
        }
    }
}
