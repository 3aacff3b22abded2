//! What the stand-in does at the broker.

use std::sync::Arc;

use serde_json::{Value, json};

use super::padding::unpadded;
use super::registry::Key;
use super::service::{Connected, Shared};
use super::sign::judge;
use super::topic::{self, Said};
use super::{
    LinkkitConnectAccepted, LinkkitConnectRefused, MatchReplied, MatchReply, ReportMalformed,
    ResetReplied, ResetReported, TokenReported,
};
use crate::packet::{Connect, Publish};
use crate::{Client, Decision, Hook};

/// An id that no report has.
const UNUSED_ID: &str = "-1";

/// Longest token that is taken, in bytes; the SDK's have 32.
const LONGEST_TOKEN: usize = 128;

impl Hook for Arc<Shared> {
    fn authenticate(&self, connect: &Connect, client: &Client) -> Decision {
        match judge(connect, |key| self.secret_of(key)) {
            None => Decision::Pass,
            Some(Ok(claim)) => {
                let event = LinkkitConnectAccepted {
                    connection: client.connection,
                    product_key: claim.key.product_key.clone(),
                    device_name: claim.key.device_name.clone(),
                    sign_method: claim.sign_method,
                    secure_mode: claim.secure_mode,
                    sdk_version: claim.sdk_version,
                };
                self.emit(Some(&claim.key), &event);
                let device = self.device(&claim.key);
                let connected = Connected {
                    key: claim.key,
                    wants_answers: claim.wants_answers,
                };
                self.state().connected.insert(client.connection, connected);
                Decision::Accept { device }
            }
            Some(Err(refusal)) => {
                let key = refusal.key;
                let event = LinkkitConnectRefused {
                    connection: client.connection,
                    product_key: key.as_ref().map(|key| key.product_key.clone()),
                    device_name: key.as_ref().map(|key| key.device_name.clone()),
                    code: refusal.code,
                    reason: refusal.reason.clone(),
                };
                self.emit(key.as_ref(), &event);
                Decision::Refuse {
                    code: refusal.code,
                    reason: refusal.reason,
                }
            }
        }
    }

    fn tolerates_nul(&self) -> bool {
        true
    }

    fn spot_secrets(&self, topic: &str, payload: &[u8]) {
        if let Some((_, Said::Match)) = topic::read(topic) {
            let token = read_json(payload)
                .and_then(|report| Some(report.pointer("/params/token")?.as_str()?.to_owned()))
                .or_else(|| loose_token(payload));
            if let Some(token) = token {
                self.trace.secrets().add_numbered("token", token);
            }
        }
    }

    fn may_publish(&self, client: &Client, topic: &str) -> bool {
        // What devices say is for devices to say.
        topic::owner(topic).is_none_or(|(owner, _)| self.is(client, &owner).unwrap_or(false))
    }

    fn may_subscribe(&self, client: &Client, filter: &str) -> bool {
        // A client that is no device may watch.
        topic::owner(filter).is_none_or(|(owner, _)| self.is(client, &owner).unwrap_or(true))
    }

    fn subscribes(&self, client: &Client) -> Vec<String> {
        let state = self.state();
        let device = state.connected.get(&client.connection);
        let device = device.filter(|device| device.wants_answers);
        device.map_or_else(Vec::new, |device| topic::answers(&device.key).into())
    }

    fn published(&self, client: &Client, publish: &Publish) {
        let Some((key, said)) = topic::read(&publish.topic) else {
            return;
        };
        if self.is(client, &key) != Some(true) {
            return;
        }
        match said {
            Said::Match => self.take_report(&key, publish),
            Said::Reset => self.take_reset(&key, publish),
            Said::Event => self.take_event(publish),
        }
    }

    fn disconnected(&self, client: &Client) {
        self.state().connected.remove(&client.connection);
    }
}

impl Shared {
    /// Whether `client` is the device `key`; none if it is no device at all.
    fn is(&self, client: &Client, key: &Key) -> Option<bool> {
        let state = self.state();
        Some(state.connected.get(&client.connection)?.key == *key)
    }

    fn take_report(self: &Arc<Self>, key: &Key, publish: &Publish) {
        let (report, token) = match read_report(&publish.payload) {
            Ok(read) => read,
            Err(reason) => {
                let event = ReportMalformed {
                    product_key: key.product_key.clone(),
                    device_name: key.device_name.clone(),
                    topic: publish.topic.clone(),
                    reason: reason.to_owned(),
                };
                return self.emit(Some(key), &event);
            }
        };
        let id = report.get("id").cloned().unwrap_or_default();
        let now = self.trace.clock().now();
        let (answer, event) = {
            let mut state = self.state();
            let answer = state.match_reply;
            let taken = !matches!(answer, MatchReply::Code(code) if code != 200);
            if taken {
                state.registry.report(key, &token, now);
            }
            let reports = state.reports.entry(key.clone()).or_default();
            // The same message, whose PUBACK was lost (MQTT 3.1.1 §4.3.2): no report more, though it is
            // answered again.
            let is_again = reports.has_come(&publish.payload) && publish.duplicate;
            if !is_again {
                reports.count += 1;
            }
            let differs = difference(&reports.token, &token);
            reports.repeats = match reports.token == token {
                true if is_again => reports.repeats,
                true => reports.repeats + 1,
                false => 1,
            };
            reports.token = token.clone();
            let event = TokenReported {
                product_key: key.product_key.clone(),
                device_name: key.device_name.clone(),
                topic: publish.topic.clone(),
                ts_topic: topic::is_with_ts(&publish.topic),
                id: id.clone(),
                capital_hex: Some(is_capital_hex(&token)),
                token,
                differs,
                count: reports.count,
                repeats: reports.repeats,
                taken,
                params: report.get("params").cloned().unwrap_or_default(),
                report,
            };
            (answer, (!is_again).then_some(event))
        };
        // Named before it is stored, also where packets are not traced.
        if let Some(event) = event {
            self.trace.secrets().add_numbered("token", &event.token);
            self.emit(Some(key), &event);
        }
        match answer {
            MatchReply::Never => {}
            MatchReply::Answer => self.answer_report(key, id, 200),
            MatchReply::Code(code) => self.answer_report(key, id, code),
            MatchReply::WrongId => self.answer_report(key, UNUSED_ID.into(), 200),
            MatchReply::EarlierId => {
                let earlier = id
                    .as_str()
                    .and_then(|id| id.parse::<u64>().ok()?.checked_sub(1));
                let id = earlier.map_or_else(|| UNUSED_ID.to_owned(), |id| id.to_string());
                self.answer_report(key, id.into(), 200);
            }
            MatchReply::After(delay) => {
                let shared = self.clone();
                let key = key.clone();
                tokio::spawn(async move {
                    shared.trace.clock().sleep(delay).await;
                    shared.answer_report(&key, id, 200);
                });
            }
        }
    }

    fn answer_report(&self, key: &Key, id: Value, code: u16) {
        let topic = topic::match_reply(key);
        let event = MatchReplied {
            product_key: key.product_key.clone(),
            device_name: key.device_name.clone(),
            topic: topic.clone(),
            id: id.clone(),
            code,
        };
        self.emit(Some(key), &event);
        self.answer(topic, id, code);
    }

    fn take_reset(&self, key: &Key, publish: &Publish) {
        let report = read_json(&publish.payload).unwrap_or_default();
        let id = report.get("id").cloned().unwrap_or_default();
        let owners = {
            let mut state = self.state();
            let owners = state.registry.owners(key);
            state.registry.reset(key);
            owners
        };
        let product_key = key.product_key.clone();
        let device_name = key.device_name.clone();
        let event = ResetReported {
            product_key: product_key.clone(),
            device_name: device_name.clone(),
            id: id.clone(),
            owners,
        };
        self.emit(Some(key), &event);
        let event = ResetReplied {
            product_key,
            device_name,
            id: id.clone(),
        };
        self.emit(Some(key), &event);
        self.answer(topic::reset_reply(key), id, 200);
    }

    /// Answers a property or another event, as the cloud documents it (help.aliyun.com, "Device
    /// properties, events, and services"). What is no JSON gets no answer.
    fn take_event(&self, publish: &Publish) {
        let Some(posted) = read_json(&publish.payload) else {
            return;
        };
        let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
        let body = json!({
            "code": 200,
            "data": {},
            "id": field("id"),
            "message": "success",
            "method": field("method"),
            "version": "1.0",
        });
        let topic = format!("{}_reply", publish.topic);
        let answer = Publish::new(topic, body.to_string());
        self.injector.publish(answer);
    }

    fn answer(&self, topic: String, id: Value, code: u16) {
        let body = json!({ "id": id, "code": code, "data": {} }).to_string();
        self.injector.publish(Publish::new(topic, body));
    }
}

/// The bits in which two tokens differ, in hex; none if they are one, or no numbers of one length.
fn difference(before: &str, token: &str) -> Option<String> {
    let (before, token) = (hex::decode(before).ok()?, hex::decode(token).ok()?);
    (before != token && before.len() == token.len()).then(|| {
        let bits: Vec<u8> = before.iter().zip(&token).map(|(a, b)| a ^ b).collect();
        hex::encode(bits)
    })
}

fn is_capital_hex(token: &str) -> bool {
    token
        .bytes()
        .all(|digit| digit.is_ascii_digit() || (b'A'..=b'F').contains(&digit))
}

/// The JSON in a payload, behind which the buffer that it came from may show.
fn read_json(payload: &[u8]) -> Option<Value> {
    serde_json::from_slice(unpadded(payload)).ok()
}

/// A report and the token in it, or what is wrong with it.
fn read_report(payload: &[u8]) -> Result<(Value, String), &'static str> {
    let report = read_json(payload).ok_or("it is no JSON")?;
    let token = report
        .pointer("/params/token")
        .and_then(Value::as_str)
        .ok_or("there is no text at /params/token")?;
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err("the token is empty or too long");
    }
    let token = token.to_owned();
    Ok((report, token))
}

/// The token in what was meant to be a report.
fn loose_token(payload: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(payload);
    let (_, rest) = text.split_once("\"token\"")?;
    let token = rest.split('"').nth(1)?;
    (!token.is_empty()).then(|| token.to_owned())
}
