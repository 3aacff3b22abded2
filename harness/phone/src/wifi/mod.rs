//! Joining a device's SoftAP with the host's own Wi-Fi, by way of NetworkManager.
//!
//! Nothing is touched but the interface that was named. What it was connected to before is kept in
//! a checkpoint of NetworkManager's: leaving rolls back to it, and so does NetworkManager itself
//! when this process is gone, because the checkpoint runs out unless it is renewed. That is all that
//! brings the host back then: were the connection bound to this process, too, NetworkManager would
//! connect the host again at once, and once more when the checkpoint runs out.

mod error;
pub(crate) mod network_manager;
mod seat;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use clock::Clock;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use zbus::{Connection, ObjectPath, OwnedObjectPath, Variant};

pub use error::WifiError;
use network_manager::{
    ACTIVATED, AccessPointProxy, DELETE_NEW_CONNECTIONS, DeviceProxy, FAILED, Ip4ConfigProxy,
    NetworkManagerProxy, Profile, ROLLED_BACK, UNAVAILABLE, UNMANAGED, WIFI, WirelessProxy,
    is_included,
};

use crate::hold::Hold;
pub use seat::HostSeat;

/// After so many seconds without this process, NetworkManager restores what was before.
const ROLLBACK_SECS: u32 = 20;
/// How often the checkpoint is renewed meanwhile.
const RENEWAL: Duration = Duration::from_secs(5);
/// What NetworkManager may take to connect an interface again that it has rolled back.
const RESTORE_LIMIT: Duration = Duration::from_secs(45);
/// How long another process of this user may use the interface before this one gives up.
const TURN_LIMIT: Duration = Duration::from_secs(120);
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
    clock: Clock,
    checkpoint: Checkpoint,
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
                let clock = clock.clone();
                return Ok(Ok(Self {
                    address,
                    clock,
                    checkpoint,
                }));
            }
            Ok(Err(stop)) => Ok(Err(stop)),
            Err(error) => Err(error),
        };
        // What went first is what matters; NetworkManager will roll back by itself.
        let _ = checkpoint.roll_back(clock).await;
        ended
    }

    /// The host's address in the device's network, to dial from.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Leaves, and waits until the interface is connected to what it was connected to before.
    pub async fn leave(self) -> Result<(), WifiError> {
        let _busy = self.clock.busy();
        self.checkpoint.roll_back(&self.clock).await
    }
}

/// What an interface was before. Dropping it begins to restore that.
#[derive(Debug)]
struct Checkpoint {
    interface: String,
    connection: Connection,
    device: OwnedObjectPath,
    path: OwnedObjectPath,
    renewal: JoinHandle<()>,
    /// Whether the interface was connected.
    was_connected: bool,
    /// Whether it was restored.
    is_over: bool,
    /// Held until it is; none on a host that has no place for notes.
    hold: Option<Hold>,
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
        let proxy = DeviceProxy::new(&connection, device.clone())
            .await
            .map_err(no_interface)?;
        if proxy.device_type().await.map_err(no_interface)? != WIFI {
            return Err(WifiError::NotWifi {
                interface: interface.to_owned(),
            });
        }
        match proxy.state().await.map_err(no_interface)? {
            UNMANAGED => {
                return Err(WifiError::Unmanaged {
                    interface: interface.to_owned(),
                });
            }
            UNAVAILABLE => {
                return Err(WifiError::Unavailable {
                    interface: interface.to_owned(),
                });
            }
            _ => {}
        }
        let taken = Hold::take(interface, TURN_LIMIT, clock).await;
        let taken = taken.map_err(|source| WifiError::Note { source })?;
        let Some((mut hold, stale)) = taken else {
            return Err(WifiError::InUse {
                interface: interface.to_owned(),
                waited: TURN_LIMIT,
            });
        };
        let mut was_connected = proxy.state().await.map_err(no_interface)? == ACTIVATED;
        let devices = [ObjectPath::from(&device)];
        let made = manager
            .checkpoint_create(&devices, ROLLBACK_SECS, DELETE_NEW_CONNECTIONS)
            .await;
        let path = match made {
            Ok(path) => path,
            Err(source) => {
                let refused = |source| WifiError::NoCheckpoint {
                    interface: interface.to_owned(),
                    source,
                };
                if !is_included(&source) {
                    return Err(refused(source));
                }
                // One that a killed process of ours has left keeps what was before that, and goes on.
                let stale = stale.as_deref().and_then(Note::read);
                let kept = manager.checkpoints().await.map_err(refused)?;
                match stale.filter(|stale| kept.contains(&stale.path)) {
                    Some(stale) => {
                        let renewed = manager
                            .checkpoint_adjust_rollback_timeout(&stale.path, ROLLBACK_SECS)
                            .await;
                        renewed.map_err(refused)?;
                        was_connected = stale.was_connected;
                        stale.path
                    }
                    None => {
                        return Err(WifiError::KeptByOthers {
                            interface: interface.to_owned(),
                        });
                    }
                }
            }
        };
        let note = Note {
            path: path.clone(),
            was_connected,
        };
        let noted = hold.note(&note.to_string());
        let renewal = tokio::spawn(renew(manager, path.clone(), clock.clone()));
        let checkpoint = Self {
            interface: interface.to_owned(),
            connection,
            device,
            path,
            renewal,
            was_connected,
            is_over: false,
            hold: Some(hold),
        };
        noted.map_err(|source| WifiError::Note { source })?;
        Ok(checkpoint)
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
        // Kept nowhere. What it is not, is bound to this process: see the module.
        let options = HashMap::from([("persist", Variant::from("volatile"))]);
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

    /// Restores what was before, and waits until that is done.
    async fn roll_back(mut self, clock: &Clock) -> Result<(), WifiError> {
        let what = "restore what was before";
        let failed = |this: &Self, source| this.failed(what, source);
        let manager = NetworkManagerProxy::new(&self.connection).await;
        let manager = manager.map_err(|source| failed(&self, source))?;
        let device = DeviceProxy::new(&self.connection, self.device.clone()).await;
        let device = device.map_err(|source| failed(&self, source))?;
        let states = device.receive_state_changed().await;
        let mut states = states.map_err(|source| failed(&self, source))?;
        let results = manager.checkpoint_rollback(&self.path).await;
        // NetworkManager has answered: what is left of it, is its own doing.
        self.end();
        let results = results.map_err(|source| failed(&self, source))?;
        let failure = results
            .values()
            .copied()
            .find(|result| *result != ROLLED_BACK);
        if let Some(result) = failure {
            return Err(WifiError::NotRestored {
                interface: self.interface.clone(),
                result,
            });
        }
        if !self.was_connected {
            return Ok(());
        }
        // It answers when it begins to connect.
        let connected = async {
            loop {
                if device.state().await? == ACTIVATED {
                    return Ok(());
                }
                // A signal may be lost; the state is not.
                let _ = clock.timeout(LOOK, states.next()).await;
            }
        };
        match clock.timeout(RESTORE_LIMIT, connected).await {
            Ok(connected) => connected.map_err(|source| failed(&self, source)),
            Err(_) => Err(WifiError::NotBack {
                interface: self.interface.clone(),
                waited: RESTORE_LIMIT,
            }),
        }
    }

    /// There is nothing left to be restored.
    fn end(&mut self) {
        self.is_over = true;
        self.renewal.abort();
        if let Some(mut hold) = self.hold.take() {
            // The next one finds no such checkpoint.
            let _ = hold.note("");
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
        // Without a runtime, the checkpoint runs out.
        if let (false, Ok(runtime)) = (self.is_over, Handle::try_current()) {
            let (connection, path) = (self.connection.clone(), self.path.clone());
            let hold = self.hold.take();
            runtime.spawn(async move {
                if let Ok(manager) = NetworkManagerProxy::new(&connection).await
                    && manager.checkpoint_rollback(&path).await.is_ok()
                    && let Some(mut hold) = hold
                {
                    // As above.
                    let _ = hold.note("");
                }
            });
        }
    }
}

/// What the process after one that was killed has to know of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    path: OwnedObjectPath,
    was_connected: bool,
}

impl Note {
    fn read(text: &str) -> Option<Self> {
        let (path, was) = text.split_once(' ')?;
        Some(Self {
            path: ObjectPath::try_from(path.to_owned()).ok()?.into(),
            was_connected: was == "connected",
        })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let was = if self.was_connected {
            "connected"
        } else {
            "disconnected"
        };
        write!(f, "{} {was}", self.path.as_str())
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
