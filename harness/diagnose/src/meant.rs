//! Words of a line that look like a trouble and mean something else, replaced by what they mean.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// A word of one of them, without which the others are not looked for.
static REASON: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)reason"));
static TIMEOUT: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)time(?:d[ -]?|[ _-]?)out"));

/// A time limit with its value, which is a setting, and nothing that ran out.
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)\btime-?out_?(?:ms|s|sec)?(?: is| of| in| set to| ?=| ?:)? ?\d+|_timeout: ?\d+",
    )
});

/// A reason that is MQTT's, whose numbers mean something else than Wi-Fi's.
static MQTT_REASON: LazyLock<Regex> = LazyLock::new(|| {
    expression(r"(?i)\b(mqtt|broker)\w*([^\n]{0,40}?)\breason(?: code)?[ :=(]{0,4}(\d)")
});

/// A reason of a reset or of Bluetooth, whose numbers mean something else than Wi-Fi's.
static OTHER_REASON: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)\b(\w*?(?:reset|rst|re?boot|restart|wake-?_?up|wake|sleep|exit|shutdown)|ble|bt|gatt\w*|gap|nimble|bluetooth|l2cap)\b?([^\n]{0,40}?)reason(?: code)?",
    )
});

/// What tells that a line is on Wi-Fi, whatever component prints it.
static OF_WIFI: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)wi-?fi|ssid|\bsta\b|STA_|\bAP\b|802\.11|bssid|station"));

/// A join that took too long, which is no connection to a server.
static JOIN_TIMEOUT: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)(\b(?:wi-?fi|wlan|ssid|access point)\b[^\n]{0,60}(?:connect|join)[^\n]{0,60}?|(?:connect|join)[^\n]{0,60}\b(?:wi-?fi|wlan|ssid|access point)\b[^\n]{0,60}?)\btime(?:d[ -]?|[ -]?)out\b",
    )
});

/// What tells that such a line is on another part of the way.
static OF_OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)handshake|dhcp|beacon|bcn|mqtt|broker|server|host|tcp|tls|ssl|https?|socket|ntp|\bIP\b|client|ping",
    )
});

fn expression(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the expression is part of the program")]
    Regex::new(text).expect("the expression is sound")
}

/// A line with what its misleading words mean, or the line itself.
pub fn as_meant(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if REASON.is_match(&line) && !OF_WIFI.is_match(&line) {
        line = replaced(line, &MQTT_REASON, "$1${2}mqttcode $3");
        line = replaced(line, &OTHER_REASON, "$1${2}why");
    }
    if TIMEOUT.is_match(&line) {
        line = replaced(line, &LIMIT, "limit");
        if !OF_OTHERS.is_match(&line) {
            line = replaced(line, &JOIN_TIMEOUT, "${1}wifi join failed");
        }
    }
    line
}

fn replaced<'a>(line: Cow<'a, str>, what: &Regex, with: &str) -> Cow<'a, str> {
    match what.replace_all(&line, with) {
        Cow::Borrowed(_) => line,
        Cow::Owned(line) => Cow::Owned(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misleading_words_are_replaced_and_others_stay() {
        for (line, meant) in [
            ("connection timeout: 5000 ms", "connection limit ms"),
            ("reset reason: 5", "reset why: 5"),
            ("esp_reset_reason 15", "esp_reset_why 15"),
            ("nimble: disconnect; reason=8", "nimble: disconnect; why=8"),
            (
                "wifi: disconnected, reason 8",
                "wifi: disconnected, reason 8",
            ),
            ("WiFi connect timeout", "WiFi connect wifi join failed"),
            ("connect to server timed out", "connect to server timed out"),
        ] {
            assert_eq!(as_meant(line), meant);
        }
    }
}
