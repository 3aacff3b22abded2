//! The commands that mend what keeps this host from using a board, for `proving doctor` and for runs that
//! end broken by the same.

use std::path::Path;

use board::serial::PortError;
use board::{BoardError, command::CommandError};
use phone::{BleError, Blocked, ProvisioningError, TransportError, WIFI_ACTIONS, WifiError};

use crate::attempt::LabError;

/// Where the kernel tells of devices.
pub(crate) const SYS: &str = "/sys";

/// BlueZ does not run.
pub(crate) fn no_bluez() -> String {
    "`sudo apt install bluez && sudo systemctl enable --now bluetooth`".to_owned()
}

/// The bus does not let this user talk to BlueZ.
pub(crate) fn bluez_denied() -> String {
    "`sudo usermod -aG bluetooth $USER`, then log in again".to_owned()
}

/// There is no adapter of this name.
pub(crate) fn no_adapter(known: &[String]) -> String {
    match known {
        [] => "plug an adapter in; `bluetoothctl list` and `dmesg` show whether the kernel has it"
            .to_owned(),
        known => format!(
            "write `bluetooth = \"{}\"` under `[phone]`, or plug the adapter in; `bluetoothctl list` \
             shows what there is",
            known[0]
        ),
    }
}

/// The adapter went away, or something switched it off.
pub(crate) fn adapter_off(name: &str) -> String {
    match phone::radio_switch(Path::new(SYS), name) {
        Some(blocked @ (Blocked::Soft | Blocked::Hard)) => blocked_radio(blocked, "bluetooth"),
        _ => format!(
            "plug it in again; `bluetoothctl list` shows whether {name} is there, `rfkill list` \
             whether it is kept off: then `sudo rfkill unblock bluetooth`"
        ),
    }
}

/// The kernel keeps a radio of this kind of rfkill's off.
pub(crate) fn blocked_radio(blocked: Blocked, kind: &str) -> String {
    match blocked {
        Blocked::Hard => {
            "the machine's own switch or key for its radios, or its firmware settings: \
                          no command can; `rfkill list` shows it"
                .to_owned()
        }
        Blocked::Soft | Blocked::No => format!("`sudo rfkill unblock {kind}`"),
    }
}

/// NetworkManager does not run.
pub(crate) fn no_network_manager() -> String {
    "`sudo apt install network-manager && sudo systemctl enable --now NetworkManager`".to_owned()
}

/// NetworkManager has no such Wi-Fi interface.
pub(crate) fn no_interface() -> String {
    "`nmcli device` lists what there is with its type: write a name of type wifi as `wifi` under \
     `[phone]`, or plug the interface in"
        .to_owned()
}

/// NetworkManager was told to leave an interface alone.
pub(crate) fn unmanaged(interface: &str) -> String {
    format!(
        "`sudo nmcli device set {interface} managed yes`; if a rule or hostapd needs it, name another \
         interface as `wifi` under `[phone]`"
    )
}

/// NetworkManager cannot use an interface.
pub(crate) fn unavailable(interface: &str) -> String {
    match phone::radio_switch(Path::new(SYS), interface) {
        Some(blocked @ (Blocked::Soft | Blocked::Hard)) => blocked_radio(blocked, "wifi"),
        _ => "`nmcli radio wifi on`; if it is on, `sudo systemctl restart wpa_supplicant \
              NetworkManager`"
            .to_owned(),
    }
}

/// Another program keeps a checkpoint of an interface.
pub(crate) fn kept_by_others(interface: &str) -> String {
    format!(
        "wait until that program is done (a checkpoint runs out by itself), or `sudo systemctl restart \
         NetworkManager`, or name another interface than {interface} as `wifi` under `[phone]`"
    )
}

/// Another of our processes uses a radio.
pub(crate) fn held_radio() -> String {
    "wait until that run is done, or end it: `pgrep -a proving` shows it".to_owned()
}

/// An interface is an access point itself.
pub(crate) fn is_access_point(interface: &str) -> String {
    format!(
        "name another interface as `wifi` under `[phone]`: a phone and an access point need a radio \
         each; `nmcli device disconnect {interface}` ends the access point"
    )
}

/// Polkit does not let this user change networks without a password.
pub(crate) fn polkit() -> String {
    let actions = WIFI_ACTIONS.map(|action| format!("\"{action}\"")).join(",");
    format!(
        "`echo 'polkit.addRule(function(a, s) {{ if (s.user == \"'$USER'\" && [{actions}].some(function(x) \
         {{ return a.id == \"org.freedesktop.NetworkManager.\" + x; }})) return polkit.Result.YES; }});' \
         | sudo tee /etc/polkit-1/rules.d/50-proving.rules`"
    )
}

/// A device file may not be opened by this user.
pub(crate) fn port_denied(group: &str) -> String {
    format!("`sudo usermod -aG {group} $USER`, then log in again")
}

/// A port is not there.
pub(crate) fn no_port() -> String {
    "plug the board in; `proving boards` lists what is attached, with the `port` to write"
        .to_owned()
}

/// A process has a port open.
pub(crate) fn port_used(port: &str) -> String {
    format!("end that program; `fuser -v {port}` shows it")
}

/// A program of the rig file is not there.
pub(crate) fn no_program(program: &str) -> String {
    let file = Path::new(program).file_name();
    let name = file.map(|name| name.to_string_lossy()).unwrap_or_default();
    match &*name {
        "esptool" | "esptool.py" => "`pipx install esptool`".to_owned(),
        "espflash" => "`cargo install espflash --locked`".to_owned(),
        "uhubctl" => "`sudo apt install uhubctl`".to_owned(),
        "openocd" => "`sudo apt install openocd`".to_owned(),
        "python" | "python3" => "`sudo apt install python3`".to_owned(),
        _ if program.contains('/') => {
            format!("build or install it; if it is there, `chmod +x {program}`")
        }
        _ => "install it, or write its whole path in the rig file".to_owned(),
    }
}

/// What mends the host that a run ended broken by; none if that is no matter of the host's, or the
/// message says it already.
pub(crate) fn of(error: &LabError) -> Option<String> {
    match error {
        LabError::Wifi(error) => of_wifi(error),
        LabError::Bluetooth(error) => of_bluetooth(error),
        LabError::Phone(ProvisioningError::Transport {
            source: TransportError::Ble(error),
            ..
        }) => of_bluetooth(error),
        LabError::Board(error) => of_board(error),
        _ => None,
    }
}

/// What mends the host's ports and programs, if the host is at fault.
pub fn of_board(error: &BoardError) -> Option<String> {
    match error {
        BoardError::Port(error) => match error {
            PortError::Missing { .. } => Some(no_port()),
            PortError::Busy { port, .. } => Some(port_used(port)),
            PortError::Denied { group, .. } => Some(port_denied(group)),
            _ => None,
        },
        BoardError::Command(CommandError::Missing { program }) => Some(no_program(program)),
        _ => None,
    }
}

/// What mends the host's Wi-Fi, if the host is at fault.
pub fn of_wifi(error: &WifiError) -> Option<String> {
    match error {
        WifiError::NoManager(_) => Some(no_network_manager()),
        WifiError::NoInterface { .. } | WifiError::NotWifi { .. } => Some(no_interface()),
        WifiError::NoCheckpoint { .. } => Some(polkit()),
        WifiError::KeptByOthers { interface } => Some(kept_by_others(interface)),
        WifiError::InUse { .. } => Some(held_radio()),
        WifiError::Unmanaged { interface } => Some(unmanaged(interface)),
        WifiError::Unavailable { interface } => Some(unavailable(interface)),
        _ => None,
    }
}

/// What mends the host's Bluetooth, if the host is at fault.
pub fn of_bluetooth(error: &BleError) -> Option<String> {
    match error {
        BleError::Adapter { source } => {
            let said = source.to_string();
            // BlueZ: `org.bluez.Error.Blocked`.
            Some(match said.contains("rfkill") {
                true => blocked_radio(Blocked::Soft, "bluetooth"),
                false if said.contains("AccessDenied") => bluez_denied(),
                false => no_bluez(),
            })
        }
        BleError::NoAdapter { known, .. } => Some(no_adapter(known)),
        BleError::AdapterGone { name } => Some(adapter_off(name)),
        _ => None,
    }
}
