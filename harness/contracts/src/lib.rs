//! Contracts: rules on what a device does on the wire, in the air and in its log, that are always on.
//!
//! A [`Contract`] is one rule with an id, one sentence and its source. [`ALL`] lists them.
//! [`Contracts`] reads a trace event by event, gives each event to the rules that read its kind,
//! and says which rules were broken, by which events, and how often each was exercised. A rule
//! that depends on what the device was told ([`Facts`]) is not claimed where that is unknown.
//!
//! Every rule has one of these forms: something never happens; something happens only after
//! something else; something happens within a time; two sources agree on a value; a counter obeys
//! its law. A rule that waits for something is suspended while a fault is on, and some time after.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! use contracts::{Contracts, Facts};
//! use trace::{Level, LogLine, Trace};
//!
//! let trace = Trace::in_memory(clock::Clock::start(1.0));
//! for device_ms in [2_000, 1_000] {
//!     trace.log("device", LogLine {
//!         level: Level::Info,
//!         tag: "app".into(),
//!         text: "tick".into(),
//!         device_ms: Some(device_ms),
//!         place: None,
//!     });
//! }
//! let mut contracts = Contracts::new(&Facts::default());
//! let breaches: Vec<_> = trace.since(0).iter().flat_map(|event| contracts.event(event)).collect();
//! assert_eq!(breaches[0].contract.id, "device-time-never-falls");
//! # });
//! ```

mod bluetooth;
mod board;
mod claims;
mod coap;
mod contract;
mod cost;
mod dhcp;
mod facts;
mod faults;
mod lan;
mod linkkit;
mod mqtt;
mod network;
mod pace;
mod provisioning;
mod randomness;
mod read;
mod reader;
mod resources;
mod returning;
mod service;
mod thingsboard;
mod time;
mod tls;
mod tokens;
mod web;
mod wifi;

pub use contract::{Breach, Contract, Found, Moment, Watch};
pub use cost::{Unable, Why};
pub use facts::{
    AccessPointFacts, CloudFacts, Facts, LinkkitFacts, ServiceFacts, Sight, SignInFacts, SntpFacts,
    TelemetryFacts, Will, WillFacts,
};
pub use reader::{Contracts, Standing};

/// Every contract, by the part of the world that it is about.
pub const ALL: &[&[Contract]] = &[
    board::CONTRACTS,
    bluetooth::CONTRACTS,
    wifi::CONTRACTS,
    network::CONTRACTS,
    dhcp::CONTRACTS,
    time::CONTRACTS,
    tls::CONTRACTS,
    mqtt::CONTRACTS,
    provisioning::CONTRACTS,
    service::CONTRACTS,
    coap::CONTRACTS,
    linkkit::CONTRACTS,
    lan::CONTRACTS,
    tokens::CONTRACTS,
    web::CONTRACTS,
    thingsboard::CONTRACTS,
    returning::CONTRACTS,
    claims::CONTRACTS,
    pace::CONTRACTS,
    randomness::CONTRACTS,
    resources::CONTRACTS,
];

/// The contract of this id.
pub fn find(id: &str) -> Option<&'static Contract> {
    ALL.iter()
        .copied()
        .flatten()
        .find(|contract| contract.id == id)
}
