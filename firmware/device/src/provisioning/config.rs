//! The endpoint `prov-config`: credentials, apply, status (ESP-IDF 5.5
//! `wifi_provisioning/src/wifi_config.c`, `handlers.c`).

use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage_async::nor_flash::NorFlash;
use proto::wifi_config::{
    CmdSetConfig, Payload, RespApplyConfig, RespGetStatus, RespSetConfig, StationState,
    WifiConfigMsgType, WifiConfigPayload, WifiConnectedState, WifiStationState,
};
use proto::{Message, Status};

use super::app;
use super::endpoints::Failed;
use super::machine::{Machine, Report};
use crate::bugs::{self, Bug};
use crate::credentials::Credentials;
use crate::storage::Storage;

/// The response to a request at `now`, in ms since boot.
pub(crate) async fn answer<F: NorFlash>(
    request: &[u8],
    now: u64,
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Result<Vec<u8>, Failed> {
    let request = WifiConfigPayload::decode(request).map_err(|_| Failed)?;
    let kind = WifiConfigMsgType::try_from(request.msg).map_err(|_| Failed)?;
    let response = match (kind, request.payload) {
        (WifiConfigMsgType::CmdGetStatus, _) => {
            Payload::RespGetStatus(status(machine.borrow_mut().report(now)))
        }
        (WifiConfigMsgType::CmdSetConfig, Some(Payload::CmdSetConfig(config))) => {
            Payload::RespSetConfig(RespSetConfig {
                status: set(&config, machine, storage).await.into(),
            })
        }
        // ESP-IDF before 5.5.5 reads through a null pointer here.
        (WifiConfigMsgType::CmdSetConfig, _) => Payload::RespSetConfig(RespSetConfig {
            status: Status::InvalidArgument.into(),
        }),
        (WifiConfigMsgType::CmdApplyConfig, _) => Payload::RespApplyConfig(RespApplyConfig {
            status: apply(now, machine, storage).await.into(),
        }),
        _ => return Err(Failed),
    };
    Ok(WifiConfigPayload::from(response).encode_to_vec())
}

async fn set<F: NorFlash>(
    config: &CmdSetConfig,
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Status {
    // Address and channel of the access point are taken and not used.
    let bssid_fits = matches!(config.bssid.len(), 0 | 6);
    let credentials = core::str::from_utf8(&config.passphrase)
        .ok()
        .and_then(|passphrase| Credentials::new(&config.ssid, passphrase));
    let (true, Some(credentials)) = (bssid_fits, credentials) else {
        return Status::InvalidArgument;
    };
    if bugs::is(Bug::CredentialsStoredBeforeApply) && storage.keep(&credentials).await.is_err() {
        return Status::InternalError;
    }
    machine.borrow_mut().set(credentials);
    Status::Success
}

async fn apply<F: NorFlash>(
    now: u64,
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Status {
    let applicable = machine.borrow_mut().applicable();
    let Ok(credentials) = applicable else {
        return Status::InternalError;
    };
    // Kept before they are proven, as ESP-IDF does: a device that failed is provisioned after a
    // restart, and fails with the same ones.
    if !bugs::is(Bug::CredentialsLostOnRestart) && storage.keep(&credentials).await.is_err() {
        return Status::InternalError;
    }
    let event = machine.borrow_mut().apply(now, credentials);
    app::provisioning(&event);
    Status::Success
}

fn status(report: Report) -> RespGetStatus {
    let (sta_state, state) = match report {
        Report::Connecting => (WifiStationState::Connecting, None),
        Report::Failed(reason) => (
            WifiStationState::ConnectionFailed,
            Some(StationState::FailReason(reason.into())),
        ),
        Report::Connected {
            address,
            access_point,
        } => (
            WifiStationState::Connected,
            Some(StationState::Connected(WifiConnectedState {
                ip4_addr: address,
                auth_mode: access_point.auth.into(),
                ssid: access_point.ssid,
                bssid: access_point.bssid.to_vec(),
                channel: access_point.channel.into(),
            })),
        ),
    };
    RespGetStatus {
        status: Status::Success.into(),
        sta_state: sta_state.into(),
        state,
    }
}
