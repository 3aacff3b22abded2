//! ThingsBoard's own SDK for devices at our stand-in.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use cloud::thingsboard::{
    ClaimOutcome, Credentials, ProvisionProfile, Strategy, ThingsBoard, ThingsBoardSettings,
};
use cloud::{Broker, BrokerSettings, ClientCertificate, Devices, ListenerSettings, TlsSettings};
use serde_json::{Value, json};
use support::{event, python, run};
use trace::Trace;

/// The SDK's versions, each in a folder of its own, and the generation of the protocol that it speaks.
const SDKS: [(&str, &str); 2] = [("thingsboard", "3.1.1"), ("thingsboard5", "5")];

fn judge(sdk: &str, arguments: &[&str]) -> Command {
    python::judge(sdk, "thingsboard_judge.py", arguments)
}

fn is_missing(sdk: &str) -> bool {
    let name = format!("tb-mqtt-client in {sdk}");
    python::is_missing(sdk, "tb_device_mqtt", &name)
}

struct World {
    broker: Broker,
    trace: Trace,
    cloud: ThingsBoard,
    folder: tempfile::TempDir,
}

impl World {
    /// With a device `lamp` that has a certificate which signs itself, and a profile for others.
    async fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let pki = pki::Pki::new(now.as_secs()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = pki.mint("server", &["localhost"], "localhost").unwrap();
        let tls = TlsSettings {
            client_certificate: ClientCertificate::Any,
            ..TlsSettings::mutual(server, Vec::new())
        };
        let settings = BrokerSettings {
            listeners: vec![
                ListenerSettings::default(),
                ListenerSettings {
                    tls: Some(tls),
                    ..ListenerSettings::default()
                },
            ],
            ..BrokerSettings::default()
        };
        // Others' clients live in the host's time.
        let trace = Trace::in_memory(clock::Clock::start(1.0));
        let broker = Broker::start(settings, trace.clone(), Devices::default());
        let broker = broker.await.unwrap();
        let settings = ThingsBoardSettings {
            provisioning: Some(ProvisionProfile {
                key: "the key".into(),
                secret: "the secret".into(),
                strategy: Strategy::AllowCreate,
            }),
            ..ThingsBoardSettings::default()
        };
        let cloud = ThingsBoard::start(settings, &broker, trace.clone());
        let cloud = cloud.await.unwrap();
        let identity = pki.mint("client-self-signed", &[], "lamp").unwrap();
        pki.export_authorities(folder.path()).unwrap();
        identity.export(folder.path(), "lamp").unwrap();
        let certificate = Credentials::certificate(identity.certificate_der());
        assert!(cloud.add_device("lamp", Some(certificate)));
        Self {
            broker,
            trace,
            cloud,
            folder,
        }
    }

    /// What the judge says when it provisions a device.
    async fn provision(&self, sdk: &str, request: Value) -> Vec<Value> {
        let port = self.broker.addresses()[0].port().to_string();
        let request = request.to_string();
        let mut command = judge(sdk, &["provision", "127.0.0.1", &port, &request]);
        let output = tokio::task::spawn_blocking(move || command.output());
        said(&output.await.unwrap().unwrap())
    }

    /// Lets the judge be the device `name` that has `secret`, to its good end.
    async fn device(&self, sdk: &str, name: &str, port: u16, secret: &str) {
        let shared = json!({"on": false}).as_object().unwrap().clone();
        assert!(self.cloud.set_shared(name, shared));
        self.cloud.answer_calls("getTime", json!({"time": 1}));
        let mut command = judge(sdk, &["device", "localhost", &port.to_string(), secret]);
        let mut output = tokio::task::spawn_blocking(move || command.output());
        let own = |kind: &'static str| {
            event(&self.trace, move |e| {
                e.kind == kind && e.data["device_name"] == name
            })
        };
        tokio::select! {
            output = &mut output => panic!("{:?}", output.unwrap()),
            _ = own("claim_received") => {}
        }
        let shared = json!({"on": true}).as_object().unwrap().clone();
        assert!(self.cloud.set_shared(name, shared));
        let request = self.cloud.call(name, "blink", json!({"n": 2}));
        assert!(request.is_some());
        let said = said(&output.await.unwrap().unwrap());
        let told = |key: &str| {
            let told = said.iter().find_map(|line| line.get(key)).cloned();
            told.unwrap_or_else(|| panic!("{key}: {said:?}"))
        };
        assert_eq!(told("connack"), 0);
        assert_eq!(
            told("answer"),
            json!({"client": {"fw": "1.2"}, "shared": {"on": false}})
        );
        assert_eq!(told("update"), json!({"on": true}));
        assert_eq!(told("call"), json!({"method": "blink", "params": {"n": 2}}));
        assert_eq!(told("reply"), json!({"time": 1}));
    }
}

fn said(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_sdk_does_everything_of_the_device_api_with_a_certificate_and_with_a_token() {
    for (sdk, protocol) in SDKS {
        if !is_missing(sdk) {
            run(does_everything(sdk, protocol));
        }
    }
}

async fn does_everything(sdk: &str, protocol: &str) {
    let world = World::new().await;
    let token = Credentials::AccessToken("the token of the fan".into());
    assert!(world.cloud.add_device("fan", Some(token)));
    let path = |name: &str| world.folder.path().join(name).display().to_string();
    let files = [path("lamp.pem"), path("lamp.key.pem"), path("ca.pem")].join("+");
    let addresses = world.broker.addresses();
    for (name, port, secret) in [
        ("lamp", addresses[1].port(), files.as_str()),
        ("fan", addresses[0].port(), "the token of the fan"),
    ] {
        world.device(sdk, name, port, secret).await;
        assert_eq!(world.cloud.latest(name)["temprature"], 25);
        assert_eq!(world.cloud.client_attributes(name)["fw"], "1.2");
        let claimed = world.cloud.claim("bob", name, "value");
        assert_eq!(claimed, Some(ClaimOutcome::Success));
        let answered = event(&world.trace, |e| {
            e.kind == "rpc_answered" && e.data["device_name"] == name
        });
        let answered = answered.await.data.clone();
        assert_eq!(answered["answer"], json!({"done": {"n": 2}}));
        assert_eq!(answered["expected"], true);
        let asked = event(&world.trace, |e| {
            e.kind == "attributes_answered" && e.data["device_name"] == name
        });
        let answer = json!({"client": {"fw": "1.2"}, "shared": {"on": false}});
        assert_eq!(asked.await.data["answer"], answer);
    }
    let events = world.trace.since(0);
    assert!(!events.iter().any(|e| e.kind == "payload_malformed"));
    let mut opened = events.iter().filter(|e| e.kind == "session_opened");
    assert!(opened.all(|e| e.data["protocol"] == protocol), "{sdk}");
}

#[test]
fn the_sdk_speaks_for_a_device_behind_a_gateway() {
    for (sdk, protocol) in SDKS {
        if !is_missing(sdk) {
            run(speaks_for_a_device(sdk, protocol));
        }
    }
}

async fn speaks_for_a_device(sdk: &str, protocol: &str) {
    let world = World::new().await;
    let token = Credentials::AccessToken("the token of the gateway".into());
    assert!(world.cloud.add_device("gateway", Some(token)));
    assert!(world.cloud.set_gateway("gateway", true));
    let port = world.broker.addresses()[0].port().to_string();
    let arguments = ["gateway", "127.0.0.1", &port, "the token of the gateway"];
    let mut command = judge(sdk, &arguments);
    let mut output = tokio::task::spawn_blocking(move || command.output());
    tokio::select! {
        output = &mut output => panic!("{:?}", output.unwrap()),
        _ = event(&world.trace, |e| e.kind == "attributes_answered") => {}
    }
    let shared = json!({"on": true}).as_object().unwrap().clone();
    assert!(world.cloud.set_shared("A", shared));
    // It may still be about to subscribe to calls.
    let request = loop {
        if let Some(request) = world.cloud.call("A", "blink", json!({"n": 2})) {
            break request;
        }
        assert!(!output.is_finished(), "the gateway never listened");
        tokio::task::yield_now().await;
    };
    let said = said(&output.await.unwrap().unwrap());
    let told = |key: &str| {
        let told = said.iter().find_map(|line| line.get(key)).cloned();
        told.unwrap_or_else(|| panic!("{key}: {said:?}"))
    };
    assert_eq!(told("update"), json!({"device": "A", "data": {"on": true}}));
    let data = json!({"id": request, "method": "blink", "params": {"n": 2}});
    assert_eq!(told("call"), json!({"device": "A", "data": data}));
    let events = world.trace.since(0);
    let of_kind = |kind: &str| events.iter().find(|e| e.kind == kind).map(|e| &e.data);
    let answered = of_kind("rpc_answered").unwrap();
    assert_eq!(answered["answer"], json!({"done": true}));
    assert_eq!(answered["expected"], true);
    assert_eq!(world.cloud.latest("A")["temperature"], 42);
    assert_eq!(world.cloud.client_attributes("A")["fw"], "1.2");
    assert_eq!(
        of_kind("gateway_device_disconnected").unwrap()["was_there"],
        true
    );
    assert!(of_kind("payload_malformed").is_none());
    let mut opened = events.iter().filter(|e| e.kind == "session_opened");
    assert!(opened.all(|e| e.data["protocol"] == protocol), "{sdk}");
}

#[test]
fn the_sdk_provisions_a_device_and_reads_a_refusal() {
    for (sdk, _) in SDKS {
        if !is_missing(sdk) {
            run(provisions(sdk));
        }
    }
}

async fn provisions(sdk: &str) {
    let world = World::new().await;
    let request = |secret: &str| {
        json!({
            "deviceName": "new",
            "provisionDeviceKey": "the key",
            "provisionDeviceSecret": secret,
            "credentialsType": "ACCESS_TOKEN",
            "token": "a token of its own",
        })
    };
    // The SDK for MQTT 5 gives the whole answer, the other one the credentials in it.
    let credentials = |said: Vec<Value>| {
        let credentials = said[0]["credentials"].clone();
        match credentials.get("credentialsValue") {
            Some(value) => value.clone(),
            None => credentials,
        }
    };
    let refused = world.provision(sdk, request("not the secret")).await;
    assert_eq!(credentials(refused), Value::Null);
    let provisioned = world.provision(sdk, request("the secret")).await;
    assert_eq!(credentials(provisioned), "a token of its own");
    let again = world.provision(sdk, request("the secret")).await;
    assert_eq!(credentials(again), Value::Null);
}
