//! The GATT table: one service, a characteristic for each endpoint, and the endpoint's name beside
//! it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use trouble_host::prelude::{
    AsGatt, AttributeServer, AttributeTable, CharacteristicProp, PacketPool, PermissionLevel,
    Service, Uuid,
};

use super::uuid;
use crate::bugs::{self, Bug};
use crate::provisioning::table::Created;

/// Attributes: those of GAP and GATT, the service, and three for each endpoint.
const ATTRIBUTES: usize = 64;
/// Endpoints that find a place.
pub(super) const ENDPOINTS: usize = (ATTRIBUTES - 7) / 3;
const GAP: Uuid = Uuid::new_short(0x1800);
const DEVICE_NAME: Uuid = Uuid::new_short(0x2A00);
const APPEARANCE: Uuid = Uuid::new_short(0x2A01);
const GATT: Uuid = Uuid::new_short(0x1801);
/// Characteristic User Description (Core 5.4 Vol 3 Part G §3.3.3.2).
const DESCRIPTION: Uuid = Uuid::new_short(0x2901);
/// Appearance "unknown".
const UNKNOWN: &[u8; 2] = &[0, 0];

pub(super) type Server<'v, P> = AttributeServer<'v, NoopRawMutex, P, ATTRIBUTES, 1>;

/// What the table's attributes keep their values in.
pub(super) struct Values {
    name: String,
    endpoints: Vec<Created>,
    values: Vec<Vec<u8>>,
}

impl Values {
    /// Room for values of `limit` bytes.
    pub(super) fn new(name: &str, mut endpoints: Vec<Created>, limit: usize) -> Self {
        endpoints.truncate(ENDPOINTS);
        Self {
            name: name.into(),
            values: vec![vec![0; limit]; endpoints.len()],
            endpoints,
        }
    }
}

/// The characteristics of a table.
pub(super) struct Characteristics<'v> {
    endpoints: Vec<(u16, &'v str)>,
}

impl<'v> Characteristics<'v> {
    /// All of them.
    pub(super) fn handles(&self) -> impl Iterator<Item = u16> {
        self.endpoints.iter().map(|(handle, _)| *handle)
    }

    /// The endpoint of an attribute that can be written.
    pub(super) fn endpoint(&self, handle: u16) -> Option<&'v str> {
        let mut endpoints = self.endpoints.iter();
        endpoints
            .find(|(other, _)| *other == handle)
            .map(|(_, name)| *name)
    }
}

/// The table of a service.
pub(super) fn server<P: PacketPool>(
    service: [u8; 16],
    values: &mut Values,
) -> (Server<'_, P>, Characteristics<'_>) {
    let mut table = AttributeTable::new();
    let mut gap = table.add_service(Service::new(GAP));
    gap.add_characteristic_ro::<str, _>(DEVICE_NAME, &values.name)
        .build();
    gap.add_characteristic_ro::<[u8; 2], _>(APPEARANCE, UNKNOWN)
        .build();
    table.add_service(Service::new(GATT));
    let mut own = table.add_service(Service::new(Uuid::new_long(uuid::little_endian(service))));
    let mut endpoints = Vec::new();
    for (endpoint, value) in values.endpoints.iter().zip(&mut values.values) {
        let id = Uuid::new_long(uuid::characteristic(service, endpoint.id));
        let properties = [CharacteristicProp::Read, CharacteristicProp::Write];
        let mut characteristic = own.add_characteristic(id, properties, Empty, value);
        let name = endpoint.name.as_str();
        if !bugs::is(Bug::EndpointNameMissing) {
            characteristic.add_descriptor_ro::<str, _>(DESCRIPTION, PermissionLevel::Allowed, name);
        }
        endpoints.push((characteristic.build().handle, name));
    }
    (Server::new(table), Characteristics { endpoints })
}

/// A value of no length yet, and of any later.
struct Empty;

impl AsGatt for Empty {
    const MIN_SIZE: usize = 0;
    const MAX_SIZE: usize = 512;

    fn as_gatt(&self) -> &[u8] {
        &[]
    }
}
