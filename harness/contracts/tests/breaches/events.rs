//! A device of which everything is known, and its events in a few words.

use std::collections::BTreeSet;
use std::time::Duration;

use contracts::{
    AccessPointFacts, CloudFacts, Contracts, Facts, LinkkitFacts, ServiceFacts, Sight, SntpFacts,
    TelemetryFacts,
};
use serde_json::{Value, json};
use trace::{Event, Source};

fn facts() -> Facts {
    Facts {
        sees: BTreeSet::from([Sight::Air, Sight::Broker, Sight::Phones, Sight::Clock]),
        provisioned: false,
        sntp: Some(SntpFacts {
            retry: Duration::from_secs(5),
        }),
        cloud: Some(CloudFacts {
            server_name: Some("broker.example".into()),
            tls: true,
            shows_certificate: true,
            trusts_broker_itself: false,
            checks_dates: true,
            checks_name: true,
            keep_alive: Duration::from_secs(60),
            clean_session: true,
            reconnect: Duration::from_secs(10),
            reconnect_max: Duration::from_secs(60),
            backs_off: true,
            patience: Some(Duration::from_secs(10)),
            client_id: None,
            signs_in: None,
            will: None,
        }),
        linkkit: Some(LinkkitFacts {
            token_life: Duration::from_secs(45),
            reports: 3,
            report_interval: Duration::from_secs(30),
            notifications: 30,
            notify_step: Duration::from_millis(100),
            cipher: 3,
        }),
        service: Some(ServiceFacts {
            stops_by_itself: true,
            told: Duration::from_secs(1),
            untold: Duration::from_secs(31),
        }),
        ending: Some(ServiceFacts {
            stops_by_itself: true,
            told: Duration::from_secs(1),
            untold: Duration::from_secs(31),
        }),
        attempts: Some(3),
        telemetry: Some(TelemetryFacts {
            topic: "t".into(),
            payload: "%n".into(),
            every: Duration::ZERO,
            qos: 1,
        }),
        mac: Some("02:00:00:00:00:01".into()),
        access_points: Some(vec![
            access_point("home", 1, -70),
            access_point("near", 6, -50),
        ]),
    }
}

fn access_point(ssid: &str, channel: u8, rssi: i8) -> AccessPointFacts {
    AccessPointFacts {
        role: ssid.into(),
        ssid: ssid.into(),
        channel,
        rssi,
        auth: "WPA2_PSK".into(),
    }
}

/// `[ms, source/kind, data]`, all of the device `dut` unless the data says `"device": null`.
pub fn event(seq: u64, row: &Value) -> Event {
    let (source, kind) = row[1]
        .as_str()
        .expect("text")
        .split_once('/')
        .expect("a kind");
    let source: Source = serde_json::from_value(json!(source)).expect("a source");
    let mut data = row[2].clone();
    let nameless = data.get("device") == Some(&Value::Null);
    if let Value::Object(map) = &mut data {
        map.remove("device");
    }
    Event {
        seq,
        lab_us: row[0].as_u64().expect("ms") * 1000,
        wall_us: 0,
        source,
        device: (!nameless).then(|| "dut".to_owned()),
        kind: kind.to_owned().into(),
        data: data.into(),
    }
}

/// Ids of the contracts that `rows` break, with the last judgement at `until` ms.
pub fn broken(rows: &[Value], until: u64) -> BTreeSet<&'static str> {
    broken_with(rows, until, |_| {})
}

/// The same of a device of which something else is known.
pub fn broken_with(
    rows: &[Value],
    until: u64,
    change: impl FnOnce(&mut Facts),
) -> BTreeSet<&'static str> {
    let mut facts = facts();
    change(&mut facts);
    let mut contracts = Contracts::new(&facts);
    let mut broken = BTreeSet::new();
    let rows: Vec<Value> = rows.iter().flat_map(with_probe).collect();
    for (seq, row) in rows.iter().enumerate() {
        let breaches = contracts.event(&event(seq as u64, row));
        broken.extend(breaches.iter().map(|breach| breach.contract.id));
    }
    let end = event(rows.len() as u64, &json!([until, "engine/finished", {}]));
    broken.extend(
        contracts
            .event(&end)
            .iter()
            .map(|breach| breach.contract.id),
    );
    broken
}

/// The event, and the question whether another host has an address behind the lease of it.
fn with_probe(row: &Value) -> Vec<Value> {
    let is_lease = row[1] == "air/leased" && row[2]["unprobed"].is_null();
    let address = row[2]["address"].as_str().filter(|_| is_lease);
    let probe = address.map(|address| {
        let mut probe = probed(row[0].as_u64().expect("ms"), address);
        probe[2]["device"] = row[2].get("device").cloned().unwrap_or("dut".into());
        probe
    });
    [row.clone()].into_iter().chain(probe).collect()
}

/// A device asks whether another host has this address.
pub fn probed(ms: u64, address: &str) -> Value {
    json!([ms, "air/address_probed", { "address": address }])
}

fn packet(ms: u64, kind: &str, mut data: Value) -> Value {
    data["connection"] = 1.into();
    data["client"] = "c".into();
    json!([ms, format!("mqtt/{kind}"), data])
}

pub fn from_client(ms: u64, kind: &str, mut data: Value) -> Value {
    data["direction"] = "in".into();
    packet(ms, kind, data)
}

pub fn to_client(ms: u64, kind: &str, mut data: Value) -> Value {
    data["direction"] = "out".into();
    packet(ms, kind, data)
}

pub fn connect(ms: u64) -> Value {
    from_client(
        ms,
        "connect",
        json!({ "keep_alive_s": 60, "clean_session": true }),
    )
}

/// CONNECT of a client that wants its session kept.
pub fn connect_kept(ms: u64) -> Value {
    from_client(
        ms,
        "connect",
        json!({ "keep_alive_s": 60, "clean_session": false }),
    )
}

pub fn connack(ms: u64) -> Value {
    to_client(ms, "connack", json!({ "code": 0 }))
}

pub fn publish(ms: u64, id: u64, again: bool) -> Value {
    let mut data = json!({ "topic": "t", "qos": 1, "id": id });
    if again {
        data["duplicate"] = true.into();
    }
    from_client(ms, "publish", data)
}

/// A message of telemetry with this payload.
pub fn numbered(ms: u64, id: u64, payload: &str) -> Value {
    let data = json!({
        "topic": "t", "qos": 1, "id": id, "payload": payload, "form": "text", "length": payload.len(),
    });
    from_client(ms, "publish", data)
}

pub fn puback(ms: u64, id: u64) -> Value {
    to_client(ms, "puback", json!({ "id": id }))
}

pub fn line(ms: u64, tag: &str, text: &str) -> Value {
    json!([ms, "log/line", { "level": "info", "tag": tag, "text": text }])
}

pub fn exchange(ms: u64, endpoint: &str, request: Value, answer: Value) -> Value {
    json!([ms, "provisioning/exchange", {
        "phone": "alice", "endpoint": endpoint, "request": request, "answer": answer, "session": "session=1",
    }])
}

pub fn session(ms: u64) -> Value {
    exchange(
        ms,
        "prov-session",
        json!({ "security": 1, "step": "command1" }),
        json!({ "security": 1, "step": "response1" }),
    )
}

pub fn config(ms: u64, request: Value, answer: Value) -> Value {
    exchange(ms, "prov-config", request, answer)
}

pub fn applied(ms: u64) -> Value {
    config(
        ms,
        json!({ "message": "cmd_apply_config" }),
        json!({ "message": "resp_apply_config", "status": "success" }),
    )
}

pub fn scan(ms: u64, request: Value, answer: Value) -> Value {
    exchange(ms, "prov-scan", request, answer)
}

pub fn status(ms: u64, mut answer: Value) -> Value {
    answer["message"] = "resp_get_status".into();
    config(ms, json!({ "message": "cmd_get_status" }), answer)
}

pub fn told(ms: u64, ssid: &str) -> Value {
    config(
        ms,
        json!({ "message": "cmd_set_config", "ssid": ssid }),
        json!({ "message": "resp_set_config" }),
    )
}

pub fn handshake(ms: u64, more: Value) -> Value {
    let mut data = json!({
        "ok": true, "shown": "server", "offered": ["TLS 1.2"], "server_name": "broker.example",
    });
    for (key, value) in more.as_object().expect("an object") {
        data[key] = value.clone();
    }
    json!([ms, "tls/handshake", data])
}

pub fn report(ms: u64, id: Value, token: &str) -> Value {
    json!([ms, "linkkit/token_reported", { "id": id, "token": token }])
}

pub fn replied(ms: u64) -> Value {
    json!([ms, "linkkit/match_replied", { "id": "0", "code": 200 }])
}

pub fn notify(ms: u64, id: u64, token: &str, remain: u64) -> Value {
    json!([ms, "coap/received", {
        "phone": "alice", "from": "10.0.0.2:5683", "type": "NON", "code": "0.02",
        "message_id": id, "message_token": format!("{id:08x}"), "content_format": 50,
        "json": { "method": "device.info.notify", "params": { "token": token, "remainTime": remain } },
    }])
}

pub fn timed(ms: u64, device_ms: u64) -> Value {
    let data = json!({ "level": "info", "tag": "a", "text": "b", "device_ms": device_ms });
    json!([ms, "log/line", data])
}

pub fn powered(ms: u64) -> Value {
    json!([ms, "board/power", { "power": "on" }])
}

pub fn joined(ms: u64, ssid: &str) -> Value {
    json!([ms, "air/joined", { "ssid": ssid }])
}

pub fn leased(ms: u64, address: &str) -> Value {
    json!([ms, "air/leased", { "address": address, "mask": "255.0.0.0", "router": "10.0.0.1" }])
}

pub fn left(ms: u64, reason: u64) -> Value {
    json!([ms, "air/left", { "reason": reason }])
}

pub fn time(ms: u64, kind: &str) -> Value {
    json!([ms, format!("sntp/{kind}"), { "device": null, "offset_s": 0 }])
}

pub fn told_time(ms: u64) -> Value {
    time(ms, "answered")
}

fn tcp(ms: u64, kind: &str, client: &str) -> Value {
    json!([ms, format!("air/{kind}"), {
        "protocol": "tcp", "host": "broker.example", "port": 8883, "client": client,
    }])
}

pub fn opened_tcp(ms: u64, client: &str) -> Value {
    tcp(ms, "connection_opened", client)
}

pub fn closed_tcp(ms: u64, client: &str) -> Value {
    tcp(ms, "connection_closed", client)
}

pub fn opened(ms: u64, client: &str) -> Value {
    json!([ms, "mqtt/session_opened", { "connection": 1, "client": client }])
}

pub fn refused(ms: u64) -> Value {
    json!([ms, "mqtt/connect_refused", { "connection": 1, "code": 5 }])
}

pub fn subscribed(ms: u64) -> Value {
    json!([ms, "mqtt/subscribe", {
        "connection": 1, "direction": "in",
        "filters": [{ "filter": "/sys/k/n/match_reply", "qos": 0 }],
    }])
}

pub fn get(ms: u64, kind: &str, code: &str, token: &str) -> Value {
    let more = json!({
        "sender": "alice", "phone": "alice", "to": "192.168.1.2:5683", "type": kind,
        "code": code, "message_id": 9, "message_token": token,
    });
    let way = match code.starts_with("0.") {
        true => "coap/sent",
        false => "coap/received",
    };
    json!([ms, way, more])
}

pub fn connected(ip: &str, ssid: &str) -> Value {
    json!({ "station": "connected", "connected": { "ip": ip, "ssid": ssid } })
}
