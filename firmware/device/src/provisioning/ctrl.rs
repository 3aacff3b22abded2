//! The endpoint `prov-ctrl`: reset after failure, provisioning anew (ESP-IDF 5.5
//! `wifi_provisioning/src/wifi_ctrl.c`).

use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage_async::nor_flash::NorFlash;
use proto::wifi_ctrl::{Payload, RespCtrlReprov, RespCtrlReset, WifiCtrlMsgType, WifiCtrlPayload};
use proto::{Message, Status};

use super::app;
use super::handler::HandlerFailed;
use super::machine::Machine;
use crate::storage::Storage;

/// The response to a request.
pub(crate) async fn answer<F: NorFlash>(
    request: &[u8],
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Result<Vec<u8>, HandlerFailed> {
    let request = WifiCtrlPayload::decode(request).map_err(|_| HandlerFailed)?;
    let (msg, payload, status) = match WifiCtrlMsgType::try_from(request.msg) {
        Ok(WifiCtrlMsgType::CmdCtrlReset) => (
            WifiCtrlMsgType::RespCtrlReset,
            Payload::RespCtrlReset(RespCtrlReset {}),
            reset(machine, storage).await,
        ),
        Ok(WifiCtrlMsgType::CmdCtrlReprov) => (
            WifiCtrlMsgType::RespCtrlReprov,
            Payload::RespCtrlReprov(RespCtrlReprov {}),
            reprovision(machine),
        ),
        _ => return Err(HandlerFailed),
    };
    let response = WifiCtrlPayload {
        msg: msg.into(),
        status: status.into(),
        payload: Some(payload),
    };
    Ok(response.encode_to_vec())
}

/// Forgets credentials that have failed, and awaits new ones.
pub(super) async fn reset<F: NorFlash>(
    machine: &RefCell<Machine>,
    storage: &mut Storage<F>,
) -> Status {
    let allowed = machine.borrow().resettable();
    if allowed.is_err() || storage.forget().await.is_err() {
        return Status::InternalError;
    }
    machine.borrow_mut().reset();
    Status::Success
}

/// Leaves the network, and awaits new credentials. Those in flash stay until there are others.
fn reprovision(machine: &RefCell<Machine>) -> Status {
    let mut machine = machine.borrow_mut();
    if machine.reprovision().is_err() {
        return Status::InternalError;
    }
    app::started(machine.profile());
    Status::Success
}
