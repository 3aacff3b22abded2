//! ThingsBoard in a scenario: what the cloud knows, what a device asks of it, what a customer does.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::duration;
use super::span::Placed;

/// The ThingsBoard fake.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThingsBoard {
    /// By what the cloud knows the devices of this world from the start.
    #[serde(default)]
    pub registered: Registered,
    /// Which devices the cloud gives credentials to, on top of those that it knows; to none if left
    /// out.
    pub provisioning: Option<ProvisionStrategy>,
    /// Whether every device may be claimed.
    #[serde(default = "yes")]
    pub claiming: bool,
    /// Whether a message that cannot be read is acknowledged instead of the session being closed.
    #[serde(default)]
    pub acknowledges_malformed: bool,
    /// Whether answers to devices that ask for credentials have their status in `provisionDeviceStatus`, as
    /// older servers say it.
    #[serde(default)]
    pub older_answers: bool,
    /// Whether an answer to the call before comes ahead of each answer to a device's call, as from a slow rule chain.
    #[serde(default)]
    pub late_answers: bool,
    /// The number of the first call of a device; the server counts on from it as long as it runs.
    #[serde(default)]
    pub first_call: u32,
    /// In which form the payloads of the device profile are.
    #[serde(default)]
    pub payload: PayloadFormat,
    /// What the cloud answers to calls of devices, by method. A call of another method gets no answer.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
}

impl Default for ThingsBoard {
    fn default() -> Self {
        Self {
            registered: Registered::default(),
            provisioning: None,
            claiming: true,
            acknowledges_malformed: false,
            older_answers: false,
            late_answers: false,
            first_call: 0,
            payload: PayloadFormat::default(),
            answers: BTreeMap::new(),
        }
    }
}

/// By what ThingsBoard knows a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Registered {
    /// By its certificate, which signs itself unless the device has another.
    #[default]
    X509,
    /// By a token in the place of the user name.
    AccessToken,
    /// By client id, user name and password.
    MqttBasic,
    /// It does not know it.
    None,
}

/// The payload type of ThingsBoard's device profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadFormat {
    /// JSON.
    #[default]
    Json,
    /// Protobuf, by the schemas that ThingsBoard proposes for a new profile.
    Protobuf,
    /// The same; what is no such protobuf is read as JSON.
    ProtobufOrJson,
    /// The same, and what the cloud says by `v1/devices/me/…` is JSON.
    ProtobufOrJsonDown,
}

/// Which devices ThingsBoard gives credentials to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisionStrategy {
    /// Those that it does not know yet.
    AllowCreate,
    /// Those that it knows, once.
    CheckPreProvisioned,
    /// Those whose certificate is signed by the authority `intermediate`, which come into being with
    /// the TLS handshake.
    X509Chain,
}

/// What a device does with ThingsBoard besides its telemetry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceThingsBoard {
    /// It asks for credentials before anything else.
    pub provision: Option<DeviceProvision>,
    /// It sends a claim message whenever it is connected.
    pub claim: Option<DeviceClaim>,
    /// It listens for calls of the cloud, and calls it.
    pub remote_calls: Option<DeviceCalls>,
}

/// Remote calls of a device, both ways.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCalls {
    /// What it answers to calls of the cloud, by method. A call of another method is passed over.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
    /// The method of the cloud's that it calls whenever it is connected.
    pub calls: Option<String>,
}

/// How a device asks for credentials.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceProvision {
    /// What it wants to be known by.
    #[serde(default)]
    pub by: ProvisionedBy,
    /// Sent in the place of the right secret.
    pub secret: Option<String>,
    /// What its factory data have for a password, which counts no more once it has credentials.
    pub left_over_password: Option<String>,
}

/// What a device wants to be known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisionedBy {
    /// A token that the cloud makes up.
    #[default]
    Generated,
    /// A token of its own.
    AccessToken,
    /// Client id, user name and password of its own.
    MqttBasic,
    /// Its certificate.
    X509,
}

/// The claim message of a device.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceClaim {
    /// The secret that a customer has to know; empty if left out.
    pub secret_key: Option<String>,
    /// How long it may be used; a day if left out.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub duration: Option<Duration>,
}

/// A phone's owner claims a device, as a customer of ThingsBoard.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Whose phone, and which customer.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The secret; empty if left out.
    #[serde(default)]
    pub secret_key: Placed<String>,
    /// What the cloud must say.
    pub outcome: Placed<ClaimOutcome>,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// What ThingsBoard says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimOutcome {
    /// The device belongs to the customer (`SUCCESS`).
    Claimed,
    /// Wrong secret, too late, or no claim message that counts (`FAILURE`).
    Refused,
    /// The device belongs to a customer already (`CLAIMED`).
    Owned,
}

/// A phone's owner gives a device back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unclaim {
    /// Whose phone, and which customer.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
}

/// The cloud calls a method of a device.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The method.
    pub method: String,
    /// Its parameters; an empty object if left out.
    #[serde(default = "no_parameters")]
    pub params: Value,
    /// What becomes of the call.
    #[serde(default)]
    pub outcome: Placed<CallOutcome>,
    /// How long the device has for its answer.
    #[serde(default = "soon", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The device answers.
    #[default]
    Answered,
    /// The device hears the call and does not answer.
    Unanswered,
    /// The device is not there, or has not subscribed to calls.
    NotListening,
}

fn no_parameters() -> Value {
    Value::Object(serde_json::Map::new())
}

fn soon() -> Duration {
    Duration::from_secs(5)
}

fn yes() -> bool {
    true
}
