//! The provisioning app's side: protocomm, CoAP and binding.
//!
//! A phone reaches a network through a [`Dial`]: the host's own sockets ([`HostDial`]) or a seat on
//! the lab's air. What it exchanges is written to the trace.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use phone::{Credentials, HostDial, ProvisioningClient, Settings};
//!
//! let clock = clock::Clock::start(1.0);
//! let trace = trace::Trace::in_memory(clock.clone());
//! let dial = Arc::new(HostDial::any(clock));
//! let settings = Settings {
//!     pop: Some("abcd1234".into()),
//!     ..Settings::of("alice")
//! };
//! let device = "192.168.4.1:80".parse()?;
//! let mut client = ProvisioningClient::new(dial, device, settings, trace);
//! let outcome = client.provision(&Credentials::new("home", "correct horse")).await?;
//! println!("{outcome}");
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "in tests a panic is the message")
)]

mod bind;
mod claim;
mod coap;
mod dial;
#[cfg(any(feature = "ble", feature = "wifi"))]
mod hold;
mod host_dial;
mod http;
mod interface;
#[cfg(any(feature = "ble", feature = "wifi"))]
mod look;
pub mod mdns;
mod provisioning;
mod qr;
pub mod security;
mod token;
mod transport;
pub mod web;
#[cfg(feature = "wifi")]
mod wifi;

pub use bind::{BindError, bind, check};
pub use claim::{ClaimReply, claim, unclaim};
pub use coap::{
    Answer, CoapGarbage, CoapSeen, CoapSent, Listener, ListenerSettings, Query, QueryError,
    QueryTarget,
};
pub use dial::{Datagrams, Dial, Stream};
pub use host_dial::HostDial;
pub use http::HttpError;
#[cfg(feature = "ble")]
pub use look::{AdapterLook, look_at_adapter};
#[cfg(any(feature = "ble", feature = "wifi"))]
pub use look::{Blocked, NoAnswer, interface_addresses, radio_is_held, radio_switch};
#[cfg(feature = "wifi")]
pub use look::{Consent, WIFI_ACTIONS, WifiLook, WifiUse, look_at_wifi};
pub use provisioning::{
    Blame, Connected, Credentials, Exchange, Info, Knowledge, Outcome, OutcomeReached,
    ProvisioningClient, ProvisioningError, ScanSettings, Scanned, Settings, StationStatus,
    Tolerance, auth_mode_name,
};
pub use qr::{QrError, QrPayload};
pub use security::{gen_sec2, gen_sec2_of};
pub use token::{BindingToken, wait_for_report};
#[cfg(feature = "ble")]
pub use transport::{AttributeBearer, Ble, BleError, BleSettings, Bluetooth, Found, Wanted};
pub use transport::{
    AttributeEnd, Cause, Console, ConsoleError, ConsoleSettings, SoftAp, Transport, TransportError,
    TransportKind, UrlError, WireEnd,
};
#[cfg(feature = "wifi")]
pub use wifi::{HostSeat, JoinedWifi, WifiError, WifiSettings};
