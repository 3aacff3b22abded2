//! Where this host is on the network while it provisions a device.

use std::net::Ipv4Addr;

use clock::Clock;
use phone::HostDial;
use phone::{JoinedWifi, WifiSettings};

use super::error::ProvError;
use super::stop::Stop;

/// Where it is anyway, or in the device's network. Dropping it leaves that, too, without waiting.
#[derive(Debug, Default)]
pub(super) struct Seat {
    joined: Option<JoinedWifi>,
}

impl Seat {
    /// In the network `ssid`, by `interface`; none if it was stopped before.
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

    /// Sockets from there.
    pub(super) fn dial(&self, clock: Clock) -> HostDial {
        match self.address() {
            Some(address) => HostDial::new(address, Ipv4Addr::BROADCAST, clock),
            None => HostDial::any(clock),
        }
    }

    /// Goes back to where it was.
    pub(super) async fn leave(self) -> Result<(), ProvError> {
        if let Some(joined) = self.joined {
            joined.leave().await?;
        }
        Ok(())
    }

    fn address(&self) -> Option<Ipv4Addr> {
        self.joined.as_ref().map(JoinedWifi::address)
    }
}
