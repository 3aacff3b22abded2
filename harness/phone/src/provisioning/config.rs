//! Credentials, and what becomes of them: `prov-config`.

use proto::Status;
use proto::wifi_config::{
    CmdApplyConfig, CmdGetStatus, CmdSetConfig, Payload, RespGetStatus, StationState,
    WifiConnectFailedReason, WifiConnectedState, WifiStationState,
};

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::exchange::{other_message, success};
use super::outcome::{Connected, Outcome};
use super::settings::Credentials;

/// A station that is neither connecting nor final is asked about so many times more, as Espressif's
/// own client does.
const MORE_TRIES: usize = 3;
const APPLY: &str = "apply_config";

/// What a device says of its station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StationStatus {
    /// It has an address.
    Connected(Connected),
    /// On the way.
    Connecting {
        /// How often it will try again, if it says so.
        attempts_remaining: Option<u32>,
    },
    /// Not connected.
    Disconnected,
    /// It gave up.
    Failed(WifiConnectFailedReason),
    /// The service has ended: the answer claims success and gives no address.
    ServiceEnded,
}

impl ProvisioningClient {
    /// Sends credentials; the device keeps them in memory.
    pub async fn set_config(&mut self, credentials: &Credentials) -> Result<(), ProvisioningError> {
        self.trace
            .secrets()
            .add_numbered("passphrase", &credentials.passphrase);
        let request = Payload::CmdSetConfig(CmdSetConfig {
            ssid: credentials.ssid.clone(),
            passphrase: credentials.passphrase.clone(),
            ..CmdSetConfig::default()
        });
        let command = "set_config";
        match self.config(command, request).await? {
            Payload::RespSetConfig(answer) => success(command, answer.status)?,
            _ => return Err(other_message(command)),
        }
        self.credentials = Some(credentials.clone());
        Ok(())
    }

    /// Puts the credentials to use.
    ///
    /// A device takes this only once. Where its answer was lost and the phone tolerates that, the
    /// refusal of the second request shows that the first was taken.
    pub async fn apply_config(&mut self) -> Result<(), ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        let mut is_repeated = false;
        loop {
            match self.apply_once(is_repeated).await {
                Err(error) if error.is_loss() && tries.another() => {
                    is_repeated = true;
                    self.pause().await;
                }
                Err(ProvisioningError::Refused { command, status })
                    if is_repeated
                        && command == APPLY
                        && status == Status::InternalError as i32 =>
                {
                    return Ok(());
                }
                ended => return ended,
            }
        }
    }

    async fn apply_once(&mut self, is_repeated: bool) -> Result<(), ProvisioningError> {
        if is_repeated {
            self.establish_once_more().await?;
            // Otherwise a refusal might mean that the device has started anew and knows of none.
            if let Some(credentials) = self.credentials.clone() {
                self.set_config(&credentials).await?;
            }
        }
        let request = Payload::CmdApplyConfig(CmdApplyConfig {});
        match self.config_once(APPLY, request).await? {
            Payload::RespApplyConfig(answer) => success(APPLY, answer.status),
            _ => Err(other_message(APPLY)),
        }
    }

    /// Asks what became of the credentials.
    pub async fn status(&mut self) -> Result<StationStatus, ProvisioningError> {
        let command = "get_status";
        match self
            .config(command, Payload::CmdGetStatus(CmdGetStatus {}))
            .await?
        {
            Payload::RespGetStatus(answer) => {
                success(command, answer.status)?;
                station_status(answer)
            }
            _ => Err(other_message(command)),
        }
    }

    /// Asks for the status until it is final. The first question comes after one interval.
    pub async fn wait_for_outcome(&mut self) -> Result<Outcome, ProvisioningError> {
        self.watch(|_| {}).await
    }

    /// The same, and shows `seen` every answer.
    pub async fn watch(
        &mut self,
        mut seen: impl FnMut(&StationStatus),
    ) -> Result<Outcome, ProvisioningError> {
        let clock = self.trace.clock().clone();
        let began = clock.now();
        let mut tries = 0;
        loop {
            clock.sleep(self.settings.poll_interval).await;
            let status = self.status().await?;
            seen(&status);
            match status {
                StationStatus::Connected(connected) => return Ok(Outcome::Connected(connected)),
                StationStatus::Failed(WifiConnectFailedReason::AuthError) => {
                    return Ok(Outcome::AuthError);
                }
                StationStatus::Failed(WifiConnectFailedReason::NetworkNotFound) => {
                    return Ok(Outcome::NetworkNotFound);
                }
                StationStatus::Connecting { .. } => tries = 0,
                status @ (StationStatus::Disconnected | StationStatus::ServiceEnded) => {
                    tries += 1;
                    if tries > MORE_TRIES {
                        return Ok(Outcome::Unreachable {
                            why: format!("its status stays {status:?}"),
                        });
                    }
                }
            }
            let after = clock.now().since(began);
            if after > self.settings.patience {
                return Ok(Outcome::Undecided { after });
            }
        }
    }
}

/// What an answer means. "Connected" counts only where it says to what.
fn station_status(answer: RespGetStatus) -> Result<StationStatus, ProvisioningError> {
    let nonsense = |reason: String| ProvisioningError::Nonsense {
        command: "get_status",
        reason,
    };
    let state = WifiStationState::try_from(answer.sta_state)
        .map_err(|_| nonsense(format!("there is no station state {}", answer.sta_state)))?;
    match (state, answer.state) {
        (WifiStationState::Connected, Some(StationState::Connected(connected))) => {
            connected_at(connected)
                .map(StationStatus::Connected)
                .map_err(nonsense)
        }
        (WifiStationState::Connected, _) => Ok(StationStatus::ServiceEnded),
        (WifiStationState::Connecting, Some(StationState::AttemptFailed(failed))) => {
            Ok(StationStatus::Connecting {
                attempts_remaining: Some(failed.attempts_remaining),
            })
        }
        (WifiStationState::Connecting, _) => Ok(StationStatus::Connecting {
            attempts_remaining: None,
        }),
        (WifiStationState::Disconnected, _) => Ok(StationStatus::Disconnected),
        (WifiStationState::ConnectionFailed, Some(StationState::FailReason(reason))) => {
            WifiConnectFailedReason::try_from(reason)
                .map(StationStatus::Failed)
                .map_err(|_| nonsense(format!("there is no failure reason {reason}")))
        }
        (WifiStationState::ConnectionFailed, _) => Err(nonsense("it gives no reason".into())),
    }
}

fn connected_at(state: WifiConnectedState) -> Result<Connected, String> {
    Ok(Connected {
        ip: state
            .ip4_addr
            .parse()
            .map_err(|_| format!("{:?} is no address", state.ip4_addr))?,
        ssid: state.ssid,
        bssid: state.bssid,
        channel: state.channel,
        auth_mode: state.auth_mode,
    })
}
