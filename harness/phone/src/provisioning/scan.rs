//! What a phone may ask besides provisioning: the scan for access points, and the reset.

use proto::endpoint;
use proto::wifi_ctrl::{WifiCtrlMsgType, WifiCtrlPayload};
use proto::wifi_scan::{
    CmdScanResult, CmdScanStart, CmdScanStatus, Payload, WifiScanPayload, WifiScanResult,
};

use super::client::{ProvisioningClient, other_message, success};
use super::error::ProvisioningError;
use super::summary;

/// Access points asked for at a time.
const SLICE: u32 = 16;
/// More than any device keeps (ESP-IDF: 255 at most).
const MOST: u32 = 256;

impl ProvisioningClient {
    /// Has the device scan for access points: all channels, actively, until it is done.
    pub async fn scan(&mut self) -> Result<Vec<WifiScanResult>, ProvisioningError> {
        // Groups of five channels leave the SoftAP time for its stations, as Espressif's own
        // client has it.
        let start = CmdScanStart {
            blocking: true,
            passive: false,
            group_channels: 5,
            period_ms: 120,
        };
        self.scan_call("scan_start", Payload::CmdScanStart(start))
            .await?;
        let command = "scan_status";
        let status = Payload::CmdScanStatus(CmdScanStatus {});
        let Payload::RespScanStatus(status) = self.scan_call(command, status).await? else {
            return Err(other_message(command));
        };
        let total = status.result_count.min(MOST);
        let mut found = Vec::new();
        let mut start_index = 0;
        while start_index < total {
            let command = "scan_result";
            let count = (total - start_index).min(SLICE);
            let slice = Payload::CmdScanResult(CmdScanResult { start_index, count });
            match self.scan_call(command, slice).await? {
                Payload::RespScanResult(answer) => found.extend(answer.entries),
                _ => return Err(other_message(command)),
            }
            start_index += count;
        }
        Ok(found)
    }

    /// Takes a failure back, so that other credentials can be sent (ESP-IDF 5.1 and later).
    pub async fn reset(&mut self) -> Result<(), ProvisioningError> {
        let request = WifiCtrlPayload {
            msg: WifiCtrlMsgType::CmdCtrlReset as i32,
            ..WifiCtrlPayload::default()
        };
        let answer = self
            .message(endpoint::CTRL, &request, summary::ctrl)
            .await?;
        success("ctrl_reset", answer.status)
    }

    async fn scan_call(
        &mut self,
        command: &'static str,
        request: Payload,
    ) -> Result<Payload, ProvisioningError> {
        let request = WifiScanPayload::from(request);
        let answer = self
            .message(endpoint::SCAN, &request, summary::scan)
            .await?;
        success(command, answer.status)?;
        match answer.payload {
            Some(payload) if answer.msg == request.msg + 1 => Ok(payload),
            _ => Err(other_message(command)),
        }
    }
}
