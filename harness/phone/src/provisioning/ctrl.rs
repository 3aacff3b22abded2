//! Taking provisioning back: `prov-ctrl` (ESP-IDF 5.1 and later). And what applications add.

use proto::wifi_ctrl::{WifiCtrlMsgType, WifiCtrlPayload};
use proto::{Status, endpoint};

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::exchange::{other_message, success};
use super::summary;

const RESET: &str = "ctrl_reset";
const REPROV: &str = "ctrl_reprov";

impl ProvisioningClient {
    /// Takes a failure back, so that other credentials can be sent in the same session.
    pub async fn reset(&mut self) -> Result<(), ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        let mut is_repeated = false;
        loop {
            match self
                .ctrl_once(RESET, WifiCtrlMsgType::CmdCtrlReset, is_repeated)
                .await
            {
                Err(error) if error.is_loss() && tries.another() => {
                    is_repeated = true;
                    self.pause().await;
                }
                // There is no failure any more: the first request was taken, and its answer lost.
                Err(ProvisioningError::Refused { command, status })
                    if is_repeated
                        && command == RESET
                        && status == Status::InternalError as i32 =>
                {
                    return Ok(());
                }
                ended => return ended,
            }
        }
    }

    /// Starts provisioning anew on a device that is provisioned and has kept its service.
    pub async fn reprovision(&mut self) -> Result<(), ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        let mut is_repeated = false;
        loop {
            match self
                .ctrl_once(REPROV, WifiCtrlMsgType::CmdCtrlReprov, is_repeated)
                .await
            {
                Err(error) if error.is_loss() && tries.another() => {
                    is_repeated = true;
                    self.pause().await;
                }
                ended => return ended,
            }
        }
    }

    /// Sends bytes to an endpoint of the application, and returns its answer. Never sent twice:
    /// what a second time would do only the application knows.
    pub async fn custom(
        &mut self,
        endpoint: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, ProvisioningError> {
        self.raw_encrypted(endpoint, plain).await
    }

    async fn ctrl_once(
        &mut self,
        command: &'static str,
        request: WifiCtrlMsgType,
        is_repeated: bool,
    ) -> Result<(), ProvisioningError> {
        if is_repeated {
            self.establish_once_more().await?;
        }
        let request = WifiCtrlPayload {
            msg: request as i32,
            ..WifiCtrlPayload::default()
        };
        let answer = self
            .message_once(endpoint::CTRL, &request, summary::ctrl)
            .await?;
        if answer.msg != request.msg + 1 {
            return Err(other_message(command));
        }
        success(command, answer.status)
    }
}
