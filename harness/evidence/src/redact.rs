//! A rig file as it can be shown.

use serde_json::Value;

/// What stands in a secret's place.
const REMOVED: &str = "<removed>";

/// Keys of a rig file whose values are shown: names, kinds, places, sizes and addresses on a network or in flash
/// (`board::rig`). Of every other key only references are.
const HARMLESS: [&str; 52] = [
    "baud",
    "bind",
    "bluetooth",
    "boot",
    "can",
    "certificate",
    "chip",
    "client_certificate",
    "components",
    "console",
    "console_baud",
    "custom_endpoints",
    "elf",
    "factory",
    "file",
    "firmware",
    "folder",
    "hand_over",
    "image",
    "keep",
    "key",
    "kind",
    "lan",
    "log",
    "log_level",
    "mac",
    "name",
    "names",
    "namespace",
    "offset",
    "partition",
    "phone",
    "port",
    "provisioning",
    "qr",
    "reset",
    "security",
    "selector",
    "service_name",
    "settle_ms",
    "size",
    "speed_khz",
    "ssid",
    "storage",
    "table",
    "target",
    "template",
    "time_port",
    "transport",
    "type",
    "version",
    "wifi",
];
/// Tables whose keys are the user's own, or of which any value may be a secret.
const CLOSED: [&str; 2] = ["environment", "label"];

/// `value`, a rig file, with nothing in it that may be a secret: of commands, environments, labels, rows for a
/// partition, addresses of servers and whatever is not known to be harmless, only references to a value stay that
/// stands elsewhere (`env:NAME`, `file:PATH`, `${…}`). What a word is called tells too little of what it is.
pub fn redacted(value: Value) -> Value {
    shown("", value)
}

/// `value`, which stands at the key `name`, or below one of [`CLOSED`].
fn shown(name: &str, value: Value) -> Value {
    match value {
        Value::Object(table) => {
            let entries = table.into_iter().map(|(key, value)| {
                let inner = if CLOSED.contains(&name) {
                    name
                } else {
                    key.as_str()
                };
                let value = shown(inner, value);
                (key, value)
            });
            Value::Object(entries.collect())
        }
        Value::Array(list) => list.into_iter().map(|value| shown(name, value)).collect(),
        Value::String(text) if is_reference(&text) => Value::String(text),
        Value::String(text) if is_harmless(name) && is_plain(&text) => Value::String(text),
        Value::Number(number) if is_harmless(name) => Value::Number(number),
        Value::Bool(is) => Value::Bool(is),
        Value::Null => Value::Null,
        Value::String(_) | Value::Number(_) => REMOVED.into(),
    }
}

fn is_harmless(name: &str) -> bool {
    HARMLESS.contains(&name)
}

/// Whether it is neither an address with a user in it nor a file's content.
fn is_plain(text: &str) -> bool {
    !text.contains("://") && !text.contains(char::is_control)
}

/// Whether the whole text is one reference.
fn is_reference(text: &str) -> bool {
    let is_name = |name: &str, others: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !name.is_empty() && name.chars().all(fits)
    };
    let value = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    value.is_some_and(|name| is_name(name, "_."))
        || (text.strip_prefix("env:")).is_some_and(|name| is_name(name, "_"))
        || (text.strip_prefix("file:")).is_some_and(|path| is_name(path, "_./-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_describes_the_rig_stays_and_so_do_references() {
        let rig = json!({
            "access_points": { "home": { "ssid": "lab", "passphrase": "env:HOME_PASSPHRASE" } },
            "boards": {
                "lamp": {
                    "kind": "serial", "port": "/dev/ttyUSB0", "baud": 115_200, "chip": "esp32c3", "log": "auto",
                    "can": ["power", "storage"], "mac": "02:00:00:00:00:01", "factory": [0x1000, 0x2000],
                    "flash": { "images": [{ "offset": 65_536, "file": "app.bin" }], "per_image": false },
                    "label": { "pop": "file:secrets/pop.txt" },
                },
                "program": { "kind": "process", "environment": { "KEY": "${client.key}" } },
            },
            "broker": { "bind": "10.0.0.1", "port": 8883, "names": ["broker.lab"] },
            "firmware": { "lamp": { "nvs": { "size": 24_576, "rows": [
                { "namespace": "broker", "key": "host", "type": "string", "value": "${broker.host}" },
            ] } } },
        });
        assert_eq!(redacted(rig.clone()), rig);
    }

    #[test]
    fn of_everything_else_nothing_stays_whatever_it_is_called() {
        const SECRET: &str = "horse";
        for text in [
            "horse",
            "--password=horse",
            "curl -u me:horse https://h; exec ./device",
            "A=1 TOKEN=horse ./d",
            "https://h/?id=1&token=horse",
            "mosquitto_pub -P horse",
            "mqtt://u:p/horse@host",
            "${x}horse",
            "${horse ${x}",
            "env:horse battery",
            "file:a\nhorse",
            "-----BEGIN EC PRIVATE KEY-----\nhorse",
        ] {
            let rig = json!({
                "boards": { "a": {
                    "command": ["sh", "-c", text],
                    "environment": { "API_KEY": text, "PRIVATE_KEY": text, "PWD": text, "port": text },
                    "label": { "url": text, "service_name": text, "pop": text },
                    "health": { "command": [text] },
                    "password": text,
                } },
                "power": { "a": { "on": [text], "off": [text] } },
                "broker": { "external": text },
                "firmware": { "lamp": {
                    "arguments": [text, [text]],
                    "nvs": { "rows": [{ "key": "id", "type": "base64", "value": text }] },
                    "endpoint": { "name": "custom", "value": text, "reply": text },
                    "provisioning": { "url": text, "username": text },
                } },
            });
            let told = redacted(rig).to_string();
            assert!(!told.contains(SECRET), "{told}");
        }
        // Also of a key that is harmless elsewhere, and as a number.
        let rig = json!({
            "ssid": "mqtt://u:horse@h", "keep": "a\nhorse",
            "environment": { "PIN": 1234, "log": { "chip": 1234 } }, "value": 1234,
        });
        let told = redacted(rig).to_string();
        assert!(!told.contains("horse") && !told.contains("1234"), "{told}");
    }
}
