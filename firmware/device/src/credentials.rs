//! Wi-Fi credentials.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest SSID in bytes (IEEE 802.11 §9.4.2.2).
pub const MAX_SSID: usize = 32;
/// Longest passphrase in bytes that protocomm's messages have room for (ESP-IDF 5.5 `wifi_config.c`).
pub const MAX_PASSPHRASE: usize = 63;
/// Hex digits of a pre-shared key, which takes the place of a passphrase up to WPA2.
pub const KEY_DIGITS: usize = 64;

/// How to join an access point.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// At most [`MAX_SSID`] bytes, not always text.
    pub ssid: Vec<u8>,
    /// At most [`MAX_PASSPHRASE`] bytes, or [`KEY_DIGITS`] hex digits; empty for an open access point.
    pub passphrase: String,
}

impl Credentials {
    /// Checks the lengths.
    pub fn new(ssid: &[u8], passphrase: &str) -> Option<Self> {
        let is_key = passphrase.len() == KEY_DIGITS
            && passphrase.bytes().all(|digit| digit.is_ascii_hexdigit());
        let fits = is_key || passphrase.len() <= MAX_PASSPHRASE;
        (ssid.len() <= MAX_SSID && fits).then(|| Self {
            ssid: ssid.to_vec(),
            passphrase: passphrase.into(),
        })
    }
}

/// Shows no passphrase.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ssid", &String::from_utf8_lossy(&self.ssid))
            .finish_non_exhaustive()
    }
}
