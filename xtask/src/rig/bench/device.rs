//! The device of the benches: made by a run, then worked by hand.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::cases::{SHARED, proving_run, succeeds};
use super::super::head::{NONBLOCK, SERIAL};
use super::super::killed::{bluetooth, wifi, within};
use super::Turn;

/// How long it may take until it can be provisioned.
const STARTS: Duration = Duration::from_secs(30);
/// How long the host may take into the device's network, and home.
const JOINS: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A device with factory data.
pub struct Device {
    over: String,
}

/// What stands in its QR code.
pub struct Label {
    pub name: String,
    pub username: String,
    /// Proof of possession, or the password with security 2.
    pub pop: String,
}

impl Device {
    /// Of this transport and security.
    pub fn make(over: &str, security: &str) -> Result<Self, String> {
        let filter = format!("name(over={over},security={security})");
        succeeds(&mut proving_run(&[
            "rig-scenarios/benched.yaml",
            "-E",
            &filter,
        ])?)?;
        Ok(Self {
            over: over.to_owned(),
        })
    }

    /// Has it start as fresh from the factory, and a phone provision it.
    pub fn turn(&self, phone: impl FnOnce(&Label) -> Result<Turn, String>) -> Result<Turn, String> {
        let _powered = Powered;
        rig(&["power", "off"])?;
        rig(&["storage", "erase"])?;
        forget();
        let label = started()?;
        if self.over == "softap" {
            join(&label.name)?;
        }
        let turn = phone(&label);
        if self.over == "softap" {
            leave(&label.name)?;
        }
        turn
    }
}

/// Has BlueZ forget every device, so that each turn is with one that the host meets for the first time.
fn forget() {
    for line in bluetooth("devices").lines() {
        if let Some(address) = line.split(' ').nth(1) {
            bluetooth(&format!("remove {address}"));
        }
    }
}

/// Takes the device's power when dropped.
struct Powered;

impl Drop for Powered {
    fn drop(&mut self) {
        // The next turn does it again, and tells why not.
        let _ = rig(&["power", "off"]);
    }
}

/// A request of the rig.
fn rig(words: &[&str]) -> Result<(), String> {
    succeeds(
        Command::new("./rig")
            .current_dir(format!("{SHARED}/rig"))
            .args(words),
    )
    .map_err(|error| format!("rig {}: {error}", words.join(" ")))
}

/// Gives it power, and reads its log until it can be provisioned.
fn started() -> Result<Label, String> {
    let failed = |error: std::io::Error| format!("failed to read {SERIAL}: {error}");
    let port = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(SERIAL);
    let mut port = port.map_err(failed)?;
    rig(&["power", "on"])?;
    let began = Instant::now();
    let mut log = Vec::new();
    while began.elapsed() < STARTS {
        let mut bytes = [0; 4096];
        match port.read(&mut bytes) {
            Ok(length) => log.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        let text = String::from_utf8_lossy(&log);
        let is_started = text.contains("Provisioning started");
        if let Some(label) = label(&text).filter(|_| is_started) {
            return Ok(label);
        }
        thread::sleep(LOOK);
    }
    let log = String::from_utf8_lossy(&log);
    Err(format!("the device cannot be provisioned; it says:\n{log}"))
}

/// What the log says of the QR code.
fn label(log: &str) -> Option<Label> {
    log.split("{\"ver\"").skip(1).find_map(|rest| {
        let (inner, _) = rest.split_once('}')?;
        let code: Value = serde_json::from_str(&format!("{{\"ver\"{inner}}}")).ok()?;
        let text = |field: &str| code[field].as_str().unwrap_or_default().to_owned();
        Some(Label {
            name: code["name"].as_str()?.to_owned(),
            username: text("username"),
            pop: text("pop"),
        })
    })
}

/// Takes the host into the device's network, as its user does for a phone that does not.
fn join(name: &str) -> Result<(), String> {
    let mut said = String::new();
    let joined = within(JOINS, "wlan1 is in the device's network", || {
        // It is heard by the next look around, which is far off for an interface that is in a network. One that
        // comes too soon after the last is refused. Without the name: NetworkManager 1.42 crashes if the same is
        // asked for again while it is being looked for.
        let mut look = Command::new("nmcli");
        let look = look.args(["device", "wifi", "rescan", "ifname", "wlan1"]);
        let _ = look.output();
        let mut connect = Command::new("nmcli");
        let connect = connect.args(["device", "wifi", "connect", name, "ifname", "wlan1"]);
        // It fails until the network has been heard.
        let ended = connect.output();
        said = match &ended {
            Ok(ended) => String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        ended.is_ok_and(|ended| ended.status.success())
    });
    joined.map_err(|error| format!("{error}; nmcli: {said}"))
}

fn leave(name: &str) -> Result<(), String> {
    succeeds(Command::new("nmcli").args(["connection", "delete", name]))?;
    within(JOINS, "wlan1 is at home", || wifi() == "connected:home")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_read_from_the_log() {
        let log = "I (1) app: Scan this\r\nhttps://x/qrcode.html?data={\"ver\":\"v1\",\"name\":\
                   \"PROV_A\",\"username\":\"wifiprov\",\"pop\":\"abc\",\"transport\":\"ble\"}\r\n";
        let read = label(log).expect("a label");
        assert_eq!(
            (&read.name[..], &read.username[..], &read.pop[..]),
            ("PROV_A", "wifiprov", "abc")
        );
        assert!(label(&log[..60]).is_none());
    }
}
