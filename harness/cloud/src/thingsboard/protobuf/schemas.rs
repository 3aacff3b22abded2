//! Messages of the device API in protobuf: those that each device profile may have otherwise, here as
//! ThingsBoard proposes them for a new profile (`device-profile` form of its web page), and those that are
//! fixed (`transport.proto` and `queue.proto`).

use super::Kind::{Bool, Double, Enum, Int32, Int64, Message, Text};
use super::Label::{Optional, Plain, Repeated};
use super::{Field, Kind, Label, Schema};

const fn field(number: u32, name: &'static str, kind: Kind, label: Label) -> Field {
    Field {
        number,
        name,
        kind,
        label,
    }
}

/// `telemetry.SensorDataReading`, of the profile.
pub(in super::super) static TELEMETRY: Schema = Schema(&[
    field(1, "temperature", Double, Optional),
    field(2, "humidity", Double, Optional),
    field(3, "innerObject", Message(&INNER_OBJECT), Plain),
]);

static INNER_OBJECT: Schema = Schema(&[
    field(1, "key1", Text, Optional),
    field(2, "key2", Bool, Optional),
    field(3, "key3", Double, Optional),
    field(4, "key4", Int32, Optional),
    field(5, "key5", Text, Optional),
]);

/// `attributes.SensorConfiguration`, of the profile.
pub(in super::super) static ATTRIBUTES: Schema = Schema(&[
    field(1, "firmwareVersion", Text, Optional),
    field(2, "serialNumber", Text, Optional),
]);

/// `rpc.RpcRequestMsg`, of the profile: a call of the cloud's.
pub(in super::super) static RPC_CALL: Schema = Schema(&[
    field(1, "method", Text, Optional),
    field(2, "requestId", Int32, Optional),
    field(3, "params", Text, Optional),
]);

/// `rpc.RpcResponseMsg`, of the profile: a device's answer.
pub(in super::super) static RPC_ANSWER: Schema = Schema(&[field(1, "payload", Text, Optional)]);

/// `transportapi.RpcRequest`: a call of a device's.
pub(in super::super) static SERVER_RPC_CALL: Schema = Schema(&[
    field(1, "method", Text, Plain),
    field(2, "params", Text, Plain),
]);

/// `transport.ToServerRpcResponseMsg`: the cloud's answer.
pub(in super::super) static SERVER_RPC_ANSWER: Schema = Schema(&[
    field(1, "requestId", Int32, Plain),
    field(2, "payload", Text, Plain),
    field(3, "error", Text, Plain),
]);

/// `transportapi.AttributesRequest`.
pub(in super::super) static ATTRIBUTES_REQUEST: Schema = Schema(&[
    field(1, "clientKeys", Text, Plain),
    field(2, "sharedKeys", Text, Plain),
]);

/// `transport.GetAttributeResponseMsg`.
pub(in super::super) static ATTRIBUTES_ANSWER: Schema = Schema(&[
    field(1, "requestId", Int32, Plain),
    field(2, "clientAttributeList", Message(&TS_KV), Repeated),
    field(3, "sharedAttributeList", Message(&TS_KV), Repeated),
    field(4, "isMultipleAttributesRequest", Bool, Plain),
    field(5, "error", Text, Plain),
]);

/// `transport.AttributeUpdateNotificationMsg`.
pub(in super::super) static ATTRIBUTES_UPDATE: Schema = Schema(&[
    field(1, "sharedUpdated", Message(&TS_KV), Repeated),
    field(2, "sharedDeleted", Text, Repeated),
]);

static TS_KV: Schema = Schema(&[
    field(1, "ts", Int64, Plain),
    field(2, "kv", Message(&KEY_VALUE), Plain),
]);

static KEY_VALUE: Schema = Schema(&[
    field(1, "key", Text, Plain),
    field(
        2,
        "type",
        Enum(&["BOOLEAN_V", "LONG_V", "DOUBLE_V", "STRING_V", "JSON_V"]),
        Plain,
    ),
    field(3, "bool_v", Bool, Plain),
    field(4, "long_v", Int64, Plain),
    field(5, "double_v", Double, Plain),
    field(6, "string_v", Text, Plain),
    field(7, "json_v", Text, Plain),
]);

/// `transportapi.ClaimDevice`.
pub(in super::super) static CLAIM: Schema = Schema(&[
    field(1, "secretKey", Text, Plain),
    field(2, "durationMs", Int64, Plain),
]);

/// Kinds of credentials, by number.
const CREDENTIALS: Kind = Enum(&[
    "ACCESS_TOKEN",
    "X509_CERTIFICATE",
    "MQTT_BASIC",
    "LWM2M_CREDENTIALS",
]);

/// `transport.ProvisionDeviceRequestMsg`.
pub(in super::super) static PROVISION_REQUEST: Schema = Schema(&[
    field(1, "deviceName", Text, Plain),
    field(2, "credentialsType", CREDENTIALS, Plain),
    field(
        3,
        "provisionDeviceCredentialsMsg",
        Message(&Schema(&[
            field(1, "provisionDeviceKey", Text, Plain),
            field(2, "provisionDeviceSecret", Text, Plain),
        ])),
        Plain,
    ),
    field(
        4,
        "credentialsDataProto",
        Message(&Schema(&[
            field(
                1,
                "validateDeviceTokenRequestMsg",
                Message(&Schema(&[field(1, "token", Text, Plain)])),
                Plain,
            ),
            field(
                2,
                "validateDeviceX509CertRequestMsg",
                Message(&Schema(&[field(1, "hash", Text, Plain)])),
                Plain,
            ),
            field(
                3,
                "validateBasicMqttCredRequestMsg",
                Message(&Schema(&[
                    field(1, "clientId", Text, Plain),
                    field(2, "userName", Text, Plain),
                    field(3, "password", Text, Plain),
                ])),
                Plain,
            ),
        ])),
        Plain,
    ),
    field(5, "gateway", Bool, Plain),
]);

/// `transport.ProvisionDeviceResponseMsg`.
pub(in super::super) static PROVISION_ANSWER: Schema = Schema(&[
    field(
        1,
        "status",
        Enum(&["UNKNOWN", "SUCCESS", "NOT_FOUND", "FAILURE"]),
        Plain,
    ),
    field(2, "credentialsType", CREDENTIALS, Plain),
    field(3, "credentialsValue", Text, Plain),
]);
