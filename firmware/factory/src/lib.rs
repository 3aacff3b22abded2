//! Factory data: what a device is born with.
//!
//! The harness writes it before power-on, the device reads nothing else. Stored, it is a versioned,
//! checksummed map from section names to sections ([`Map`]); [`Factory`] is the typed view of it.

#![no_std]

extern crate alloc;

mod esp8266;
mod map;
mod provisioning;
mod sections;
mod web_server;

pub use esp8266::Esp8266;
pub use map::{FactoryError, Map};
pub use provisioning::{
    AppInfo, Ble, BluetoothStack, Mdns, MemoryRelease, PhoneToken, Provisioning, Scheme, Security,
    TokenForm, Unregister, Version,
};
pub use sections::{
    ClaimMessage, ClientIdForm, Cloud, Credentials, Factory, Identity, Lab, Linkkit,
    LinkkitProfile, MethodAnswer, Mqtt, Network, NoToken, ProvisionRequest, ProvisionedBy,
    RemoteCalls, SignMethod, Sntp, Telemetry, ThingsBoard, Will,
};
pub use web_server::{ClientAuth, ServerCertificate, WebApplication, WebServer};
