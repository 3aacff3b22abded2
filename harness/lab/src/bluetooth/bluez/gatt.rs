//! `org.bluez.GattService1`, `GattCharacteristic1` and `GattDescriptor1`: what a connected device
//! has.

use std::collections::HashMap;

use zbus::{OwnedObjectPath, OwnedVariant};

use super::error::BluezError;
use super::request::{HostHandle, Order};
use crate::bluetooth::radio::Address;

/// The longest value of an attribute (Core 5.4 Vol 3 Part F §3.2.9).
pub(super) const LONGEST: usize = 512;
/// What BlueZ calls each bit of a characteristic's properties (Core 5.4 Vol 3 Part G §3.3.1.1).
const FLAGS: [&str; 8] = [
    "broadcast",
    "read",
    "write-without-response",
    "write",
    "notify",
    "indicate",
    "authenticated-signed-writes",
    "extended-properties",
];

/// A service that was found.
#[derive(Clone, Debug)]
pub(super) struct FoundService {
    pub(super) handle: u16,
    /// Of its last attribute.
    pub(super) end: u16,
    pub(super) uuid: String,
    pub(super) characteristics: Vec<FoundCharacteristic>,
}

/// A characteristic of it.
#[derive(Clone, Debug)]
pub(super) struct FoundCharacteristic {
    pub(super) handle: u16,
    pub(super) uuid: String,
    pub(super) properties: u8,
    /// Handles and UUIDs.
    pub(super) descriptors: Vec<(u16, String)>,
}

pub(super) struct Service {
    pub(super) uuid: String,
    pub(super) device: OwnedObjectPath,
}

#[zbus::interface(name = "org.bluez.GattService1")]
impl Service {
    #[zbus(property, name = "UUID")]
    async fn uuid(&self) -> &str {
        &self.uuid
    }

    #[zbus(property)]
    async fn primary(&self) -> bool {
        true
    }

    #[zbus(property)]
    async fn device(&self) -> OwnedObjectPath {
        self.device.clone()
    }
}

/// An attribute whose value can be asked for.
pub(super) struct Attribute {
    pub(super) device: Address,
    pub(super) handle: u16,
    pub(super) host: HostHandle,
}

impl Attribute {
    async fn read(&self, options: &HashMap<String, OwnedVariant>) -> Result<Vec<u8>, BluezError> {
        let handle = self.handle;
        let value = self
            .host
            .ask_peer(self.device, |reply| Order::Read { handle, reply })
            .await?;
        let offset = usize::from(number(options, "offset"));
        let rest = value.get(offset..).map(<[u8]>::to_vec);
        rest.ok_or_else(|| BluezError::att(0x07))
    }

    async fn write(&self, value: Vec<u8>, with_response: bool) -> Result<(), BluezError> {
        if value.len() > LONGEST {
            return Err(BluezError::att(0x0D));
        }
        let handle = self.handle;
        self.host
            .ask_peer(self.device, |reply| Order::Write {
                handle,
                value,
                with_response,
                reply,
            })
            .await
    }
}

fn number(options: &HashMap<String, OwnedVariant>, key: &str) -> u16 {
    let option = options.get(key);
    option
        .and_then(|option| option.downcast_ref::<u16>().ok())
        .unwrap_or_default()
}

pub(super) struct Characteristic {
    pub(super) attribute: Attribute,
    pub(super) uuid: String,
    pub(super) service: OwnedObjectPath,
    pub(super) properties: u8,
    pub(super) mtu: u16,
}

#[zbus::interface(name = "org.bluez.GattCharacteristic1")]
impl Characteristic {
    async fn read_value(
        &self,
        options: HashMap<String, OwnedVariant>,
    ) -> Result<Vec<u8>, BluezError> {
        self.attribute.read(&options).await
    }

    async fn write_value(
        &self,
        value: Vec<u8>,
        options: HashMap<String, OwnedVariant>,
    ) -> Result<(), BluezError> {
        let option = options.get("type");
        let kind = option.and_then(|option| option.downcast_ref::<String>().ok());
        // Without a type, BlueZ does what the characteristic can, with a response if it can.
        let with_response = match kind.as_deref() {
            Some("command") => false,
            Some(_) => true,
            None => self.properties & 0x08 != 0,
        };
        self.attribute.write(value, with_response).await
    }

    async fn start_notify(&self) -> Result<(), BluezError> {
        Err(BluezError::NotSupported(
            "Operation is not supported".to_owned(),
        ))
    }

    async fn stop_notify(&self) -> Result<(), BluezError> {
        Err(BluezError::Failed("No notify session started".to_owned()))
    }

    #[zbus(property, name = "UUID")]
    async fn uuid(&self) -> &str {
        &self.uuid
    }

    #[zbus(property)]
    async fn service(&self) -> OwnedObjectPath {
        self.service.clone()
    }

    #[zbus(property)]
    async fn flags(&self) -> Vec<&str> {
        let bits = FLAGS.iter().enumerate();
        bits.filter(|(bit, _)| self.properties >> bit & 1 == 1)
            .map(|(_, flag)| *flag)
            .collect()
    }

    #[zbus(property)]
    async fn notifying(&self) -> bool {
        false
    }

    #[zbus(property, name = "MTU")]
    async fn mtu(&self) -> u16 {
        self.mtu
    }
}

pub(super) struct Descriptor {
    pub(super) attribute: Attribute,
    pub(super) uuid: String,
    pub(super) characteristic: OwnedObjectPath,
}

#[zbus::interface(name = "org.bluez.GattDescriptor1")]
impl Descriptor {
    async fn read_value(
        &self,
        options: HashMap<String, OwnedVariant>,
    ) -> Result<Vec<u8>, BluezError> {
        self.attribute.read(&options).await
    }

    async fn write_value(
        &self,
        value: Vec<u8>,
        _options: HashMap<String, OwnedVariant>,
    ) -> Result<(), BluezError> {
        self.attribute.write(value, true).await
    }

    #[zbus(property, name = "UUID")]
    async fn uuid(&self) -> &str {
        &self.uuid
    }

    #[zbus(property)]
    async fn characteristic(&self) -> OwnedObjectPath {
        self.characteristic.clone()
    }
}
