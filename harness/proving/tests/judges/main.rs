//! Other people's clients judge what `proving up` and `proving certs` offer: theirs have never seen
//! our code, and ours might be wrong on both sides alike.
//!
//! Each test brings up a world of `fixtures/judges`, lets a client loose on it, and compares what the
//! client says with what the trace says. A judge that is not installed is skipped, unless
//! `PROVING_JUDGES_REQUIRED` is set, as it is by `cargo xtask test`.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod between;
mod captures;
mod certificates;
mod chromium;
mod coap;
mod espressif;
mod http;
mod memory;
mod mqtt;
#[cfg(feature = "legacy")]
mod old_tls;
mod peer;
mod protocomm;
mod prov;
mod requests;
mod tls;
mod up;
mod view;
mod web;
