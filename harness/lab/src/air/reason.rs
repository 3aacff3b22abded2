//! Why a station is not joined: reason codes of IEEE 802.11 (§9.4.1.7) and, from 200 on, of
//! ESP-IDF's `wifi_err_reason_t`.

pub(super) const UNSPECIFIED: u16 = 1;
/// The access point is leaving, or has sent the station away.
pub(super) const AUTH_LEAVE: u16 = 3;
pub(super) const ASSOC_LEAVE: u16 = 8;
pub(super) const FOUR_WAY_HANDSHAKE_TIMEOUT: u16 = 15;
pub(super) const BEACON_TIMEOUT: u16 = 200;
pub(super) const NO_AP_FOUND: u16 = 201;
pub(super) const AUTH_FAIL: u16 = 202;
pub(super) const NO_COMPATIBLE_SECURITY: u16 = 210;
pub(super) const BELOW_AUTHMODE_THRESHOLD: u16 = 211;

/// A reason in words.
pub(super) fn describe(reason: u16) -> &'static str {
    match reason {
        AUTH_LEAVE => "the access point sent it away",
        ASSOC_LEAVE => "the device left",
        FOUR_WAY_HANDSHAKE_TIMEOUT => "the passphrase is wrong",
        BEACON_TIMEOUT => "the access point fell silent",
        NO_AP_FOUND => "no such access point",
        AUTH_FAIL => "the passphrase is wrong (SAE)",
        NO_COMPATIBLE_SECURITY => "the access point authenticates otherwise than the device",
        BELOW_AUTHMODE_THRESHOLD => "the access point is open, the device has a passphrase",
        _ => "unspecified",
    }
}
