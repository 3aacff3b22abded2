//! What the QR code on a device, or in its log, says.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Settings, TransportKind};

/// Where Espressif's page shows a payload as a QR code, as devices print it.
const PAGE: &str = "https://espressif.github.io/esp-jumpstart/qrcode.html?data=";
/// What pages of this kind call the payload.
const PARAMETER: &str = "data=";
/// QR codes of version 40 hold less. In an address, a byte takes three.
const LONGEST: usize = 4096;
const LONGEST_ADDRESS: usize = PAGE.len() + 3 * LONGEST;

/// A device's QR code.
///
/// ```
/// use phone::{QrPayload, TransportKind};
///
/// let text = r#"{"ver":"v1","name":"PROV_A1B2C3","pop":"abcd1234","transport":"ble"}"#;
/// let payload: QrPayload = text.parse()?;
/// assert_eq!(payload.name, "PROV_A1B2C3");
/// assert_eq!(payload.transport(), Some(TransportKind::Ble));
/// assert_eq!(payload.to_json(), text);
/// // The page's address says the same.
/// assert_eq!(payload.to_url().parse::<QrPayload>()?, payload);
/// # Ok::<(), phone::QrError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrPayload {
    /// Version of the payload: `v1`.
    #[serde(default = "version")]
    pub ver: String,
    /// Name of the device's access point or of its advertisement.
    pub name: String,
    /// User name, with security 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Proof of possession; with security 2 the password. A number is read as its text.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text_or_number"
    )]
    pub pop: Option<String>,
    /// `ble`, `softap` or `console`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Passphrase of the device's access point, if it has one. A number is read as its text.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text_or_number"
    )]
    pub password: Option<String>,
    /// The security's number, as a number or as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Value>,
    /// What is provisioned (`network_provisioning`): `wifi`; `thread` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// Payloads made by hand have a number where the text is all digits. It is read as it is spelled,
/// as far as a number of JSON can be: it has no leading zeros.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(_) => Err(serde::de::Error::custom(
            "expected a text, or a whole number",
        )),
    }
}

fn version() -> String {
    "v1".to_owned()
}

/// Why a text is no QR payload.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// It is too long for any QR code.
    #[error("the payload has {0} bytes, more than any QR code")]
    TooLong(usize),
    /// It is an address whose escapes are broken.
    #[error("the address has an invalid percent escape: {0:?}")]
    Escape(String),
    /// It is no JSON object of this kind.
    #[error("the payload is not the JSON that devices print")]
    Json(#[from] serde_json::Error),
    /// It is for Matter.
    #[error("this is a payload of Matter, which is another way of provisioning")]
    Matter,
    /// It is of a version that is not known.
    #[error("the payload is of version {0:?}; known is \"v1\"")]
    Version(String),
    /// It names a transport that is not known.
    #[error("the payload's transport is {0:?}; known are \"ble\", \"softap\" and \"console\"")]
    Transport(String),
    /// The device wants another network than Wi-Fi.
    #[error(
        "the device is to be provisioned for {0:?}; only \"wifi\" is known here, and no Wi-Fi credentials are sent to it"
    )]
    Network(String),
}

impl QrPayload {
    /// Of a device with this name, for this transport.
    pub fn new(name: impl Into<String>, transport: TransportKind) -> Self {
        Self {
            ver: version(),
            name: name.into(),
            username: None,
            pop: None,
            transport: Some(transport.name().to_owned()),
            password: None,
            security: None,
            network: None,
        }
    }

    /// The transport, if it says one that is known.
    pub fn transport(&self) -> Option<TransportKind> {
        self.transport.as_deref()?.to_lowercase().parse().ok()
    }

    /// The security, if it says one: `"2"` and `2` are the same.
    pub fn security(&self) -> Option<u8> {
        match self.security.as_ref()? {
            Value::String(text) => text.parse().ok(),
            number => u8::try_from(number.as_u64()?).ok(),
        }
    }

    /// The payload as devices print it.
    pub fn to_json(&self) -> String {
        // Cannot fail: it holds texts and what was read from JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Address of a page that shows the QR code. Opening it gives the page the secrets.
    pub fn to_url(&self) -> String {
        let mut url = PAGE.to_owned();
        for byte in self.to_json().bytes() {
            // RFC 3986 §2.3.
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                url.push(char::from(byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url
    }

    /// Fills in what `settings` do not say yet.
    pub fn complete(&self, settings: &mut Settings) {
        settings.security = settings.security.or(self.security());
        let empty = |text: &Option<String>| text.is_none();
        if empty(&settings.username) {
            settings.username.clone_from(&self.username);
        }
        if empty(&settings.pop) {
            settings.pop.clone_from(&self.pop);
        }
        if empty(&settings.password) {
            settings.password.clone_from(&self.pop);
        }
    }
}

impl std::str::FromStr for QrPayload {
    type Err = QrError;

    /// Takes the JSON, or the address of a page that shows it, with or without escapes.
    fn from_str(text: &str) -> Result<Self, QrError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.len() > LONGEST_ADDRESS {
            return Err(QrError::TooLong(text.len()));
        }
        if text.starts_with("MT:") {
            return Err(QrError::Matter);
        }
        let json = match text.split_once(PARAMETER) {
            Some((page, data)) if page.starts_with("http") => payload_of(data)?,
            // A line of a log has the payload behind the head of the line.
            _ if !text.starts_with('{') => text.find('{').map_or(text, |at| &text[at..]).to_owned(),
            _ => text.to_owned(),
        };
        if json.len() > LONGEST {
            return Err(QrError::TooLong(json.len()));
        }
        let payload: Self = serde_json::from_str(&json)?;
        if payload.ver != version() {
            return Err(QrError::Version(payload.ver));
        }
        if let Some(transport) = &payload.transport
            && payload.transport().is_none()
        {
            return Err(QrError::Transport(transport.clone()));
        }
        if let Some(network) = &payload.network
            && !network.eq_ignore_ascii_case("wifi")
        {
            return Err(QrError::Network(network.clone()));
        }
        Ok(payload)
    }
}

/// Without the secrets.
impl fmt::Debug for QrPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrPayload")
            .field("ver", &self.ver)
            .field("name", &self.name)
            .field("username", &self.username)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// The payload in an address, behind the name of its parameter. Parameters of the page may follow; a
/// form has `+` in the place of spaces, which stand between the parts of the payload only.
fn payload_of(data: &str) -> Result<String, QrError> {
    let end = match data.starts_with('{') {
        true => data.rfind('}').map_or(data.len(), |end| end + 1),
        false => data.find(['&', '#']).unwrap_or(data.len()),
    };
    let json = unescaped(&data[..end])?;
    if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok() {
        return Ok(json);
    }
    Ok(json.replace(",+\"", ",\"").replace(":+\"", ":\""))
}

/// A part of an address without its escapes (RFC 3986 §2.1). `+` stays what it is.
fn unescaped(text: &str) -> Result<String, QrError> {
    // What follows belongs to the page, not to the payload; in JSON it may stand in a text.
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let wrong = || QrError::Escape(format!("%{}", shown(after)));
        let digits = after.first_chunk::<2>().ok_or_else(wrong)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).map_err(|_| wrong())?;
        bytes.push(byte[0]);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| QrError::Escape("what is no UTF-8".into()))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(2)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn devices_print_the_payload_in_this_order() {
        let payload = QrPayload {
            username: Some("wifiprov".into()),
            pop: Some("abcd1234".into()),
            ..QrPayload::new("PROV_D8C0A4", TransportKind::SoftAp)
        };
        assert_eq!(
            payload.to_json(),
            r#"{"ver":"v1","name":"PROV_D8C0A4","username":"wifiprov","pop":"abcd1234","transport":"softap"}"#
        );
    }

    #[test]
    fn the_address_is_read_as_devices_log_it_and_as_browsers_copy_it() {
        let json = r#"{"ver":"v1","name":"PROV_1","pop":"a+b&c","transport":"ble"}"#;
        let payload: QrPayload = json.parse().unwrap();
        for address in [format!("{PAGE}{json}"), payload.to_url()] {
            assert_eq!(address.parse::<QrPayload>().unwrap(), payload, "{address}");
        }
    }

    #[test]
    fn what_newer_devices_say_is_understood_and_the_rest_ignored() {
        let text = r#"{"ver":"v1","name":"x","network":"wifi","security":"2","colour":"blue"}"#;
        let payload: QrPayload = text.parse().unwrap();
        assert_eq!(payload.security(), Some(2));
        assert_eq!(payload.network.as_deref(), Some("wifi"));
        assert_eq!((payload.transport(), payload.pop), (None, None));
    }

    #[test]
    fn what_is_no_payload_says_why() {
        let refused = |text: &str| text.parse::<QrPayload>().unwrap_err();
        assert!(matches!(refused("PROV_1"), QrError::Json(_)));
        assert!(matches!(refused(r#"{"ver":"v1"}"#), QrError::Json(_)));
        assert!(matches!(
            refused(r#"{"ver":"v2","name":"x"}"#),
            QrError::Version(_)
        ));
        assert!(matches!(
            refused("https://x/?data=%7Bver%2"),
            QrError::Escape(_)
        ));
        assert!(matches!(refused(&"x".repeat(5000)), QrError::TooLong(5000)));
    }

    /// What becomes of payloads as people make and copy them.
    #[test]
    fn payloads_of_the_field_get_a_sensible_answer() {
        let read = |text: &str| text.parse::<QrPayload>();
        let fields = |text: &str| {
            let payload = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            (payload.transport(), payload.pop, payload.security)
        };
        let softap = Some(TransportKind::SoftAp);
        for (text, pop) in [
            (
                r#"{"ver":"v1","name":"P","pop":"abcd1234","transport":"SoftAP"}"#,
                Some("abcd1234"),
            ),
            (
                r#"{"ver":"v1","name":"P","pop":12345678,"transport":"softap"}"#,
                Some("12345678"),
            ),
            (
                r#"{"ver":"v1","name":"P","username":null,"pop":null,"transport":"softap","password":null}"#,
                None,
            ),
            (
                "\u{feff}{\"ver\":\"v1\",\"name\":\"P\",\"pop\":\"x\",\"transport\":\"softap\"}",
                Some("x"),
            ),
            (
                r#"{"ver":"v1","name":"P","pop":"x","transport":"softap","network":"wifi"}"#,
                Some("x"),
            ),
            (
                "https://example.org/qrcode.html?data=%7B%22ver%22%3A%22v1%22%2C%22name%22%3A%22P%22%2C%22pop%22%3A%22x%22%2C%22transport%22%3A%22softap%22%7D&lang=de",
                Some("x"),
            ),
            (
                r#"https://example.org/qrcode.html?data={"ver":"v1",+"name":"P",+"pop":"x",+"transport":"softap"}"#,
                Some("x"),
            ),
            (
                r#"I (889) app: {"ver":"v1","name":"P","pop":"x","transport":"softap"}"#,
                Some("x"),
            ),
        ] {
            assert_eq!(
                fields(text),
                (softap, pop.map(str::to_owned), None),
                "{text}"
            );
        }
        for security in ["0", r#""0""#] {
            let text =
                format!(r#"{{"ver":"v1","name":"P","transport":"softap","security":{security}}}"#);
            assert_eq!(read(&text).unwrap().security(), Some(0));
        }
        for (text, why) in [
            (
                r#"{"ver":1,"name":"P","pop":"x","transport":"softap"}"#,
                "expected a string",
            ),
            ("{'ver':'v1','name':'P'}", "key must be a string"),
            (
                r#"{"ver":"v1","name":"P","pop":"x","transport":"softap","network":"thread"}"#,
                "no Wi-Fi credentials are sent",
            ),
            (
                r#"{"ver":"v1","name":"P","pop":"x","transport":"wifi"}"#,
                "known are \"ble\", \"softap\" and \"console\"",
            ),
            (
                r#"{"ver":"v1","name":"P","pop":1.5}"#,
                "expected a text, or a whole number",
            ),
            (
                r#"{"ver":"v1","name":"P","name":"Q","transport":"softap"}"#,
                "duplicate field",
            ),
            ("MT:Y.K9042C00KA0648G00", "Matter"),
        ] {
            let error = read(text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let told = format!("{error}: {}", source.unwrap_or_default());
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn a_payload_shows_no_secret_by_accident() {
        let payload: QrPayload = r#"{"name":"x","pop":"do not tell"}"#.parse().unwrap();
        assert!(!format!("{payload:?}").contains("do not tell"));
    }

    #[test]
    fn a_payload_fills_in_only_what_is_not_said() {
        let payload: QrPayload = r#"{"name":"x","pop":"code","username":"u"}"#.parse().unwrap();
        let mut settings = Settings {
            pop: Some("mine".into()),
            ..Settings::of("phone")
        };
        payload.complete(&mut settings);
        assert_eq!(settings.pop.as_deref(), Some("mine"));
        assert_eq!(settings.username.as_deref(), Some("u"));
        assert_eq!(settings.password.as_deref(), Some("code"));
    }

    proptest! {
        #[test]
        fn every_payload_survives_both_forms(
            name in "\\PC{1,40}", pop in proptest::option::of("\\PC{0,40}"), user in proptest::option::of("[ -~]{0,20}"),
        ) {
            let payload = QrPayload { pop, username: user, ..QrPayload::new(name, TransportKind::Ble) };
            prop_assert_eq!(&payload.to_json().parse::<QrPayload>().unwrap(), &payload);
            prop_assert_eq!(&payload.to_url().parse::<QrPayload>().unwrap(), &payload);
        }

        #[test]
        fn any_text_is_refused_without_panic(text in "\\PC{0,200}") {
            let _ = text.parse::<QrPayload>();
            let _ = format!("https://x/?data={text}").parse::<QrPayload>();
        }
    }
}
