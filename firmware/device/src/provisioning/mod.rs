//! The provisioning service over SoftAP (ESP-IDF 5.5 `wifi_prov_mgr`).

use alloc::format;

use factory::Factory;

use crate::board::{Mode, Radio};

const MAX_STATIONS: u8 = 5;
const CHANNEL: u8 = 1;

pub(crate) async fn start(factory: &Factory, radio: &impl Radio) {
    let [.., a, b, c] = factory.identity.mac;
    let name = format!("PROV_{a:02X}{b:02X}{c:02X}");
    log::info!(target: "app", "Starting provisioning");
    radio.set_mode(Mode::Both).await;
    let key = &factory.provisioning.service_key;
    radio
        .start_soft_ap(name.as_bytes(), key, CHANNEL, MAX_STATIONS)
        .await;
    log::info!(target: "wifi_prov_mgr", "Provisioning started with service name : {name} ");
    log::info!(target: "app", "Provisioning started");
}
