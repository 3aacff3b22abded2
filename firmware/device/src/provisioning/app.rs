//! What ESP-IDF's example application (`wifi_prov_mgr`) prints along the way, word for word.

use alloc::string::String;

use proto::wifi_config::WifiConnectFailedReason as Reason;
use serde::Serialize;

use super::machine::Event;
use super::profile::{Profile, Step};
use crate::security::SessionEvent;

const TAG: &str = "app";
const QR_PAGE: &str = "https://espressif.github.io/esp-jumpstart/qrcode.html";

/// Before the service starts.
pub(crate) fn starting(security: &factory::Security) {
    if let factory::Security::V2 { .. } = security {
        log::info!(target: TAG, "Development mode: using hard coded salt/verifier");
    }
    log::info!(target: TAG, "Starting provisioning");
}

/// The service runs, or begins anew.
pub(crate) fn started(profile: Profile) {
    profile.announce(Step::Start);
    log::info!(target: TAG, "Provisioning started");
}

/// Which code a phone is to scan. The example application knows none for the console.
pub(crate) fn show_code(name: &str, settings: &factory::Provisioning) {
    let transport = match settings.scheme {
        factory::Scheme::SoftAp => "softap",
        factory::Scheme::Ble(_) => "ble",
        factory::Scheme::Console { .. } => return,
    };
    log::info!(
        target: TAG,
        "Scan this QR code from the provisioning application for Provisioning."
    );
    log::info!(
        target: TAG,
        "If QR code is not visible, copy paste the below URL in a browser.\n{QR_PAGE}?data={}",
        qr_payload(name, settings, transport)
    );
}

/// A transport that shows its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The SoftAP.
    SoftAp,
    /// Bluetooth LE.
    Ble,
}

/// A phone has come, or gone.
pub(crate) fn transport(profile: Profile, transport: Transport, connected: bool) {
    if !profile.has_session_events() {
        return;
    }
    let name = match transport {
        Transport::SoftAp => "SoftAP",
        Transport::Ble => "BLE",
    };
    let what = match connected {
        true => "Connected!",
        false => "Disconnected!",
    };
    log::info!(target: TAG, "{name} transport: {what}");
}

/// A handshake came to an end.
pub(crate) fn session(profile: Profile, event: SessionEvent) {
    if !profile.has_session_events() {
        return;
    }
    match event {
        SessionEvent::SetupOk => log::info!(target: TAG, "Secured session established!"),
        SessionEvent::InvalidSecurityParams => log::error!(
            target: TAG,
            "Received invalid security parameters for establishing secure session!"
        ),
        SessionEvent::CredentialsMismatch => log::error!(
            target: TAG,
            "Received incorrect username and/or PoP for establishing secure session!"
        ),
    }
}

/// Provisioning went a step further.
pub(crate) fn provisioning(profile: Profile, event: &Event) {
    profile.announce(match event {
        Event::CredentialsReceived(_) => Step::CredentialsReceived,
        Event::Failed(_) => Step::CredentialsFailed,
        Event::Succeeded => Step::CredentialsSucceeded,
    });
    match event {
        Event::CredentialsReceived(credentials) => log::info!(
            target: TAG,
            "Received Wi-Fi credentials\n\tSSID     : {}\n\tPassword : {}",
            String::from_utf8_lossy(&credentials.ssid),
            credentials.passphrase
        ),
        Event::Failed(reason) => {
            let reason = match reason {
                Reason::AuthError => "Wi-Fi station authentication failed",
                Reason::NetworkNotFound => "Wi-Fi access-point not found",
            };
            log::error!(
                target: TAG,
                "Provisioning failed!\n\tReason : {reason}\n\tPlease reset to factory and retry provisioning"
            );
        }
        Event::Succeeded => log::info!(target: TAG, "Provisioning successful"),
    }
}

/// It gives up on credentials that have failed too often.
pub(crate) fn resetting() {
    log::info!(
        target: TAG,
        "Failed to connect with provisioned AP, resetting provisioned credentials"
    );
}

/// What the provisioning application reads from the QR code.
#[derive(Serialize)]
struct QrPayload<'p> {
    ver: &'static str,
    name: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'p str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pop: &'p str,
    transport: &'p str,
}

/// The QR code's text. With security 2 the password comes from factory data, if at all, because the
/// device has only its verifier.
fn qr_payload(name: &str, settings: &factory::Provisioning, transport: &str) -> String {
    let (username, pop) = match &settings.security {
        factory::Security::None => (None, ""),
        factory::Security::V1 { pop } => (None, &pop[..]),
        factory::Security::V2 { username, .. } => (Some(&username[..]), &settings.qr_pop[..]),
    };
    let payload = QrPayload {
        ver: "v1",
        name,
        username,
        pop,
        transport,
    };
    // Cannot fail: it holds texts alone.
    serde_json::to_string(&payload).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn shown(name: &str, security: factory::Security, qr_pop: &str) -> String {
        let settings = factory::Provisioning {
            security,
            qr_pop: qr_pop.into(),
            ..factory::Provisioning::default()
        };
        qr_payload(name, &settings, "softap")
    }

    #[test]
    fn the_qr_payload_tells_name_secret_and_transport() {
        let security1 = |pop: &str| factory::Security::V1 { pop: pop.into() };
        let security2 = || factory::Security::V2 {
            username: "wifiprov".into(),
            salt: Vec::new(),
            verifier: Vec::new(),
        };
        for (security, qr_pop, secret) in [
            (factory::Security::None, "", ""),
            (security1(""), "", ""),
            (security1("abcd1234"), "", r#""pop":"abcd1234","#),
            (security2(), "", r#""username":"wifiprov","#),
            (
                security2(),
                "abcd1234",
                r#""username":"wifiprov","pop":"abcd1234","#,
            ),
        ] {
            let text = shown("PROV_AABBCC", security, qr_pop);
            let expected =
                format!(r#"{{"ver":"v1","name":"PROV_AABBCC",{secret}"transport":"softap"}}"#);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn whatever_the_name_the_qr_payload_is_json() {
        let (name, pop) = ("the \"blue\" \\ one\n", "a\"b\\c\u{1}");
        let text = shown(name, factory::Security::V1 { pop: pop.into() }, "");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&read["name"], &read["pop"]), (&name.into(), &pop.into()));
    }
}
