//! Where this host is on the network while it provisions a device.

use std::net::Ipv4Addr;

use clock::Clock;

use super::{JoinedWifi, WifiError, WifiSettings};
use crate::HostDial;

/// This host's place on the network: where it is anyway, or in a device's network. Dropping it begins
/// to leave that; [`Self::leave`] also waits.
#[derive(Debug, Default)]
pub struct HostSeat {
    joined: Option<JoinedWifi>,
}

impl HostSeat {
    /// In the network of `settings`, unless `stop` ends first, whose value is then the result.
    pub async fn join_unless<S>(
        settings: &WifiSettings,
        clock: &Clock,
        stop: impl Future<Output = S>,
    ) -> Result<Result<Self, S>, WifiError> {
        let joined = JoinedWifi::join_unless(settings, clock, stop).await?;
        Ok(joined.map(Self::from))
    }

    /// Sockets from there.
    pub fn dial(&self, clock: Clock) -> HostDial {
        match &self.joined {
            Some(joined) => HostDial::new(joined.address(), Ipv4Addr::BROADCAST, clock),
            None => HostDial::any(clock),
        }
    }

    /// Goes back to where it was.
    pub async fn leave(self) -> Result<(), WifiError> {
        match self.joined {
            Some(joined) => joined.leave().await,
            None => Ok(()),
        }
    }
}

impl From<JoinedWifi> for HostSeat {
    fn from(joined: JoinedWifi) -> Self {
        Self {
            joined: Some(joined),
        }
    }
}
