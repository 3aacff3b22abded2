//! A long log, and fifty patterns for it.

use std::fmt::Write as _;

use trace::{Level, LogLine};

/// Patterns that must not come, most of them plain texts as in real scenarios.
const NEVER: usize = 40;
/// Patterns that are waited for; each comes once.
pub const MARKERS: usize = 10;

/// A device's log. The markers come evenly spread, the last one in the last line.
pub struct Text {
    /// Size on a console, about.
    pub bytes: usize,
    /// Line by line.
    pub lines: Vec<LogLine>,
}

impl Text {
    /// A log of about `bytes` bytes.
    pub fn of(bytes: usize) -> Self {
        let mut lines = Vec::new();
        let mut length = 0;
        let mut markers = 0;
        while length < bytes {
            let line = line(lines.len() as u64);
            length += console(&line).len();
            lines.push(line);
            if markers < MARKERS - 1 && length > bytes * (markers + 1) / MARKERS {
                lines.push(marker(markers));
                markers += 1;
            }
        }
        lines.push(marker(MARKERS - 1));
        Self { bytes, lines }
    }
}

fn marker(number: usize) -> LogLine {
    LogLine {
        level: Level::Info,
        tag: "bench".into(),
        text: format!("Marker <{number}> reached"),
        device_ms: Some(number as u64),
        place: None,
    }
}

/// What a busy ESP-IDF application prints.
fn line(number: u64) -> LogLine {
    let heap = 180_000 - number * 37 % 9_000;
    let (level, tag, text) = match number % 8 {
        0 => (Level::Info, "wifi", "state: auth -> assoc (0x0)".to_owned()),
        1 => (
            Level::Info,
            "heap",
            format!("free {heap} minimum 143208 largest block 110592"),
        ),
        2 => (
            Level::Debug,
            "mqtt_client",
            format!("PING sent, outbox {} bytes", number % 512),
        ),
        3 => (
            Level::Info,
            "sensor",
            format!(
                "temperature {}.{} C, humidity {} %",
                number % 40,
                number % 10,
                number % 100
            ),
        ),
        4 => (
            Level::Debug,
            "esp_netif_lwip",
            format!("esp_netif_get_ip_info esp_netif:0x3fcb{number:04x}"),
        ),
        5 => (
            Level::Warn,
            "wifi",
            format!(
                "bcn_timeout, ap_probe_send_start, rssi -{}",
                40 + number % 50
            ),
        ),
        6 => (
            Level::Info,
            "app",
            format!("report {number} queued, {} waiting", number % 7),
        ),
        _ => (
            Level::Debug,
            "transport_base",
            format!("poll_read: select - Timeout before any socket was ready, {number}"),
        ),
    };
    LogLine {
        level,
        tag: tag.into(),
        text,
        device_ms: Some(number * 3),
        place: None,
    }
}

/// The line as ESP-IDF prints it.
pub fn console(line: &LogLine) -> String {
    let level = line.level.letter();
    let ms = line.device_ms.unwrap_or_default();
    format!("{level} ({ms}) {}: {}\n", line.tag, line.text)
}

/// A scenario with forty patterns that must never come, none of which does, and ten that are
/// waited for in any order.
pub fn scenario() -> String {
    let mut text = String::from(
        "name: Matching\nworld: { devices: { device: {} } }\nsteps:\n  - expect:\n      any_order:\n",
    );
    for marker in 0..MARKERS {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "        - {{ log: {{ text: \"Marker <{marker}>\" }} }}"
        );
    }
    text.push_str("      within: 600s\nnever:\n");
    for index in 0..NEVER {
        let pattern = match index % 8 {
            0 => format!("{{ log: {{ tag: wifi, text: \"reason {index} while connecting\" }} }}"),
            1 => format!("{{ log: {{ level: error, text: \"assert failed: task {index}\" }} }}"),
            2 => format!("{{ log: {{ text: \"/Guru Meditation Error: Core +{index} panic/\" }} }}"),
            3 => format!("{{ log: {{ text: \"stack overflow in task {index}\" }} }}"),
            4 => {
                format!("{{ log: {{ tag: heap, text: \"allocation of {index} bytes failed\" }} }}")
            }
            5 => format!(
                "{{ log: {{ text: \"/mbedtls_ssl_handshake returned -0x{index}[0-9A-F]+/\" }} }}"
            ),
            6 => format!("{{ log: {{ text: \"Brownout detector {index} was triggered\" }} }}"),
            _ => format!("{{ log: {{ tag: nvs, text: \"no free pages, code {index}\" }} }}"),
        };
        let _ = writeln!(text, "  - {pattern}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_comes_once_and_one_is_last() {
        let Text { lines, .. } = Text::of(100_000);
        for number in 0..MARKERS {
            let text = format!("Marker <{number}>");
            let found = lines.iter().filter(|line| line.text.contains(&text));
            assert_eq!(found.count(), 1, "{text}");
        }
        assert!(lines.last().is_some_and(|line| line.tag == "bench"));
        let bytes: usize = lines.iter().map(|line| console(line).len()).sum();
        assert!((100_000..101_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn the_scenario_has_fifty_patterns() {
        let known = language::Known::default();
        let cases = language::parse("matching.yaml", &scenario(), &known).expect("sound");
        assert_eq!(cases[0].scenario.never.len() + MARKERS, 50);
    }
}
