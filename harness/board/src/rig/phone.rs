//! The phone of a rig: radios and interfaces of this host, and what a board's label says to its owner.

use super::secret::{SecretReference, secret};
use super::section::{Found, Section};

/// Longest name of a network interface in bytes (Linux, `IFNAMSIZ` less its end).
const LONGEST_INTERFACE: usize = 15;

/// What of this host a phone may use. Nothing else of it is touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RigPhone {
    /// A Bluetooth adapter, such as `hci0`.
    pub bluetooth: Option<String>,
    /// A Wi-Fi interface that NetworkManager has, such as `wlan1`.
    pub wifi: Option<String>,
    /// An interface on the boards' LAN, such as `eth1`.
    pub lan: Option<String>,
}

impl RigPhone {
    /// The same with what `other` has in the place of what this lacks.
    fn or(self, other: &Self) -> Self {
        Self {
            bluetooth: self.bluetooth.or_else(|| other.bluetooth.clone()),
            wifi: self.wifi.or_else(|| other.wifi.clone()),
            lan: self.lan.or_else(|| other.lan.clone()),
        }
    }
}

/// What a device's owner knows of it that its factory data do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// SSID of its network, or the name that it advertises.
    pub service_name: Option<String>,
    /// Passphrase of its network.
    pub service_key: Option<SecretReference>,
    /// Proof of possession, for security 1.
    pub pop: Option<SecretReference>,
    /// User name, for security 2.
    pub username: Option<String>,
    /// Password, for security 2.
    pub password: Option<SecretReference>,
    /// Where its service is in its own network, such as `http://192.168.4.1`.
    pub url: Option<String>,
}

/// `[phone]`, or a board's own, which goes before that of the rig.
pub(super) fn phone(section: Section<'_>, of_rig: &RigPhone) -> RigPhone {
    let example = "`bluetooth = \"hci0\"`; `bluetoothctl list` shows what there is";
    let bluetooth = named(&section, "bluetooth", example, is_adapter);
    let example = "`wifi = \"wlan1\"`; `nmcli device` shows what there is";
    let wifi = named(&section, "wifi", example, is_interface);
    let example = "`lan = \"eth1\"`; `ip address` shows what there is";
    let lan = named(&section, "lan", example, is_interface);
    if let (Some(wifi), Some(lan)) = (&wifi, &lan)
        && wifi.value == lan.value
    {
        let message = format!(
            "`{}` and `{}` are both `{}`, which cannot be in two networks at once",
            section.name("wifi"),
            section.name("lan"),
            lan.value
        );
        let help = "name another interface in one of them, or leave one out";
        section.note(lan.span.clone(), message, help);
    }
    section.end();
    let value = |found: Option<Found<String>>| found.map(|found| found.value);
    let own = RigPhone {
        bluetooth: value(bluetooth),
        wifi: value(wifi),
        lan: value(lan),
    };
    own.or(of_rig)
}

fn named(
    section: &Section<'_>,
    key: &'static str,
    example: &str,
    is_one: fn(&str) -> bool,
) -> Option<Found<String>> {
    let found = section.string(key, example)?;
    if is_one(&found.value) {
        return Some(found);
    }
    let message = format!("`{}` cannot be `{}`", section.name(key), found.value);
    section.note(found.span, message, format!("write {example}"));
    None
}

fn is_adapter(name: &str) -> bool {
    let number = name.strip_prefix("hci");
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}

fn is_interface(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_graphic() && c != '/';
    name.len() <= LONGEST_INTERFACE && name.chars().all(is_letter) && !name.starts_with('.')
}

/// `[boards.NAME.label]`.
pub(super) fn label(section: Section<'_>) -> Label {
    let secret = |key| secret(&section, key);
    let text = |key: &'static str, example: &str| Some(section.string(key, example)?.value);
    let example = "`service_name = \"PROV_0ABC01\"`, as the device advertises it";
    let label = Label {
        service_name: text("service_name", example),
        service_key: secret("service_key"),
        pop: secret("pop"),
        username: text("username", "`username = \"wifiprov\"`"),
        password: secret("password"),
        url: text("url", "`url = \"http://192.168.4.1\"`"),
    };
    section.end();
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_board_has_goes_before_what_the_rig_has() {
        let own = RigPhone {
            wifi: Some("wlan2".into()),
            ..RigPhone::default()
        };
        let rig = RigPhone {
            wifi: Some("wlan1".into()),
            lan: Some("eth1".into()),
            bluetooth: None,
        };
        let both = own.or(&rig);
        assert_eq!(both.wifi.as_deref(), Some("wlan2"));
        assert_eq!(both.lan.as_deref(), Some("eth1"));
    }

    #[test]
    fn names_of_adapters_and_interfaces_are_told_from_others() {
        assert!(is_adapter("hci0") && !is_adapter("wlan0") && !is_adapter("hci"));
        assert!(is_interface("wlx00c0caabcdef") && is_interface("eth0.7"));
        assert!(!is_interface("wlan 1") && !is_interface("../eth0"));
        assert!(!is_interface("an-interface-too-long"));
    }
}
