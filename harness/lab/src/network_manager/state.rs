//! What the interface is connected to, and what it goes back to.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, LabTime};
use futures_util::StreamExt;
use trace::Trace;
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::OwnedUniqueName;
use zbus::object_server::SignalEmitter;

use super::objects::{Checkpoint as KeptObject, Device, Refusal};
use super::{HostNetwork, HostWifiSwitched};
use crate::private_bus::linger::Linger;

pub(super) const DEVICE: &str = "/org/freedesktop/NetworkManager/Devices/1";
pub(super) const IP4_CONFIG: &str = "/org/freedesktop/NetworkManager/IP4Config/1";

/// Of NetworkManager 1.42, what polkit is asked about.
const ACTIONS: [&str; 8] = [
    "checkpoint-rollback",
    "enable-disable-network",
    "enable-disable-wifi",
    "network-control",
    "settings.modify.own",
    "settings.modify.system",
    "sleep-wake",
    "wifi.scan",
];
/// `NMDeviceState`: unmanaged, unavailable.
const UNMANAGED: u32 = 10;
const UNAVAILABLE: u32 = 20;
/// `NMDeviceState`: disconnected, preparing, getting an address, activated, failed.
const DISCONNECTED: u32 = 30;
const PREPARE: u32 = 40;
const IP_CONFIG: u32 = 70;
const ACTIVATED: u32 = 100;
const FAILED: u32 = 120;
/// `NMDeviceStateReason`.
const NO_REASON: u32 = 0;
const NO_SECRETS: u32 = 7;
const DHCP_FAILED: u32 = 17;
/// What joining takes.
const JOINING: Duration = Duration::from_secs(2);
/// Without beacons a station gives its network up.
const BEACON_LOSS: Duration = Duration::from_secs(2);
/// After so long without a connection NetworkManager connects the interface as it sees fit.
const AUTOCONNECT: Duration = Duration::from_secs(6);
/// After so long without an address NetworkManager gives up.
const DHCP_LIMIT: Duration = Duration::from_secs(45);

/// The path of an access point's object.
pub(super) fn access_point(index: usize) -> String {
    format!("/org/freedesktop/NetworkManager/AccessPoint/{index}")
}

/// Everything, behind one lock.
pub(super) struct State {
    trace: Trace,
    pub(super) linger: Linger,
    pub(super) interface: String,
    networks: Vec<HostNetwork>,
    changing: Mutex<Changing>,
}

#[derive(Debug, Default)]
struct Changing {
    /// The one that comes and goes, behind the others.
    passing: Option<HostNetwork>,
    connected: Option<usize>,
    state: u32,
    checkpoints: BTreeMap<String, Checkpoint>,
    /// What polkit says, where it is not `yes`, by action.
    refused: BTreeMap<String, &'static str>,
    /// NetworkManager was told to leave the interface alone.
    is_unmanaged: bool,
    /// Wi-Fi was switched off.
    is_disabled: bool,
    next_checkpoint: u32,
    /// Number of the connection that is being made; an older one is called off.
    connecting: u64,
}

#[derive(Clone, Debug)]
struct Checkpoint {
    connected: Option<usize>,
    ends: LabTime,
}

/// What is asked for in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) ssid: Vec<u8>,
    pub(super) passphrase: Option<String>,
    /// The connection ends with this client of the bus.
    pub(super) bound_to: Option<OwnedUniqueName>,
}

impl State {
    pub(super) fn new(
        trace: Trace,
        linger: Linger,
        interface: &str,
        networks: &[HostNetwork],
    ) -> Self {
        let connected = (!networks.is_empty()).then_some(0);
        Self {
            trace,
            linger,
            interface: interface.to_owned(),
            networks: networks.to_vec(),
            changing: Mutex::new(Changing {
                connected,
                state: if connected.is_some() {
                    ACTIVATED
                } else {
                    DISCONNECTED
                },
                ..Changing::default()
            }),
        }
    }

    /// The most networks that there can be.
    pub(super) fn room(&self) -> usize {
        self.networks.len() + 1
    }

    /// The network of this index, if it is heard now.
    pub(super) fn network(&self, index: usize) -> Option<HostNetwork> {
        match self.networks.get(index) {
            Some(network) => Some(network.clone()),
            None if index == self.networks.len() => self.changing().passing.clone(),
            None => None,
        }
    }

    pub(super) fn connected_to(&self) -> Option<String> {
        let index = self.changing().connected?;
        self.network(index).map(|network| network.ssid)
    }

    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        let index = self.changing().connected?;
        self.network(index)?.address
    }

    /// The network that comes and goes is this one now, or is not there. Who is connected to one that
    /// goes notices when its beacons are missed.
    pub(super) fn hear(self: &Arc<Self>, connection: &Connection, network: Option<HostNetwork>) {
        let passing = self.networks.len();
        {
            let mut changing = self.changing();
            let is_left = changing.passing != network && changing.connected == Some(passing);
            changing.passing = network;
            if !is_left {
                return;
            }
        }
        let turn = self.begin();
        let (this, connection) = (self.clone(), connection.clone());
        tokio::spawn(async move {
            this.clock().sleep(BEACON_LOSS).await;
            if this.is_current(turn) {
                let why = "its network is gone";
                this.fall_back(&connection, why).await;
            }
        });
    }

    /// Ends the connection. A while later the interface is connected as NetworkManager sees fit.
    async fn fall_back(&self, connection: &Connection, why: &str) {
        self.connect(None, why);
        self.tell(connection, DISCONNECTED, NO_REASON).await;
        self.clock().sleep(AUTOCONNECT).await;
        let is_idle = self.changing().state == DISCONNECTED;
        if is_idle && !self.networks.is_empty() {
            self.connect(Some(0), "connected of its own accord");
            self.tell(connection, ACTIVATED, NO_REASON).await;
        }
    }

    pub(super) fn device_state(&self) -> u32 {
        let changing = self.changing();
        if changing.is_unmanaged {
            UNMANAGED
        } else if changing.is_disabled {
            UNAVAILABLE
        } else {
            changing.state
        }
    }

    /// The number of the network that the interface is in.
    pub(super) fn connected_index(&self) -> Option<usize> {
        self.changing().connected
    }

    /// What polkit says of `action`.
    pub(super) fn consent(&self, action: &str) -> &'static str {
        self.changing()
            .refused
            .get(action)
            .copied()
            .unwrap_or("yes")
    }

    /// The same of every action, by its whole name.
    pub(super) fn permissions(&self) -> HashMap<String, String> {
        let whole = |action: &str| format!("{}.{action}", super::NAME);
        let said = ACTIONS.map(|action| (whole(action), self.consent(action).to_owned()));
        said.into()
    }

    pub(super) fn set_consent(&self, action: &str, says: &'static str) {
        self.changing().refused.insert(action.to_owned(), says);
    }

    pub(super) fn set_managed(&self, managed: bool) {
        self.changing().is_unmanaged = !managed;
    }

    pub(super) fn set_enabled(&self, enabled: bool) {
        self.changing().is_disabled = !enabled;
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.changing().is_disabled
    }

    fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, to: Option<usize>, why: &str) {
        self.changing().connected = to;
        let to = self.connected_to();
        let why = why.to_owned();
        self.trace.emit(None, &HostWifiSwitched { to, why });
    }

    /// Joins a network, and says how that goes on.
    pub(super) async fn activate(self: Arc<Self>, connection: Connection, wanted: Wanted) {
        let is_wanted = |index: &usize| {
            let network = self.network(*index);
            network.is_some_and(|network| network.ssid.as_bytes() == wanted.ssid)
        };
        let index = (0..self.room()).find(is_wanted);
        let turn = self.begin();
        self.connect(None, "another network is asked for");
        self.tell(&connection, PREPARE, NO_REASON).await;
        self.clock().sleep(JOINING).await;
        if !self.is_current(turn) {
            return;
        }
        let Some((index, network)) = index.and_then(|index| Some((index, self.network(index)?)))
        else {
            return self.tell(&connection, FAILED, 53).await;
        };
        if network.passphrase != wanted.passphrase {
            return self.tell(&connection, FAILED, NO_SECRETS).await;
        }
        self.tell(&connection, IP_CONFIG, NO_REASON).await;
        if network.address.is_none() {
            self.clock().sleep(DHCP_LIMIT).await;
            if !self.is_current(turn) {
                return;
            }
            return self.tell(&connection, FAILED, DHCP_FAILED).await;
        }
        self.connect(Some(index), "joined");
        self.tell(&connection, ACTIVATED, NO_REASON).await;
        if let Some(client) = wanted.bound_to
            && gone(&connection, &client).await.is_ok()
            && self.changing().connected == Some(index)
        {
            let why = "its client is gone from the bus";
            self.fall_back(&connection, why).await;
        }
    }

    /// Begins another connection, and calls off the one that is being made.
    fn begin(&self) -> u64 {
        let mut changing = self.changing();
        changing.connecting += 1;
        changing.connecting
    }

    fn is_current(&self, turn: u64) -> bool {
        self.changing().connecting == turn
    }

    async fn tell(&self, connection: &Connection, state: u32, reason: u32) {
        self.linger.touch();
        let old = std::mem::replace(&mut self.changing().state, state);
        if let Ok(emitter) = SignalEmitter::new(connection, DEVICE) {
            // A bus that is gone has no listeners.
            let _ = Device::went_from(&emitter, state, old, reason).await;
        }
    }

    /// Keeps what is now, for so long.
    pub(super) fn keep(self: &Arc<Self>, connection: &Connection, secs: u32) -> String {
        let ends = self.clock().now() + Duration::from_secs(u64::from(secs));
        let path = {
            let mut changing = self.changing();
            changing.next_checkpoint += 1;
            let path = format!(
                "/org/freedesktop/NetworkManager/Checkpoint/{}",
                changing.next_checkpoint
            );
            let connected = changing.connected;
            changing
                .checkpoints
                .insert(path.clone(), Checkpoint { connected, ends });
            path
        };
        if secs > 0 {
            tokio::spawn(self.clone().run_out(connection.clone(), path.clone()));
        }
        path
    }

    /// Keeps it for so long from now on.
    pub(super) fn keep_on(&self, checkpoint: &str, secs: u32) -> Result<(), Refusal> {
        let ends = self.clock().now() + Duration::from_secs(u64::from(secs));
        let mut changing = self.changing();
        let kept = changing.checkpoints.get_mut(checkpoint);
        kept.ok_or_else(|| no_checkpoint(checkpoint))?.ends = ends;
        Ok(())
    }

    async fn run_out(self: Arc<Self>, connection: Connection, path: String) {
        loop {
            let ends = self
                .changing()
                .checkpoints
                .get(&path)
                .map(|checkpoint| checkpoint.ends);
            match ends {
                None => return,
                Some(ends) if ends > self.clock().now() => self.clock().sleep_until(ends).await,
                Some(_) => {
                    // It is there.
                    let why = "the checkpoint ran out";
                    let _ = Self::restore(&self, &connection, &path, why).await;
                    return;
                }
            }
        }
    }

    /// The paths of all checkpoints.
    pub(super) fn checkpoints(&self) -> Vec<String> {
        self.changing().checkpoints.keys().cloned().collect()
    }

    /// Goes back to what was kept. What the interface was connected to, it is connected to anew, even
    /// if it is connected to that already; the answer comes when that begins.
    pub(super) async fn restore(
        this: &Arc<Self>,
        connection: &Connection,
        checkpoint: &str,
        why: &str,
    ) -> Result<(), Refusal> {
        let kept = this.changing().checkpoints.remove(checkpoint);
        let kept = kept.ok_or_else(|| no_checkpoint(checkpoint))?;
        // It may have been taken off the bus with it.
        let _ = connection
            .object_server()
            .remove::<KeptObject, _>(checkpoint)
            .await;
        let turn = this.begin();
        this.connect(None, why);
        let Some(index) = kept.connected else {
            this.tell(connection, DISCONNECTED, NO_REASON).await;
            return Ok(());
        };
        this.tell(connection, PREPARE, NO_REASON).await;
        let (this, connection) = (Arc::clone(this), connection.clone());
        tokio::spawn(async move {
            this.clock().sleep(JOINING).await;
            if this.is_current(turn) {
                this.connect(Some(index), "connected as before");
                this.tell(&connection, ACTIVATED, NO_REASON).await;
            }
        });
        Ok(())
    }
}

fn no_checkpoint(path: &str) -> Refusal {
    Refusal::InvalidArguments(format!("checkpoint {path} does not exist"))
}

/// Ends when a client has left the bus.
async fn gone(connection: &Connection, client: &OwnedUniqueName) -> zbus::Result<()> {
    let bus = DBusProxy::new(connection).await?;
    let mut changes = bus
        .receive_name_owner_changed_with_args(&[(0, client.as_str())])
        .await?;
    if !bus.name_has_owner(client.as_ref().into()).await? {
        return Ok(());
    }
    while let Some(change) = changes.next().await {
        if change.args()?.new_owner().is_none() {
            return Ok(());
        }
    }
    Err(zbus::Error::InterfaceNotFound)
}
