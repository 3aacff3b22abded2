//! Secrets in the payload of a QR code that a device prints, which tells them before they are known.

use serde_json::Value;

/// How the payload begins (ESP-IDF, `wifi_prov_print_qr`).
pub(super) const START: &str = "{\"ver\":";
/// Its keys whose values are secrets: proof of possession, or the password of security 2; passphrase of the
/// device's own network.
const KEYS: [(&str, &str); 2] = [("pop", "proof of possession"), ("password", "service key")];
/// QR codes of version 40 hold less, in bytes.
const LONGEST: usize = 4096;
/// In one text, no more payloads are looked at.
const MOST: usize = 16;

/// The secrets of payloads in `text`, each with its kind.
pub(super) fn secrets(text: &str) -> Vec<(&'static str, String)> {
    let payloads = text.match_indices(START).take(MOST);
    payloads.flat_map(|(at, _)| of_one(&text[at..])).collect()
}

fn of_one(text: &str) -> Vec<(&'static str, String)> {
    let end = (0..=LONGEST.min(text.len())).rev();
    let end = end.into_iter().find(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or(0)];
    // What stands behind it is none of it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let Some(Ok(payload)) = values.next() else {
        return Vec::new();
    };
    let found = KEYS.iter().filter_map(|(key, kind)| {
        let secret = match payload.get(key)? {
            Value::String(text) => text.clone(),
            // Payloads that are made by hand have one where the text is all digits.
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((*kind, secret))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_tells_its_secrets_wherever_it_stands_in_a_line() {
        let line = "https://x/qrcode.html?data={\"ver\":\"v1\",\"name\":\"P\",\"pop\":\"a\\\"b\",\"password\":12345678} x";
        let found = secrets(line);
        let kinds = [
            ("proof of possession", "a\"b".to_owned()),
            ("service key", "12345678".to_owned()),
        ];
        assert_eq!(found, kinds);
        for line in [
            "{\"ver\":",
            "{\"ver\":\"v1\",\"pop\":\"cut",
            "{\"ver\":1}",
            "\"pop\":\"x\"",
        ] {
            assert_eq!(secrets(line), [], "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_looking_panic(line in "(\\{\"ver\":|\"pop\"|[:{}\",é]|[a-z]){0,20}") {
            let _ = secrets(&line);
        }
    }
}
