//! The ESP8266 NONOS SDK, which prints texts without any head: of the station, and axTLS's of a
//! handshake. They tell no level, but `Error:` is one.

use trace::Level;

use crate::{Dialect, Head};

/// Texts that stand alone in a line.
const WHOLE: [&str; 5] = [
    "scandone",
    "reconnect",
    "client handshake start.",
    "client handshake ok!",
    "client handshake failed",
];

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let text = line.trim_end();
    let level = if is_error(text) {
        Some(Level::Error)
    } else if WHOLE.contains(&text)
        || is_of_station(text)
        || text.starts_with("Alert: ")
        || text.starts_with("pm open,type:")
    {
        None
    } else {
        return None;
    };
    Some(Head {
        dialect: Dialect::Esp8266,
        level,
        tag: None,
        device_ms: None,
        text: line,
    })
}

/// `Error: SSL error -256`
fn is_error(text: &str) -> bool {
    let number = text.strip_prefix("Error: SSL error ");
    number.is_some_and(|number| is_number(number.strip_prefix('-').unwrap_or(number)))
}

/// `state: 2 -> 3 (0)`, `connected with S, channel 6`, `ip:192.168.1.5,mask:..,gw:..`, `rm 0`.
fn is_of_station(text: &str) -> bool {
    let state = || {
        let (from, rest) = text.strip_prefix("state: ")?.split_once(" -> ")?;
        let (to, code) = rest.split_once(" (")?;
        let code = code.strip_suffix(')')?;
        let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(is_number(from) && is_number(to) && is_code)
    };
    let connected = || {
        let (_, channel) = text
            .strip_prefix("connected with ")?
            .rsplit_once(", channel ")?;
        Some(is_number(channel))
    };
    let address = || {
        let (address, rest) = text.strip_prefix("ip:")?.split_once(",mask:")?;
        let (mask, gateway) = rest.split_once(",gw:")?;
        let is_address = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
        Some(is_address(address) && is_address(mask) && is_address(gateway))
    };
    let removed = || Some(is_number(text.strip_prefix("rm ")?));
    let found = state().or_else(connected).or_else(address).or_else(removed);
    found.unwrap_or(false)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}
