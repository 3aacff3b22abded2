//! A ThingsBoard stand-in, and what its devices and customers say to it.

use cloud::thingsboard::{
    Credentials, ProvisionProfile, Strategy, ThingsBoard, ThingsBoardSettings,
};
use cloud::{Broker, BrokerSettings, Devices, Fake};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trace::{Source, Trace};

use super::{Wire, connect_with, event_of, plain_broker, suback, subscribe, text, with_id};

const FACTS: &str = include_str!("../../src/thingsboard/facts.json");
pub const TOKEN: &str = "A1_TEST_TOKEN";

pub fn facts() -> Value {
    serde_json::from_str(FACTS).unwrap()
}

pub struct World {
    pub broker: Broker,
    pub trace: Trace,
    pub cloud: ThingsBoard,
}

impl World {
    pub async fn new(settings: ThingsBoardSettings) -> Self {
        let (broker, trace) = plain_broker().await;
        Self::behind(broker, trace, settings).await
    }

    /// For clients of others, which live in the host's time.
    pub async fn in_host_time(settings: ThingsBoardSettings) -> Self {
        let trace = Trace::in_memory(clock::Clock::start(1.0));
        let broker = Broker::start(BrokerSettings::plain(), trace.clone(), Devices::default());
        Self::behind(broker.await.unwrap(), trace, settings).await
    }

    async fn behind(broker: Broker, trace: Trace, settings: ThingsBoardSettings) -> Self {
        let cloud = ThingsBoard::start(settings, &broker, trace.clone())
            .await
            .unwrap();
        let token = Credentials::AccessToken(TOKEN.into());
        assert!(cloud.add_device("lamp", Some(token)));
        Self {
            broker,
            trace,
            cloud,
        }
    }

    pub async fn usual() -> Self {
        Self::new(ThingsBoardSettings::default()).await
    }

    pub async fn provisioning(strategy: Strategy) -> Self {
        Self::new(ThingsBoardSettings {
            provisioning: Some(ProvisionProfile {
                key: "the key".into(),
                secret: "the secret".into(),
                strategy,
            }),
            ..ThingsBoardSettings::default()
        })
        .await
    }

    /// The answer to a CONNECT.
    pub async fn connack(&self, connect: &[u8]) -> (Wire, [u8; 2]) {
        let mut wire = Wire::to(&self.broker).await;
        wire.send(connect).await;
        let connack = wire.packet().await.unwrap();
        assert_eq!(connack[..2], [0x20, 2]);
        (wire, [connack[2], connack[3]])
    }

    pub async fn device(&self) -> Wire {
        let (wire, answer) = self.connack(&by_name("c", TOKEN)).await;
        assert_eq!(answer, [0, 0]);
        wire
    }

    pub async fn provisioner(&self) -> Wire {
        let (mut wire, answer) = self.connack(&by_name("c", "provision")).await;
        assert_eq!(answer, [0, 0]);
        wire.send(&subscribe(1, &[("/provision/response", 1)]))
            .await;
        wire.expect(&suback(1, &[1]), "suback").await;
        wire
    }

    pub async fn seen(&self, kind: &str) -> Value {
        event_of(&self.trace, Source::Cloud, kind).await
    }

    /// Status and body of a request of `customer`.
    pub async fn http(&self, method: &str, path: &str, customer: &str, body: &str) -> (u16, Value) {
        let mut socket = tokio::net::TcpStream::connect(self.cloud.account_api())
            .await
            .unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\n{customer}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// CONNECT of a clean session with a user name.
pub fn by_name(client: &str, username: &str) -> Vec<u8> {
    connect_with(0x82, 0, &[&text(client), &text(username)])
}

pub fn with_password(client: &str, username: &str, password: &str) -> Vec<u8> {
    let fields = [text(client), text(username), text(password)];
    connect_with(0xc2, 0, &[&fields.concat()])
}

/// The topic and the payload of a PUBLISH, which is acknowledged if it wants to be.
pub async fn message(wire: &mut Wire) -> (String, Value) {
    let packet = wire.packet().await.unwrap();
    assert_eq!(packet[0] & 0xf0, 0x30, "{packet:02x?}");
    let mut at = 1
        + packet[1..]
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .unwrap()
        + 1;
    let length = usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    at += 2;
    let topic = String::from_utf8(packet[at..at + length].to_vec()).unwrap();
    at += length;
    if packet[0] & 0b110 != 0 {
        wire.send(&with_id(
            0x40,
            u16::from_be_bytes([packet[at], packet[at + 1]]),
        ))
        .await;
        at += 2;
    }
    let body = String::from_utf8_lossy(&packet[at..]).into_owned();
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (topic, body)
}
