//! Why a station is not joined: reason codes of IEEE 802.11 (§9.4.1.7) and, from 200 on, of
//! ESP-IDF's `wifi_err_reason_t`.

pub(super) const UNSPECIFIED: u16 = 1;
/// The access point is leaving, or has sent the station away.
pub(super) const AUTH_LEAVE: u16 = 3;
pub(super) const ASSOC_LEAVE: u16 = 8;
pub(super) const FOUR_WAY_HANDSHAKE_TIMEOUT: u16 = 15;
pub(super) const BEACON_TIMEOUT: u16 = 200;
pub(super) const NO_AP_FOUND: u16 = 201;
pub(super) const NO_COMPATIBLE_SECURITY: u16 = 210;
pub(super) const BELOW_AUTHMODE_THRESHOLD: u16 = 211;

/// Why an access point with one passphrase refuses a station with another; empty means open.
pub(super) fn refusal(access_point: &str, station: &str) -> Option<u16> {
    match (access_point.is_empty(), station.is_empty()) {
        (true, true) => None,
        // A station with a passphrase accepts no open network.
        (true, false) => Some(BELOW_AUTHMODE_THRESHOLD),
        (false, true) => Some(NO_COMPATIBLE_SECURITY),
        (false, false) => (access_point != station).then_some(FOUR_WAY_HANDSHAKE_TIMEOUT),
    }
}

/// A reason in words.
pub(super) fn describe(reason: u16) -> &'static str {
    match reason {
        AUTH_LEAVE => "the access point sent it away",
        ASSOC_LEAVE => "the device left",
        FOUR_WAY_HANDSHAKE_TIMEOUT => "the passphrase is wrong",
        BEACON_TIMEOUT => "the access point fell silent",
        NO_AP_FOUND => "no such access point",
        NO_COMPATIBLE_SECURITY => "the access point wants a passphrase",
        BELOW_AUTHMODE_THRESHOLD => "the access point is open, the device has a passphrase",
        _ => "unspecified",
    }
}
