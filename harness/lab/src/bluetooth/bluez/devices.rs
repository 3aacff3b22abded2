//! The objects on the bus: devices that were heard, and what connected ones have.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use clock::{Clock, Waiting};
use zbus::fdo::Properties;
use zbus::names::InterfaceName;
use zbus::object_server::InterfaceRef;
use zbus::{Connection, ObjectPath, OwnedObjectPath};

use super::adapter::Adapter;
use super::device::{Device, Known};
use super::gatt::{Attribute, Characteristic, Descriptor, FoundService, Service};
use super::request::HostHandle;
use crate::bluetooth::radio::Address;

/// A device that was not heard for so long is forgotten when the next scan starts (BlueZ 5.66,
/// `TemporaryTimeout`).
const TEMPORARY: Duration = Duration::from_secs(30);

/// The devices of one adapter.
pub(super) struct Devices {
    pub(super) connection: Connection,
    pub(super) adapter: String,
    pub(super) host: HostHandle,
    pub(super) clock: Clock,
    known: RefCell<BTreeMap<Address, Known>>,
    /// What devices had when they were met first.
    tables: RefCell<BTreeMap<Address, Vec<FoundService>>>,
    /// What of connected devices is on the bus.
    published: RefCell<BTreeMap<Address, Published>>,
}

/// One advertising report.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) address: Address,
    pub(super) rssi: i8,
    pub(super) data: Vec<u8>,
}

/// Objects of a connected device, in the order of their making.
#[derive(Default)]
struct Published {
    services: Vec<String>,
    characteristics: Vec<String>,
    descriptors: Vec<String>,
}

impl Devices {
    pub(super) fn new(
        connection: Connection,
        adapter: String,
        host: HostHandle,
        clock: Clock,
    ) -> Self {
        Self {
            connection,
            adapter,
            host,
            clock,
            known: RefCell::default(),
            tables: RefCell::default(),
            published: RefCell::default(),
        }
    }

    pub(super) fn knows(&self, address: Address) -> bool {
        self.known.borrow().contains_key(&address)
    }

    pub(super) fn is_connected(&self, address: Address) -> bool {
        let known = self.known.borrow();
        known
            .get(&address)
            .is_some_and(|known| known.state().connected)
    }

    /// A device is asked: until the guard is dropped, which must be before the caller has its answer,
    /// all that is under way is on the medium.
    pub(super) fn wait_for_device(&self) -> Waiting {
        let name = self.adapter.rsplit('/').next().unwrap_or_default();
        self.clock.waiting(name)
    }

    fn path(&self, known: &Known) -> String {
        format!("{}/{}", self.adapter, known.node())
    }

    /// What the device had when it was met first, if its services are still at these places.
    pub(super) fn remembered(
        &self,
        address: Address,
        places: &[(u16, u16, String)],
    ) -> Option<Vec<FoundService>> {
        let tables = self.tables.borrow();
        let table = tables.get(&address)?;
        let is_same = |(found, place): (&FoundService, &(u16, u16, String))| {
            (found.handle, found.end) == (place.0, place.1) && found.uuid == place.2
        };
        let same = table.len() == places.len() && table.iter().zip(places).all(is_same);
        same.then(|| table.clone())
    }

    /// Keeps what a device has.
    pub(super) fn remember(&self, address: Address, table: &[FoundService]) {
        self.tables.borrow_mut().insert(address, table.to_vec());
    }

    /// Forgets a device, and what it had.
    pub(super) async fn remove(&self, node: &str) -> zbus::Result<bool> {
        let address = {
            let known = self.known.borrow();
            let mut known = known.values();
            known
                .find(|known| known.node() == node)
                .map(|known| known.address)
        };
        let Some(address) = address else {
            return Ok(false);
        };
        self.withdraw(address).await?;
        self.tables.borrow_mut().remove(&address);
        self.known.borrow_mut().remove(&address);
        let path = format!("{}/{node}", self.adapter);
        self.connection
            .object_server()
            .remove::<Device, _>(path)
            .await
    }

    /// Takes everything off the bus, the adapter last.
    pub(super) async fn vanish(&self) -> zbus::Result<()> {
        let nodes: Vec<String> = self.known.borrow().values().map(Known::node).collect();
        for node in nodes {
            self.remove(&node).await?;
        }
        let server = self.connection.object_server();
        server.remove::<Adapter, _>(self.adapter.as_str()).await?;
        Ok(())
    }

    /// A scan has ended: how strong devices are is no longer known.
    pub(super) async fn quiet(&self) -> zbus::Result<()> {
        let known: Vec<Known> = self.known.borrow().values().cloned().collect();
        for known in known {
            known.state().rssi = None;
            let object = self.device(&known).await?;
            let device = InterfaceName::from_static_str("org.bluez.Device1")?;
            let (none, gone) = (HashMap::new(), Cow::Borrowed(&["RSSI"][..]));
            Properties::properties_changed(object.signal_emitter(), device, none, gone).await?;
        }
        Ok(())
    }

    /// Forgets what was not heard for long.
    pub(super) async fn forget(&self) -> zbus::Result<()> {
        let now = self.clock.now();
        let old: Vec<Known> = {
            let mut known = self.known.borrow_mut();
            let is_old = |known: &Known| {
                let state = known.state();
                !state.connected && now.since(state.heard) > TEMPORARY
            };
            known
                .extract_if(.., |_, known| is_old(known))
                .map(|(_, known)| known)
                .collect()
        };
        for known in old {
            let path = self.path(&known);
            self.connection
                .object_server()
                .remove::<Device, _>(path)
                .await?;
        }
        Ok(())
    }

    /// A device was heard. Lab time does not wait for those who are told: advertisements come again
    /// and again, and an answer of this service comes behind what it told before.
    pub(super) async fn heard(&self, report: Report) -> zbus::Result<()> {
        let (known, is_new) = {
            let mut devices = self.known.borrow_mut();
            let is_new = !devices.contains_key(&report.address);
            let now = self.clock.now();
            let known = devices
                .entry(report.address)
                .or_insert_with(|| Known::new(report.address, now));
            (known.clone(), is_new)
        };
        let before = {
            let mut state = known.state();
            let before = state.advertised.clone();
            state.advertised.hear(&report.data);
            state.rssi = Some(i16::from(report.rssi));
            state.heard = self.clock.now();
            before
        };
        if is_new {
            let device = Device {
                known: known.clone(),
                adapter: object(&self.adapter)?,
                host: self.host.clone(),
            };
            let server = self.connection.object_server();
            server.at(self.path(&known), device).await?;
            return Ok(());
        }
        let object = self.device(&known).await?;
        let (device, emitter) = (object.get().await, object.signal_emitter());
        let after = known.state().advertised.clone();
        if after.name != before.name {
            device.name_changed(emitter).await?;
            device.alias_changed(emitter).await?;
        }
        if after.services != before.services {
            device.u_u_i_ds_changed(emitter).await?;
        }
        if after.manufacturer != before.manufacturer {
            device.manufacturer_data_changed(emitter).await?;
        }
        if after.service_data != before.service_data {
            device.service_data_changed(emitter).await?;
        }
        device.r_s_s_i_changed(emitter).await
    }

    /// Says whether a device is connected.
    pub(super) async fn set_connected(&self, address: Address, on: bool) -> zbus::Result<()> {
        let Some(known) = self.known.borrow().get(&address).cloned() else {
            return Ok(());
        };
        self.host.linger.touch();
        known.state().connected = on;
        let object = self.device(&known).await?;
        object
            .get()
            .await
            .connected_changed(object.signal_emitter())
            .await
    }

    /// Says whether all is known of what a device has.
    pub(super) async fn set_resolved(&self, address: Address, on: bool) -> zbus::Result<()> {
        let Some(known) = self.known.borrow().get(&address).cloned() else {
            return Ok(());
        };
        self.host.linger.touch();
        known.state().resolved = on;
        let object = self.device(&known).await?;
        object
            .get()
            .await
            .services_resolved_changed(object.signal_emitter())
            .await
    }

    async fn device(&self, known: &Known) -> zbus::Result<InterfaceRef<Device>> {
        self.connection
            .object_server()
            .interface(self.path(known))
            .await
    }

    /// Puts what a connected device has on the bus.
    pub(super) async fn publish(
        &self,
        address: Address,
        services: &[FoundService],
        mtu: u16,
    ) -> zbus::Result<()> {
        let mut published = Published::default();
        let Some(known) = self.known.borrow().get(&address).cloned() else {
            return Ok(());
        };
        let server = self.connection.object_server();
        let device = self.path(&known);
        let attribute = |handle| Attribute {
            device: address,
            handle,
            host: self.host.clone(),
        };
        for found in services {
            let service = format!("{device}/service{:04x}", found.handle);
            let iface = Service {
                uuid: found.uuid.clone(),
                device: object(&device)?,
            };
            server.at(service.as_str(), iface).await?;
            for found in &found.characteristics {
                let characteristic = format!("{service}/char{:04x}", found.handle);
                let iface = Characteristic {
                    attribute: attribute(found.handle),
                    uuid: found.uuid.clone(),
                    service: object(&service)?,
                    properties: found.properties,
                    mtu,
                };
                server.at(characteristic.as_str(), iface).await?;
                for (handle, uuid) in &found.descriptors {
                    let descriptor = format!("{characteristic}/desc{handle:04x}");
                    let iface = Descriptor {
                        attribute: attribute(*handle),
                        uuid: uuid.clone(),
                        characteristic: object(&characteristic)?,
                    };
                    server.at(descriptor.as_str(), iface).await?;
                    published.descriptors.push(descriptor);
                }
                published.characteristics.push(characteristic);
            }
            published.services.push(service);
        }
        self.published.borrow_mut().insert(address, published);
        Ok(())
    }

    /// Takes it away again.
    pub(super) async fn withdraw(&self, address: Address) -> zbus::Result<()> {
        let published = self.published.borrow_mut().remove(&address);
        let Some(published) = published else {
            return Ok(());
        };
        let server = self.connection.object_server();
        for path in published.descriptors {
            server.remove::<Descriptor, _>(path).await?;
        }
        for path in published.characteristics {
            server.remove::<Characteristic, _>(path).await?;
        }
        for path in published.services {
            server.remove::<Service, _>(path).await?;
        }
        Ok(())
    }
}

fn object(path: &str) -> zbus::Result<OwnedObjectPath> {
    Ok(ObjectPath::try_from(path.to_owned())?.into())
}
