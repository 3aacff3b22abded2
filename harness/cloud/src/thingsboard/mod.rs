//! A stand-in for ThingsBoard: its MQTT device API, provisioning and claiming.
//!
//! It sits behind the [`Broker`](crate::Broker) as a [`Hook`](crate::Hook). It is no broker: what a
//! device publishes goes to the cloud alone, filters outside the device API are refused, and nothing is
//! retained. Everything follows ThingsBoard CE at commit dfe65d5 (about 4.3.1), as far as that shows on
//! the wire; no ThingsBoard server was run beside it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`credentials`] | ids of certificates and MQTT basic credentials |
//! | `topic` | the topics of the device API in all their forms |
//! | `payload` | reading what devices send, in JSON |
//! | `protobuf` | the same messages in protobuf, and their schemas |
//! | `adaptor` | which of the two a device profile has |
//! | `registry` | devices, their attributes, telemetry and claims |
//! | `authenticate` | who a CONNECT comes from |
//! | `device_api` | what a message of a device does |
//! | `gateway` | what a gateway says for the devices behind it |
//! | `provision` | how a device gets its credentials |
//! | `account_api` | how a customer claims a device |
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /api/customer/device/{name}/claim` | `{"secretKey"}`, or nothing | 200 `{"device", "response": "SUCCESS"}`, 400 `"FAILURE"` or `"CLAIMED"`, 404 |
//! | `DELETE /api/customer/device/{name}/claim` | | 200, 404 |
//!
//! `X-Authorization: Bearer NAME` stands in for the token of the customer NAME; without, the answer
//! is 401.
//!
//! Not taken: what devices send to the topics of gateways that are none, and what gateways send whose device
//! profile is of protobuf; both are acknowledged and ignored, with a `topic_unknown` event. A profile of protobuf
//! has the schemas that ThingsBoard proposes, and no others. Over MQTT 5, refusals are the reason codes of
//! [`ReturnCode`], and what is refused later has one too: 0x8f a filter, 0x90 a topic, 0x99 a payload that cannot
//! be read.

mod account_api;
mod adaptor;
mod authenticate;
pub mod credentials;
mod device_api;
mod gateway;
mod payload;
mod protobuf;
mod provision;
mod registry;
mod return_code;
mod service;
mod topic;

pub use adaptor::PayloadFormat;
pub use registry::Credentials;
pub use return_code::ReturnCode;
pub use service::{
    ProvisionProfile, Registers, Strategy, ThingsBoard, ThingsBoardError, ThingsBoardSettings,
};
pub use trace::thingsboard::{ClaimOutcome, CredentialsKind};

/// Reads bytes as any device may send them, for fuzzing: as every kind of payload, and as topic and
/// filter. Nothing is kept.
pub fn read_anything(bytes: &[u8]) {
    payload::read_anything(bytes);
    adaptor::read_anything(bytes);
    let text = String::from_utf8_lossy(bytes);
    topic::read(&text);
    topic::filter(&text);
    credentials::pasted(&text);
}
