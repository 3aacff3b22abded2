//! The stand-in as others hold it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trace::Trace;

use super::registry::{Key, Registry};
use super::{BindOutcome, Rules};
use crate::account_http::AccountServer;
use crate::clouds::{CloudFault, Fake, Newcomer};
use crate::{Broker, Injector};

/// A device that the cloud knows.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkkitDevice {
    /// Its name in the scenario.
    pub device: String,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The secret that it signs with.
    pub device_secret: String,
}

/// Without the secret.
impl fmt::Debug for LinkkitDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkkitDevice")
            .field("device", &self.device)
            .field("product_key", &self.product_key)
            .field("device_name", &self.device_name)
            .finish_non_exhaustive()
    }
}

/// How the cloud answers a token report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchReply {
    /// At once, with code 200.
    #[default]
    Answer,
    /// Not at all. The token is taken.
    Never,
    /// With this code. The token is not taken, unless it is 200.
    Code(u16),
    /// With an id that the device has not used (-1), which it must ignore. The token is taken.
    WrongId,
    /// With the id of the report before, which it must ignore, too. The token is taken.
    EarlierId,
    /// With code 200 after this time in the lab.
    After(Duration),
}

/// How the stand-in is set up.
#[derive(Clone, Debug, Default)]
pub struct LinkkitSettings {
    /// The devices that it knows.
    pub devices: Vec<LinkkitDevice>,
    /// How it answers reports.
    pub match_reply: MatchReply,
    /// What the product allows.
    pub rules: Rules,
    /// The bind API answers everything by this number of [`codes`](super::codes), such as 429 or
    /// 503.
    pub refuse_binds: Option<i64>,
}

/// An answer of the bind API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BindReply {
    /// A number of [`codes`](super::codes).
    pub code: i64,
    /// The same in words.
    pub message: String,
    /// The particulars; an empty object unless the code is 200.
    pub data: Value,
}

impl BindReply {
    /// What came of it.
    pub fn outcome(&self) -> BindOutcome {
        super::codes::outcome(self.code)
    }
}

/// A running stand-in. Its bind API ends when it is dropped.
pub struct Linkkit {
    pub(super) shared: Arc<Shared>,
    server: AccountServer,
}

/// What the hook and the API share.
pub(super) struct Shared {
    pub(super) trace: Trace,
    pub(super) injector: Injector,
    devices: BTreeMap<Key, LinkkitDevice>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) match_reply: MatchReply,
    pub(super) rules: Rules,
    pub(super) refuse_binds: Option<i64>,
    /// The devices, by their connections.
    pub(super) connected: HashMap<u64, Connected>,
    pub(super) reports: BTreeMap<Key, Reports>,
}

/// A device that CONNECT has told of.
pub(super) struct Connected {
    pub(super) key: Key,
    /// It gets the cloud's answers without subscribing to them.
    pub(super) wants_answers: bool,
}

/// What a device has reported so far.
#[derive(Default)]
pub(super) struct Reports {
    pub(super) count: u64,
    pub(super) token: String,
    pub(super) repeats: u64,
    /// The last ones, as they came: no more than [`Reports::KEPT`].
    pub(super) last: VecDeque<Bytes>,
}

impl Reports {
    /// No device has more messages in flight.
    const KEPT: usize = 16;

    /// Whether `payload` is of these; it is from now on.
    pub(super) fn has_come(&mut self, payload: &Bytes) -> bool {
        if self.last.contains(payload) {
            return true;
        }
        if self.last.len() == Self::KEPT {
            self.last.pop_front();
        }
        self.last.push_back(payload.clone());
        false
    }
}

impl Linkkit {
    /// Takes its place behind `broker`, and serves the bind API on loopback. Secrets of the devices
    /// are made known to the trace.
    pub async fn start(
        settings: LinkkitSettings,
        broker: &Broker,
        trace: Trace,
    ) -> Result<Self, LinkkitError> {
        let mut devices = BTreeMap::new();
        for device in settings.devices {
            let name = format!("device secret {}", device.device);
            trace.secrets().add(&name, &device.device_secret);
            let key = Key::new(&device.product_key, &device.device_name);
            devices.insert(key, device);
        }
        let shared = Arc::new(Shared {
            injector: broker.injector(),
            state: Mutex::new(State {
                registry: Registry::new(devices.keys().cloned()),
                match_reply: settings.match_reply,
                rules: settings.rules,
                refuse_binds: settings.refuse_binds,
                connected: HashMap::new(),
                reports: BTreeMap::new(),
            }),
            devices,
            trace,
        });
        let server = AccountServer::start(shared.clone()).await;
        let server = server.map_err(|source| LinkkitError { source })?;
        broker.attach(Arc::new(shared.clone()));
        Ok(Self { shared, server })
    }

    /// Where phones reach the bind API.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Answers the reports to come in another way.
    pub fn set_match_reply(&self, reply: MatchReply) {
        self.shared.state().match_reply = reply;
    }

    /// Has other rules from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.shared.state().rules = rules;
    }

    /// Answers every call of the bind API by `code` from now on, or as it should.
    pub fn refuse_binds(&self, code: Option<i64>) {
        self.shared.state().refuse_binds = code;
    }

    /// Binds a device to an account, as the bind API does.
    pub fn bind(
        &self,
        account: &str,
        product_key: &str,
        device_name: &str,
        token: &str,
    ) -> BindReply {
        self.shared
            .bind(account, &Key::new(product_key, device_name), token)
    }

    /// The accounts that a device belongs to, sorted.
    pub fn owners(&self, product_key: &str, device_name: &str) -> Vec<String> {
        let key = Key::new(product_key, device_name);
        self.shared.state().registry.owners(&key)
    }
}

impl Fake for Linkkit {
    fn account_api(&self) -> SocketAddr {
        self.address()
    }

    /// Does nothing: the devices of a Linkkit product are there, with their secrets, from the start.
    fn register(&self, _: &Newcomer) {}

    fn set_fault(&self, fault: &CloudFault, on: bool) {
        if let CloudFault::MatchReply(reply) = fault {
            self.set_match_reply(if on { *reply } else { MatchReply::Answer });
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn secret_of(&self, key: &Key) -> Option<String> {
        Some(self.devices.get(key)?.device_secret.clone())
    }

    /// The scenario's name of a device.
    pub(super) fn device(&self, key: &Key) -> Option<String> {
        Some(self.devices.get(key)?.device.clone())
    }

    pub(super) fn emit<P: trace::Payload>(&self, key: Option<&Key>, payload: &P) {
        let device = key.and_then(|key| self.device(key));
        self.trace.emit(device.as_deref(), payload);
    }
}

/// The stand-in could not be started.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on 127.0.0.1 for binds")]
pub struct LinkkitError {
    source: io::Error,
}
