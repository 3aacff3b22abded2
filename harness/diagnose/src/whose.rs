//! Whose an address in a line is: the device's own, or that of a server, of a peer, or of an answer to a name.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::{Pattern, rules};

/// Bytes before an address in which a word tells whose it is.
const NEAR: usize = 64;

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| words(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"));

/// What tells of an address behind it, with nothing but such words in between, that it is of another host.
static OF_ANOTHER: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\b(?:brokers?|mqtts?|servers?|srv|hosts?|peers?|remote|dest(?:ination)?|dst|target|upstream|proxy|relay|endpoint|cloud|backend|collector|s?ntp\d?|dns\d?|name ?servers?|resolver|resolv(?:e|ed|es|ing)|look(?:ed)? ?up|answers?|reply|replies|ur[il]|gateway|gw|router|net ?mask|mask|subnet|clients?|viewer|servidor|serveur|puerta|passerelle|[a-z]+-?adresse (?:des|der) \w+|zieladresse)(?:'s)?\b|://|_(?:host|server|broker|ip_remote|addr_remote))(?:[^\w,;|]|_|\b(?:ip|ipv4|ip4|ip6|addr|address|adresse|host|name|port|at|is|to|on|via|as|of|the|a|ist|es|est|es|it)\b)*$",
    )
});

/// The same behind a host's name.
static OF_NAME: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:^|[^\w.-])((?:[a-z0-9][a-z0-9_-]*\.)+[a-z]{2,24})\.?(?:[^\w,;|]|_|\b(?:ip|ipv4|addr|address|adresse|resolved|has|is|to|as|at|of|ist|unter|a|in)\b)*$",
    )
});

/// Ends of names that a device has itself, or that are those of source files.
static NO_NAME: LazyLock<Regex> = LazyLock::new(|| {
    words(r"(?i)\.(?:local|cc|cpp|cxx|hpp|ino|js|kt|lua|mjs|py|rs|swift|ts|go|java|json|yaml)$")
});

/// The port of a server behind an address.
static SERVER_PORT: LazyLock<Regex> =
    LazyLock::new(|| words(r"^:(?:53|123|443|1883|568[34]|8080|8443|8883|8884)\b"));

/// Takes what tells of the device's own address out of what was found in a line whose addresses are others'.
pub fn leave_out(found: &mut Vec<Pattern>, line: &str) {
    let of_addresses = &rules().of_addresses;
    if found.iter().any(|pattern| of_addresses[*pattern]) && are_of_others(line) {
        found.retain(|pattern| !of_addresses[*pattern]);
    }
}

/// Whether a line has addresses, and none of them is the device's.
fn are_of_others(line: &str) -> bool {
    if line.bytes().filter(|byte| *byte == b'.').count() < 3 {
        return false;
    }
    let bytes = line.as_bytes();
    let mut all = ADDRESS.find_iter(bytes).peekable();
    let is_any = all.peek().is_some();
    is_any && all.all(|address| is_of_another(bytes, address.start(), address.end()))
}

fn is_of_another(line: &[u8], start: usize, end: usize) -> bool {
    let before = &line[start.saturating_sub(NEAR)..start];
    let of_name = OF_NAME.captures(before);
    let name = of_name.and_then(|found| found.get(1));
    OF_ANOTHER.is_match(before)
        || SERVER_PORT.is_match(&line[end..])
        || name.is_some_and(|name| !NO_NAME.is_match(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_server_or_of_a_name_is_none_of_the_device_s() {
        for line in [
            "[hostByName] Host: in.vendor.example IP: 0.0.0.0",
            "config ok: ssid=YARD-NET broker=10.1.0.4:1883 id=lc-07",
            "[wifi] settings: home / server 10.0.0.5",
            "net: mqtt://192.168.1.5 as lamp",
            "dns: in.vendor.example is 203.0.113.7",
            "WLAN-Profil ok, Broker: 10.2.3.4",
            "red: servidor es 10.2.3.4",
            "[net] peer address: 192.168.1.77",
            "network: gw=192.168.1.1 mask=255.255.255.0",
            "got ip of the broker: 10.0.0.3",
        ] {
            assert!(are_of_others(line), "{line}");
        }
    }

    #[test]
    fn the_device_s_own_address_stays_its_own() {
        for line in [
            "sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1",
            "ip:192.168.1.61,mask:255.255.255.0,gw:192.168.1.1",
            "WiFi connected, IP 192.168.1.61 dns 192.168.1.2",
            "Web server active on plug-01 with IP address 192.168.1.20",
            "[net] address 10.0.0.7/24 gw 10.0.0.1",
            "udhcpc[460]: lease of 192.168.1.88 obtained from 192.168.1.1",
            "[D][WiFiGeneric.cpp:289] wifi ip 192.168.1.3",
            "lamp.local: ip 192.168.1.3",
            "STA got ip",
            "('192.168.1.20', '255.255.255.0', '192.168.1.1', '192.168.1.1')",
            "network config: ip 0.0.0.0",
        ] {
            assert!(!are_of_others(line), "{line}");
        }
    }
}
