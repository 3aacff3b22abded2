//! The objects on the bus.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectPath, OwnedObjectPath, OwnedVariant, fdo};

use super::state::{DEVICE, IP4_CONFIG, State, Wanted, access_point};

/// `NM_DEVICE_TYPE_WIFI`.
const WIFI: u32 = 2;

/// What NetworkManager refuses, in its own names and words (NetworkManager 1.42, by
/// fixtures/stand_ins/refusals.json).
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.NetworkManager")]
pub(super) enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    InvalidArguments(String),
    PermissionDenied(String),
    UnknownDevice(String),
    #[zbus(name = "Device.InvalidConnection")]
    InvalidConnection(String),
    #[zbus(name = "Device.SpecificObjectNotFound")]
    SpecificObjectNotFound(String),
}

/// What polkit is asked before something is done.
fn permitted(state: &State, action: &str) -> Result<(), Refusal> {
    if state.consent(action) == "yes" {
        return Ok(());
    }
    // `NM_UTILS_ERROR_MSG_INSUFF_PRIV`: a client that shows no dialogue for a password is refused.
    Err(Refusal::PermissionDenied(
        "Insufficient privileges".to_owned(),
    ))
}

type Groups = HashMap<String, HashMap<String, OwnedVariant>>;

pub(super) struct Manager(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    async fn get_device_by_ip_iface(&self, iface: &str) -> Result<OwnedObjectPath, Refusal> {
        self.0.linger.touch();
        if iface != self.0.interface {
            let missing = "No device found for the requested iface.";
            return Err(Refusal::UnknownDevice(missing.to_owned()));
        }
        known(DEVICE)
    }

    async fn add_and_activate_connection2(
        &self,
        connection: Groups,
        device: ObjectPath<'_>,
        specific_object: ObjectPath<'_>,
        options: HashMap<String, OwnedVariant>,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<
        (
            OwnedObjectPath,
            OwnedObjectPath,
            HashMap<String, OwnedVariant>,
        ),
        Refusal,
    > {
        self.0.linger.touch();
        permitted(&self.0, "network-control")?;
        permitted(&self.0, "settings.modify.system")?;
        if device.as_str() != DEVICE {
            return Err(Refusal::UnknownDevice("Device not found".to_owned()));
        }
        let value = |group: &str, name: &str| connection.get(group)?.get(name);
        let ssid = value("802-11-wireless", "ssid").cloned();
        let ssid = ssid.and_then(|ssid| Vec::<u8>::try_from(ssid).ok());
        let point = specific_object.as_str();
        if point != "/" && !heard(&self.0).any(|path| path == point) {
            return Err(Refusal::SpecificObjectNotFound(format!(
                "The access point {point} was not in the scan list."
            )));
        }
        let Some(ssid) = ssid else {
            let missing =
                "A 'wireless' setting with a valid SSID is required if no AP path was given.";
            return Err(Refusal::InvalidConnection(missing.to_owned()));
        };
        let psk = value("802-11-wireless-security", "psk");
        let bind = options.get("bind-activation");
        let bind = bind.and_then(|bind| bind.downcast_ref::<String>().ok());
        let wanted = Wanted {
            ssid,
            passphrase: psk.and_then(|psk| psk.downcast_ref::<String>().ok()),
            bound_to: header
                .sender()
                .filter(|_| bind.as_deref() == Some("dbus-client"))
                .map(|sender| sender.to_owned().into()),
        };
        tokio::spawn(self.0.clone().activate(bus.clone(), wanted));
        Ok((
            known("/org/freedesktop/NetworkManager/Settings/2")?,
            known("/org/freedesktop/NetworkManager/ActiveConnection/2")?,
            HashMap::new(),
        ))
    }

    async fn checkpoint_create(
        &self,
        devices: Vec<ObjectPath<'_>>,
        rollback_timeout: u32,
        _flags: u32,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<OwnedObjectPath, Refusal> {
        self.0.linger.touch();
        permitted(&self.0, "checkpoint-rollback")?;
        if let Some(device) = devices.iter().find(|device| device.as_str() != DEVICE) {
            let missing = format!("device {} does not exist", device.as_str());
            return Err(Refusal::UnknownDevice(missing));
        }
        // A device is in one checkpoint at most (NetworkManager 1.42, `nm-checkpoint-manager.c`).
        if let Some(kept) = self.0.checkpoints().first() {
            return Err(Refusal::InvalidArguments(format!(
                "device '{}' is already included in checkpoint {kept}",
                self.0.interface
            )));
        }
        let path = self.0.keep(bus, rollback_timeout);
        let kept = Checkpoint(self.0.clone());
        bus.object_server().at(path.clone(), kept).await?;
        known(&path)
    }

    async fn get_permissions(&self) -> HashMap<String, String> {
        self.0.linger.touch();
        self.0.permissions()
    }

    #[zbus(property)]
    async fn wireless_enabled(&self) -> bool {
        self.0.is_enabled()
    }

    #[zbus(property)]
    async fn checkpoints(&self) -> fdo::Result<Vec<OwnedObjectPath>> {
        self.0
            .checkpoints()
            .iter()
            .map(|path| object(path))
            .collect()
    }

    async fn checkpoint_adjust_rollback_timeout(
        &self,
        checkpoint: ObjectPath<'_>,
        add_timeout: u32,
    ) -> Result<(), Refusal> {
        self.0.linger.touch();
        self.0.keep_on(checkpoint.as_str(), add_timeout)
    }

    async fn checkpoint_rollback(
        &self,
        checkpoint: ObjectPath<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<HashMap<String, u32>, Refusal> {
        self.0.linger.touch();
        State::restore(&self.0, bus, checkpoint.as_str(), "rolled back").await?;
        Ok(HashMap::from([(DEVICE.to_owned(), 0)]))
    }
}

pub(super) struct Device(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager.Device")]
impl Device {
    #[zbus(property)]
    async fn device_type(&self) -> u32 {
        WIFI
    }

    #[zbus(property)]
    async fn state(&self) -> u32 {
        self.0.device_state()
    }

    #[zbus(property)]
    async fn interface(&self) -> &str {
        &self.0.interface
    }

    #[zbus(property)]
    async fn ip4_config(&self) -> fdo::Result<OwnedObjectPath> {
        object(IP4_CONFIG)
    }

    #[zbus(signal, name = "StateChanged")]
    pub(super) async fn went_from(
        emitter: &SignalEmitter<'_>,
        new_state: u32,
        old_state: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

pub(super) struct Wireless(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager.Device.Wireless")]
impl Wireless {
    async fn request_scan(&self, _options: HashMap<String, OwnedVariant>) -> Result<(), Refusal> {
        self.0.linger.touch();
        permitted(&self.0, "wifi.scan")
    }

    /// `NM_802_11_MODE_INFRA`.
    #[zbus(property)]
    async fn mode(&self) -> u32 {
        2
    }

    #[zbus(property)]
    async fn active_access_point(&self) -> fdo::Result<OwnedObjectPath> {
        let connected = self.0.connected_index();
        object(&connected.map_or_else(|| "/".to_owned(), access_point))
    }

    async fn get_all_access_points(&self) -> fdo::Result<Vec<OwnedObjectPath>> {
        self.0.linger.touch();
        heard(&self.0).map(|path| object(&path)).collect()
    }
}

/// What an interface goes back to.
pub(super) struct Checkpoint(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager.Checkpoint")]
impl Checkpoint {
    #[zbus(property)]
    async fn devices(&self) -> fdo::Result<Vec<OwnedObjectPath>> {
        self.0.linger.touch();
        Ok(vec![object(DEVICE)?])
    }
}

/// The network of an index.
pub(super) struct AccessPoint(pub(super) Arc<State>, pub(super) usize);

#[zbus::interface(name = "org.freedesktop.NetworkManager.AccessPoint")]
impl AccessPoint {
    #[zbus(property)]
    async fn ssid(&self) -> Vec<u8> {
        let network = self.0.network(self.1);
        network.map_or_else(Vec::new, |network| network.ssid.into_bytes())
    }
}

pub(super) struct Ip4Config(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager.IP4Config")]
impl Ip4Config {
    #[zbus(property)]
    async fn address_data(&self) -> Vec<HashMap<String, OwnedVariant>> {
        self.0.linger.touch();
        let address = self.0.address().and_then(|address| {
            let address = zbus::Variant::from(address.to_string())
                .try_to_owned()
                .ok()?;
            Some(HashMap::from([("address".to_owned(), address)]))
        });
        address.into_iter().collect()
    }
}

fn known(path: &str) -> Result<OwnedObjectPath, Refusal> {
    object(path).map_err(|error| Refusal::ZBus(error.into()))
}

/// The paths of the networks that are heard now.
fn heard(state: &State) -> impl Iterator<Item = String> {
    (0..state.room())
        .filter(|index| state.network(*index).is_some())
        .map(access_point)
}

fn object(path: &str) -> fdo::Result<OwnedObjectPath> {
    let path = ObjectPath::try_from(path.to_owned());
    path.map(Into::into)
        .map_err(|error| fdo::Error::Failed(error.to_string()))
}
