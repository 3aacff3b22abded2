//! The objects on the bus.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectPath, OwnedObjectPath, OwnedVariant, fdo};

use super::state::{DEVICE, IP4_CONFIG, State, Wanted, access_point};

/// `NM_DEVICE_TYPE_WIFI`.
const WIFI: u32 = 2;

/// What NetworkManager refuses, in its own names.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.NetworkManager.Error")]
pub(super) enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    InvalidArguments(String),
}

type Groups = HashMap<String, HashMap<String, OwnedVariant>>;

pub(super) struct Manager(pub(super) Arc<State>);

#[zbus::interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    async fn get_device_by_ip_iface(&self, iface: &str) -> fdo::Result<OwnedObjectPath> {
        self.0.linger.touch();
        if iface != self.0.interface {
            let missing = format!("No device found for the requested iface '{iface}'");
            return Err(fdo::Error::Failed(missing));
        }
        object(DEVICE)
    }

    async fn add_and_activate_connection2(
        &self,
        connection: Groups,
        device: ObjectPath<'_>,
        specific_object: ObjectPath<'_>,
        options: HashMap<String, OwnedVariant>,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> fdo::Result<(
        OwnedObjectPath,
        OwnedObjectPath,
        HashMap<String, OwnedVariant>,
    )> {
        self.0.linger.touch();
        if device.as_str() != DEVICE || !heard(&self.0).any(|path| path == specific_object.as_str())
        {
            return Err(fdo::Error::InvalidArgs(
                "no such device or access point".to_owned(),
            ));
        }
        let value = |group: &str, name: &str| connection.get(group)?.get(name);
        let ssid = value("802-11-wireless", "ssid").cloned();
        let ssid = ssid.and_then(|ssid| Vec::<u8>::try_from(ssid).ok());
        let Some(ssid) = ssid else {
            return Err(fdo::Error::InvalidArgs(
                "802-11-wireless.ssid is missing".to_owned(),
            ));
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
            object("/org/freedesktop/NetworkManager/Settings/2")?,
            object("/org/freedesktop/NetworkManager/ActiveConnection/2")?,
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
        if devices.iter().any(|device| device.as_str() != DEVICE) {
            return Err(Refusal::InvalidArguments("no such device".to_owned()));
        }
        // A device is in one checkpoint at most (NetworkManager 1.42, `nm-checkpoint-manager.c`).
        if let Some(kept) = self.0.checkpoints().first() {
            return Err(Refusal::InvalidArguments(format!(
                "device '{}' is already included in checkpoint {kept}",
                self.0.interface
            )));
        }
        let path = self.0.keep(bus, rollback_timeout);
        object(&path).map_err(|error| Refusal::ZBus(error.into()))
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
    ) -> fdo::Result<()> {
        self.0.linger.touch();
        self.0.keep_on(checkpoint.as_str(), add_timeout)
    }

    async fn checkpoint_rollback(
        &self,
        checkpoint: ObjectPath<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> fdo::Result<HashMap<String, u32>> {
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
    async fn request_scan(&self, _options: HashMap<String, OwnedVariant>) {
        self.0.linger.touch();
    }

    async fn get_all_access_points(&self) -> fdo::Result<Vec<OwnedObjectPath>> {
        self.0.linger.touch();
        heard(&self.0).map(|path| object(&path)).collect()
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
