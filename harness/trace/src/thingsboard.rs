//! Events of the ThingsBoard cloud: authentication, the device API, provisioning and claiming.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    Cloud:
    DeviceAuthenticated => "device_authenticated",
    AuthenticationRefused => "authentication_refused",
    CertificateDeviceMade => "certificate_device_made",
    TelemetryReceived => "telemetry_received",
    AttributesReceived => "attributes_received",
    AttributesAnswered => "attributes_answered",
    AttributesPushed => "attributes_pushed",
    RpcSent => "rpc_sent",
    RpcNotSent => "rpc_not_sent",
    RpcAnswered => "rpc_answered",
    ServerRpcReceived => "server_rpc_received",
    FirmwareChunkSent => "firmware_chunk_sent",
    FirmwareRefused => "firmware_refused",
    TopicUnknown => "topic_unknown",
    PayloadMalformed => "payload_malformed",
    DeviceProvisioned => "device_provisioned",
    ProvisionRefused => "provision_refused",
    ClaimReceived => "claim_received",
    DeviceClaimed => "device_claimed",
    ClaimRefused => "claim_refused",
    DeviceUnclaimed => "device_unclaimed",
    GatewayDeviceConnected => "gateway_device_connected",
    GatewayDeviceDisconnected => "gateway_device_disconnected",
}

/// How a device proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialsKind {
    /// By the user name in CONNECT.
    AccessToken,
    /// By client id, user name and password in CONNECT.
    MqttBasic,
    /// By its certificate.
    X509,
    /// Not at all: the session is for provisioning only.
    Provision,
}

/// A CONNECT that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAuthenticated {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Device name; none in a session for provisioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Kind of its credentials.
    pub by: CredentialsKind,
    /// Id of the credentials: SHA3-256 in hex; none for a token, which is its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_id: Option<String>,
}

/// A CONNECT that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthenticationRefused {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Code of the CONNACK.
    pub code: u8,
    /// Id of the credentials that no device has; none for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_id: Option<String>,
    /// Reason of the refusal.
    pub reason: String,
}

/// A chain of certificates below a device profile's authority was shown: its leaf is a device's now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateDeviceMade {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Device name, made of the leaf's common name.
    pub device_name: String,
    /// Whether the device is new; otherwise it has another certificate now.
    pub created: bool,
    /// Id of the leaf.
    pub credentials_id: String,
}

/// A device has sent telemetry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TelemetryReceived {
    /// Device name.
    pub device_name: String,
    /// Where it was published.
    pub topic: String,
    /// How many telemetry messages this device has sent, this one included.
    pub count: u64,
    /// The values in this message, by key; the last of each.
    pub values: Value,
    /// The latest value of every key that the device has ever sent.
    pub latest: Value,
    /// Time in the message, in ms since 1970; none if the server gives the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
}

/// A device has sent attributes of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttributesReceived {
    /// Device name.
    pub device_name: String,
    /// Where they were published.
    pub topic: String,
    /// The attributes in this message.
    pub values: Value,
    /// All client attributes of the device.
    pub client: Value,
}

/// A device has asked for attributes, and was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttributesAnswered {
    /// Device name.
    pub device_name: String,
    /// Number of the request, as the device counts.
    pub request: i64,
    /// The answer.
    pub answer: Value,
}

/// Shared attributes have changed, and the device is told if it has subscribed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttributesPushed {
    /// Device name.
    pub device_name: String,
    /// What is sent.
    pub update: Value,
}

/// The cloud has called a method of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RpcSent {
    /// Device name.
    pub device_name: String,
    /// Number of the call, as the cloud counts.
    pub request: i64,
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
}

/// A call of the cloud that could not be told to a device which listens for calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RpcNotSent {
    /// Device name.
    pub device_name: String,
    /// Method.
    pub method: String,
    /// Reason, which lies in the device profile's payload format.
    pub reason: String,
}

/// A device has answered a call of the cloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RpcAnswered {
    /// Device name.
    pub device_name: String,
    /// Number of the call.
    pub request: i64,
    /// Whether the cloud has made such a call and has had no answer before.
    pub expected: bool,
    /// The answer.
    pub answer: Value,
}

/// A device has called a method of the cloud, and was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerRpcReceived {
    /// Device name.
    pub device_name: String,
    /// Number of the call, as the device counts.
    pub request: i64,
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// The answer.
    pub answer: Value,
}

/// A device has got a part of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirmwareChunkSent {
    /// Device name.
    pub device_name: String,
    /// Number of the request, as the device counts.
    pub request: i64,
    /// Number of the chunk, from 0.
    pub chunk: u64,
    /// Bytes in it; 0 behind the end.
    pub bytes: u64,
}

/// A device has asked for a part of a package in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirmwareRefused {
    /// Device name.
    pub device_name: String,
    /// What the device is told.
    pub reason: String,
}

/// A device has published where nothing is due; the message is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TopicUnknown {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// The topic.
    pub topic: String,
    /// Whether the session is closed for it.
    pub closes: bool,
}

/// A device has published what cannot be read, and its session is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PayloadMalformed {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// The topic.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
    /// Whether the session is closed for it.
    pub closes: bool,
}

/// A device has got its credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceProvisioned {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Device name.
    pub device_name: String,
    /// Kind of its credentials.
    pub by: CredentialsKind,
    /// Whether the device is new; otherwise the cloud knew it and waited for it.
    pub created: bool,
}

/// A device was refused credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvisionRefused {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// `NOT_FOUND` or `FAILURE`.
    pub status: String,
    /// Reason of the refusal, which the device is not told.
    pub reason: String,
}

/// A device may be claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimReceived {
    /// Device name.
    pub device_name: String,
    /// The secret that a user has to know.
    pub secret_key: String,
    /// For how long, in ms.
    pub duration_ms: u64,
    /// Whether it counts; not while an earlier one does, or where claiming is not allowed.
    pub stored: bool,
    /// Why it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A device belongs to a customer now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceClaimed {
    /// The customer.
    pub customer: String,
    /// Device name.
    pub device_name: String,
}

/// A claim was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimRefused {
    /// The customer.
    pub customer: String,
    /// Device name.
    pub device_name: String,
    /// What the customer is told.
    pub outcome: ClaimOutcome,
    /// Reason of the refusal, which the customer is not told.
    pub reason: String,
    /// Whether the device has to send its claim message again.
    pub evicted: bool,
}

/// A device belongs to no customer any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceUnclaimed {
    /// The customer who had it.
    pub customer: String,
    /// Device name.
    pub device_name: String,
}

/// A gateway speaks for a device from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayDeviceConnected {
    /// Name of the gateway.
    pub gateway: String,
    /// Device name.
    pub device_name: String,
    /// Whether the cloud did not know it before.
    pub created: bool,
}

/// A gateway has said that a device is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayDeviceDisconnected {
    /// Name of the gateway.
    pub gateway: String,
    /// Device name.
    pub device_name: String,
    /// Whether it was there.
    pub was_there: bool,
}

/// What comes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimOutcome {
    /// The device belongs to the customer now.
    Success,
    /// Wrong secret, too late, or nothing to claim.
    Failure,
    /// The device belongs to a customer already.
    Claimed,
}
