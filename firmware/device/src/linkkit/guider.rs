//! What the SDK prints while it opens the connection to the cloud.

use factory::Cloud;

use super::sign::{TIMESTAMP, device_id};
use crate::board::TlsFailure;
use crate::transport::OpenError;
use factory::Linkkit;

/// Before the first connection.
pub(crate) fn log_start(settings: &Linkkit, cloud: &Cloud, client_id: &str) {
    const DOTS: &str = "....................................................";
    const DASHES: &str = "-----------------------------------------";
    let mode = if cloud.tls {
        "2 (TLS + Direct)"
    } else {
        "3 (TCP + Direct)"
    };
    log::info!(target: "guider", "{DOTS}");
    log::info!(target: "guider", "ProductKey : {}", settings.product_key);
    log::info!(target: "guider", "DeviceName : {}", settings.device_name);
    log::info!(target: "guider", "DeviceID : {}", device_id(settings));
    log::info!(target: "guider", "{DOTS}");
    log::info!(target: "guider", "PartnerID Buf : ");
    log::info!(target: "guider", "ModuleID Buf : ");
    log::info!(target: "guider", "Guider URL : ");
    log::info!(target: "guider", "Guider SecMode : {mode}");
    log::info!(target: "guider", "Guider Timestamp : {TIMESTAMP}");
    log::info!(target: "guider", "{DOTS}");
    log::info!(target: "guider", "{DASHES}");
    log::info!(target: "guider", "Host : {}", cloud.host);
    log::info!(target: "guider", "Port : {}", cloud.port);
    log::info!(target: "guider", "ClientID : {client_id}");
    log::info!(target: "guider", "TLS PubKey : {} bytes", cloud.authority.len());
    log::info!(target: "guider", "{DASHES}");
    log::info!(target: "iotx_mc", "MQTT init success!");
}

/// Before each connection.
pub(crate) fn log_connecting(cloud: &Cloud) {
    if cloud.tls {
        log::info!(target: "tls", "Loading the CA root certificate ...");
        log::info!(target: "tls", " ok (0 skipped)");
    }
    log::info!(target: "tls", "Connecting to /{}/{}...", cloud.host, cloud.port);
    let seconds = cloud.network_timeout_ms.div_ceil(1_000);
    log::info!(target: "tls", "setsockopt SO_SNDTIMEO timeout: {seconds}s");
}

/// Before the TLS handshake.
pub(crate) fn log_handshake() {
    log::info!(target: "tls", " ok");
    log::info!(target: "tls", "  . Setting up the SSL/TLS structure...");
    log::info!(target: "tls", " ok");
    log::info!(target: "tls", "Performing the SSL/TLS handshake...");
}

/// After the TLS handshake.
pub(crate) fn log_verification(outcome: Result<(), &OpenError>) {
    let flags = match outcome {
        Ok(_) => {
            log::info!(target: "tls", " ok");
            0
        }
        Err(OpenError::Tls(TlsFailure::Certificate(problems))) => problems.bits(),
        Err(_) => return,
    };
    log::info!(target: "tls", "  . Verifying peer X.509 certificate..");
    log::info!(target: "tls", "certificate verification result: 0x{flags:02x}");
}
