//! Reading what devices send (`JsonConverter` of ThingsBoard).

use std::time::Duration;

use serde_json::{Map, Value};

/// Most keys in one message, and most that are kept of a device.
pub(super) const MOST_KEYS: usize = 1000;
/// Longest text that names a device or is part of its credentials, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest certificate in a request, in bytes of PEM.
const LONGEST_CERTIFICATE: usize = 32 << 10;

/// What is wrong with a payload, for the trace.
pub(super) type Malformed = &'static str;

/// Telemetry: the last value of each key, and the time of the last message that has one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Telemetry {
    pub(super) values: Map<String, Value>,
    /// ms since 1970.
    pub(super) ts: Option<i64>,
}

fn json(payload: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(payload).map_err(|_| "it is no JSON")
}

fn object(payload: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match json(payload)? {
        Value::Object(object) => Ok(object),
        _ => Err("it is no JSON object"),
    }
}

/// `{key: value}`, `{"ts", "values"}`, or an array of either.
pub(super) fn telemetry(payload: &[u8]) -> Result<Telemetry, Malformed> {
    telemetry_in(json(payload)?)
}

pub(super) fn telemetry_in(json: Value) -> Result<Telemetry, Malformed> {
    let mut read = Telemetry::default();
    match json {
        Value::Object(object) => read.add(object)?,
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(object) => read.add(object)?,
                    _ => return Err("an element of the array is no object"),
                }
            }
        }
        _ => return Err("it is neither an object nor an array"),
    }
    Ok(read)
}

impl Telemetry {
    fn add(&mut self, mut object: Map<String, Value>) -> Result<(), Malformed> {
        let values = match (object.contains_key("ts"), object.remove("values")) {
            (true, Some(Value::Object(values))) => {
                let ts = object.get("ts").and_then(Value::as_i64);
                self.ts = Some(ts.ok_or("`ts` is no whole number")?);
                values
            }
            (true, Some(_)) => return Err("`values` is no object"),
            (_, values) => {
                object.extend(values.map(|values| ("values".to_owned(), values)));
                object
            }
        };
        self.values.extend(known(values)?);
        match self.values.len() {
            0..=MOST_KEYS => Ok(()),
            _ => Err("it has more keys than are taken"),
        }
    }
}

/// Without keys that have no value, which are passed over.
fn known(mut values: Map<String, Value>) -> Result<Map<String, Value>, Malformed> {
    values.retain(|_, value| !value.is_null());
    match values.keys().any(String::is_empty) {
        true => Err("a key is empty"),
        false => Ok(values),
    }
}

/// `{key: value}`.
pub(super) fn attributes(payload: &[u8]) -> Result<Map<String, Value>, Malformed> {
    attributes_in(object(payload)?)
}

pub(super) fn attributes_in(object: Map<String, Value>) -> Result<Map<String, Value>, Malformed> {
    let values = known(object)?;
    match values.len() {
        0..=MOST_KEYS => Ok(values),
        _ => Err("it has more keys than are taken"),
    }
}

/// The keys that a device asks for; all if it names none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) client: Option<Vec<String>>,
    pub(super) shared: Option<Vec<String>>,
}

/// `{"clientKeys": "a,b", "sharedKeys": "c"}`.
pub(super) fn keys(payload: &[u8]) -> Result<Keys, Malformed> {
    keys_in(&object(payload)?)
}

pub(super) fn keys_in(object: &Map<String, Value>) -> Result<Keys, Malformed> {
    let list = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(keys)) => {
            let keys: Vec<String> = keys.split(',').map(str::to_owned).collect();
            match keys.len() {
                0..=MOST_KEYS => Ok(Some(keys)),
                _ => Err("it asks for more keys than there can be"),
            }
        }
        Some(_) => Err("a list of keys is no text"),
    };
    Ok(Keys {
        client: list("clientKeys")?,
        shared: list("sharedKeys")?,
    })
}

/// A device's call: method and parameters.
pub(super) fn call(payload: &[u8]) -> Result<(String, Value), Malformed> {
    let mut object = object(payload)?;
    let params = object.remove("params").ok_or("it has no `params`")?;
    match object.remove("method") {
        Some(Value::String(method)) => Ok((method, params)),
        _ => Err("its `method` is missing or no text"),
    }
}

/// A device's answer, which is any text; JSON as such.
pub(super) fn answer(payload: &[u8]) -> Value {
    json(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into())
}

/// A claim message: the secret, empty if left out, and for how long it may be used if it says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) secret_key: String,
    pub(super) duration: Option<Duration>,
}

/// `{"secretKey", "durationMs"}`, either or both left out, or nothing.
pub(super) fn claim(payload: &[u8]) -> Result<Claim, Malformed> {
    if payload.is_empty() {
        return Ok(Claim::default());
    }
    claim_in(&object(payload)?)
}

pub(super) fn claim_in(object: &Map<String, Value>) -> Result<Claim, Malformed> {
    let secret_key = optional(object, "secretKey")?.unwrap_or_default();
    let duration = match object.get("durationMs") {
        None | Some(Value::Null) => None,
        Some(ms) => {
            let ms = ms.as_i64().ok_or("`durationMs` is no whole number")?;
            u64::try_from(ms).ok().filter(|ms| *ms > 0)
        }
    };
    Ok(Claim {
        secret_key,
        duration: duration.map(Duration::from_millis),
    })
}

/// Most devices in one message of a gateway.
const MOST_DEVICES: usize = 100;

/// `{"device": name}`, as a gateway says that a device is there or gone.
pub(super) fn device_field(payload: &[u8]) -> Result<String, Malformed> {
    device_in(&object(payload)?)
}

fn device_in(object: &Map<String, Value>) -> Result<String, Malformed> {
    let name = optional(object, "device")?.filter(|name| !name.trim().is_empty());
    name.ok_or("it names no device")
}

/// `{name: something}`, in the order of the names.
fn by_device<T>(
    payload: &[u8],
    read: impl Fn(Value) -> Result<T, Malformed>,
) -> Result<Vec<(String, T)>, Malformed> {
    let devices = object(payload)?;
    if devices.len() > MOST_DEVICES {
        return Err("it tells of more devices than are taken");
    }
    let mut told = Vec::with_capacity(devices.len());
    for (name, value) in devices {
        if name.trim().is_empty() || name.len() > LONGEST_NAME {
            return Err("the name of a device is empty or too long");
        }
        told.push((name, read(value)?));
    }
    Ok(told)
}

/// `{name: [telemetry]}`: each device's is an array, even of one.
pub(super) fn telemetry_by_device(payload: &[u8]) -> Result<Vec<(String, Telemetry)>, Malformed> {
    by_device(payload, |value| match value {
        Value::Array(_) => telemetry_in(value),
        _ => Err("the telemetry of a device is no array"),
    })
}

/// Name of a device behind a gateway, and its attributes.
type OfDevice = (String, Map<String, Value>);

/// `{name: {key: value}}`.
pub(super) fn attributes_by_device(payload: &[u8]) -> Result<Vec<OfDevice>, Malformed> {
    by_device(payload, |value| match value {
        Value::Object(values) => attributes_in(values),
        _ => Err("the attributes of a device are no object"),
    })
}

/// `{name: {"secretKey", "durationMs"}}`.
pub(super) fn claims_by_device(payload: &[u8]) -> Result<Vec<(String, Claim)>, Malformed> {
    by_device(payload, |value| match value {
        Value::Object(claim) => claim_in(&claim),
        _ => Err("the claim message of a device is no object"),
    })
}

/// What a gateway asks for a device behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GatewayKeys {
    pub(super) device: String,
    pub(super) request: i64,
    /// Client attributes, or shared ones.
    pub(super) client: bool,
    pub(super) keys: Vec<String>,
}

/// `{"id", "device", "client", "key"}`, or `"keys"`.
pub(super) fn gateway_keys(payload: &[u8]) -> Result<GatewayKeys, Malformed> {
    let object = object(payload)?;
    let keys = match (object.get("key"), object.get("keys")) {
        (Some(Value::String(key)), None) => vec![key.clone()],
        (None, Some(Value::Array(keys))) if keys.len() <= MOST_KEYS => {
            let texts = keys.iter().map(|key| key.as_str().map(str::to_owned));
            let texts: Option<Vec<_>> = texts.collect();
            texts.ok_or("a key is no text")?
        }
        _ => return Err("it has neither a `key` that is a text nor `keys` that are an array"),
    };
    Ok(GatewayKeys {
        device: device_in(&object)?,
        request: number(&object, "id")?,
        client: object.get("client").and_then(Value::as_bool) == Some(true),
        keys,
    })
}

/// The answer of a device behind a gateway.
#[derive(Debug, PartialEq)]
pub(super) struct GatewayAnswer {
    pub(super) device: String,
    pub(super) request: i64,
    pub(super) data: Value,
}

/// `{"device", "id", "data"}`.
pub(super) fn gateway_answer(payload: &[u8]) -> Result<GatewayAnswer, Malformed> {
    let mut object = object(payload)?;
    Ok(GatewayAnswer {
        device: device_in(&object)?,
        request: number(&object, "id")?,
        data: object.remove("data").ok_or("it has no `data`")?,
    })
}

fn number(object: &Map<String, Value>, name: &str) -> Result<i64, Malformed> {
    let number = object.get(name).and_then(Value::as_i64);
    number.ok_or("its `id` is missing or no whole number")
}

/// A request for credentials.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) device_name: Option<String>,
    pub(super) key: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) credentials: RequestedCredentials,
    /// Whether it is a gateway.
    pub(super) gateway: bool,
}

/// What credentials a device wants to have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestedCredentials {
    AccessToken(Option<String>),
    MqttBasic {
        client_id: Option<String>,
        username: Option<String>,
        password: Option<String>,
    },
    /// The certificate as PEM, or its Base64 alone.
    X509(Option<String>),
}

impl Default for RequestedCredentials {
    fn default() -> Self {
        Self::AccessToken(None)
    }
}

pub(super) fn request_in(object: &Map<String, Value>) -> Result<Request, Malformed> {
    let text = |name| optional(object, name);
    let credentials = match text("credentialsType")?.as_deref() {
        None | Some("ACCESS_TOKEN") => RequestedCredentials::AccessToken(text("token")?),
        Some("MQTT_BASIC") => RequestedCredentials::MqttBasic {
            client_id: text("clientId")?,
            username: text("username")?,
            password: text("password")?,
        },
        // In spite of its name.
        Some("X509_CERTIFICATE") => {
            let certificate = bounded(object, "hash", LONGEST_CERTIFICATE)?;
            RequestedCredentials::X509(certificate)
        }
        Some(_) => return Err("its `credentialsType` is unknown"),
    };
    Ok(Request {
        device_name: text("deviceName")?,
        key: text("provisionDeviceKey")?,
        secret: text("provisionDeviceSecret")?,
        credentials,
        gateway: object.get("gateway").and_then(Value::as_bool) == Some(true),
    })
}

fn optional(object: &Map<String, Value>, name: &str) -> Result<Option<String>, Malformed> {
    bounded(object, name, LONGEST_NAME)
}

fn bounded(
    object: &Map<String, Value>,
    name: &str,
    longest: usize,
) -> Result<Option<String>, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= longest => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err("a text in it is too long"),
        Some(_) => Err("a field that is a text is none"),
    }
}

/// Reads `bytes` as every kind of payload.
pub(super) fn read_anything(bytes: &[u8]) {
    let _ = telemetry(bytes);
    let _ = attributes(bytes);
    let _ = keys(bytes);
    let _ = call(bytes);
    let _ = claim(bytes);
    let _ = object(bytes).and_then(|object| request_in(&object));
    let _ = device_field(bytes);
    let _ = telemetry_by_device(bytes);
    let _ = attributes_by_device(bytes);
    let _ = claims_by_device(bytes);
    let _ = gateway_keys(bytes);
    let _ = gateway_answer(bytes);
    answer(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn telemetry_is_read_in_all_its_forms() {
        for (payload, values, ts) in [
            (
                r#"{"temprature":25,"humidity":26}"#,
                json!({"temprature": 25, "humidity": 26}),
                None,
            ),
            (
                r#"{"ts":1700000000000,"values":{"a":1.5}}"#,
                json!({"a": 1.5}),
                Some(1_700_000_000_000),
            ),
            (
                r#"[{"a":1},{"b":"x"},{"a":2}]"#,
                json!({"a": 2, "b": "x"}),
                None,
            ),
            (
                r#"[{"ts":1,"values":{"a":1}},{"ts":2,"values":{"b":true}}]"#,
                json!({"a": 1, "b": true}),
                Some(2),
            ),
            // Not both: keys like others.
            (r#"{"values":{"a":1}}"#, json!({"values": {"a": 1}}), None),
            (r#"{"ts":5}"#, json!({"ts": 5}), None),
            (r#"{"a":null,"b":{"c":[]}}"#, json!({"b": {"c": []}}), None),
            ("{}", json!({}), None),
            ("[]", json!({}), None),
        ] {
            let read = telemetry(payload.as_bytes()).unwrap();
            assert_eq!(
                (Value::Object(read.values), read.ts),
                (values, ts),
                "{payload}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for payload in [
            "",
            "{",
            "25",
            "\"x\"",
            "null",
            "[1]",
            "[[]]",
            r#"{"ts":"now","values":{}}"#,
            r#"{"ts":1,"values":5}"#,
            r#"{"":1}"#,
            "\u{feff}{}",
        ] {
            assert!(telemetry(payload.as_bytes()).is_err(), "{payload}");
        }
        assert!(attributes(b"[]").is_err());
        assert!(keys(br#"{"clientKeys":["a"]}"#).is_err());
        assert!(call(br#"{"method":"m"}"#).is_err());
        assert!(call(br#"{"method":1,"params":{}}"#).is_err());
        assert!(claim(br#"{"durationMs":"long"}"#).is_err());
        assert!(claim(br#"{"secretKey":5}"#).is_err());
        let unknown = object(br#"{"credentialsType":"LWM2M_CREDENTIALS"}"#).unwrap();
        assert!(request_in(&unknown).is_err());
        assert!(device_field(br#"{"device":" "}"#).is_err());
        assert!(telemetry_by_device(br#"{"a":{"t":1}}"#).is_err());
        assert!(attributes_by_device(br#"{"a":[]}"#).is_err());
        assert!(claims_by_device(br#"{"":{}}"#).is_err());
        assert!(gateway_keys(br#"{"id":1,"device":"a"}"#).is_err());
        assert!(gateway_keys(br#"{"id":"1","device":"a","key":"k"}"#).is_err());
        assert!(gateway_answer(br#"{"device":"a","id":1}"#).is_err());
        let deep = "[".repeat(100_000);
        assert!(telemetry(deep.as_bytes()).is_err());
        let wide: Map<_, _> = (0..=MOST_KEYS).map(|n| (n.to_string(), 1.into())).collect();
        let wide = serde_json::to_vec(&wide).unwrap();
        assert!(telemetry(&wide).is_err() && attributes(&wide).is_err());
    }

    #[test]
    fn both_parts_of_a_claim_message_may_be_left_out() {
        let minute = Some(Duration::from_secs(60));
        for (payload, secret_key, duration) in [
            (
                r#"{"secretKey":"value","durationMs":60000}"#,
                "value",
                minute,
            ),
            (r#"{"secretKey":"value"}"#, "value", None),
            (r#"{"durationMs":60000}"#, "", minute),
            (r#"{"secretKey":"value","durationMs":0}"#, "value", None),
            (r#"{"secretKey":"value","durationMs":-1}"#, "value", None),
            ("{}", "", None),
            ("", "", None),
        ] {
            let read = claim(payload.as_bytes()).unwrap();
            let wanted = Claim {
                secret_key: secret_key.to_owned(),
                duration,
            };
            assert_eq!(read, wanted, "{payload}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read_anything(&bytes);
        }

        #[test]
        fn any_json_of_the_right_names_is_read_without_a_panic(
            name in "(ts|values|clientKeys|sharedKeys|method|params|secretKey|durationMs|token|hash|credentialsType)",
            value in "(null|-1|1e400|9223372036854775807|\"\"|\"a,,b\"|\\[\\]|\\{\\}|true|\"X509_CERTIFICATE\")",
        ) {
            read_anything(format!("{{\"{name}\":{value},\"ts\":1}}").as_bytes());
        }
    }
}
