//! Joining a device's SoftAP with the host's own Wi-Fi, by way of NetworkManager.
//!
//! Nothing is touched but the interface that was named. What it was connected to before is kept in
//! a checkpoint of NetworkManager's: leaving rolls back to it, and so does NetworkManager itself
//! when this process is gone, because the checkpoint runs out unless it is renewed.

mod error;
mod network_manager;
mod seat;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use clock::Clock;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tokio::task::JoinHandle;
use zbus::{Connection, ObjectPath, OwnedObjectPath, Variant};

pub use error::WifiError;
use network_manager::{
    ACTIVATED, AccessPointProxy, DELETE_NEW_CONNECTIONS, DeviceProxy, FAILED, Ip4ConfigProxy,
    NetworkManagerProxy, Profile, ROLLED_BACK, WIFI, WirelessProxy,
};
pub use seat::HostSeat;

/// After so many seconds without this process, NetworkManager restores what was before.
const ROLLBACK_SECS: u32 = 60;
/// How often the checkpoint is renewed meanwhile.
const RENEWAL: Duration = Duration::from_secs(20);
/// How often the list of networks is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a scan is asked for; NetworkManager refuses more.
const LOOKS_PER_SCAN: u32 = 5;

/// Which SoftAP is to be joined, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiSettings {
    /// The host's interface.
    pub interface: String,
    /// The network.
    pub ssid: String,
    /// Its passphrase; none for an open one.
    pub passphrase: Option<String>,
    /// How long the network is looked for, in lab time.
    pub search: Duration,
    /// How long joining may take, in lab time.
    pub join: Duration,
}

impl WifiSettings {
    /// The network `ssid` on `interface`, open, with the patience that Wi-Fi needs.
    pub fn of(interface: &str, ssid: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            ssid: ssid.to_owned(),
            passphrase: None,
            search: Duration::from_secs(30),
            join: Duration::from_secs(45),
        }
    }
}

/// A SoftAP that was joined. Dropping it begins to restore what was before; [`Self::leave`] also
/// waits for that, and says whether it worked.
#[derive(Debug)]
pub struct JoinedWifi {
    address: Ipv4Addr,
    checkpoint: Option<Checkpoint>,
}

impl JoinedWifi {
    /// Joins a SoftAP.
    pub async fn join(settings: &WifiSettings, clock: &Clock) -> Result<Self, WifiError> {
        let never = std::future::pending::<Infallible>();
        match Self::join_unless(settings, clock, never).await? {
            Ok(joined) => Ok(joined),
            Err(never) => match never {},
        }
    }

    /// Joins a SoftAP, unless `stop` ends first: then everything is as it was before, and `stop`'s
    /// value is the result.
    pub async fn join_unless<S>(
        settings: &WifiSettings,
        clock: &Clock,
        stop: impl Future<Output = S>,
    ) -> Result<Result<Self, S>, WifiError> {
        // What NetworkManager does is work of which the clock sees nothing.
        let _busy = clock.busy();
        let checkpoint = Checkpoint::create(&settings.interface, clock).await?;
        let joined = {
            let (join, stop) = (pin!(checkpoint.join(settings, clock)), pin!(stop));
            match select(join, stop).await {
                Either::Left((joined, _)) => joined.map(Ok),
                Either::Right((stop, _)) => Ok(Err(stop)),
            }
        };
        let ended = match joined {
            Ok(Ok(address)) => {
                let checkpoint = Some(checkpoint);
                return Ok(Ok(Self {
                    address,
                    checkpoint,
                }));
            }
            Ok(Err(stop)) => Ok(Err(stop)),
            Err(error) => Err(error),
        };
        // What went first is what matters; NetworkManager will roll back by itself.
        let _ = checkpoint.roll_back().await;
        ended
    }

    /// The host's address in the device's network, to dial from.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Leaves, and restores what the interface was connected to before.
    pub async fn leave(mut self) -> Result<(), WifiError> {
        match self.checkpoint.take() {
            Some(checkpoint) => checkpoint.roll_back().await,
            None => Ok(()),
        }
    }
}

impl Drop for JoinedWifi {
    fn drop(&mut self) {
        if let Some(checkpoint) = self.checkpoint.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // If that fails, the checkpoint runs out.
            runtime.spawn(async move { checkpoint.roll_back().await });
        }
    }
}

/// What an interface was before.
#[derive(Debug)]
struct Checkpoint {
    interface: String,
    connection: Connection,
    device: OwnedObjectPath,
    path: OwnedObjectPath,
    renewal: JoinHandle<()>,
}

impl Checkpoint {
    async fn create(interface: &str, clock: &Clock) -> Result<Self, WifiError> {
        let connection = Connection::system().await.map_err(WifiError::NoManager)?;
        let manager = NetworkManagerProxy::new(&connection)
            .await
            .map_err(WifiError::NoManager)?;
        let no_interface = |source| match source {
            zbus::Error::FDO(ref error)
                if matches!(**error, zbus::fdo::Error::ServiceUnknown(_)) =>
            {
                WifiError::NoManager(source)
            }
            source => WifiError::NoInterface {
                interface: interface.to_owned(),
                source,
            },
        };
        let device = manager
            .get_device_by_ip_iface(interface)
            .await
            .map_err(no_interface)?;
        let kind = DeviceProxy::new(&connection, device.clone())
            .await
            .map_err(no_interface)?
            .device_type()
            .await
            .map_err(no_interface)?;
        if kind != WIFI {
            return Err(WifiError::NotWifi {
                interface: interface.to_owned(),
            });
        }
        let devices = [ObjectPath::from(&device)];
        let path = manager
            .checkpoint_create(&devices, ROLLBACK_SECS, DELETE_NEW_CONNECTIONS)
            .await
            .map_err(|source| WifiError::NoCheckpoint {
                interface: interface.to_owned(),
                source,
            })?;
        let renewal = tokio::spawn(renew(manager, path.clone(), clock.clone()));
        Ok(Self {
            interface: interface.to_owned(),
            connection,
            device,
            path,
            renewal,
        })
    }

    async fn join(&self, settings: &WifiSettings, clock: &Clock) -> Result<Ipv4Addr, WifiError> {
        let heard = clock
            .timeout(settings.search, self.hear(&settings.ssid, clock))
            .await;
        let access_point = heard.map_err(|_| WifiError::NotHeard {
            ssid: settings.ssid.clone(),
            interface: self.interface.clone(),
            waited: settings.search,
        })??;
        let joined = clock
            .timeout(settings.join, self.activate(settings, &access_point))
            .await;
        joined.map_err(|_| WifiError::Timeout {
            ssid: settings.ssid.clone(),
            interface: self.interface.clone(),
            waited: settings.join,
        })?
    }

    /// Waits until the network is heard; its access point.
    async fn hear(&self, ssid: &str, clock: &Clock) -> Result<OwnedObjectPath, WifiError> {
        let failed = |source| self.failed("look for networks", source);
        let wireless = WirelessProxy::new(&self.connection, self.device.clone())
            .await
            .map_err(failed)?;
        for look in 0.. {
            if look % LOOKS_PER_SCAN == 0 {
                // Refused while one runs, which is as good.
                let _ = wireless.request_scan(HashMap::new()).await;
            }
            for path in wireless.get_all_access_points().await.map_err(failed)? {
                let access_point = AccessPointProxy::new(&self.connection, path.clone()).await;
                // One that went away meanwhile is not what is looked for.
                if let Ok(access_point) = access_point
                    && access_point
                        .ssid()
                        .await
                        .is_ok_and(|heard| heard == ssid.as_bytes())
                {
                    return Ok(path);
                }
            }
            clock.sleep(LOOK).await;
        }
        std::future::pending().await
    }

    async fn activate(
        &self,
        settings: &WifiSettings,
        access_point: &OwnedObjectPath,
    ) -> Result<Ipv4Addr, WifiError> {
        let failed = |source| self.failed("join a network", source);
        let device = DeviceProxy::new(&self.connection, self.device.clone())
            .await
            .map_err(failed)?;
        let mut states = device.receive_state_changed().await.map_err(failed)?;
        let manager = NetworkManagerProxy::new(&self.connection)
            .await
            .map_err(failed)?;
        // Gone with this process, even before the checkpoint runs out.
        let options = HashMap::from([
            ("persist", Variant::from("volatile")),
            ("bind-activation", Variant::from("dbus-client")),
        ]);
        manager
            .add_and_activate_connection2(profile(settings), &self.device, access_point, options)
            .await
            .map_err(failed)?;
        while let Some(changed) = states.next().await {
            let state = changed.args().map_err(failed)?;
            match (state.new_state, state.reason) {
                (ACTIVATED, _) => return self.address(&device).await.map_err(failed),
                (FAILED, reason) => {
                    return Err(WifiError::Refused {
                        ssid: settings.ssid.clone(),
                        interface: self.interface.clone(),
                        reason,
                    });
                }
                _ => {}
            }
        }
        Err(failed(zbus::Error::InterfaceNotFound))
    }

    async fn address(&self, device: &DeviceProxy<'_>) -> zbus::Result<Ipv4Addr> {
        let config = Ip4ConfigProxy::new(&self.connection, device.ip4_config().await?).await?;
        let addresses = config.address_data().await?;
        let address = addresses.first().and_then(|first| first.get("address"));
        address
            .and_then(|address| address.downcast_ref::<String>().ok())
            .and_then(|address| address.parse().ok())
            .ok_or(zbus::Error::MissingField)
    }

    async fn roll_back(self) -> Result<(), WifiError> {
        let failed = |source| self.failed("restore what was before", source);
        let manager = NetworkManagerProxy::new(&self.connection)
            .await
            .map_err(failed)?;
        let results = manager
            .checkpoint_rollback(&self.path)
            .await
            .map_err(failed)?;
        let failure = results
            .values()
            .copied()
            .find(|result| *result != ROLLED_BACK);
        match failure {
            None => Ok(()),
            Some(result) => Err(WifiError::NotRestored {
                interface: self.interface.clone(),
                result,
            }),
        }
    }

    fn failed(&self, what: &'static str, source: zbus::Error) -> WifiError {
        WifiError::Call {
            what,
            interface: self.interface.clone(),
            source,
        }
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Keeps a checkpoint from running out while this process is there.
async fn renew(manager: NetworkManagerProxy<'static>, path: OwnedObjectPath, clock: Clock) {
    loop {
        clock.sleep(RENEWAL).await;
        // Lab time must not overtake it.
        let _busy = clock.busy();
        // If it is gone, leaving will say so.
        let _ = manager
            .checkpoint_adjust_rollback_timeout(&path, ROLLBACK_SECS)
            .await;
    }
}

/// A profile that joins the SoftAP and leaves the host's default route alone.
fn profile(settings: &WifiSettings) -> Profile<'_> {
    let mut profile = HashMap::from([
        (
            "connection",
            HashMap::from([
                ("id", Variant::from(format!("proving {}", settings.ssid))),
                ("type", Variant::from("802-11-wireless")),
                ("interface-name", Variant::from(settings.interface.as_str())),
                ("autoconnect", Variant::from(false)),
            ]),
        ),
        (
            "802-11-wireless",
            HashMap::from([
                ("ssid", Variant::from(settings.ssid.as_bytes().to_vec())),
                ("mode", Variant::from("infrastructure")),
            ]),
        ),
        (
            "ipv4",
            HashMap::from([
                ("method", Variant::from("auto")),
                ("never-default", Variant::from(true)),
            ]),
        ),
        ("ipv6", HashMap::from([("method", Variant::from("ignore"))])),
    ]);
    if let Some(passphrase) = &settings.passphrase {
        profile.insert(
            "802-11-wireless-security",
            HashMap::from([
                ("key-mgmt", Variant::from("wpa-psk")),
                ("psk", Variant::from(passphrase.as_str())),
            ]),
        );
    }
    profile
}
