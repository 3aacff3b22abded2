//! What ESP-IDF's example application (`wifi_prov_mgr`) prints along the way, word for word.

use alloc::format;
use alloc::string::String;

use proto::wifi_config::WifiConnectFailedReason as Reason;

use super::machine::Event;
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

/// The service runs under this name.
pub(crate) fn started(name: &str, security: &factory::Security) {
    log::info!(target: TAG, "Provisioning started");
    log::info!(
        target: TAG,
        "Scan this QR code from the provisioning application for Provisioning."
    );
    log::info!(
        target: TAG,
        "If QR code is not visible, copy paste the below URL in a browser.\n{QR_PAGE}?data={}",
        qr_payload(name, security)
    );
}

/// A phone has joined the SoftAP, or left it.
pub(crate) fn transport(connected: bool) {
    let what = if connected {
        "Connected!"
    } else {
        "Disconnected!"
    };
    log::info!(target: TAG, "SoftAP transport: {what}");
}

/// A handshake came to an end.
pub(crate) fn session(event: SessionEvent) {
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
pub(crate) fn provisioning(event: &Event) {
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

/// What the provisioning application reads from the QR code. Security 2 shows no password, because
/// the device has only its verifier.
fn qr_payload(name: &str, security: &factory::Security) -> String {
    let secret = match security {
        factory::Security::V1 { pop } if !pop.is_empty() => format!(",\"pop\":\"{pop}\""),
        factory::Security::V2 { username, .. } => format!(",\"username\":\"{username}\""),
        _ => String::new(),
    };
    format!("{{\"ver\":\"v1\",\"name\":\"{name}\"{secret},\"transport\":\"softap\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qr_payload_tells_name_secret_and_transport() {
        let pop = factory::Security::V1 {
            pop: "abcd1234".into(),
        };
        assert_eq!(
            qr_payload("PROV_AABBCC", &pop),
            r#"{"ver":"v1","name":"PROV_AABBCC","pop":"abcd1234","transport":"softap"}"#
        );
        assert_eq!(
            qr_payload("PROV_AABBCC", &factory::Security::None),
            r#"{"ver":"v1","name":"PROV_AABBCC","transport":"softap"}"#
        );
    }
}
