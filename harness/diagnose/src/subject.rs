//! What part of a device a line is about.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use crate::Stage;
use crate::meant::words;

/// Buses, sensors and radios that have no part in the way online.
const PERIPHERAL: &str = r"(?i)\b(?:modbus|rs-?485|rs-?232|i2c\w*|spi[_ ]?(?:bus|dev\w*|master)|one-?wire|1-?wire|dallas|dht\d*|ds18b20|bme\d+|bmp\d+|sht\w{2,3}|scd\d+|zigbee|z-?wave|lora(?:wan)?|canbus|twai|dali|knx|m-?bus|adc\d?|gpio\w*|pwm|ledc|rmt|i2s|nfc|rfid|uart\d?|serial|mcu\w*|\w+_mcu)\b";
const BLUETOOTH: &str = r"(?i)\b(?:nimble\w*|ble|ble_\w+|gatt[cs]?\w*|gap|bluetooth|bluedroid|bt_\w+|btm?|btdm|btc|bta|l2cap|smp|hci\w*|CB(?:Error\w*|Peripheral\w*|Central\w*|ATT\w*)|CoreBluetooth|Bluetooth(?:Gatt|LeScanner|Adapter|Device|Manager)\w*|didFailToConnect|peripheral|bluetoothd|org\.bluez\S*)\b";
/// Servers of the device itself, for phones that are to find its pages.
const OWN_SERVER: &str = r"(?i)\[APConfig\]|\b(?:dns_server|captdns|captive(?:[_ -]?(?:portal|dns))?:|dhcps|\w*softap_dhcps\w*|softAPConfig\w*|dhcp_?server:|(?:soft-?)?ap: (?:station|sta|client)\b|(?:web|https?d?|https?_server|web_?server|ws)\w*: client\b|esphome api|api\.connection|APIConnectionError|(?:INFO|WARNING|ERROR) [\w.-]+ @ \d)";
/// What is of the way online, whatever else a line names.
const NETWORK: &str = r"(?i)wi-?fi|wlan|ssid|mqtt|broker|\btls\b|ssl|https?|dns|dhcp|tcp|socket|server|cloud|\bs?ntp\b|cert|provision|\bpop\b|security[012]|protocomm|\bip\b|router|access point|\botaa\b|\b(?:app|join|dev)[ _-]?eui\b|\bjoin[ -]?(?:request|accept)\b|\bEV_(?:RE)?JOIN|\bdev_?nonce\b";

static SUBJECTS: LazyLock<RegexSet> = LazyLock::new(|| {
    let all = [OWN_SERVER, NETWORK, BLUETOOTH, PERIPHERAL];
    #[expect(
        clippy::expect_used,
        reason = "the expressions are part of the program"
    )]
    RegexSetBuilder::new(all)
        .unicode(false)
        .build()
        .expect("the expressions are sound")
});

/// The part of a device that a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A bus, a sensor, another radio.
    Peripheral,
    /// Bluetooth and nothing else.
    Bluetooth,
    /// A server of the device's own network.
    OwnServer,
    /// The way online, or nothing that is known.
    Any,
}

impl Subject {
    /// What a line is about.
    pub fn of(line: &str) -> Self {
        let found = SUBJECTS.matches(own(line).as_bytes());
        match found.iter().next() {
            Some(0) => Self::OwnServer,
            Some(2) => Self::Bluetooth,
            Some(3) => Self::Peripheral,
            _ => Self::Any,
        }
    }

    /// Whether such a line can tell anything of this stage.
    pub fn tells_of(self, stage: Stage) -> bool {
        match self {
            Self::Peripheral => stage == Stage::Power,
            Self::OwnServer => stage <= Stage::Credentials || stage == Stage::Serving,
            Self::Bluetooth => stage <= Stage::Credentials || stage == Stage::Bind,
            Self::Any => true,
        }
    }
}

/// What the device itself has printed of a line, to which a logger may have put words of its own.
fn own(line: &str) -> &str {
    HEAD.find(line.as_bytes())
        .map_or(line, |head| &line[head.start()..])
}

/// The head of a line of ESP-IDF behind other words.
static HEAD: LazyLock<Regex> = LazyLock::new(|| words(r" [EWIDV] \(\d"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_parts_are_told_from_those_of_the_way_online() {
        for (line, subject) in [
            ("E (9) modbus: slave 4: timeout, rc=5", Subject::Peripheral),
            ("W (9) sht4x: read failed, retry 1", Subject::Peripheral),
            ("E (9) NimBLE: subscribe failed; rc=5", Subject::Bluetooth),
            ("E (9) wifi_prov_scheme_ble: Failed to start", Subject::Any),
            ("E (9) modbus: mqtt publish failed, rc=5", Subject::Any),
            (
                "W (9) dns_server: NXDOMAIN for ads.example",
                Subject::OwnServer,
            ),
            ("E (9) app: rc=5", Subject::Any),
            (
                "2024-08-10 09:41:02 INFO serial: E (9) app: rc=5",
                Subject::Any,
            ),
        ] {
            assert_eq!(Subject::of(line), subject, "{line}");
        }
    }
}
