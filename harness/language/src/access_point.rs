//! How an access point authenticates, and whether its settings go together.

use schemars::JsonSchema;
use serde::Deserialize;

use super::mistake::Mistake;
use super::span::Span;
use super::world::AccessPoint;

/// How an access point authenticates (ESP-IDF's `wifi_auth_mode_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// It takes every station.
    #[serde(alias = "OPEN")]
    Open,
    /// WPA.
    #[serde(alias = "wpa", alias = "WPA_PSK")]
    WpaPsk,
    /// WPA or WPA2.
    #[serde(alias = "wpa-wpa2", alias = "WPA_WPA2_PSK")]
    WpaWpa2Psk,
    /// WPA2.
    #[serde(alias = "wpa2", alias = "WPA2_PSK")]
    Wpa2Psk,
    /// WPA2 or WPA3.
    #[serde(alias = "wpa2-wpa3", alias = "WPA2_WPA3_PSK")]
    Wpa2Wpa3Psk,
    /// WPA3, by SAE.
    #[serde(alias = "wpa3", alias = "WPA3_PSK")]
    Wpa3Psk,
    /// WPA2 with a name and a password or certificate for everybody; a device with a passphrase
    /// cannot join it.
    #[serde(alias = "enterprise", alias = "WPA2_ENTERPRISE")]
    Wpa2Enterprise,
}

impl Auth {
    /// Its name in a scan's results, as ESP-IDF's provisioning has it.
    pub fn in_scans(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::WpaPsk => "WPA_PSK",
            Self::WpaWpa2Psk => "WPA_WPA2_PSK",
            Self::Wpa2Psk => "WPA2_PSK",
            Self::Wpa2Wpa3Psk => "WPA2_WPA3_PSK",
            Self::Wpa3Psk => "WPA3_PSK",
            Self::Wpa2Enterprise => "WPA2_ENTERPRISE",
        }
    }
}

impl AccessPoint {
    /// Whether it is to be otherwise than a rig's access points are.
    pub fn is_of_its_own(&self) -> bool {
        let Self {
            ssid,
            passphrase,
            auth,
            hidden,
            refuses,
            channel: _,
            rssi: _,
        } = self;
        ssid.is_some() || passphrase.is_some() || auth.is_some() || refuses.is_some() || *hidden
    }

    /// How it authenticates, said or not.
    pub fn auth(&self) -> Auth {
        let is_open = self.passphrase.as_ref().is_some_and(|text| text.is_empty());
        match &self.auth {
            Some(auth) => auth.value,
            None if is_open => Auth::Open,
            None => Auth::Wpa2Psk,
        }
    }
}

/// What is wrong with the passphrase of `point`, and where.
pub(super) fn passphrase_mistake(point: &AccessPoint) -> Option<Mistake> {
    let passphrase = point.passphrase.as_ref()?;
    let length = passphrase.len();
    let is_key = length == 64 && passphrase.bytes().all(|digit| digit.is_ascii_hexdigit());
    let wrong = |span: Span, message: &str| Some(Mistake::at(span, message));
    match point.auth() {
        Auth::Open if length > 0 => {
            wrong(passphrase.span, "an open access point has no passphrase")
        }
        Auth::Wpa2Enterprise => wrong(
            passphrase.span,
            "an enterprise's access point has no passphrase: every user has a password",
        ),
        Auth::Open => None,
        _ if length == 0 => wrong(
            passphrase.span,
            "only an `open` access point has no passphrase",
        ),
        Auth::Wpa3Psk if is_key => wrong(
            passphrase.span,
            "WPA3 starts from a passphrase of 8 to 63 characters; only up to WPA2 there is a key of 64 hex digits",
        ),
        _ if is_key || (8..=63).contains(&length) => None,
        _ => wrong(
            passphrase.span,
            "a passphrase has 8 to 63 characters, or is a key of 64 hex digits",
        ),
    }
}
