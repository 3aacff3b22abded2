//! What the rig says of itself: `rig.toml`, the script behind its commands, `env`, `endpoints.json`.

use std::net::SocketAddr;

use serde_json::json;

use super::access_points::AccessPoints;
use super::folder::Folder;
use super::uart::LogForm;
use super::{DEVICE, UpError};

/// The name by which devices find broker and time server.
pub const BROKER: &str = "lab.example";

/// What differs from one way of offering the rig to another.
pub struct Described {
    /// The port of the log's UART, as a rig file has it.
    pub port: String,
    /// The console, as a rig file has it.
    pub console: String,
    /// Where the device's service is in its own network, unless it is where ESP-IDF has it.
    pub url: Option<String>,
    /// What phones use: the lines below `[phone]`.
    pub phone: Vec<(&'static str, String)>,
    /// Where broker and time server are to listen.
    pub broker: SocketAddr,
    pub time_port: u16,
    /// The bus with the stand-ins for BlueZ and NetworkManager.
    pub dbus: Option<String>,
    /// How the log appears on the UART.
    pub log: LogForm,
    /// Whether what is behind the access points is none of the lab's.
    pub is_bridged: bool,
}

/// Writes all of it, the rig file last.
pub fn write(folder: &Folder, points: &AccessPoints, described: &Described) -> Result<(), UpError> {
    folder.write_script(include_str!("rig.sh"))?;
    folder.write_env(&env(points, described))?;
    folder.write_endpoints(&endpoints(points, described))?;
    folder.write_rig_toml(&rig_toml(points, described))
}

fn env(points: &AccessPoints, described: &Described) -> String {
    let mut text = String::new();
    let mut export = |name: &str, value: &str| {
        // None of the values has a quote in it.
        text.push_str(&format!("export {name}='{value}'\n"));
    };
    if let Some(dbus) = &described.dbus {
        export("DBUS_SYSTEM_BUS_ADDRESS", dbus);
    }
    for point in points.iter() {
        export(&point.variable(), &point.settings.passphrase);
    }
    text
}

fn endpoints(points: &AccessPoints, described: &Described) -> String {
    let access_points: serde_json::Map<String, serde_json::Value> = points
        .iter()
        .map(|point| {
            let value = json!({ "ssid": point.ssid(), "passphrase": point.settings.passphrase });
            (point.role.clone(), value)
        })
        .collect();
    let all = json!({
        "port": described.port,
        "console": described.console,
        "soft_ap": described.url,
        "lan": described.log.lan.map(|address| address.to_string()),
        "dbus": described.dbus,
        "broker": described.broker.to_string(),
        "time_port": described.time_port,
        "access_points": access_points,
    });
    format!("{all:#}\n")
}

fn rig_toml(points: &AccessPoints, described: &Described) -> String {
    let Described {
        port,
        console,
        broker,
        time_port,
        ..
    } = described;
    let mut text = format!(
        r#"# An imitated rig, made by `proving up --as-rig`; it is gone when that ends.
[boards.{DEVICE}]
kind = "serial"
port = "{port}"
log = "esp-idf"
console = "{console}"
factory = {{ command = ["./rig", "factory", "{{file}}"] }}
storage = {{ read = ["./rig", "storage", "read", "{{file}}"], erase = ["./rig", "storage", "erase"] }}
reset_command = ["./rig", "reset"]
"#
    );
    if let Some(url) = &described.url {
        text.push_str(&format!("label = {{ url = \"{url}\" }}\n"));
    }
    text.push_str(&format!(
        r#"
[power.{DEVICE}]
on = ["./rig", "power", "on"]
off = ["./rig", "power", "off"]
settle_ms = 0
"#
    ));
    for point in points.iter() {
        let (role, ssid, variable) = (&point.role, point.ssid(), point.variable());
        text.push_str(&format!(
            r#"
[access_points.{role}]
ssid = "{ssid}"
passphrase = "env:{variable}"
switch = {{ on = ["./rig", "access-point", "{role}", "power", "on"], off = ["./rig", "access-point", "{role}", "power", "off"] }}
"#
        ));
        // None of it can be had by the lab's half of an access point.
        if !described.is_bridged {
            text.push_str(&format!(
                r#"internet = {{ on = ["./rig", "access-point", "{role}", "internet", "on"], off = ["./rig", "access-point", "{role}", "internet", "off"] }}
isolation = {{ on = ["./rig", "access-point", "{role}", "isolation", "on"], off = ["./rig", "access-point", "{role}", "isolation", "off"] }}
set = {{ command = ["./rig", "access-point", "{role}", "set", "{{file}}"] }}
"#
            ));
        }
    }
    let (bind, port) = (broker.ip(), broker.port());
    text.push_str(&format!(
        r#"
[broker]
bind = "{bind}"
port = {port}
time_port = {time_port}
names = ["{BROKER}"]
"#
    ));
    if !described.phone.is_empty() {
        text.push_str("\n[phone]\n");
    }
    for (key, value) in &described.phone {
        text.push_str(&format!("{key} = \"{value}\"\n"));
    }
    text
}
