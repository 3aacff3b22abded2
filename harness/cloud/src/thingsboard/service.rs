//! The stand-in as others hold it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use regex::Regex;
use serde_json::{Map, Value, json};
use trace::Trace;
use trace::thingsboard::{AttributesPushed, ClaimOutcome, RpcNotSent, RpcSent};

use super::adaptor::{PayloadFormat, Update};
use super::registry::{self, Credentials, Registry};
use super::topic::{self, Package, Wanted};
use crate::account_http::AccountServer;
use crate::clouds::{CloudFault, Fake, Newcomer};
use crate::packet::{Publish, QoS};
use crate::{Broker, Injector};

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct ThingsBoardSettings {
    /// How devices that are not registered get their credentials; none do if left out.
    pub provisioning: Option<ProvisionProfile>,
    /// Whether devices may be claimed without the server attribute `claimingAllowed`
    /// (`SECURITY_CLAIM_ALLOW_CLAIMING_BY_DEFAULT`).
    pub claiming_by_default: bool,
    /// Whether the dates of a client's certificate do not count
    /// (`MQTT_SSL_SKIP_VALIDITY_CHECK_FOR_CLIENT_CERT`).
    pub skip_validity_check: bool,
    /// Whether a payload that cannot be read is acknowledged and the session goes on: the device
    /// profile's "send PUBACK on validation exception".
    pub acknowledges_malformed: bool,
    /// Whether answers to devices that ask for credentials call their status `provisionDeviceStatus`, as those of
    /// older servers do.
    pub older_answers: bool,
    /// Whether an answer to the call before comes ahead of each answer to a call.
    pub late_answers: bool,
    /// The number of the first call.
    pub first_call: i64,
    /// How a device proves who it is that [`Fake::register`] makes known.
    pub registers: Registers,
    /// The device profile's payload type.
    pub payload: PayloadFormat,
}

impl Default for ThingsBoardSettings {
    fn default() -> Self {
        Self {
            provisioning: None,
            claiming_by_default: true,
            skip_validity_check: false,
            acknowledges_malformed: false,
            older_answers: false,
            late_answers: false,
            first_call: 0,
            registers: Registers::Certificate,
            payload: PayloadFormat::Json,
        }
    }
}

/// By what a device is known that is made known before it has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// By its certificate.
    Certificate,
    /// By its user name.
    AccessToken,
    /// By client id, user name and password.
    MqttBasic,
    /// It is not known.
    Nothing,
}

/// A device profile by which devices are provisioned.
#[derive(Clone, Debug)]
pub struct ProvisionProfile {
    /// Provision device key; of a profile for certificates, the id of its authority.
    pub key: String,
    /// Provision device secret.
    pub secret: String,
    /// Which devices get credentials.
    pub strategy: Strategy,
}

/// Which devices are provisioned.
#[derive(Clone, Debug)]
pub enum Strategy {
    /// Those that the cloud does not know yet.
    AllowCreate,
    /// Those that the cloud knows, once.
    CheckPreProvisioned,
    /// Those whose chain of certificates has the profile's authority in it.
    CertificateChain {
        /// What it finds in the leaf's common name is the device's name.
        common_name: Regex,
        /// Whether a device is made that the cloud does not know; otherwise only known ones get the
        /// new certificate.
        creates: bool,
    },
}

/// A running stand-in. Its HTTP API ends when it is dropped.
pub struct ThingsBoard {
    shared: Arc<Shared>,
    server: AccountServer,
}

/// What the hook and the API share.
pub(super) struct Shared {
    pub(super) trace: Trace,
    pub(super) injector: Injector,
    pub(super) settings: ThingsBoardSettings,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) registry: Registry,
    /// By number of the connection.
    pub(super) sessions: HashMap<u64, Session>,
    /// Answers to devices' calls, by method.
    pub(super) answers: BTreeMap<String, Value>,
    pub(super) packages: BTreeMap<Package, Bytes>,
    /// Names in the scenario, by names in the cloud.
    pub(super) newcomers: BTreeMap<String, String>,
    /// Devices that were made up.
    pub(super) made: u64,
    pub(super) unanswered: bool,
    calls: i64,
}

/// A session of a device.
pub(super) struct Session {
    client: String,
    /// Device name; none if the session is for provisioning.
    pub(super) device: Option<String>,
    pub(super) wanted: BTreeSet<Wanted>,
    /// Bytes of the chunks that it has asked for last.
    pub(super) chunk_size: Option<usize>,
    /// Names of the devices behind it, if it is a gateway's.
    pub(super) behind: BTreeSet<String>,
}

impl Session {
    pub(super) fn new(client: String, device: Option<String>) -> Self {
        Self {
            client,
            device,
            wanted: BTreeSet::new(),
            chunk_size: None,
            behind: BTreeSet::new(),
        }
    }
}

impl ThingsBoard {
    /// Takes its place behind `broker`, and serves the HTTP API of customers on loopback. It must be
    /// the only cloud there: clients that it does not know are refused.
    pub async fn start(
        settings: ThingsBoardSettings,
        broker: &Broker,
        trace: Trace,
    ) -> Result<Self, ThingsBoardError> {
        if let Some(profile) = &settings.provisioning {
            trace.secrets().add("provision secret", &profile.secret);
        }
        let state = State {
            calls: settings.first_call,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            injector: broker.injector(),
            settings,
            state: Mutex::new(state),
            trace,
        });
        let server = AccountServer::start(shared.clone()).await;
        let server = server.map_err(|source| ThingsBoardError { source })?;
        broker.attach(Arc::new(shared.clone()));
        Ok(Self { shared, server })
    }

    /// Adds a device, as an administrator does. False if there is one of this name or with these
    /// credentials.
    pub fn add_device(&self, name: &str, credentials: Option<Credentials>) -> bool {
        let mut state = self.shared.state();
        let scenario = state.newcomers.get(name).cloned();
        let added = state.registry.add(name, scenario.as_deref(), credentials);
        added.is_ok()
    }

    /// Makes a device that there is a gateway, or takes that from it again. False if there is no such
    /// device.
    pub fn set_gateway(&self, name: &str, gateway: bool) -> bool {
        let mut state = self.shared.state();
        let device = state.registry.device_mut(name);
        device.map(|device| device.gateway = gateway).is_some()
    }

    /// The latest value of every key of telemetry of a device; nothing of one that is not known.
    pub fn latest(&self, name: &str) -> Map<String, Value> {
        let state = self.shared.state();
        let device = state.registry.device(name);
        device.map_or_else(Map::new, |device| device.latest.clone())
    }

    /// The attributes that a device has sent of itself.
    pub fn client_attributes(&self, name: &str) -> Map<String, Value> {
        let state = self.shared.state();
        let device = state.registry.device(name);
        device.map_or_else(Map::new, |device| device.client.clone())
    }

    /// Sets shared attributes of a device and tells it, if it has subscribed. One that is `null` is
    /// deleted. False if there is no such device.
    pub fn set_shared(&self, name: &str, values: Map<String, Value>) -> bool {
        let (kept, deleted): (Map<_, _>, Map<_, _>) =
            values.into_iter().partition(|(_, value)| !value.is_null());
        {
            let mut state = self.shared.state();
            let Some(device) = state.registry.device_mut(name) else {
                return false;
            };
            registry::keep(&mut device.shared, &kept);
            device.shared.retain(|key, _| !deleted.contains_key(key));
        }
        if !kept.is_empty() {
            self.shared.push(name, &Update::Set(kept));
        }
        if !deleted.is_empty() {
            let keys = deleted.into_iter().map(|(key, _)| key).collect();
            self.shared.push(name, &Update::Deleted(keys));
        }
        true
    }

    /// Sets the server attribute `claimingAllowed` of a device.
    pub fn allow_claiming(&self, name: &str, allowed: bool) {
        if let Some(device) = self.shared.state().registry.device_mut(name) {
            device.claiming_allowed = allowed;
        }
    }

    /// Calls a method of a device, by its gateway if it is behind one. The number of the call, under which
    /// the answer comes; none if the device is not there, does not listen for calls, or cannot be told these
    /// parameters in its payload format.
    pub fn call(&self, name: &str, method: &str, params: Value) -> Option<i64> {
        let shared = &self.shared;
        let (request, messages, gateways, unsaid) = {
            let mut state = shared.state();
            let to = state.listeners(name, |wanted| match wanted {
                Wanted::RpcCalls(form) => Some(form),
                _ => None,
            });
            let gateways = state.gateways_of(name, Wanted::GatewayCalls);
            let request = state.calls;
            let mut messages = Vec::new();
            let mut unsaid = None;
            for (client, form) in to {
                let said = (request, method);
                match shared.settings.payload.rpc_call(form, said, &params) {
                    Ok(body) => messages.push((client, topic::rpc_call(form, request), body)),
                    Err(reason) => unsaid = Some(reason),
                }
            }
            if !messages.is_empty() || !gateways.is_empty() {
                state.calls += 1;
                state.registry.device_mut(name)?.called(request);
            }
            (request, messages, gateways, unsaid)
        };
        if let Some(reason) = unsaid {
            let event = RpcNotSent {
                device_name: name.to_owned(),
                method: method.to_owned(),
                reason: reason.to_owned(),
            };
            shared.emit(Some(name), &event);
        }
        if messages.is_empty() && gateways.is_empty() {
            return None;
        }
        let data = json!({ "id": request, "method": method, "params": params });
        let by_gateway = json!({ "device": name, "data": data }).to_string();
        let event = RpcSent {
            device_name: name.to_owned(),
            request,
            method: method.to_owned(),
            params,
        };
        shared.emit(Some(name), &event);
        for (client, topic, body) in messages {
            shared.send(&client, topic, body);
        }
        for client in gateways {
            shared.send(&client, topic::GATEWAY_RPC.to_owned(), by_gateway.clone());
        }
        Some(request)
    }

    /// Answers devices' calls of `method` by `answer` from now on.
    pub fn answer_calls(&self, method: &str, answer: Value) {
        let method = method.to_owned();
        self.shared.state().answers.insert(method, answer);
    }

    /// Hands out `bytes` as the firmware of every device.
    pub fn set_firmware(&self, bytes: impl Into<Bytes>) {
        let mut state = self.shared.state();
        state.packages.insert(Package::Firmware, bytes.into());
    }

    /// Hands out `bytes` as the software of every device.
    pub fn set_software(&self, bytes: impl Into<Bytes>) {
        let mut state = self.shared.state();
        state.packages.insert(Package::Software, bytes.into());
    }

    /// Claims a device for a customer, as the HTTP API does. None if there is no such device.
    pub fn claim(&self, customer: &str, name: &str, secret_key: &str) -> Option<ClaimOutcome> {
        self.shared.claim(customer, name, secret_key)
    }

    /// Takes a device from its customer. False if there is no such device.
    pub fn unclaim(&self, name: &str) -> bool {
        self.shared.unclaim(name).is_some()
    }

    /// The customer whose the device is.
    pub fn customer(&self, name: &str) -> Option<String> {
        self.shared.state().registry.device(name)?.customer.clone()
    }
}

impl Fake for ThingsBoard {
    fn account_api(&self) -> SocketAddr {
        self.server.address()
    }

    fn register(&self, newcomer: &Newcomer) {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let credentials = match self.shared.settings.registers {
            Registers::Nothing => None,
            Registers::Certificate => newcomer
                .certificate
                .as_deref()
                .map(Credentials::certificate),
            Registers::AccessToken => given(&newcomer.username).map(Credentials::AccessToken),
            Registers::MqttBasic => Some(Credentials::MqttBasic {
                client_id: given(&newcomer.client_id),
                username: given(&newcomer.username),
                password: given(&newcomer.password),
            }),
        };
        let mut state = self.shared.state();
        let (name, device) = (&newcomer.device_name, &newcomer.device);
        state.newcomers.insert(name.clone(), device.clone());
        if let Some(credentials) = credentials {
            // Names and credentials of a world's devices differ.
            let _ = state.registry.add(name, Some(device), Some(credentials));
        }
    }

    fn call(&self, name: &str, method: &str, params: Value) -> Option<i64> {
        Self::call(self, name, method, params)
    }

    fn set_fault(&self, fault: &CloudFault, on: bool) {
        if let CloudFault::Unanswered = fault {
            self.shared.state().unanswered = on;
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scenario's name of a device.
    pub(super) fn scenario_name(&self, device: &str) -> Option<String> {
        let state = self.state();
        let known = state.registry.device(device);
        let known = known.and_then(|known| known.scenario.clone());
        known.or_else(|| state.newcomers.get(device).cloned())
    }

    /// `device` is its name in the cloud.
    pub(super) fn emit<P: trace::Payload>(&self, device: Option<&str>, payload: &P) {
        let device = device.and_then(|device| self.scenario_name(device));
        self.trace.emit(device.as_deref(), payload);
    }

    fn push(&self, name: &str, update: &Update) {
        let (to, gateways) = {
            let state = self.state();
            let to = state.listeners(name, |wanted| match wanted {
                Wanted::SharedAttributes(form) => Some(form),
                _ => None,
            });
            (to, state.gateways_of(name, Wanted::GatewayAttributes))
        };
        let event = AttributesPushed {
            device_name: name.to_owned(),
            update: update.json(),
        };
        self.emit(Some(name), &event);
        for (client, form) in to {
            let body = self.settings.payload.attributes_update(form, update);
            self.send(&client, topic::attributes(form).to_owned(), body);
        }
        for client in gateways {
            let told = json!({ "device": name, "data": update.json() }).to_string();
            self.send(&client, topic::GATEWAY_ATTRIBUTES.to_owned(), told);
        }
    }

    fn send(&self, client: &str, topic: String, body: impl Into<Bytes>) {
        let publish = Publish::new(topic, body).with_qos(QoS::AtLeastOnce);
        self.injector.publish_to(client, publish);
    }
}

impl State {
    /// Client ids of the gateways that a device is behind and that have subscribed to `wanted`; in the order
    /// of their connections.
    fn gateways_of(&self, name: &str, wanted: Wanted) -> Vec<String> {
        let mut sessions: Vec<_> = self.sessions.iter().collect();
        sessions.sort_by_key(|(connection, _)| **connection);
        let sessions = sessions.into_iter().map(|(_, session)| session);
        let listens =
            |session: &&Session| session.behind.contains(name) && session.wanted.contains(&wanted);
        sessions
            .filter(listens)
            .map(|session| session.client.clone())
            .collect()
    }

    /// Client ids of a device's sessions that have subscribed to something, and in which form; in the
    /// order of their connections.
    fn listeners(
        &self,
        name: &str,
        form: impl Fn(Wanted) -> Option<topic::Form>,
    ) -> Vec<(String, topic::Form)> {
        let mut sessions: Vec<_> = self.sessions.iter().collect();
        sessions.sort_by_key(|(connection, _)| **connection);
        let of_device = |session: &&Session| session.device.as_deref() == Some(name);
        let sessions = sessions.into_iter().map(|(_, session)| session);
        let told = |session: &Session| {
            // The first form that it has subscribed to: one call is one message.
            let form = session.wanted.iter().find_map(|wanted| form(*wanted))?;
            Some((session.client.clone(), form))
        };
        sessions.filter(of_device).filter_map(told).collect()
    }
}

/// The stand-in could not be started.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on 127.0.0.1 for customers")]
pub struct ThingsBoardError {
    source: io::Error,
}
