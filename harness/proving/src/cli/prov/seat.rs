//! Where this host is on the network while it provisions a device.

use std::net::Ipv4Addr;

use clock::Clock;
use phone::HostDial;
#[cfg(feature = "wifi")]
use phone::{JoinedWifi, WifiSettings};

use super::complaint::ProvError;
use super::stop::Stop;

/// Where it is anyway, or in the device's network. Dropping it leaves that, too, without waiting.
#[derive(Debug, Default)]
pub(super) struct Seat {
    #[cfg(feature = "wifi")]
    joined: Option<JoinedWifi>,
}

impl Seat {
    /// In the network `ssid`, by `interface`; none if it was stopped before.
    #[cfg(feature = "wifi")]
    pub(super) async fn join(
        interface: &str,
        ssid: &str,
        passphrase: Option<String>,
        clock: &Clock,
        stop: &mut Stop,
    ) -> Result<Option<Self>, ProvError> {
        let settings = WifiSettings {
            passphrase,
            ..WifiSettings::of(interface, ssid)
        };
        let joined = JoinedWifi::join_unless(&settings, clock, stop.comes()).await?;
        Ok(joined.ok().map(|joined| Self {
            joined: Some(joined),
        }))
    }

    /// Says that this cannot be done.
    #[cfg(not(feature = "wifi"))]
    pub(super) async fn join(
        _: &str,
        _: &str,
        _: Option<String>,
        _: &Clock,
        _: &mut Stop,
    ) -> Result<Option<Self>, ProvError> {
        Err(ProvError::Usage(
            "this program was built without --wifi: build it with the feature `wifi`".to_owned(),
        ))
    }

    /// Sockets from there.
    pub(super) fn dial(&self, clock: Clock) -> HostDial {
        match self.address() {
            Some(address) => HostDial::new(address, Ipv4Addr::BROADCAST, clock),
            None => HostDial::any(clock),
        }
    }

    /// Goes back to where it was.
    pub(super) async fn leave(self) -> Result<(), ProvError> {
        #[cfg(feature = "wifi")]
        if let Some(joined) = self.joined {
            joined.leave().await?;
        }
        Ok(())
    }

    fn address(&self) -> Option<Ipv4Addr> {
        #[cfg(feature = "wifi")]
        return self.joined.as_ref().map(JoinedWifi::address);
        #[cfg(not(feature = "wifi"))]
        None
    }
}
