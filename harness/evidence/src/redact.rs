//! A rig file as it can be shown.

use serde_json::Value;

/// What stands in a secret's place.
const REMOVED: &str = "<removed>";
/// Words in the name of what is secret.
const SECRET: [&str; 9] = [
    "passphrase",
    "password",
    "passwd",
    "psk",
    "secret",
    "token",
    "pop",
    "credential",
    "service_key",
];

/// `value`, a rig file, without what looks like a secret. A rig file refers to secrets (`env:NAME`,
/// `file:PATH`, `${…}`), and such references stay; but commands, environments and rows for a partition may have
/// some in plain.
pub fn redacted(value: Value) -> Value {
    inner(value, false)
}

fn inner(value: Value, is_secret: bool) -> Value {
    match value {
        Value::String(text) if is_secret && !is_reference(&text) => REMOVED.into(),
        Value::String(text) => word(&text).into(),
        Value::Array(list) => {
            // `--password x`: the word behind one that names a secret.
            let mut follows = is_secret;
            let mut shown = Vec::new();
            for value in list {
                let names = value.as_str().is_some_and(|word| {
                    word.starts_with('-') && !word.contains('=') && names_secret(word)
                });
                shown.push(inner(value, follows));
                follows = is_secret || names;
            }
            Value::Array(shown)
        }
        Value::Object(table) => {
            // A row of a partition: its `key` says what its `value` is.
            let key = table.get("key").and_then(Value::as_str);
            let row_is_secret = key.is_some_and(names_secret);
            let shown = table.into_iter().map(|(name, value)| {
                let is_secret = is_secret
                    || names_secret(&name)
                    || (row_is_secret && (name == "value" || name == "text"));
                (name, inner(value, is_secret))
            });
            Value::Object(shown.collect())
        }
        other => other,
    }
}

/// A text that need not be secret as a whole.
fn word(text: &str) -> String {
    if text.contains("PRIVATE KEY-----") {
        return REMOVED.to_owned();
    }
    if let Some((name, value)) = text.split_once('=')
        && names_secret(name)
        && !is_reference(value)
    {
        return format!("{name}={REMOVED}");
    }
    // User and password of an address.
    if let Some((scheme, rest)) = text.split_once("://") {
        let end = rest.find('/').unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            return format!("{scheme}://{REMOVED}{}", &rest[at..]);
        }
    }
    text.to_owned()
}

fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET.iter().any(|word| match *word {
        // `popular` is none.
        "pop" => name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|part| part == "pop"),
        word => name.contains(word),
    })
}

fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:") || text.starts_with("${")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_removed_and_references_to_them_stay() {
        let rig = json!({
            "access_points": { "home": { "ssid": "lab", "passphrase": "env:HOME_PASSPHRASE" } },
            "boards": { "a": {
                "command": ["./device", "--password", "horse", "--token=abc", "--broker", "mqtts://u:p@b/x"],
                "environment": { "ACCESS_TOKEN": "tttt", "POP": "abcd1234", "LANG": "C", "KEY": "${client.key}" },
                "label": { "pop": "file:pop.txt", "service_name": "PROV_1" },
            } },
            "firmware": { "lamp": { "nvs": { "rows": [
                { "key": "device_secret", "value": "s3cr3t" },
                { "key": "device_secret", "value": "${linkkit.device_secret}" },
                { "key": "uri", "value": "mqtts://broker" },
                { "key": "cert", "value": "-----BEGIN EC PRIVATE KEY-----\nx" },
            ] } } },
        });
        assert_eq!(
            redacted(rig),
            json!({
                "access_points": { "home": { "ssid": "lab", "passphrase": "env:HOME_PASSPHRASE" } },
                "boards": { "a": {
                    "command": ["./device", "--password", "<removed>", "--token=<removed>", "--broker", "mqtts://<removed>@b/x"],
                    "environment": { "ACCESS_TOKEN": "<removed>", "POP": "<removed>", "LANG": "C", "KEY": "${client.key}" },
                    "label": { "pop": "file:pop.txt", "service_name": "PROV_1" },
                } },
                "firmware": { "lamp": { "nvs": { "rows": [
                    { "key": "device_secret", "value": "<removed>" },
                    { "key": "device_secret", "value": "${linkkit.device_secret}" },
                    { "key": "uri", "value": "mqtts://broker" },
                    { "key": "cert", "value": "<removed>" },
                ] } } },
            })
        );
    }
}
