//! The endpoint `prov-config`: credentials, apply, status (ESP-IDF 5.5
//! `wifi_provisioning/src/wifi_config.c`, `handlers.c`).

use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage_async::nor_flash::NorFlash;
use proto::wifi_config::{
    CmdSetConfig, Payload, RespApplyConfig, RespGetStatus, RespSetConfig, StationState,
    WifiAttemptFailed, WifiConfigMsgType, WifiConfigPayload, WifiConnectedState, WifiStationState,
};
use proto::{Message, Status};

use super::handler::HandlerFailed;
use super::machine::{Machine, Report};
use super::profile::Step;
use super::{app, now};
use crate::bugs::{self, Bug};
use crate::credentials::{Credentials, MAX_PASSPHRASE};
use crate::storage::Storage;

/// The response to a request.
pub(crate) async fn answer<F: NorFlash>(
    request: &[u8],
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Result<Vec<u8>, HandlerFailed> {
    let request = WifiConfigPayload::decode(request).map_err(|_| HandlerFailed)?;
    let kind = WifiConfigMsgType::try_from(request.msg).map_err(|_| HandlerFailed)?;
    let response = match (kind, request.payload) {
        (WifiConfigMsgType::CmdGetStatus, _) => {
            Payload::RespGetStatus(status(machine.borrow_mut().report(now())))
        }
        (WifiConfigMsgType::CmdSetConfig, Some(Payload::CmdSetConfig(config))) => {
            Payload::RespSetConfig(RespSetConfig {
                status: set(&config, machine, storage).await.into(),
            })
        }
        (WifiConfigMsgType::CmdSetConfig, _) => {
            if machine.borrow().profile().guards_messages() {
                return Err(HandlerFailed);
            }
            // Earlier versions read through a null pointer here.
            Payload::RespSetConfig(RespSetConfig {
                status: Status::InvalidArgument.into(),
            })
        }
        (WifiConfigMsgType::CmdApplyConfig, _) => Payload::RespApplyConfig(RespApplyConfig {
            status: apply(machine, storage).await.into(),
        }),
        _ => return Err(HandlerFailed),
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
        .filter(|passphrase| passphrase.len() <= MAX_PASSPHRASE)
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

/// Has the credentials that were set tried.
pub(super) async fn apply<F: NorFlash>(
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Status {
    let (profile, set) = {
        let mut machine = machine.borrow_mut();
        (machine.profile(), machine.take_set())
    };
    let Some(credentials) = set else {
        log::error!(target: profile.handlers_tag(), "Wi-Fi config not set");
        return Status::InternalError;
    };
    // Announced before it is checked whether they are awaited, as ESP-IDF does.
    profile.announce(Step::SetCredentials);
    let awaited = machine.borrow().awaits_credentials();
    if awaited.is_err() {
        log::error!(target: profile.handlers_tag(), "Failed to apply Wi-Fi Credentials");
        return Status::InternalError;
    }
    // Kept before they are proven, as ESP-IDF does: a device that failed is provisioned after a
    // restart, and fails with the same ones.
    if !bugs::is(Bug::CredentialsLostOnRestart) && storage.keep(&credentials).await.is_err() {
        return Status::InternalError;
    }
    let event = machine.borrow_mut().apply(now(), credentials);
    app::provisioning(profile, &event);
    Status::Success
}

fn status(report: Report) -> RespGetStatus {
    let (sta_state, state) = match report {
        Report::Connecting => (WifiStationState::Connecting, None),
        Report::AttemptFailed { remaining } => (
            WifiStationState::Connecting,
            Some(StationState::AttemptFailed(WifiAttemptFailed {
                attempts_remaining: remaining,
            })),
        ),
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
