//! The scenario language: a world, steps, expectations, in YAML.
//!
//! # What each step means
//! - `power: on | off | reset`, or `{ device: d, turn: on }`, or `{ cut_in_write: N }`: switches a
//!   device's power. `off` takes it away at once. `cut_in_write` arms the board: after N more bytes
//!   written to storage the power goes; the step itself ends at once.
//! - `provision`: the phone joins the device's SoftAP, reads `proto-ver`, establishes the session,
//!   sets and applies the credentials of the access point `join`, and asks for the status until it
//!   is final. `ssid`, `passphrase`, `pop`, `password` are used in place of the right ones. With
//!   `stop_after` it ends after that stage and keeps the session, with which `resume: true` goes on;
//!   without `resume` it begins anew. It fails if it does not end with `outcome` in time, or if
//!   `stop_after` is not reached. In the end the phone leaves the SoftAP, unless the session is
//!   kept. Passing over the status is how a phone goes away early: `stop_after: apply`.
//! - `read_version: { phone }`: a phone joins the SoftAP, requests `proto-ver` in a connection of
//!   its own and leaves again; an answer is required.
//! - `query: { phone }`: `device.info.get` over CoAP on the LAN of the first access point, which
//!   phones are on whenever they are not on a SoftAP. `answered` needs a reply with code 200 from
//!   that device; its JSON can be captured from. `unanswered` waits for all of `within`.
//! - `attribute: { phone, hex, outcome }`: a phone sends a PDU of the Attribute Protocol as it is, on the link of
//!   the session that it has open, or on a new one, which stays. `answered` needs the response of that
//!   request, `refused` an error that names it; `unanswered` waits for all of `within`; after `closed`, and after
//!   any link that has ended, the phone has no session any more. Hosts have no way to do this.
//! - `bind: { phone, token, outcome }`: the phone's owner binds the device with that token, over the
//!   phone's own mobile network.
//! - `claim: { phone, secret_key, outcome }` and `unclaim: { phone }`: the phone's owner claims the
//!   device at ThingsBoard as a customer, or gives it back, over the phone's own mobile network.
//! - `call: { method, params, outcome }`: ThingsBoard calls a method of the device. `answered` waits for an
//!   answer, which the event `rpc_answered` has; `unanswered` waits for all of `within`; `not-listening`
//!   is for a device that is not there, or has not subscribed to calls.
//! - `browse: { phone, path }`: a phone on the LAN asks the device's web server. It opens a connection of
//!   its own, which it closes again unless `keep` is set; `kept` goes on with one that was kept. With
//!   `kept` and an outcome other than `answered` nothing is sent: the step waits for what becomes of
//!   the connection. `stop_after` leaves the connection as it is then.
//! - `websocket: { phone, open | send | receive | ping | close | misbehave | ends }`: one thing over the
//!   phone's WebSocket. Frames that came since the last such step are looked at in turn; those that
//!   are not waited for are passed over. PINGs are answered all the time, unless `answers_pings` is
//!   `false`.
//! - `expect`: see [`Clause`], and `expect::Expectations` for how it is met; `expect: { transcript }`
//!   compares the device's log with a snapshot.
//! - `fault: { on | off: … }`: breaks something, or mends it; see [`Fault`]. A fault before the first
//!   `power: on` is there from the beginning.
//! - `wait: 90s`: lets device time pass.
//! - `erase_storage`: erases the storage of a device that is off.
//! - `damage_storage`: damages it.
//!
//! Every step may carry `catches`, if it can fail by the device's fault: with one of those bugs in
//! the device, the attempt must fail at exactly this step. Entries of `never` likewise.

mod access_point;
mod advice;
mod board_filter;
mod captures;
mod certificate;
mod check;
mod clause;
mod decode;
mod differences;
mod discover;
pub mod duration;
mod esp8266;
mod events;
mod fault;
mod filter;
mod known;
mod label;
mod lasts;
mod linkkit;
mod logic;
mod matrix;
mod mistake;
mod needs;
mod old_tls;
mod pattern;
mod power;
mod raw;
mod read;
mod roles;
mod scenario;
mod schema;
mod span;
mod step;
mod thingsboard;
mod tree;
mod turns;
mod unset;
mod web;
mod world;

pub use access_point::Auth;
pub use board_filter::{BoardFacts, BoardFilter};
pub use captures::{CaptureList, Captures, NotCaptured, NothingThere, plain};
pub use certificate::Certificate;
pub use check::Known;
pub use clause::{Clause, Count, Expect, Never, Since, Transcript, Wanted, Window};
pub use differences::{Difference, Differences, Otherwise};
pub use discover::{Discover, DiscoverOutcome, DiscoverWay};
pub use esp8266::{CaImage, ClientImage, Esp8266Nonos, FlashedLast};
pub use fault::{
    Answer, BadPacket, DhcpAnswer, DhcpAnswerKind, EndedBy, Fault, FaultStep, Frames, MatchReply,
    NameAnswer, NameAnswerKind, NamedHost, PromptAnswer, Pulse, Sessions, Signal, StationsLost,
    TimeAnswer,
};
pub use filter::Filter;
pub use known::{bugs, known};
pub use linkkit::{Linkkit, Profile};
pub use logic::FilterError;
pub use mistake::{Mistakes, Report, nearest};
pub use needs::{CloudNeed, FirmwareNeed, Need};
pub use old_tls::{KeyExchange, OldTls, OldVersion, Strength};
pub use pattern::{Field, Pattern, regular_expression};
pub use power::{Power, PowerAction};
pub use raw::{Attribute, AttributeOutcome, Datagram, Hex, Request, Wire};
pub use read::{ReadError, parse, read_all, read_file};
pub use roles::Roles;
pub use scenario::{Case, Ending, Exception, Scenario, Unasked};
pub use schema::schema;
pub use span::{Placed, Span};
pub use step::{
    Bind, BindOutcome, Command, Console, Control, Custom, Damage, DamageStorage, EraseStorage,
    Leave, Outcome, Provision, Query, QueryBy, QueryOutcome, ReadVersion, Reconnect,
    RequestOutcome, Scan, Stage, Step, Wait,
};
pub use thingsboard::{
    Call, CallOutcome, Claim, ClaimOutcome, DeviceCalls, DeviceClaim, DeviceProvision,
    DeviceThingsBoard, PayloadFormat, ProvisionStrategy, ProvisionedBy, Registered, ThingsBoard,
    Unclaim,
};
pub use web::{
    AskedOfClients, Browse, BrowseOutcome, BrowseStage, ClientTls, Misbehaviour, ServerCertificate,
    WebApplication, WebServer, WebSocketOutcome, WebSocketStep,
};
pub use world::{
    AccessPoint, AppInfo, BluetoothStack, Broker, ClientCertificate, Cloud, Device, DeviceCloud,
    Handshake, IdfVersion, MemoryRelease, Over, PhoneToken, Provisioning, Security, Telemetry,
    TlsVersion, Trusts, WorldSpec,
};

#[cfg(test)]
mod tests;
