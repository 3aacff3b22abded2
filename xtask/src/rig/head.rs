//! The radio head: runs inside the machine and gives its radios what the lab sends.
//!
//! The controller on a port of the machine becomes an adapter of its own by /dev/vhci, and a device's own
//! network becomes one on the air of its Wi-Fi by hostapd.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The port with H4.
const HCI: &str = "/dev/virtio-ports/hci";
/// Makes an adapter for as long as it is open (Linux, drivers/bluetooth/hci_vhci.c).
const VHCI: &str = "/dev/vhci";
/// First byte of what only /dev/vhci itself understands.
const VENDOR: u8 = 0xFF;
/// The port with the device's log.
const SERIAL: &str = "/dev/ttyS1";
/// O_NONBLOCK of Linux on x86-64 (include/uapi/asm-generic/fcntl.h).
const NONBLOCK: i32 = 0o4000;
/// How often to look who listens there.
const UART_LOOK: Duration = Duration::from_millis(30);
/// How often to look at the device's own network.
const LOOK: Duration = Duration::from_millis(100);

/// Serves the radios of the machine until it is killed; `folder` is that of the rig.
pub fn serve(folder: &str) -> Result<(), String> {
    let open = |path: &str| {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        opened.map_err(|error| format!("failed to open {path}: {error}"))
    };
    let (port, vhci) = (open(HCI)?, open(VHCI)?);
    let both = |file: &File| file.try_clone().map_err(|error| error.to_string());
    let (port_again, vhci_again) = (both(&port)?, both(&vhci)?);
    (&vhci)
        .write_all(&[VENDOR, 0])
        .map_err(|error| format!("failed to make an adapter: {error}"))?;
    thread::spawn(move || {
        let error = to_controller(vhci_again, port_again);
        eprintln!("radio head: from the adapter: {error:?}");
    });
    thread::spawn(move || {
        let error = to_adapter(port, vhci);
        eprintln!("radio head: from the controller: {error:?}");
    });
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

/// Whether a `proving` has the serial port open.
fn is_listened_to() -> io::Result<bool> {
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        // Processes and their files come and go meanwhile.
        let is_proving = fs::read_link(process.join("exe"))
            .is_ok_and(|program| program.file_name().is_some_and(|name| name == "proving"));
        if !is_proving {
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

/// Each read of /dev/vhci is a packet.
fn to_controller(mut vhci: File, mut port: File) -> io::Result<()> {
    let mut packet = [0; 4096];
    loop {
        let length = vhci.read(&mut packet)?;
        match packet.first() {
            Some(&VENDOR) | None => {}
            Some(_) => port.write_all(&packet[..length])?,
        }
    }
}

/// Each write to /dev/vhci has to be a whole packet.
fn to_adapter(mut port: File, mut vhci: File) -> io::Result<()> {
    loop {
        let packet = read_packet(&mut port)?;
        vhci.write_all(&packet)?;
    }
}

/// The next packet of an H4 stream (Bluetooth Core 5.4, volume 4, part A, §2).
fn read_packet(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut packet = vec![0];
    from.read_exact(&mut packet)?;
    let header = match packet[0] {
        // ACL data, synchronous data, events, isochronous data.
        2 | 5 => 4,
        3 => 3,
        4 => 2,
        other => {
            let problem = format!("an H4 packet of type {other}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    };
    packet.resize(1 + header, 0);
    from.read_exact(&mut packet[1..])?;
    let length = match packet[0] {
        2 => usize::from(u16::from_le_bytes([packet[3], packet[4]])),
        5 => usize::from(u16::from_le_bytes([packet[3], packet[4]]) & 0x3FFF),
        _ => usize::from(packet[header]),
    };
    let start = packet.len();
    packet.resize(start + length, 0);
    from.read_exact(&mut packet[start..])?;
    Ok(packet)
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
    let mut hostapd = Command::new("ip");
    hostapd
        .args(["netns", "exec", "softap", "hostapd", path])
        .stdin(Stdio::null());
    hostapd
        .spawn()
        .map_err(|error| format!("failed to start hostapd: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_by_their_lengths() {
        let stream: Vec<u8> = [
            [4, 0x0E, 2, 7, 8].as_slice(),
            &[2, 0x40, 0, 3, 0, 1, 2, 3],
            &[4, 0x0F, 0],
        ]
        .concat();
        let mut rest = stream.as_slice();
        let lengths: Vec<usize> = (0..3)
            .map(|_| read_packet(&mut rest).expect("a packet").len())
            .collect();
        assert_eq!(lengths, [5, 8, 3]);
        assert!(read_packet(&mut rest).is_err());
        for cut in [
            &[4][..],
            &[4, 0x0E, 2, 7],
            &[2, 0, 0, 0xFF, 0xFF, 1],
            &[9, 0, 0],
        ] {
            assert!(read_packet(&mut &*cut).is_err(), "{cut:?}");
        }
    }

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
