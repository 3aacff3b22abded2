//! What BlueZ refuses, in its own names.

use std::io;

/// An error reply of `org.bluez`.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bluez.Error")]
pub(super) enum BluezError {
    #[zbus(error)]
    ZBus(zbus::Error),
    DoesNotExist(String),
    Failed(String),
    InProgress(String),
    InvalidValueLength(String),
    NotAuthorized(String),
    NotConnected(String),
    NotPermitted(String),
    NotReady(String),
    NotSupported(String),
}

impl BluezError {
    /// There is no connection, or not any more.
    pub(super) fn not_connected() -> Self {
        Self::NotConnected("Not Connected".to_owned())
    }

    /// A peer's ATT error, as `src/gatt-client.c` of BlueZ 5.66 puts it.
    pub(super) fn att(code: u8) -> Self {
        match code {
            0x02 => Self::NotPermitted("Read not permitted".to_owned()),
            0x03 => Self::NotPermitted("Write not permitted".to_owned()),
            0x05 | 0x0C | 0x0F => Self::NotPermitted("Not paired".to_owned()),
            0x08 => Self::NotAuthorized("Not authorized".to_owned()),
            0x0D => Self::InvalidValueLength("Invalid Length".to_owned()),
            0x06 => Self::NotSupported("Not supported".to_owned()),
            code => Self::Failed(format!("Operation failed with ATT error: {code:#04x}")),
        }
    }
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// Its thread cannot be started.
    #[error("failed to start a thread for a stand-in on the private bus")]
    Thread(#[source] io::Error),
    /// The bus cannot listen there.
    #[error("failed to start a private D-Bus at {address}: {why}")]
    Bus {
        /// The address.
        address: String,
        /// What the bus says.
        why: String,
    },
    /// The bus is there, but the service is not on it.
    #[error("failed to offer {name} on the private bus {bus}")]
    Service {
        /// The service's name.
        name: &'static str,
        /// The bus's address.
        bus: String,
        /// Underlying error.
        source: zbus::Error,
    },
    /// Its thread ended before it had begun.
    #[error("the thread of a stand-in on the private bus ended at once")]
    Gone,
}
