//! `org.bluez.Device1`: a device that was heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::LabTime;
use zbus::{OwnedObjectPath, OwnedVariant, Variant, fdo};

use super::advertised::Advertised;
use super::error::BluezError;
use super::request::{HostHandle, Order, Request};
use crate::bluetooth::radio::Address;

/// What is known of a device; cheap to clone, all clones are of the same device.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) address: Address,
    state: Arc<Mutex<State>>,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) advertised: Advertised,
    pub(super) rssi: Option<i16>,
    pub(super) heard: LabTime,
    pub(super) connected: bool,
    pub(super) resolved: bool,
}

impl Known {
    pub(super) fn new(address: Address, now: LabTime) -> Self {
        Self {
            address,
            state: Arc::new(Mutex::new(State {
                advertised: Advertised::default(),
                rssi: None,
                heard: now,
                connected: false,
                resolved: false,
            })),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last part of its object's path.
    pub(super) fn node(&self) -> String {
        format!("dev_{}", self.address.to_string().replace(':', "_"))
    }
}

/// The object.
pub(super) struct Device {
    pub(super) known: Known,
    pub(super) adapter: OwnedObjectPath,
    pub(super) host: HostHandle,
}

/// A property that the device does not have leaves no trace in the list of all.
fn known<T>(value: Option<T>) -> fdo::Result<T> {
    value.ok_or_else(|| fdo::Error::InvalidArgs("No such property".to_owned()))
}

fn bytes(value: &[u8]) -> OwnedVariant {
    Variant::from(value.to_vec())
        .try_to_owned()
        .expect("bytes hold no file descriptor, so they can be owned")
}

#[zbus::interface(name = "org.bluez.Device1")]
impl Device {
    async fn connect(&self) -> Result<(), BluezError> {
        let device = self.known.address;
        self.host
            .ask(|reply| Request::Connect { device, reply })
            .await
    }

    async fn disconnect(&self) -> Result<(), BluezError> {
        self.host
            .ask_peer(self.known.address, |reply| Order::Disconnect { reply })
            .await
    }

    async fn pair(&self) -> Result<(), BluezError> {
        Err(BluezError::NotSupported(
            "Operation is not supported".to_owned(),
        ))
    }

    #[zbus(property)]
    async fn address(&self) -> String {
        self.known.address.to_string()
    }

    #[zbus(property)]
    async fn address_type(&self) -> &str {
        match self.known.address.kind {
            0 => "public",
            _ => "random",
        }
    }

    #[zbus(property)]
    async fn name(&self) -> fdo::Result<String> {
        known(self.known.state().advertised.name.clone())
    }

    /// The name, or the address as BlueZ writes it in a name's place.
    #[zbus(property)]
    async fn alias(&self) -> String {
        let name = self.known.state().advertised.name.clone();
        name.unwrap_or_else(|| self.known.address.to_string().replace(':', "-"))
    }

    #[zbus(property)]
    async fn appearance(&self) -> fdo::Result<u16> {
        known(self.known.state().advertised.appearance)
    }

    #[zbus(property)]
    async fn adapter(&self) -> OwnedObjectPath {
        self.adapter.clone()
    }

    #[zbus(property)]
    async fn paired(&self) -> bool {
        false
    }

    #[zbus(property)]
    async fn bonded(&self) -> bool {
        false
    }

    #[zbus(property)]
    async fn trusted(&self) -> bool {
        false
    }

    #[zbus(property)]
    async fn blocked(&self) -> bool {
        false
    }

    #[zbus(property)]
    async fn legacy_pairing(&self) -> bool {
        false
    }

    #[zbus(property)]
    async fn connected(&self) -> bool {
        self.known.state().connected
    }

    #[zbus(property)]
    async fn services_resolved(&self) -> bool {
        self.known.state().resolved
    }

    #[zbus(property, name = "RSSI")]
    async fn rssi(&self) -> fdo::Result<i16> {
        known(self.known.state().rssi)
    }

    #[zbus(property)]
    async fn tx_power(&self) -> fdo::Result<i16> {
        known(self.known.state().advertised.tx_power)
    }

    #[zbus(property, name = "UUIDs")]
    async fn uuids(&self) -> Vec<String> {
        self.known.state().advertised.services.clone()
    }

    #[zbus(property)]
    async fn manufacturer_data(&self) -> fdo::Result<HashMap<u16, OwnedVariant>> {
        let state = self.known.state();
        let data = &state.advertised.manufacturer;
        let data: HashMap<_, _> = data
            .iter()
            .map(|(company, data)| (*company, bytes(data)))
            .collect();
        known(Some(data).filter(|data| !data.is_empty()))
    }

    #[zbus(property)]
    async fn service_data(&self) -> fdo::Result<HashMap<String, OwnedVariant>> {
        let state = self.known.state();
        let data = &state.advertised.service_data;
        let data: HashMap<_, _> = data
            .iter()
            .map(|(uuid, data)| (uuid.clone(), bytes(data)))
            .collect();
        known(Some(data).filter(|data| !data.is_empty()))
    }
}
