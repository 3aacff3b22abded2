//! What the fakes of all vendors' clouds have in common.

use std::net::SocketAddr;

use serde_json::Value;

use crate::MatchReply;

/// The fake of a vendor's cloud.
///
/// It takes part in what happens at the broker by a [`Hook`](crate::Hook), which it attaches when it is
/// started, writes what it sees into the trace as events of the source `cloud`, and serves an API for
/// the users of the devices on loopback until it is dropped. A world has at most one.
pub trait Fake: Send {
    /// Where users reach its API.
    fn account_api(&self) -> SocketAddr;

    /// A device of the world has got its factory data. Called once for each device, before it has
    /// power.
    fn register(&self, newcomer: &Newcomer);

    /// Breaks or mends something. A fault that is another cloud's is ignored; one that is on already
    /// may be set again.
    fn set_fault(&self, fault: &CloudFault, on: bool);

    /// Calls a method of the device `name` of this cloud. The number of the call; none if the device does not
    /// listen for calls, or this cloud makes none.
    fn call(&self, _name: &str, _method: &str, _params: Value) -> Option<i64> {
        None
    }
}

/// A device as it leaves the factory, as far as its cloud is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name in the scenario.
    pub device: String,
    /// Its name in the cloud.
    pub device_name: String,
    /// DER of its own certificate, if it has one.
    pub certificate: Option<Vec<u8>>,
    /// Its client id, user name and password in CONNECT; empty for none.
    pub client_id: String,
    /// See `client_id`.
    pub username: String,
    /// See `client_id`.
    pub password: String,
}

/// Something that a cloud may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudFault {
    /// Linkkit answers token reports in this way.
    MatchReply(MatchReply),
    /// ThingsBoard answers no request of a device: attributes, calls, chunks, provisioning.
    Unanswered,
}
