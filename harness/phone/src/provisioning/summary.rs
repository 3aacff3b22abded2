//! Messages in short, for the trace.

use std::fmt::Debug;

use super::scan::auth_mode_name;
use proto::Message;
use proto::Status;
use proto::endpoint;
use proto::session::{
    HandshakeStep, Sec0MsgType, Sec1Message, Sec2Message, SecSchemeVersion, SessionData,
    SessionProto,
};
use proto::wifi_config::{
    self, StationState, WifiAuthMode, WifiConfigPayload, WifiConnectFailedReason, WifiStationState,
};
use proto::wifi_ctrl::{WifiCtrlMsgType, WifiCtrlPayload};
use proto::wifi_scan::{self, WifiScanMsgType, WifiScanPayload};
use serde_json::{Value, json};

const MOST_RAW: usize = 1024;
/// Bytes of a key that are enough to tell it from another.
const MOST_FRESH: usize = 8;
/// Bytes of a nonce of security 2 that are random, if it counts; the others are its counter.
const SESSION_ID: usize = 8;
/// Length of such a nonce.
const COUNTING: usize = 12;

/// A message of the handshake. Proofs are left out; of what a device must make anew for each session
/// what is no secret is shown: how its public key begins, and where its key stream or its nonce starts.
pub(super) fn session(bytes: &[u8]) -> Value {
    let Ok(message) = SessionData::decode(bytes) else {
        return Value::Null;
    };
    let step = match &message.proto {
        Some(SessionProto::Sec0(payload)) => name::<Sec0MsgType>(payload.msg),
        Some(SessionProto::Sec1(payload)) => name::<HandshakeStep>(payload.msg),
        Some(SessionProto::Sec2(payload)) => name::<HandshakeStep>(payload.msg),
        None => Value::Null,
    };
    let scheme = SecSchemeVersion::try_from(message.sec_ver).map_or(message.sec_ver, |s| s as i32);
    let mut summary = json!({ "security": scheme, "step": step });
    for (key, bytes) in fresh(message.proto.as_ref()) {
        summary[key] = hex::encode(bytes).into();
    }
    summary
}

/// What a device must not say twice.
fn fresh(proto: Option<&SessionProto>) -> Vec<(&'static str, &[u8])> {
    match proto {
        Some(SessionProto::Sec1(payload)) => match &payload.payload {
            Some(Sec1Message::Response0(answer)) => vec![
                ("public_key", beginning(&answer.device_pubkey)),
                ("start", &answer.device_random),
            ],
            _ => Vec::new(),
        },
        Some(SessionProto::Sec2(payload)) => match &payload.payload {
            Some(Sec2Message::Response0(answer)) => {
                vec![("public_key", beginning(&answer.device_pubkey))]
            }
            Some(Sec2Message::Response1(answer)) => {
                let nonce = &answer.device_nonce[..];
                let random = match nonce.len() {
                    COUNTING => SESSION_ID,
                    length => length,
                };
                vec![("start", &nonce[..random])]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn beginning(key: &[u8]) -> &[u8] {
    &key[..key.len().min(MOST_FRESH)]
}

/// A message of `prov-config`.
pub(super) fn config(message: &WifiConfigPayload) -> Value {
    use wifi_config::Payload;
    let mut summary = json!({ "message": name::<wifi_config::WifiConfigMsgType>(message.msg) });
    let mut put = |key: &str, value: Value| summary[key] = value;
    match &message.payload {
        Some(Payload::CmdSetConfig(set)) => {
            put("ssid", ssid(&set.ssid));
            put("passphrase", text(&set.passphrase));
        }
        Some(Payload::RespSetConfig(answer)) => put("status", name::<Status>(answer.status)),
        Some(Payload::RespApplyConfig(answer)) => put("status", name::<Status>(answer.status)),
        Some(Payload::RespGetStatus(answer)) => {
            put("status", name::<Status>(answer.status));
            put("station", name::<WifiStationState>(answer.sta_state));
            match &answer.state {
                Some(StationState::FailReason(reason)) => {
                    put("reason", name::<WifiConnectFailedReason>(*reason));
                }
                Some(StationState::Connected(connected)) => put(
                    "connected",
                    json!({
                        "ip": connected.ip4_addr,
                        "ssid": ssid(&connected.ssid),
                        "bssid": hex::encode(&connected.bssid),
                        "channel": connected.channel,
                        "auth": name::<WifiAuthMode>(connected.auth_mode),
                    }),
                ),
                Some(StationState::AttemptFailed(failed)) => {
                    put("attempts_remaining", failed.attempts_remaining.into());
                }
                None => {}
            }
        }
        Some(Payload::CmdGetStatus(_) | Payload::CmdApplyConfig(_)) | None => {}
    }
    summary
}

/// A message of `prov-scan`.
pub(super) fn scan(message: &WifiScanPayload) -> Value {
    use wifi_scan::Payload;
    let mut summary = json!({
        "message": name::<WifiScanMsgType>(message.msg),
        "status": name::<Status>(message.status),
    });
    match &message.payload {
        Some(Payload::CmdScanStart(start)) => {
            summary["blocking"] = start.blocking.into();
            summary["passive"] = start.passive.into();
            summary["group_channels"] = start.group_channels.into();
            summary["period_ms"] = start.period_ms.into();
        }
        Some(Payload::RespScanStatus(answer)) => {
            summary["finished"] = answer.scan_finished.into();
            summary["count"] = answer.result_count.into();
        }
        Some(Payload::RespScanResult(answer)) => {
            let entry = |entry: &wifi_scan::WifiScanResult| {
                json!({
                    "ssid": ssid(&entry.ssid),
                    "bssid": hex::encode(&entry.bssid),
                    "channel": entry.channel,
                    "rssi": entry.rssi,
                    "auth": auth_mode_name(entry.auth),
                })
            };
            summary["entries"] = answer.entries.iter().map(entry).collect();
        }
        _ => {}
    }
    summary
}

/// A message of `prov-ctrl`.
pub(super) fn ctrl(message: &WifiCtrlPayload) -> Value {
    json!({
        "message": name::<WifiCtrlMsgType>(message.msg),
        "status": name::<Status>(message.status),
    })
}

/// Bytes that somebody made up: the message that they are to this endpoint, or else text.
pub(super) fn bytes(endpoint: &str, bytes: &[u8]) -> Value {
    let message = match endpoint {
        endpoint::CONFIG => WifiConfigPayload::decode(bytes).map(|message| config(&message)),
        endpoint::SCAN => WifiScanPayload::decode(bytes).map(|message| scan(&message)),
        endpoint::CTRL => WifiCtrlPayload::decode(bytes).map(|message| ctrl(&message)),
        _ => return raw(bytes),
    };
    message.unwrap_or_else(|_| raw(bytes))
}

/// Bytes that belong to no message, as text; at most so many.
pub(super) fn raw(bytes: &[u8]) -> Value {
    json!({ "raw": text(&bytes[..bytes.len().min(MOST_RAW)]) })
}

/// An answer to bytes of somebody's own: what `proto-ver` says is JSON, whatever it was asked.
pub(super) fn in_the_open(endpoint: &str, answer: &[u8]) -> Value {
    let json = match endpoint {
        endpoint::PROTO_VER => serde_json::from_slice(answer).ok(),
        _ => None,
    };
    json.unwrap_or_else(|| raw(answer))
}

/// The name of an enumeration's value in snake_case, or its number.
fn name<E: TryFrom<i32> + Debug>(value: i32) -> Value {
    let Ok(known) = E::try_from(value) else {
        return value.into();
    };
    let mut name = String::new();
    for letter in format!("{known:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name.into()
}

fn ssid(bytes: &[u8]) -> Value {
    trace::Ssid::from(bytes).to_string().into()
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_words() {
        let bytes = hex::decode("08015a0410035001").unwrap();
        let message = WifiConfigPayload::decode(&bytes[..]).unwrap();
        assert_eq!(
            config(&message),
            json!({
                "message": "resp_get_status",
                "status": "success",
                "station": "connection_failed",
                "reason": "network_not_found",
            })
        );
    }

    #[test]
    fn an_unknown_number_stays_a_number() {
        assert_eq!(name::<Status>(99), json!(99));
    }
}
