//! The typed view of factory data.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Esp8266, FactoryError, Map, Provisioning, WebServer};

/// Everything that a device is born with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factory {
    /// Who it is.
    pub identity: Identity,
    /// How it is provisioned.
    pub provisioning: Provisioning,
    /// The network that it is built for, if it is: it joins that and is not provisioned.
    pub network: Option<Network>,
    /// Where it gets the time; without it the clock is never set.
    pub sntp: Option<Sntp>,
    /// Which broker it talks to, and how; without it the device stays on the LAN.
    pub cloud: Option<Cloud>,
    /// How it keeps its MQTT sessions.
    pub mqtt: Mqtt,
    /// How it is bound to an account by a one-time token.
    pub linkkit: Option<Linkkit>,
    /// What it does with a ThingsBoard cloud.
    pub thingsboard: Option<ThingsBoard>,
    /// How it is an ESP8266 with the NONOS SDK, if it is one; it then does what that SDK's MQTT demo does.
    pub esp8266: Option<Esp8266>,
    /// What it reports.
    pub telemetry: Option<Telemetry>,
    /// Its own web server, if it has one.
    pub web_server: Option<WebServer>,
    /// Defects put into the device on purpose, by name; images ignore them.
    pub bugs: Vec<String>,
    /// What an emulated board needs to stand in for a real one.
    pub lab: Option<Lab>,
}

/// Who the device is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Station MAC address; the SoftAP's is one more in its last byte.
    pub mac: [u8; 6],
}

/// A network that a device joins without being told of it by a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// At most 32 bytes, not always text.
    pub ssid: Vec<u8>,
    /// Empty for an open one.
    pub passphrase: String,
}

/// Where the device gets the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sntp {
    /// Host name or dotted address.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// How long one request waits for its reply, in ms.
    pub timeout_ms: u32,
    /// From a failed request to the next, in ms.
    pub retry_ms: u32,
}

/// Which broker the device talks to, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    /// Host name or dotted address; also the name that its certificate must carry.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// DER of the trusted authority.
    pub authority: Vec<u8>,
    /// The device's own certificate and key.
    pub credentials: Option<Credentials>,
    /// Whether validity dates are checked; then the clock must be set before connecting.
    pub check_dates: bool,
    /// Whether the certificate's name is checked.
    pub check_name: bool,
    /// MQTT client id, user name and password, where no Linkkit section makes them.
    pub client_id: String,
    /// MQTT user name; empty for none.
    pub username: String,
    /// MQTT password; empty for none.
    pub password: String,
    /// MQTT keep-alive in s (ESP-IDF: 120).
    pub keep_alive_s: u16,
    /// Limit for connecting, handshake and each answer, in ms (ESP-IDF: 10 000).
    pub network_timeout_ms: u32,
    /// First delay before connecting again, in ms; doubled after each failure.
    pub reconnect_ms: u32,
    /// Longest delay before connecting again, in ms.
    pub reconnect_max_ms: u32,
}

/// How the device keeps its MQTT sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mqtt {
    /// Whether a session ends with its connection (ESP-IDF: it does).
    pub clean_session: bool,
    /// What the broker publishes when the device vanishes.
    pub will: Option<Will>,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            clean_session: true,
            will: None,
        }
    }
}

/// What a broker publishes in a device's name when that vanishes without DISCONNECT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Will {
    /// MQTT topic.
    pub topic: String,
    /// Payload, sent as it is.
    pub payload: String,
    /// Quality of service, 0 or 1.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// DER certificates, the device's own first.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8 DER.
    pub key: Vec<u8>,
}

/// How the device is bound to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkkit {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Device secret.
    pub device_secret: String,
    /// The numbers, which differ between versions.
    pub profile: LinkkitProfile,
}

/// What differs between versions of the Linkkit SDK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkkitProfile {
    /// Whether the report goes to `/sys/{pk}/{dn}/ts/thing/…` instead of `/sys/{pk}/{dn}/thing/…`.
    pub ts_topic: bool,
    /// How CONNECT is signed.
    pub sign_method: SignMethod,
    /// Spelling of the client id.
    pub client_id: ClientIdForm,
    /// `_v` of the client id.
    pub sdk_version: String,
    /// Life of a token from its report, in ms.
    pub token_life_ms: u32,
    /// Times that a token is reported in all.
    pub report_sends: u32,
    /// From one report to the next, in ms.
    pub report_interval_ms: u32,
    /// Notifications at most.
    pub notify_count: u32,
    /// Interval after the first notification, and growth of it after each, in ms.
    pub notify_step_ms: u32,
    /// `cipherType` of a notification.
    pub cipher_type: u8,
    /// Answer to a query when no token is usable.
    pub no_token: NoToken,
}

impl LinkkitProfile {
    /// The article of 2019-05-31.
    pub fn seed_2019() -> Self {
        Self {
            ts_topic: true,
            sign_method: SignMethod::HmacSha1,
            client_id: ClientIdForm::Seed,
            sdk_version: String::new(),
            token_life_ms: 45_000,
            report_sends: 3,
            report_interval_ms: 30_000,
            notify_count: 30,
            notify_step_ms: 100,
            cipher_type: 4,
            no_token: NoToken::Silent,
        }
    }

    /// SDK 2.3.0.
    pub fn sdk_2_3_0() -> Self {
        Self {
            ts_topic: false,
            client_id: ClientIdForm::V2,
            sdk_version: "sdk-c-2.3.0".into(),
            token_life_ms: 60_000,
            cipher_type: 3,
            ..Self::seed_2019()
        }
    }

    /// SDK 3.0.1.
    pub fn sdk_3_0_1() -> Self {
        Self {
            ts_topic: false,
            sign_method: SignMethod::HmacSha256,
            client_id: ClientIdForm::V3,
            sdk_version: "sdk-c-3.0.1".into(),
            report_interval_ms: 3_000,
            cipher_type: 3,
            ..Self::seed_2019()
        }
    }
}

/// How CONNECT is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignMethod {
    /// HMAC-SHA1, lower-case hex.
    HmacSha1,
    /// HMAC-SHA256, upper-case hex.
    HmacSha256,
}

/// Spelling of the client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientIdForm {
    /// `securemode, timestamp, signmethod, gw, ext`, as the article shows it.
    Seed,
    /// `securemode, _v, timestamp, signmethod, lan, gw, ext`.
    V2,
    /// `timestamp, _v, securemode, signmethod, lan, gw, ext`.
    V3,
}

/// Answer to a query when no token is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoToken {
    /// None until the cloud has replied.
    Silent,
    /// Code 400 with empty data.
    Code400,
}

/// What the device does with a ThingsBoard cloud: the X.509 example of esp32-thingsboard-mqtt-client,
/// and the provisioning and claiming of the same library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThingsBoard {
    /// Turns of the example's loop, one a second; the example has 20.
    pub turns: u32,
    /// How it gets its credentials, if it is born without.
    pub provision: Option<ProvisionRequest>,
    /// What it sends so that a customer can claim it.
    pub claim: Option<ClaimMessage>,
    /// What it calls of the cloud, and lets the cloud call; none if it listens for no calls.
    pub remote_calls: Option<RemoteCalls>,
}

impl Default for ThingsBoard {
    fn default() -> Self {
        Self {
            turns: 20,
            provision: None,
            claim: None,
            remote_calls: None,
        }
    }
}

/// Remote calls of a device, both ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteCalls {
    /// What it answers to the cloud; what is not among these it passes over.
    pub answers: Vec<MethodAnswer>,
    /// The method of the cloud's that it calls in each session, without parameters.
    pub calls: Option<String>,
}

/// The answer to calls of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodAnswer {
    /// The method.
    pub method: String,
    /// The answer, as JSON text.
    pub result: String,
}

/// What a device sends to get its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionRequest {
    /// Its name in the cloud; empty for one that the cloud makes up.
    pub device_name: String,
    /// Provision device key.
    pub key: String,
    /// Provision device secret.
    pub secret: String,
    /// What it wants to be known by.
    pub by: ProvisionedBy,
}

/// What a device wants to be known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProvisionedBy {
    /// A token that the cloud makes up.
    Generated,
    /// This token.
    AccessToken(String),
    /// These fields of CONNECT.
    MqttBasic {
        /// Client id.
        client_id: String,
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// Its certificate, in PEM.
    X509(String),
}

/// What a device sends so that a customer can claim it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimMessage {
    /// The secret that the customer has to know.
    pub secret_key: Option<String>,
    /// For how long, in ms.
    pub duration_ms: Option<u32>,
}

/// What the device reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// MQTT topic.
    pub topic: String,
    /// Payload, in which `%n` stands for the number of the message, from 1.
    pub payload: String,
    /// Quality of service, 0 or 1.
    pub qos: u8,
    /// From one message to the next, in ms, from the first session on and whether there is one or not;
    /// 0 for one message in each session.
    pub every_ms: u32,
}

/// What an emulated board needs to stand in for a real one; a real board has no such section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lab {
    /// Device time runs so many times faster than the board's oscillator; 1 where there is no
    /// reason for another.
    pub time_factor: u16,
    /// 32 bytes that seed the random source of a board without one; new ones for each device.
    pub entropy: Vec<u8>,
}

impl Factory {
    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = BTreeMap::new();
        put(&mut map, "identity", Some(&self.identity));
        put(&mut map, "provisioning", Some(&self.provisioning));
        put(&mut map, "network", self.network.as_ref());
        put(&mut map, "sntp", self.sntp.as_ref());
        put(&mut map, "cloud", self.cloud.as_ref());
        put(&mut map, "mqtt", Some(&self.mqtt));
        put(&mut map, "linkkit", self.linkkit.as_ref());
        put(&mut map, "thingsboard", self.thingsboard.as_ref());
        put(&mut map, "esp8266", self.esp8266.as_ref());
        put(&mut map, "telemetry", self.telemetry.as_ref());
        put(&mut map, "web_server", self.web_server.as_ref());
        put(&mut map, "bugs", Some(&self.bugs));
        put(&mut map, "lab", self.lab.as_ref());
        Map(map).encode()
    }

    /// What stands at the beginning of `bytes`. Sections of later versions are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactoryError> {
        let map = Map::decode(bytes)?;
        Ok(Self {
            identity: required(&map, "identity")?,
            provisioning: required(&map, "provisioning")?,
            network: optional(&map, "network")?,
            sntp: optional(&map, "sntp")?,
            cloud: optional(&map, "cloud")?,
            mqtt: optional(&map, "mqtt")?.unwrap_or_default(),
            linkkit: optional(&map, "linkkit")?,
            thingsboard: optional(&map, "thingsboard")?,
            esp8266: optional(&map, "esp8266")?,
            telemetry: optional(&map, "telemetry")?,
            web_server: optional(&map, "web_server")?,
            bugs: optional(&map, "bugs")?.unwrap_or_default(),
            lab: optional(&map, "lab")?,
        })
    }
}

fn put<T: Serialize>(map: &mut BTreeMap<String, Vec<u8>>, name: &str, section: Option<&T>) {
    // Cannot fail: sections hold nothing that postcard lacks, and a Vec takes any length.
    if let Some(bytes) = section.and_then(|section| postcard::to_allocvec(section).ok()) {
        map.insert(name.to_string(), bytes);
    }
}

fn optional<T: DeserializeOwned>(map: &Map, name: &'static str) -> Result<Option<T>, FactoryError> {
    map.0
        .get(name)
        .map(|bytes| postcard::from_bytes(bytes).map_err(|_| FactoryError::Malformed(name)))
        .transpose()
}

fn required<T: DeserializeOwned>(map: &Map, name: &'static str) -> Result<T, FactoryError> {
    optional(map, name)?.ok_or(FactoryError::Malformed(name))
}
