//! The client: one phone, one device, one session.

use std::net::SocketAddrV4;
use std::sync::Arc;

use clock::Clock;
use proto::version::{NO_POP, NO_SEC, Prov, Version};
use proto::wifi_config::{
    CmdApplyConfig, CmdGetStatus, CmdSetConfig, Payload, RespGetStatus, StationState,
    WifiConnectFailedReason, WifiConnectedState, WifiStationState,
};
use proto::{Status, endpoint};
use serde_json::json;
use trace::Trace;

use super::error::ProvisioningError;
use super::events::OutcomeReached;
use super::outcome::{Connected, Outcome};
use super::settings::{Credentials, Settings};
use super::summary;
use crate::Dial;
use crate::http::HttpClient;
use crate::security::{Channel, Handshake, Step};

/// What the request of `proto-ver` holds; a device ignores it, but it must not be empty.
const VERSION_REQUEST: &[u8] = b"---";
/// A station that is neither connecting nor final is asked about so many times more, as Espressif's
/// own client does.
const MORE_TRIES: usize = 3;

/// Provisions one device. Connects when it first has to.
pub struct ProvisioningClient {
    pub(super) http: HttpClient,
    pub(super) settings: Settings,
    pub(super) trace: Trace,
    version: Option<Version>,
    pub(super) channel: Option<Channel>,
}

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
    /// A client of the device at `address`, with no connection yet.
    ///
    /// Secrets in `settings` are made known to the trace.
    pub fn new(
        dial: Arc<dyn Dial>,
        address: SocketAddrV4,
        settings: Settings,
        trace: Trace,
    ) -> Self {
        let secrets = [
            ("proof of possession", &settings.pop),
            ("password", &settings.password),
        ];
        for (kind, secret) in secrets {
            if let Some(secret) = secret.as_ref().filter(|secret| !secret.is_empty()) {
                trace.secrets().add_numbered(kind, secret);
            }
        }
        let clock = trace.clock().clone();
        Self {
            http: HttpClient::new(dial, address, clock, settings.request_timeout),
            settings,
            trace,
            version: None,
            channel: None,
        }
    }

    /// Goes through all steps that are left, and says how it ended.
    ///
    /// An error is something that no sound device does, or a phone that was told too little.
    pub async fn provision(
        &mut self,
        credentials: &Credentials,
    ) -> Result<Outcome, ProvisioningError> {
        let ended = self.all_steps(credentials).await;
        self.conclude(ended)
    }

    /// Traces how provisioning ended, for callers that take its steps one by one.
    pub fn conclude(
        &self,
        ended: Result<Outcome, ProvisioningError>,
    ) -> Result<Outcome, ProvisioningError> {
        let outcome = match ended {
            Ok(outcome) => outcome,
            Err(error) => error.outcome().ok_or(error)?,
        };
        self.trace.emit(
            self.settings.device.as_deref(),
            &OutcomeReached {
                phone: self.settings.phone.clone(),
                outcome: outcome.name().to_owned(),
                detail: outcome.to_string(),
            },
        );
        Ok(outcome)
    }

    async fn all_steps(&mut self, credentials: &Credentials) -> Result<Outcome, ProvisioningError> {
        if !self.is_established() {
            self.establish().await?;
        }
        self.set_config(credentials).await?;
        self.apply_config().await?;
        self.wait_for_outcome().await
    }

    /// Asks `proto-ver` what the device can do.
    pub async fn version(&mut self) -> Result<Version, ProvisioningError> {
        let version = self
            .open(
                endpoint::PROTO_VER,
                json!("proto-ver"),
                VERSION_REQUEST,
                |body| {
                    let shown = serde_json::from_slice(body).map_err(ProvisioningError::Version)?;
                    let version =
                        serde_json::from_slice(body).map_err(ProvisioningError::Version)?;
                    Ok((version, shown))
                },
            )
            .await?;
        Ok(self.version.insert(version).clone())
    }

    /// Whether there is a session, as far as the phone knows.
    pub fn is_established(&self) -> bool {
        self.channel.is_some()
    }

    /// Establishes a session, a new one if there was one already.
    pub async fn establish(&mut self) -> Result<(), ProvisioningError> {
        self.channel = None;
        let version = match self.version.clone() {
            Some(version) => version,
            None => self.version().await?,
        };
        let clock = self.trace.clock().clone();
        let choice = Choice::new(&self.settings, &version.prov)?;
        let mut handshake = compute(&clock, || choice.handshake()).await;
        let mut request = handshake.start();
        loop {
            let summary = summary::session(&request);
            let answer = self
                .open(endpoint::SESSION, summary, &request, |body| {
                    Ok((body.to_vec(), summary::session(body)))
                })
                .await?;
            let step = compute(&clock, || handshake.next(&answer)).await;
            match step.map_err(|source| ProvisioningError::Security {
                endpoint: endpoint::SESSION.into(),
                source,
            })? {
                Step::Send(next) => request = next,
                Step::Done(channel) => {
                    self.channel = Some(channel);
                    return Ok(());
                }
            }
        }
    }

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
            Payload::RespSetConfig(answer) => success(command, answer.status),
            _ => Err(other_message(command)),
        }
    }

    /// Puts the credentials to use.
    pub async fn apply_config(&mut self) -> Result<(), ProvisioningError> {
        let command = "apply_config";
        match self
            .config(command, Payload::CmdApplyConfig(CmdApplyConfig {}))
            .await?
        {
            Payload::RespApplyConfig(answer) => success(command, answer.status),
            _ => Err(other_message(command)),
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
        let clock = self.trace.clock().clone();
        let began = clock.now();
        let mut tries = 0;
        loop {
            clock.sleep(self.settings.poll_interval).await;
            match self.status().await? {
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

    /// Ends connection and session, so that the next request is that of a stranger.
    pub fn forget(&mut self) {
        self.http.forget();
        self.channel = None;
        self.version = None;
    }
}

/// The security to speak, with what it takes.
enum Choice<'s> {
    Plain,
    V1 {
        pop: &'s str,
    },
    V2 {
        username: &'s str,
        password: &'s str,
        patch_version: u8,
    },
}

impl<'s> Choice<'s> {
    fn new(settings: &'s Settings, prov: &Prov) -> Result<Self, ProvisioningError> {
        let by_version = prov.sec_ver.unwrap_or(u8::from(!prov.can(NO_SEC)));
        match settings.security.unwrap_or(by_version) {
            0 => Ok(Self::Plain),
            1 if prov.can(NO_POP) => Ok(Self::V1 { pop: "" }),
            1 => Ok(Self::V1 {
                pop: told("proof of possession", settings.pop.as_deref())?,
            }),
            2 => Ok(Self::V2 {
                username: told("user name", settings.username.as_deref())?,
                password: told("password", settings.password.as_deref())?,
                patch_version: prov.sec_patch_ver.unwrap_or_default(),
            }),
            other => Err(ProvisioningError::UnknownSecurity(other)),
        }
    }

    fn handshake(&self) -> Handshake {
        match self {
            Self::Plain => Handshake::plain(),
            Self::V1 { pop } => Handshake::v1(pop),
            Self::V2 {
                username,
                password,
                patch_version,
            } => Handshake::v2(username, password, *patch_version),
        }
    }
}

fn told<'s>(what: &'static str, value: Option<&'s str>) -> Result<&'s str, ProvisioningError> {
    value.ok_or(ProvisioningError::Missing(what))
}

/// Computes for some milliseconds, during which lab time runs at the host's pace.
async fn compute<T>(clock: &Clock, work: impl FnOnce() -> T) -> T {
    let _busy = clock.busy();
    // Lets the clock notice before this thread is taken.
    tokio::task::yield_now().await;
    work()
}

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

pub(super) fn success(command: &'static str, status: i32) -> Result<(), ProvisioningError> {
    if status == Status::Success as i32 {
        Ok(())
    } else {
        Err(ProvisioningError::Refused { command, status })
    }
}

pub(super) fn other_message(command: &'static str) -> ProvisioningError {
    ProvisioningError::Nonsense {
        command,
        reason: "it is the answer to another command".into(),
    }
}
