//! A stand-in for Alibaba's Linkkit cloud: token match and bind.
//!
//! It sits behind the [`Broker`](crate::Broker) as a [`Hook`](crate::Hook): it checks the signature
//! in CONNECT, keeps devices to their own topics, takes their token reports, properties and events and
//! answers them, also without a subscription if `_ss=1` in the client id asks for that. Phones
//! bind over a small HTTP API on loopback, or in process by [`Linkkit::bind`].
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /awss/token/user/bind` | `{"account", "productKey", "deviceName", "token"}` | `{"code", "message", "data": {"iotId", "categoryKey"}}` |
//! | `POST /awss/token/check` | the same, `account` unused | `{"code", "message", "data": {"reported": true}}` |
//!
//! As in the real API, the HTTP status is 200 whatever `code` says; other statuses mean that the
//! request was no call at all. The account stands in for the signed identity of the real caller.
//! The numbers are in [`codes`].
//!
//! CONNECT is held to what the real cloud documents (help.aliyun.com, "Establish MQTT connections"):
//! a keep-alive of 30 to 1200 s, an id of at most 64 characters in front of the parameters, and the
//! sign methods hmacmd5, which is the default, hmacsha1 and hmacsha256.

mod account_api;
pub mod codes;
mod hook;
mod padding;
mod registry;
mod service;
mod sign;
mod topic;

pub use registry::Rules;
pub use service::{BindReply, Linkkit, LinkkitDevice, LinkkitError, LinkkitSettings, MatchReply};
pub use trace::linkkit::{
    BindOutcome, BindRefused, Bound, LinkkitConnectAccepted, LinkkitConnectRefused, MatchReplied,
    ReportMalformed, ResetReplied, ResetReported, TokenChecked, TokenReported,
};
