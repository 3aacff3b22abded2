//! Whether a line may have what is looked for in lines of a few kinds only: a look that costs next to nothing.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::{exchange, foretold, power_loss, registration, supply, withdrawn};

/// The parts of words of each, without which a line is none of theirs.
static PARTS: LazyLock<Regex> = LazyLock::new(|| {
    let all = [
        power_loss::PARTS,
        withdrawn::PARTS,
        foretold::PARTS,
        supply::PARTS,
        registration::PARTS,
        exchange::PARTS,
    ]
    .concat();
    let all: Vec<String> = all.into_iter().map(regex::escape).collect();
    words(&all.join("|"))
});

/// Whether a line may tell a start, a supply, a registration, a message of DHCP, that the device leaves its
/// network, or a failure that is to come.
pub fn may_tell(line: &str) -> bool {
    PARTS.is_match(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_lines_have_none_of_the_words() {
        for line in [
            "rst:0x1 (POWERON_RESET),boot:0x13",
            "I (9) wifi:state: run -> init (0)",
            "W mqtt: no client id is set, CONNECT will fail",
        ] {
            assert!(may_tell(line), "{line}");
        }
        for line in [
            "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0",
            "E (9120) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780",
            "I (300) app: 21.3 degrees, door closed",
        ] {
            assert!(!may_tell(line), "{line}");
        }
    }
}
