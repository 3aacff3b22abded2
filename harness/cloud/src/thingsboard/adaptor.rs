//! In which form the payloads of a device profile are, both ways (`MqttTransportAdaptor` and its
//! implementers for JSON, for protobuf and for both).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::payload::{self, Claim, Keys, Malformed, Request, Telemetry};
use super::protobuf::{read, schemas, write};
use super::topic::Form;

/// The payload type of the device profile. Topics that say JSON or protobuf have that in every profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadFormat {
    /// JSON.
    #[default]
    Json,
    /// Protobuf, by the schemas that ThingsBoard proposes for a new profile.
    Protobuf,
    /// The same; what is no such protobuf is read as JSON (`enableCompatibilityWithJsonPayloadFormat`).
    ProtobufOrJson,
    /// The same, and what the cloud says by `v1/devices/me/…` is JSON
    /// (`useJsonPayloadFormatForDefaultDownlinkTopics`).
    ProtobufOrJsonDown,
}

const NO_SCHEMA: Malformed = "the device profile has no schema for protobuf";

impl PayloadFormat {
    /// Whether the profile is of protobuf.
    pub(super) const fn has_schemas(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// Reads what a device has sent by a topic in this form.
    fn read<T>(
        self,
        form: Form,
        by_json: impl FnOnce() -> Result<T, Malformed>,
        by_protobuf: impl FnOnce() -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        match (form, self) {
            (Form::ShortJson, _) | (Form::Long | Form::Short, Self::Json) => by_json(),
            (Form::ShortProtobuf, _) | (_, Self::Protobuf) => by_protobuf(),
            (_, Self::ProtobufOrJson | Self::ProtobufOrJsonDown) => {
                by_protobuf().or_else(|_| by_json())
            }
        }
    }

    /// Whether what the cloud says by a topic in this form is protobuf.
    fn answers_in_protobuf(self, form: Form) -> bool {
        match form {
            Form::Long => self.has_schemas() && self != Self::ProtobufOrJsonDown,
            Form::Short => self.has_schemas(),
            Form::ShortJson => false,
            Form::ShortProtobuf => true,
        }
    }

    /// A message by a schema of the profile.
    fn by_profile(
        self,
        schema: &'static super::protobuf::Schema,
        payload: &[u8],
    ) -> Result<Map<String, Value>, Malformed> {
        match self.has_schemas() {
            true => read(schema, payload),
            false => Err(NO_SCHEMA),
        }
    }

    pub(super) fn telemetry(self, form: Form, payload: &[u8]) -> Result<Telemetry, Malformed> {
        let protobuf = || {
            let values = self.by_profile(&schemas::TELEMETRY, payload)?;
            payload::telemetry_in(values.into())
        };
        self.read(form, || payload::telemetry(payload), protobuf)
    }

    pub(super) fn attributes(
        self,
        form: Form,
        payload: &[u8],
    ) -> Result<Map<String, Value>, Malformed> {
        let protobuf = || payload::attributes_in(self.by_profile(&schemas::ATTRIBUTES, payload)?);
        self.read(form, || payload::attributes(payload), protobuf)
    }

    pub(super) fn keys(self, form: Form, payload: &[u8]) -> Result<Keys, Malformed> {
        let protobuf = || {
            let keys = given(read(&schemas::ATTRIBUTES_REQUEST, payload)?);
            payload::keys_in(&keys)
        };
        self.read(form, || payload::keys(payload), protobuf)
    }

    /// A device's call: method and parameters, which are any text in protobuf.
    pub(super) fn call(self, form: Form, payload: &[u8]) -> Result<(String, Value), Malformed> {
        let protobuf = || {
            let mut call = read(&schemas::SERVER_RPC_CALL, payload)?;
            let method = call.remove("method").unwrap_or_default();
            let method = method.as_str().unwrap_or_default().to_owned();
            let params = call.remove("params").unwrap_or_default();
            let params = params.as_str().unwrap_or_default();
            let params = serde_json::from_str(params).unwrap_or_else(|_| params.into());
            Ok((method, params))
        };
        self.read(form, || payload::call(payload), protobuf)
    }

    /// A device's answer.
    pub(super) fn answer(self, form: Form, payload: &[u8]) -> Result<Value, Malformed> {
        let protobuf = || Ok(self.by_profile(&schemas::RPC_ANSWER, payload)?.into());
        self.read(form, || Ok(payload::answer(payload)), protobuf)
    }

    pub(super) fn claim(self, payload: &[u8]) -> Result<Claim, Malformed> {
        let protobuf = || payload::claim_in(&read(&schemas::CLAIM, payload)?);
        self.read(Form::Long, || payload::claim(payload), protobuf)
    }

    /// What a device is told of the attributes that it has asked for, `answer` being JSON.
    pub(super) fn attributes_answer(self, form: Form, request: i64, answer: &Value) -> Bytes {
        if !self.answers_in_protobuf(form) {
            return answer.to_string().into();
        }
        let list = |part: &str| answer[part].as_object().map(key_values).unwrap_or_default();
        let (client, shared) = (list("client"), list("shared"));
        let values = json!({
            "requestId": request,
            "isMultipleAttributesRequest": client.len() + shared.len() > 1,
            "clientAttributeList": client,
            "sharedAttributeList": shared,
        });
        written(&schemas::ATTRIBUTES_ANSWER, &values)
    }

    /// What a device is told of changes of shared attributes.
    pub(super) fn attributes_update(self, form: Form, update: &Update) -> Bytes {
        if !self.answers_in_protobuf(form) {
            return update.json().to_string().into();
        }
        let values = match update {
            Update::Set(values) => json!({ "sharedUpdated": key_values(values) }),
            Update::Deleted(keys) => json!({ "sharedDeleted": keys }),
        };
        written(&schemas::ATTRIBUTES_UPDATE, &values)
    }

    /// A call of the cloud's. In protobuf its parameters are a text, so that an object and an array cannot
    /// be told.
    pub(super) fn rpc_call(
        self,
        form: Form,
        (request, method): (i64, &str),
        params: &Value,
    ) -> Result<Bytes, Malformed> {
        if !self.answers_in_protobuf(form) {
            return Ok(json!({ "method": method, "params": params })
                .to_string()
                .into());
        }
        if !self.has_schemas() {
            return Err(NO_SCHEMA);
        }
        let params = match params {
            Value::Array(_) | Value::Object(_) => {
                return Err(
                    "`params` is a text in the device profile's schema, and these are none",
                );
            }
            Value::Null | Value::String(_) => params.clone(),
            Value::Bool(_) | Value::Number(_) => params.to_string().into(),
        };
        let values = json!({ "method": method, "requestId": request, "params": params });
        Ok(written(&schemas::RPC_CALL, &values))
    }

    /// The cloud's answer to a device's call.
    pub(super) fn rpc_answer(self, form: Form, request: i64, answer: &Value) -> Bytes {
        if !self.answers_in_protobuf(form) {
            return answer.to_string().into();
        }
        let values = json!({ "requestId": request, "payload": answer.to_string() });
        written(&schemas::SERVER_RPC_ANSWER, &values)
    }
}

/// A change of shared attributes.
pub(super) enum Update {
    Set(Map<String, Value>),
    Deleted(Vec<String>),
}

impl Update {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Set(values) => values.clone().into(),
            Self::Deleted(keys) => json!({ "deleted": keys }),
        }
    }
}

/// A request for credentials: JSON or, if it is none, protobuf. Which it was goes for the answer, too.
pub(super) fn provision_request(payload: &[u8]) -> Result<(Request, bool), Malformed> {
    let (fields, is_protobuf) = provision_fields(payload)?;
    Ok((payload::request_in(&fields)?, is_protobuf))
}

/// Its fields, as they are called in JSON, and whether it was protobuf.
pub(super) fn provision_fields(payload: &[u8]) -> Result<(Map<String, Value>, bool), Malformed> {
    match serde_json::from_slice(payload) {
        Ok(Value::Object(fields)) => return Ok((fields, false)),
        Ok(_) => return Err("it is no JSON object"),
        Err(_) => {}
    }
    let message = read(&schemas::PROVISION_REQUEST, payload);
    let message = Value::from(message.map_err(|_| "it is neither JSON nor a protobuf message")?);
    let mut fields = Map::new();
    for (name, pointer) in [
        ("deviceName", "/deviceName"),
        (
            "provisionDeviceKey",
            "/provisionDeviceCredentialsMsg/provisionDeviceKey",
        ),
        (
            "provisionDeviceSecret",
            "/provisionDeviceCredentialsMsg/provisionDeviceSecret",
        ),
        ("credentialsType", "/credentialsType"),
        (
            "token",
            "/credentialsDataProto/validateDeviceTokenRequestMsg/token",
        ),
        (
            "hash",
            "/credentialsDataProto/validateDeviceX509CertRequestMsg/hash",
        ),
        (
            "clientId",
            "/credentialsDataProto/validateBasicMqttCredRequestMsg/clientId",
        ),
        (
            "username",
            "/credentialsDataProto/validateBasicMqttCredRequestMsg/userName",
        ),
        (
            "password",
            "/credentialsDataProto/validateBasicMqttCredRequestMsg/password",
        ),
        ("gateway", "/gateway"),
    ] {
        if let Some(value) = message.pointer(pointer) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    Ok((given(fields), true))
}

/// The answer to a request for credentials that came in protobuf, `answer` being JSON.
pub(super) fn provision_answer(answer: &Value) -> Bytes {
    let value = match &answer["credentialsValue"] {
        value @ (Value::String(_) | Value::Null) => value.clone(),
        object => object.to_string().into(),
    };
    let values = json!({
        "status": answer["status"],
        "credentialsType": answer["credentialsType"],
        "credentialsValue": value,
    });
    written(&schemas::PROVISION_ANSWER, &values)
}

/// Without texts that are empty, by which protobuf says that there is none.
fn given(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| value.as_str() != Some(""));
    fields
}

/// `TsKvProto` of each; when they came is not kept, and left out.
fn key_values(values: &Map<String, Value>) -> Vec<Value> {
    let key_value = |(key, value): (&String, &Value)| {
        let kv = match value {
            Value::Bool(_) => json!({ "key": key, "type": "BOOLEAN_V", "bool_v": value }),
            Value::Number(number) if number.is_i64() => {
                json!({ "key": key, "type": "LONG_V", "long_v": value })
            }
            Value::Number(_) => json!({ "key": key, "type": "DOUBLE_V", "double_v": value }),
            Value::String(_) => json!({ "key": key, "type": "STRING_V", "string_v": value }),
            _ => json!({ "key": key, "type": "JSON_V", "json_v": value.to_string() }),
        };
        json!({ "kv": kv })
    };
    values.iter().map(key_value).collect()
}

fn written(schema: &'static super::protobuf::Schema, values: &Value) -> Bytes {
    let none = Map::new();
    write(schema, values.as_object().unwrap_or(&none)).into()
}

/// Reads any bytes as every payload, for fuzzing.
pub(super) fn read_anything(bytes: &[u8]) {
    let (format, form) = (PayloadFormat::ProtobufOrJson, Form::Long);
    let _ = format.telemetry(form, bytes);
    let _ = format.attributes(form, bytes);
    let _ = format.keys(form, bytes);
    let _ = format.call(form, bytes);
    let _ = format.answer(form, bytes);
    let _ = format.claim(bytes);
    let _ = provision_request(bytes);
}
