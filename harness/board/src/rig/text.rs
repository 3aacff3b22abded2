//! Texts in which values of the attempt stand.

use std::collections::BTreeMap;
use std::fmt;

/// Something that a program is told of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Host of the broker.
    BrokerHost,
    /// Port of the broker.
    BrokerPort,
    /// Host of the time server.
    TimeHost,
    /// Port of the time server, UDP.
    TimePort,
    /// Path of the authority that the broker's certificate comes from, PEM.
    Authority,
    /// Path of the device's certificate and what leads to its authority, PEM.
    ClientCertificate,
    /// Path of the device's key, PEM.
    ClientKey,
    /// The device's name at the broker.
    ClientId,
    /// Topic of the telemetry that the scenario has the device send.
    TelemetryTopic,
    /// Its payload.
    TelemetryPayload,
    /// The product that the device belongs to at Linkkit.
    ProductKey,
    /// Its name there.
    DeviceName,
    /// Its secret there.
    DeviceSecret,
    /// Path of the authority that the broker's certificate comes from, DER.
    AuthorityDer,
    /// Path of the device's certificate alone, DER.
    ClientCertificateDer,
    /// Path of the device's key, PKCS#8 in DER.
    ClientKeyDer,
    /// The proof of possession that the case has made up for the device.
    Pop,
    /// Name of the network that the device is to be on.
    WifiSsid,
    /// Its passphrase.
    WifiPassphrase,
    /// Path of the folder that `files` of its firmware describes.
    Files,
    /// Path of the factory data that the reference firmware would read.
    Factory,
}

impl Value {
    /// Each, with the name that it has in rig.toml.
    pub const ALL: [(&str, Self); 21] = [
        ("broker.host", Self::BrokerHost),
        ("broker.port", Self::BrokerPort),
        ("time.host", Self::TimeHost),
        ("time.port", Self::TimePort),
        ("ca.pem", Self::Authority),
        ("client.pem", Self::ClientCertificate),
        ("client.key", Self::ClientKey),
        ("ca.der", Self::AuthorityDer),
        ("client.der", Self::ClientCertificateDer),
        ("key.der", Self::ClientKeyDer),
        ("provisioning.pop", Self::Pop),
        ("wifi.ssid", Self::WifiSsid),
        ("wifi.passphrase", Self::WifiPassphrase),
        ("files", Self::Files),
        ("client.id", Self::ClientId),
        ("telemetry.topic", Self::TelemetryTopic),
        ("telemetry.payload", Self::TelemetryPayload),
        ("linkkit.product_key", Self::ProductKey),
        ("linkkit.device_name", Self::DeviceName),
        ("linkkit.device_secret", Self::DeviceSecret),
        ("factory.bin", Self::Factory),
    ];

    /// Whether it is bytes: a text has them in base64.
    pub fn is_bytes(self) -> bool {
        matches!(
            self,
            Self::AuthorityDer | Self::ClientCertificateDer | Self::ClientKeyDer | Self::Factory
        )
    }

    fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }
}

/// As rig.toml has it, without `${` and `}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.into_iter().find(|(_, value)| value == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// A text in which `${name}` stands for a [`Value`], and `$${` for `${` itself.
///
/// ```
/// use board::process::{Text, Value};
/// let text = Text::parse("mqtts://${broker.host}:${broker.port}")?;
/// assert!(text.mentions(Value::BrokerPort));
/// let values = [
///     (Value::BrokerHost, "127.0.0.1".to_owned()),
///     (Value::BrokerPort, "8883".to_owned()),
/// ];
/// assert_eq!(text.fill(&values.into()), Ok("mqtts://127.0.0.1:8883".to_owned()));
/// # Ok::<_, board::process::TextError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Value(Value),
}

/// Why a text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A zero byte, which no program can be given.
    #[error("a program cannot be given a zero byte")]
    Zero,
    /// `${` without an end.
    #[error("`${{` has no `}}` behind it; `$${{` stands for `${{` itself")]
    Open,
    /// `${name}` that stands for nothing.
    #[error("`${{{name}}}` stands for nothing")]
    Unknown {
        /// Without what is around it.
        name: String,
    },
}

impl Text {
    /// The text that rig.toml holds.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.contains('\0') {
            return Err(TextError::Zero);
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix("${") {
                plain.push_str("${");
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let (name, after) = after.split_once('}').ok_or(TextError::Open)?;
                let value = Value::named(name).ok_or_else(|| TextError::Unknown {
                    name: name.to_owned(),
                })?;
                if !plain.is_empty() {
                    parts.push(Part::Plain(std::mem::take(&mut plain)));
                }
                parts.push(Part::Value(value));
                rest = after;
            } else {
                // What a shell knows, say.
                plain.push('$');
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Ok(Self { parts })
    }

    /// Whether `value` stands in it.
    pub fn mentions(&self, value: Value) -> bool {
        self.parts.contains(&Part::Value(value))
    }

    /// Whether no value stands in it.
    pub fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Plain(_)))
    }

    /// The value that it is, with nothing around it.
    pub fn sole(&self) -> Option<Value> {
        match self.parts[..] {
            [Part::Value(value)] => Some(value),
            _ => None,
        }
    }

    /// The text with these values, or the first that is not among them.
    pub fn fill(&self, values: &BTreeMap<Value, String>) -> Result<String, Value> {
        self.fill_with(|value| values.get(&value).cloned())
    }

    /// The text with what `write` makes of each value, or the first of which it makes nothing.
    pub fn fill_with(&self, write: impl Fn(Value) -> Option<String>) -> Result<String, Value> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Value(value) => text.push_str(&write(*value).ok_or(*value)?),
            }
        }
        Ok(text)
    }
}

/// With `${name}` for values.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Plain(plain) => f.write_str(plain)?,
                Part::Value(value) => write!(f, "${{{value}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_that_is_not_there_is_named() {
        let text = Text::parse("a${ca.pem}b").expect("known");
        assert_eq!(text.fill(&BTreeMap::new()), Err(Value::Authority));
        assert!(text.mentions(Value::Authority) && !text.mentions(Value::ClientKey));
    }

    #[test]
    fn dollar_signs_stay_where_they_mean_nothing() {
        for (written, meant) in [
            ("$$", "$$"),
            ("$HOME", "$HOME"),
            ("5$", "5$"),
            ("$${x}", "${x}"),
        ] {
            let text = Text::parse(written).expect(written);
            assert_eq!(text.fill(&BTreeMap::new()), Ok(meant.to_owned()));
            assert!(text.is_plain());
        }
    }

    #[test]
    fn what_stands_for_nothing_is_refused() {
        let name = "ca.pme".to_owned();
        assert_eq!(Text::parse("${ca.pme}"), Err(TextError::Unknown { name }));
        assert_eq!(Text::parse("x${ca.pem"), Err(TextError::Open));
        assert_eq!(Text::parse("x\0"), Err(TextError::Zero));
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[${}a-z.\0é]{0,40}") {
            if let Ok(read) = Text::parse(&text) {
                let all = Value::ALL.map(|(name, value)| (value, name.to_owned()));
                prop_assert!(read.fill(&all.into()).is_ok());
            }
        }
    }
}
