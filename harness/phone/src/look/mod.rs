//! What this host has for a phone, looked at without using or changing anything.

#[cfg(feature = "ble")]
mod bluetooth;
mod radio_switch;
#[cfg(feature = "wifi")]
mod wifi;

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

#[cfg(feature = "ble")]
pub use bluetooth::{AdapterLook, look_at_adapter};
pub use radio_switch::{Blocked, radio_switch};
#[cfg(feature = "wifi")]
pub use wifi::{Consent, WIFI_ACTIONS, WifiLook, WifiUse, look_at_wifi};

use crate::hold::Hold;
use crate::interface;

/// What a service on the system bus may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Whether another process of this user's, a `proving`, uses the radio called `name` at the moment.
pub fn radio_is_held(name: &str) -> bool {
    Hold::is_held(name)
}

/// The first IPv4 address of this host's interface `name` and its broadcast address, if it has one.
pub fn interface_addresses(name: &str) -> io::Result<Option<(Ipv4Addr, Ipv4Addr)>> {
    interface::addresses(name)
}

/// Why a service on the system bus did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no system bus.
    #[error("there is no system D-Bus")]
    NoBus(#[source] zbus::Error),
    /// The service is not on it, and the bus cannot start it.
    #[error("{0} does not run")]
    NoService(&'static str),
    /// The bus does not let this user ask.
    #[error("this user may not ask {0}")]
    Denied(&'static str),
    /// It was asked and said nothing.
    #[error("{name} did not answer within {limit:?}")]
    Silent {
        /// Name of the service.
        name: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// It answered with something else than was asked.
    #[error("failed to ask {name}")]
    Failed {
        /// Name of the service.
        name: &'static str,
        /// What it said.
        source: zbus::Error,
    },
}

impl NoAnswer {
    /// What `error` of the service `name` means.
    fn of(name: &'static str, error: zbus::Error) -> Self {
        match error_name(&error).as_deref() {
            Some(
                "org.freedesktop.DBus.Error.ServiceUnknown"
                | "org.freedesktop.DBus.Error.NameHasNoOwner"
                | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound"
                | "org.freedesktop.systemd1.NoSuchUnit",
            ) => Self::NoService(name),
            Some("org.freedesktop.DBus.Error.AccessDenied") => Self::Denied(name),
            _ => Self::Failed {
                name,
                source: error,
            },
        }
    }
}

/// A connection to the system bus, if `service` is on it now: to ask it would start one that is not.
async fn connection_to(service: &'static str) -> Result<zbus::Connection, NoAnswer> {
    let connection = zbus::Connection::system().await.map_err(NoAnswer::NoBus)?;
    let is_there = async {
        let bus = zbus::fdo::DBusProxy::new(&connection).await?;
        let name = zbus::names::BusName::try_from(service)?;
        Ok::<bool, zbus::Error>(bus.name_has_owner(name).await?)
    };
    match is_there.await {
        Ok(true) => Ok(connection),
        Ok(false) => Err(NoAnswer::NoService(service)),
        Err(error) => Err(NoAnswer::of(service, error)),
    }
}

/// The name of an error reply.
fn error_name(error: &zbus::Error) -> Option<String> {
    use zbus::DBusError;
    match error {
        zbus::Error::MethodError(name, ..) => Some(name.to_string()),
        zbus::Error::FDO(error) => Some(error.name().to_string()),
        _ => None,
    }
}

/// What `asked` comes to, within the limit. In host time: nothing of a lab takes part.
async fn answer<T>(
    name: &'static str,
    clock: &clock::Clock,
    asked: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<T, NoAnswer> {
    let answered = clock.timeout(ANSWER_LIMIT, asked).await;
    answered.unwrap_or(Err(NoAnswer::Silent {
        name,
        limit: ANSWER_LIMIT,
    }))
}
