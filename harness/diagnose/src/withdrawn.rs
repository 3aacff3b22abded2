//! A device that leaves its network by its own will: what fails at a server behind that need not be a trouble.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::{Cause, Certainty, Evidence, Stage};

static LEAVES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\blocally_generated=1\b|\bASSOC_LEAVE\b|\bassociation leave\b|\b(?:wi-?fi|sta|station|wlan)\b[^\n]*\breason\W{1,3}8\b|\brun -> init \(0x?0*\)|\besp_wifi_(?:disconnect|stop|deinit)\b|\bWiFi\.(?:disconnect|mode\(WIFI_OFF)|\b(?:dropp(?:ed|ing)|leav(?:es|ing)|forget(?:s|ting)?|clear(?:s|ed|ing)|stopp(?:ed|ing)|remov(?:es|ed|ing)) (?:the |its |our )?(?:network|wi-?fi|wlan|station)\b|\b(?:wi-?fi|wlan|radio|sta)\W{1,3}(?:is |was )?(?:stopped|switched off|turned off|off|shut down)\b|\b(?:WLAN|Netz|Netzwerk|Funk)\b[^\n]*\b(?:abgeschaltet|verlassen|beendet|getrennt durch ger)|\b(?:apagando|deteniendo|saliendo de) (?:la |el )?(?:red|wi-?fi)",
    )
});

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &[
    "locally_gen",
    "LEAVE",
    "eave",
    "leaving",
    "eason",
    "-> init (",
    "esp_wifi_",
    "WiFi.",
    "ropping",
    "ropped",
    "orget",
    "lears",
    "leared",
    "learing",
    "topped",
    "topping",
    "hut down",
    "emov",
    "s off",
    "ed off",
    "io off",
    "fi off",
    "an off",
    "abgeschaltet",
    "verlassen",
    "beendet",
    "getrennt durch",
    "apagando",
    "deteniendo",
    "saliendo",
];

/// The last line by which the device left its network itself, and did not come back.
#[derive(Debug, Default)]
pub struct Withdrawn {
    left: Option<Evidence>,
}

impl Withdrawn {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        if self.left.is_none() && LEAVES.is_match(text.as_bytes()) {
            self.left = Some(Evidence::of(line, text));
        }
    }

    /// The device was let into a network, or got an address.
    pub fn joined(&mut self) {
        self.left = None;
    }

    /// Takes the certainty from a trouble on the way to a server that stands behind it.
    pub fn doubt(&self, cause: &mut Cause) {
        let is_of_way = (Stage::Dns..=Stage::Mqtt).contains(&cause.stage);
        let Some(left) = self.left.as_ref().filter(|left| {
            let first = cause.evidence.first();
            is_of_way && first.is_some_and(|first| first.line > left.line)
        }) else {
            return;
        };
        cause.certainty = Certainty::Possible;
        cause.would_tell.push(format!(
            "that the device left its network itself: why did it in line {}, `{}`?",
            left.line, left.text
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_leaves_is_known_by_its_words() {
        for line in [
            "wlan0: CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:00:01 reason=3 locally_generated=1",
            "W (9) wifi: sta disconnected, reason 8",
            "core: onboarding incomplete -> dropping network config",
            "I (9) wifi:state: run -> init (0)",
            "[net] WLAN wird abgeschaltet",
            "apagando la red",
        ] {
            assert!(LEAVES.is_match(line.as_bytes()), "{line}");
        }
        for line in [
            "wlan0: CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:00:01 reason=3",
            "I (9) wifi:state: run -> init (200)",
            "W (9) wifi: sta disconnected, reason 200",
        ] {
            assert!(!LEAVES.is_match(line.as_bytes()), "{line}");
        }
    }
}
