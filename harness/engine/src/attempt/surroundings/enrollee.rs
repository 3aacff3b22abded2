//! A device as its owner knows it.

use std::net::{Ipv4Addr, SocketAddrV4};

use language::{Device, Over};
use phone::Settings;
use uuid::Uuid;

use super::super::values::DeviceValues;
use super::own_firmware::Learned;

/// Longest line of a console in bytes, as ESP-IDF has it.
pub const LINE_LIMIT: u16 = 256;
/// Where a device's provisioning service is in its own network, as ESP-IDF has it.
pub const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 4, 1), 80);

/// How a device is provisioned, and what its label says: all that a phone needs of it.
///
/// What the reference firmware was born with makes one ([`Enrollee::reference`]); a firmware of others
/// has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollee {
    /// By which transport.
    pub over: Over,
    /// The security that is spoken, 0 to 2; none takes what the device says.
    pub security: Option<u8>,
    /// SSID of its network, or the name that it advertises.
    pub service_name: String,
    /// Passphrase of its network; empty for an open one.
    pub service_key: String,
    /// The GATT service that it advertises; none takes the one that offers a session.
    pub service: Option<Uuid>,
    /// Where its service is in its own network.
    pub address: SocketAddrV4,
    /// Longest line of its console in bytes, its end included.
    pub line_limit: usize,
    /// Proof of possession (security 1), empty for none.
    pub pop: String,
    /// User name (security 2).
    pub username: String,
    /// Password (security 2).
    pub password: String,
    /// What only its log tells; none for the reference firmware.
    pub learned: Option<Learned>,
}

impl Enrollee {
    /// The reference firmware on a device of these settings and values.
    pub fn reference(device: &Device, values: &DeviceValues) -> Self {
        let provisioning = &device.provisioning;
        let line_limit = provisioning.line_limit.as_ref();
        let service_key = provisioning.service_key.as_ref();
        Self {
            over: provisioning.over(),
            security: None,
            service_name: values.service_name(),
            service_key: service_key.map_or_else(String::new, |key| key.value.clone()),
            service: Some(Uuid::from_bytes(factory::Ble::default().service_uuid)),
            address: SERVICE,
            line_limit: line_limit.map_or(LINE_LIMIT, |limit| limit.value).into(),
            pop: values.pop.clone(),
            username: values.username.clone(),
            password: values.password.clone(),
            learned: None,
        }
    }

    /// What `phone` is told whose owner has `device` in hand.
    pub fn settings(&self, phone: &str, device: &str) -> Settings {
        Settings {
            security: self.security,
            pop: Some(self.pop.clone()),
            username: Some(self.username.clone()),
            password: Some(self.password.clone()),
            ..self.settings_of_a_stranger(phone, device)
        }
    }

    /// What `phone` is told whose owner knows no secret of `device`.
    pub fn settings_of_a_stranger(&self, phone: &str, device: &str) -> Settings {
        Settings {
            device: Some(device.to_owned()),
            ..Settings::of(phone)
        }
    }
}
