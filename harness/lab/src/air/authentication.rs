//! Whether an access point takes a station: authentication by what both know.

use airlink::AuthMode;
use hmac::Hmac;
use sha1::Sha1;

use super::access_point::AccessPointSettings;
use super::reason::{
    AUTH_FAIL, BELOW_AUTHMODE_THRESHOLD, FOUR_WAY_HANDSHAKE_TIMEOUT, NO_COMPATIBLE_SECURITY,
};

/// Rounds of PBKDF2 from a passphrase to a key (IEEE 802.11-2020 annex J.4).
const ROUNDS: u32 = 4096;

/// Why `access_point` and a station with `passphrase` (empty for none) do not come together, as the
/// station's driver tells it; none if they do.
pub(super) fn refusal(access_point: &AccessPointSettings, passphrase: &str) -> Option<u16> {
    if access_point.refuses.is_some() {
        return access_point.refuses;
    }
    let is_raw = key_of_digits(passphrase).is_some();
    match access_point.auth {
        // It wants a name and a certificate or password, which a station with a passphrase lacks.
        AuthMode::Wpa2Enterprise => Some(NO_COMPATIBLE_SECURITY),
        _ if access_point.passphrase.is_empty() => {
            // A station with a passphrase accepts no open network.
            (!passphrase.is_empty()).then_some(BELOW_AUTHMODE_THRESHOLD)
        }
        AuthMode::Open => (!passphrase.is_empty()).then_some(BELOW_AUTHMODE_THRESHOLD),
        _ if passphrase.is_empty() => Some(NO_COMPATIBLE_SECURITY),
        // SAE starts from the passphrase; a key that was made of it is of no use (§12.4).
        AuthMode::Wpa3Psk if is_raw => Some(NO_COMPATIBLE_SECURITY),
        AuthMode::Wpa3Psk => (access_point.passphrase != passphrase).then_some(AUTH_FAIL),
        // A station that can do both takes SAE.
        AuthMode::Wpa2Wpa3Psk if !is_raw && key_of_digits(&access_point.passphrase).is_none() => {
            (access_point.passphrase != passphrase).then_some(AUTH_FAIL)
        }
        _ => (!same_key(access_point, passphrase)).then_some(FOUR_WAY_HANDSHAKE_TIMEOUT),
    }
}

/// How the trace and the provisioning messages call it.
pub(super) fn name(auth: AuthMode) -> &'static str {
    match auth {
        AuthMode::Open => "open",
        AuthMode::Wep => "wep",
        AuthMode::WpaPsk => "wpa_psk",
        AuthMode::Wpa2Psk => "wpa2_psk",
        AuthMode::WpaWpa2Psk => "wpa_wpa2_psk",
        AuthMode::Wpa2Enterprise => "wpa2_enterprise",
        AuthMode::Wpa3Psk => "wpa3_psk",
        AuthMode::Wpa2Wpa3Psk => "wpa2_wpa3_psk",
    }
}

/// Whether both sides come to one pre-shared key, each from a passphrase or from the key itself.
fn same_key(access_point: &AccessPointSettings, passphrase: &str) -> bool {
    if access_point.passphrase == passphrase {
        return true;
    }
    let keys = [&access_point.passphrase, passphrase].map(key_of_digits);
    match keys {
        // Two passphrases that differ.
        [None, None] => false,
        [ours, theirs] => {
            let ssid = &access_point.ssid;
            let ours = ours.unwrap_or_else(|| key_of_passphrase(&access_point.passphrase, ssid));
            let theirs = theirs.unwrap_or_else(|| key_of_passphrase(passphrase, ssid));
            ours == theirs
        }
    }
}

/// The key that 64 hex digits are.
fn key_of_digits(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(key)
}

fn key_of_passphrase(passphrase: &str, ssid: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    // Fails for keys of a length that HMAC does not take, and it takes all.
    let made = pbkdf2::pbkdf2::<Hmac<Sha1>>(passphrase.as_bytes(), ssid, ROUNDS, &mut key);
    made.map_or([0; 32], |()| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IEEE 802.11-2020 annex J.4.2, the first test vector.
    const PASSPHRASE: &str = "password";
    const KEY: &str = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e";

    fn access_point(auth: AuthMode, passphrase: &str) -> AccessPointSettings {
        AccessPointSettings {
            ssid: b"IEEE".to_vec(),
            passphrase: passphrase.to_owned(),
            auth,
            ..AccessPointSettings::default()
        }
    }

    #[test]
    fn each_mode_takes_what_the_standard_lets_it_take() {
        use AuthMode::*;
        let upper = KEY.to_uppercase();
        let other = "00".repeat(32);
        for (auth, ours, theirs, expected) in [
            (Open, "", "", None),
            (Open, "", PASSPHRASE, Some(BELOW_AUTHMODE_THRESHOLD)),
            (Wpa2Psk, "", "", None),
            (Wpa2Psk, PASSPHRASE, PASSPHRASE, None),
            (Wpa2Psk, PASSPHRASE, "", Some(NO_COMPATIBLE_SECURITY)),
            (
                Wpa2Psk,
                PASSPHRASE,
                "Password",
                Some(FOUR_WAY_HANDSHAKE_TIMEOUT),
            ),
            (Wpa2Psk, PASSPHRASE, KEY, None),
            (Wpa2Psk, KEY, PASSPHRASE, None),
            (WpaWpa2Psk, KEY, &upper, None),
            (Wpa2Psk, KEY, &other, Some(FOUR_WAY_HANDSHAKE_TIMEOUT)),
            (
                Wpa2Psk,
                PASSPHRASE,
                &other,
                Some(FOUR_WAY_HANDSHAKE_TIMEOUT),
            ),
            (Wpa3Psk, PASSPHRASE, PASSPHRASE, None),
            (Wpa3Psk, PASSPHRASE, "Password", Some(AUTH_FAIL)),
            (Wpa3Psk, PASSPHRASE, "", Some(NO_COMPATIBLE_SECURITY)),
            (Wpa3Psk, PASSPHRASE, KEY, Some(NO_COMPATIBLE_SECURITY)),
            (Wpa2Wpa3Psk, PASSPHRASE, PASSPHRASE, None),
            (Wpa2Wpa3Psk, PASSPHRASE, "Password", Some(AUTH_FAIL)),
            (Wpa2Wpa3Psk, PASSPHRASE, KEY, None),
            (
                Wpa2Wpa3Psk,
                PASSPHRASE,
                &other,
                Some(FOUR_WAY_HANDSHAKE_TIMEOUT),
            ),
            (Wpa2Enterprise, "", PASSPHRASE, Some(NO_COMPATIBLE_SECURITY)),
            (
                Wpa2Enterprise,
                PASSPHRASE,
                PASSPHRASE,
                Some(NO_COMPATIBLE_SECURITY),
            ),
            (Wpa2Enterprise, "", "", Some(NO_COMPATIBLE_SECURITY)),
        ] {
            let refused = refusal(&access_point(auth, ours), theirs);
            assert_eq!(refused, expected, "{auth:?} {ours:?} {theirs:?}");
        }
    }
}
