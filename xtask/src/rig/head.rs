//! The radio head: runs inside the machine and gives its radios what the lab sends.
//!
//! A device's own network becomes one on the air of the machine's Wi-Fi by hostapd, and what its UART says
//! while no program listens is lost, as on a real one.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The port with the device's log.
pub const SERIAL: &str = "/dev/ttyS1";
/// O_NONBLOCK of Linux on x86-64 (include/uapi/asm-generic/fcntl.h).
pub const NONBLOCK: i32 = 0o4000;
/// How often to look who listens there.
const UART_LOOK: Duration = Duration::from_millis(30);
/// How often to look at the device's own network.
const LOOK: Duration = Duration::from_millis(100);

/// Serves the serial port and the device's own network until it is killed; `folder` is that of the rig.
pub fn serve(folder: &str) -> Result<(), String> {
    thread::spawn(|| {
        let error = unheard();
        eprintln!("radio head: at the serial port: {error:?}");
    });
    follow(&Path::new(folder).join("radio.json"))
}

/// Takes away what comes to the serial port while no program listens, as a UART loses it. QEMU would keep
/// it for the next one.
fn unheard() -> io::Result<()> {
    let mut port = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(SERIAL)?;
    let raw = Command::new("stty")
        .args(["-F", SERIAL, "raw", "-echo"])
        .status()?;
    if !raw.success() {
        return Err(io::Error::other(format!("stty: {raw}")));
    }
    let mut bytes = [0; 4096];
    loop {
        if !is_listened_to()? {
            while matches!(port.read(&mut bytes), Ok(1..)) {}
        }
        thread::sleep(UART_LOOK);
    }
}

/// Whether a `proving`, or another process of ours, has the serial port open.
fn is_listened_to() -> io::Result<bool> {
    for process in fs::read_dir("/proc")? {
        let process = process?;
        let number = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // There is `self`, too.
        if number.is_none_or(|number: u32| number == std::process::id()) {
            continue;
        }
        let process = process.path();
        // Processes and their files come and go meanwhile.
        let is_ours = fs::read_link(process.join("exe")).is_ok_and(|program| {
            let name = program.file_name();
            name.is_some_and(|name| name == "proving" || name == "xtask")
        });
        if !is_ours {
            continue;
        }
        let files = fs::read_dir(process.join("fd")).into_iter().flatten();
        let mut links = files.flatten().map(|file| fs::read_link(file.path()));
        if links.any(|link| link.is_ok_and(|link| link == Path::new(SERIAL))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps hostapd as the device's own network is.
fn follow(file: &Path) -> Result<(), String> {
    let mut known = Value::Null;
    let mut hostapd: Option<Child> = None;
    loop {
        // While it is being replaced it may be missing for a moment.
        let network = fs::read(file)
            .ok()
            .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
            .map(|all| all["soft_ap"].clone());
        if let Some(network) = network
            && network != known
        {
            if let Some(mut old) = hostapd.take() {
                let _ = Command::new("kill").arg(old.id().to_string()).status();
                let _ = old.wait();
            }
            eprintln!("radio head: the device's own network: {network}");
            hostapd = match configuration(&network) {
                Some(configuration) => Some(start(&configuration)?),
                None => None,
            };
            known = network;
        }
        thread::sleep(LOOK);
    }
}

fn configuration(network: &Value) -> Option<String> {
    let ssid = network["ssid"].as_str()?;
    let channel = network["channel"].as_u64()?;
    // In hexadecimal, so that no character of it ends the line.
    let ssid: String = ssid.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut text = format!(
        "interface=wlan2\nbridge=br0\ndriver=nl80211\nssid2={ssid}\nhw_mode=g\nchannel={channel}\n"
    );
    if let Some(key) = network["key"].as_str().filter(|key| !key.contains('\n')) {
        text.push_str(&format!(
            "wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase={key}\n"
        ));
    }
    Some(text)
}

fn start(configuration: &str) -> Result<Child, String> {
    let path = "/run/softap.conf";
    fs::write(path, configuration).map_err(|error| format!("failed to write {path}: {error}"))?;
    // It goes before all that computes, as that of the home does.
    let mut hostapd = Command::new("nice");
    hostapd
        .args([
            "-n", "-20", "ip", "netns", "exec", "softap", "hostapd", path,
        ])
        .stdin(Stdio::null());
    hostapd
        .spawn()
        .map_err(|error| format!("failed to start hostapd: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_becomes_a_configuration_of_hostapd() {
        let network = serde_json::json!({ "ssid": "PROV_1\nx", "key": "abcd1234", "channel": 1 });
        let text = configuration(&network).expect("a network");
        assert!(text.contains("ssid2=50524f565f310a78\n"), "{text}");
        assert!(text.contains("wpa_passphrase=abcd1234\n"), "{text}");
        let open = serde_json::json!({ "ssid": "PROV_1", "key": null, "channel": 6 });
        let text = configuration(&open).expect("a network");
        assert!(
            !text.contains("wpa") && text.contains("channel=6\n"),
            "{text}"
        );
        assert_eq!(configuration(&Value::Null), None);
    }
}
