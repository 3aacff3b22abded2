//! What the stand-in does at the broker, and what a message of a device does.

use std::sync::Arc;

use serde_json::{Map, Value};
use trace::thingsboard::{
    AttributesAnswered, AttributesReceived, ClaimReceived, FirmwareChunkSent, FirmwareRefused,
    PayloadMalformed, RpcAnswered, ServerRpcReceived, TelemetryReceived, TopicUnknown,
};

use super::adaptor::provision_fields;
use super::gateway;
use super::payload::{self, Malformed, Telemetry};
use super::registry::{self, CLAIM_DURATION};
use super::return_code::{PAYLOAD_FORMAT_INVALID, TOPIC_FILTER_INVALID, TOPIC_NAME_INVALID};
use super::service::Shared;
use super::topic::{self, Form, Package, Said, Wanted};
use crate::packet::{Connect, Level, Publish, QoS};
use crate::{Client, Decision, Hook, Reception};

/// Largest chunk of a package, in bytes; the broker's packets end at 256 KiB.
const LARGEST_CHUNK: usize = 128 << 10;

impl Hook for Arc<Shared> {
    fn secured(&self, connection: u64, chain: &[Vec<u8>]) {
        self.look_at_chain(connection, chain);
    }

    fn authenticate(&self, connect: &Connect, client: &Client) -> Decision {
        self.judge(connect, client)
    }

    fn session_present(&self, connect: &Connect) -> Option<bool> {
        // In every case, even in a refusal.
        Some(!connect.clean_session)
    }

    fn spot_secrets(&self, topic: &str, payload: &[u8]) {
        self.spot_secrets_in(topic, payload);
    }

    fn may_subscribe(&self, client: &Client, filter: &str) -> bool {
        let wanted = topic::filter(filter);
        match self.state().sessions.get(&client.connection) {
            Some(session) if session.device.is_none() => wanted == Some(Wanted::ProvisionAnswer),
            _ => wanted.is_some(),
        }
    }

    fn denial(&self) -> u8 {
        TOPIC_FILTER_INVALID
    }

    fn grants(&self, client: &Client, filter: &str, wanted: QoS) -> QoS {
        if let Some(filter) = topic::filter(filter)
            && let Some(session) = self.state().sessions.get_mut(&client.connection)
        {
            session.wanted.insert(filter);
        }
        wanted.min(QoS::AtLeastOnce)
    }

    /// Answers come to a device whether or not it has subscribed to them.
    fn subscribes(&self, _: &Client) -> Vec<String> {
        topic::ANSWERS.map(str::to_owned).into()
    }

    fn receive(&self, client: &Client, publish: &Publish) -> Reception {
        let said = topic::read(&publish.topic);
        let (connection, topic) = (client.connection, publish.topic.clone());
        let device = self
            .state()
            .sessions
            .get(&connection)
            .and_then(|session| session.device.clone());
        let taken = match (device.as_deref(), said) {
            (None, Some(Said::Provision)) => self.provision(client, &publish.payload),
            (None, _) => {
                let closes = true;
                let event = TopicUnknown {
                    connection,
                    topic,
                    closes,
                };
                self.emit(None, &event);
                let reason = "the session is for provisioning only".to_owned();
                let code = TOPIC_NAME_INVALID;
                return Reception::Close { code, reason };
            }
            (Some(device), Some(Said::Gateway(_)))
                if self.settings.payload.has_schemas() || !self.is_gateway(device) =>
            {
                return self.ignore(connection, Some(device), topic);
            }
            (Some(_), None | Some(Said::Provision)) => {
                return self.ignore(connection, device.as_deref(), topic);
            }
            (Some(device), Some(said)) => self.take(device, client, said, publish),
        };
        let Err(reason) = taken else {
            return Reception::Keep;
        };
        // Without an acknowledgement there is nothing to say it by.
        let says = self.settings.acknowledges_malformed || client.level == Level::V5;
        let closes = !says || publish.qos == QoS::AtMostOnce;
        let event = PayloadMalformed {
            connection,
            topic,
            reason: reason.to_owned(),
            closes,
        };
        self.emit(device.as_deref(), &event);
        let code = PAYLOAD_FORMAT_INVALID;
        match closes {
            true => Reception::Close {
                code,
                reason: format!("an invalid message: {reason}"),
            },
            false => Reception::Refuse { code },
        }
    }

    fn disconnected(&self, client: &Client) {
        self.state().sessions.remove(&client.connection);
    }
}

impl Shared {
    fn is_gateway(&self, device: &str) -> bool {
        let state = self.state();
        let device = state.registry.device(device);
        device.is_some_and(|device| device.gateway)
    }

    /// Passes over a message to a topic that is none for this device.
    fn ignore(&self, connection: u64, device: Option<&str>, topic: String) -> Reception {
        let closes = false;
        let event = TopicUnknown {
            connection,
            topic,
            closes,
        };
        self.emit(device, &event);
        let code = TOPIC_NAME_INVALID;
        Reception::Refuse { code }
    }

    fn take(
        &self,
        device: &str,
        client: &Client,
        said: Said,
        publish: &Publish,
    ) -> Result<(), Malformed> {
        let (payload, format) = (&publish.payload, self.settings.payload);
        match said {
            Said::Telemetry(form) => {
                self.keep_telemetry(device, &publish.topic, format.telemetry(form, payload)?);
            }
            Said::Attributes(form) => {
                self.keep_attributes(device, &publish.topic, format.attributes(form, payload)?);
            }
            Said::AttributesRequest(form, request) => {
                self.answer_attributes(device, client, (form, request), payload)?;
            }
            Said::RpcAnswer(form, request) => {
                self.keep_answer(device, request, format.answer(form, payload)?);
            }
            Said::RpcCall(form, request) => {
                self.answer_call(device, client, (form, request), payload)?;
            }
            Said::Claim => self.keep_claim(device, format.claim(payload)?),
            Said::Gateway(said) => self.take_from_gateway(device, client, said, publish)?,
            Said::Chunk {
                package,
                request,
                chunk,
            } => self.send_chunk(device, client, package, (request, chunk), payload)?,
            // Dealt with before.
            Said::Provision => {}
        }
        Ok(())
    }

    /// Keeps telemetry of a device that came by `topic`.
    pub(super) fn keep_telemetry(&self, device: &str, topic: &str, read: Telemetry) {
        let event = {
            let mut state = self.state();
            let Some(known) = state.registry.device_mut(device) else {
                return;
            };
            registry::keep(&mut known.latest, &read.values);
            known.telemetry_count += 1;
            TelemetryReceived {
                device_name: device.to_owned(),
                topic: topic.to_owned(),
                count: known.telemetry_count,
                values: read.values.into(),
                latest: known.latest.clone().into(),
                ts: read.ts,
            }
        };
        self.emit(Some(device), &event);
    }

    /// Keeps client attributes of a device that came by `topic`.
    pub(super) fn keep_attributes(&self, device: &str, topic: &str, values: Map<String, Value>) {
        let event = {
            let mut state = self.state();
            let Some(known) = state.registry.device_mut(device) else {
                return;
            };
            registry::keep(&mut known.client, &values);
            AttributesReceived {
                device_name: device.to_owned(),
                topic: topic.to_owned(),
                values: values.into(),
                client: known.client.clone().into(),
            }
        };
        self.emit(Some(device), &event);
    }

    fn answer_attributes(
        &self,
        device: &str,
        client: &Client,
        (form, request): (Form, i64),
        payload: &[u8],
    ) -> Result<(), Malformed> {
        let format = self.settings.payload;
        let keys = format.keys(form, payload)?;
        let answer = {
            let state = self.state();
            let Some(known) = state.registry.device(device) else {
                return Ok(());
            };
            let all = keys.client.is_none() && keys.shared.is_none();
            let chosen = |kept: &Map<String, Value>, keys: Option<Vec<String>>| match keys {
                None if all => kept.clone(),
                keys => keys
                    .into_iter()
                    .flatten()
                    .filter_map(|key| Some((key.clone(), kept.get(&key)?.clone())))
                    .collect(),
            };
            let mut answer = Map::new();
            for (part, values) in [
                ("client", chosen(&known.client, keys.client)),
                ("shared", chosen(&known.shared, keys.shared)),
            ] {
                if !values.is_empty() {
                    answer.insert(part.to_owned(), values.into());
                }
            }
            Value::Object(answer)
        };
        let event = AttributesAnswered {
            device_name: device.to_owned(),
            request,
            answer: answer.clone(),
        };
        self.emit(Some(device), &event);
        self.reply(
            client,
            topic::attributes_answer(form, request),
            format.attributes_answer(form, request, &answer),
        );
        Ok(())
    }

    /// Takes a device's answer to a call.
    pub(super) fn keep_answer(&self, device: &str, request: i64, answer: Value) {
        let expected = {
            let mut state = self.state();
            let known = state.registry.device_mut(device);
            known.is_some_and(|known| known.answered(request))
        };
        let event = RpcAnswered {
            device_name: device.to_owned(),
            request,
            expected,
            answer,
        };
        self.emit(Some(device), &event);
    }

    /// Answers a call by what was set for its method. Without, the device gets no answer, as with the
    /// rule chain that ThingsBoard begins with.
    fn answer_call(
        &self,
        device: &str,
        client: &Client,
        (form, request): (Form, i64),
        payload: &[u8],
    ) -> Result<(), Malformed> {
        let format = self.settings.payload;
        let (method, params) = format.call(form, payload)?;
        let answer = self.state().answers.get(&method).cloned();
        let event = ServerRpcReceived {
            device_name: device.to_owned(),
            request,
            method,
            params,
            answer: answer.clone().unwrap_or_default(),
        };
        self.emit(Some(device), &event);
        if let Some(answer) = answer {
            let late = self.settings.late_answers.then_some(request - 1);
            for request in late.into_iter().chain([request]) {
                let body = format.rpc_answer(form, request, &answer);
                self.reply(client, topic::rpc_answer(form, request), body);
            }
        }
        Ok(())
    }

    /// Takes a device's claim message.
    pub(super) fn keep_claim(&self, device: &str, claim: payload::Claim) {
        let duration = claim.duration.unwrap_or(CLAIM_DURATION);
        let until = self.trace.clock().now() + duration;
        let reason = {
            let mut state = self.state();
            let known = state.registry.device(device);
            let by_attribute = known.is_some_and(|known| known.claiming_allowed);
            if !by_attribute && !self.settings.claiming_by_default {
                Some("claiming is not allowed for this device")
            } else if state.registry.offer(device, &claim.secret_key, until) {
                None
            } else {
                Some("an earlier claim message counts")
            }
        };
        let event = ClaimReceived {
            device_name: device.to_owned(),
            secret_key: claim.secret_key,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            stored: reason.is_none(),
            reason: reason.map(str::to_owned),
        };
        self.emit(Some(device), &event);
    }

    fn send_chunk(
        &self,
        device: &str,
        client: &Client,
        package: Package,
        (request, chunk): (i64, u64),
        payload: &[u8],
    ) -> Result<(), Malformed> {
        let size = match payload {
            [] => None,
            text => {
                let text = std::str::from_utf8(text).ok();
                let size = text.and_then(|text| text.parse::<usize>().ok());
                Some(
                    size.filter(|size| *size > 0)
                        .ok_or("the chunk size is no number")?,
                )
            }
        };
        let part = {
            let mut state = self.state();
            let state = &mut *state;
            let Some(session) = state.sessions.get_mut(&client.connection) else {
                return Ok(());
            };
            if size.is_some() {
                session.chunk_size = size;
            }
            match (state.packages.get(&package), session.chunk_size) {
                (None, _) => Err("Failed to fetch the package"),
                (Some(_), Some(size)) if size > LARGEST_CHUNK => Err("The chunk is too large"),
                (Some(bytes), size) => {
                    // Without a size, the whole; what is behind the end is empty.
                    let size = size.unwrap_or(bytes.len());
                    let start = usize::try_from(chunk)
                        .ok()
                        .and_then(|n| n.checked_mul(size));
                    let start = start.map_or(bytes.len(), |start| start.min(bytes.len()));
                    let end = start.saturating_add(size).min(bytes.len());
                    Ok(bytes.slice(start..end))
                }
            }
        };
        let device_name = device.to_owned();
        match part {
            Ok(part) => {
                let event = FirmwareChunkSent {
                    device_name,
                    request,
                    chunk,
                    bytes: part.len() as u64,
                };
                self.emit(Some(device), &event);
                self.reply(client, package.chunk_topic(request, chunk), part);
            }
            Err(reason) => {
                let event = FirmwareRefused {
                    device_name,
                    reason: reason.to_owned(),
                };
                self.emit(Some(device), &event);
                self.reply(client, package.error_topic(), reason);
            }
        }
        Ok(())
    }

    /// Answers a request, unless that is broken.
    pub(super) fn reply(&self, client: &Client, topic: String, body: impl Into<bytes::Bytes>) {
        if self.state().unanswered {
            return;
        }
        let answer = Publish::new(topic, body).with_qos(QoS::AtLeastOnce);
        self.injector.publish_to(&client.id, answer);
    }

    /// Names what is secret in a message before that is stored anywhere.
    fn spot_secrets_in(&self, topic: &str, payload: &[u8]) {
        let secrets = self.trace.secrets();
        match topic::read(topic) {
            Some(Said::Claim) => {
                if let Ok(claim) = self.settings.payload.claim(payload) {
                    secrets.add_numbered("claim secret", claim.secret_key);
                }
            }
            Some(Said::Gateway(gateway::Said::Claim)) => {
                for (_, claim) in payload::claims_by_device(payload).unwrap_or_default() {
                    secrets.add_numbered("claim secret", claim.secret_key);
                }
            }
            Some(Said::Provision) => {
                let request = provision_fields(payload).map(|(fields, _)| fields);
                let request = request.unwrap_or_default();
                for (field, kind) in [
                    ("provisionDeviceSecret", "provision secret"),
                    ("token", "token"),
                    ("password", "password"),
                ] {
                    let secret = request.get(field).and_then(Value::as_str);
                    if let Some(secret) = secret.filter(|secret| secret.len() <= 255) {
                        secrets.add_numbered(kind, secret);
                    }
                }
            }
            _ => {}
        }
    }
}
