//! The provisioning state machine (ESP-IDF 5.5 `wifi_provisioning/src/manager.c`), without input
//! and output: it is told what happened and when, and says what to do and what to announce.
//!
//! Moments are ms since boot.

use alloc::string::{String, ToString};
use core::net::Ipv4Addr;

use proto::wifi_config::WifiConnectFailedReason as Reason;

use crate::board::AccessPoint;
use crate::bugs::{self, Bug};
use crate::credentials::Credentials;

const TAG: &str = "wifi_prov_mgr";
const HANDLERS_TAG: &str = "wifi_prov_handlers";

/// Reasons of ESP-IDF's `wifi_err_reason_t` that are final, and what they mean.
const AUTHENTICATION: [u16; 4] = [
    14,  // message integrity failure
    15,  // four-way handshake time-out
    202, // authentication failed
    204, // handshake time-out
];
const NO_AP_FOUND: u16 = 201;

/// Delays in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    /// From the answer to apply until the station connects.
    pub(crate) connect: u32,
    /// From success until the service stops by itself.
    pub(crate) auto_stop: u32,
    /// From the decision to stop until the service is gone.
    pub(crate) cleanup: u32,
}

impl From<&factory::Provisioning> for Delays {
    fn from(settings: &factory::Provisioning) -> Self {
        Self {
            connect: settings.connect_delay_ms,
            auto_stop: settings.auto_stop_ms,
            cleanup: settings.cleanup_delay_ms,
        }
    }
}

/// How far provisioning has come; the numbers are those of ESP-IDF's `wifi_prov_mgr_state_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum State {
    /// Credentials are awaited.
    Started = 2,
    /// They are being tried.
    CredentialsReceived = 3,
    /// They are of no use.
    Failed = 4,
    /// The station has an address.
    Succeeded = 5,
    /// The service ends.
    Stopping = 6,
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Credentials were applied.
    CredentialsReceived(Credentials),
    /// They are of no use.
    Failed(Reason),
    /// The station has an address.
    Succeeded,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Connect the station.
    Connect(Credentials),
    /// End the service.
    Stop,
}

/// What a phone is told about the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Connecting,
    Failed(Reason),
    Connected {
        address: String,
        access_point: AccessPoint,
    },
}

/// The device cannot do this in its state (`Status::InternalError`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongState;

/// The state machine.
#[derive(Debug)]
pub(crate) struct Machine {
    delays: Delays,
    state: State,
    /// Set and not yet applied.
    set: Option<Credentials>,
    /// Applied, to be tried at the moment.
    connect: Option<(u64, Credentials)>,
    /// When the service ends, unless somebody asks for the status before.
    stop: Option<u64>,
    report: Report,
}

impl Machine {
    pub(crate) fn new(delays: Delays) -> Self {
        Self {
            delays,
            state: State::Started,
            set: None,
            connect: None,
            stop: None,
            report: Report::Connecting,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Keeps credentials for [`Self::applicable`].
    pub(crate) fn set(&mut self, credentials: Credentials) {
        self.set = Some(credentials);
    }

    /// Takes the credentials that apply puts to use. The caller keeps them in flash, before they
    /// are proven, and then calls [`Self::apply`].
    pub(crate) fn applicable(&mut self) -> Result<Credentials, WrongState> {
        let Some(credentials) = self.set.take() else {
            log::error!(target: HANDLERS_TAG, "Wi-Fi config not set");
            return Err(WrongState);
        };
        let again = self.state == State::Failed && bugs::is(Bug::SecondCredentialsAccepted);
        if self.state >= State::CredentialsReceived && !again {
            log::error!(
                target: TAG,
                "Wi-Fi credentials already received by provisioning app"
            );
            log::error!(target: HANDLERS_TAG, "Failed to apply Wi-Fi Credentials");
            return Err(WrongState);
        }
        Ok(credentials)
    }

    /// Has these credentials tried.
    pub(crate) fn apply(&mut self, now: u64, credentials: Credentials) -> Event {
        let moment = now + u64::from(self.delays.connect);
        self.connect = Some((moment, credentials.clone()));
        self.state = State::CredentialsReceived;
        self.report = Report::Connecting;
        Event::CredentialsReceived(credentials)
    }

    /// The station is not joined, for a reason of ESP-IDF's.
    pub(crate) fn station_left(&mut self, reason: u16) -> Option<Event> {
        if !self.is_trying() {
            return None;
        }
        log::error!(target: TAG, "STA Disconnected");
        log::error!(target: TAG, "Disconnect reason : {reason}");
        let why = match reason {
            NO_AP_FOUND if bugs::is(Bug::ApNotFoundRetriedForever) => return None,
            NO_AP_FOUND if !bugs::is(Bug::WrongReasonReported) => {
                log::error!(target: TAG, "STA AP Not found");
                Reason::NetworkNotFound
            }
            reason if reason == NO_AP_FOUND || AUTHENTICATION.contains(&reason) => {
                log::error!(target: TAG, "STA Auth Error");
                Reason::AuthError
            }
            // Not final: the station goes on trying.
            _ => return None,
        };
        self.state = State::Failed;
        self.report = Report::Failed(why);
        Some(Event::Failed(why))
    }

    /// The station has an address.
    pub(crate) fn got_address(
        &mut self,
        now: u64,
        address: Ipv4Addr,
        access_point: AccessPoint,
    ) -> Option<Event> {
        if !self.is_trying() {
            return None;
        }
        log::info!(target: TAG, "STA Got IP");
        self.state = State::Succeeded;
        self.report = Report::Connected {
            address: address.to_string(),
            access_point,
        };
        let wait = if bugs::is(Bug::StopsTooEarly) {
            0
        } else {
            u64::from(self.delays.auto_stop) + u64::from(self.delays.cleanup)
        };
        self.stop = (!bugs::is(Bug::ServiceNeverStops)).then_some(now + wait);
        Some(Event::Succeeded)
    }

    /// Whether what the station does is about the credentials that were applied last. Before it is
    /// told of them it may still be busy with those that failed and were reset.
    fn is_trying(&self) -> bool {
        self.state == State::CredentialsReceived && self.connect.is_none()
    }

    /// What a phone is told. The first report of success ends the service after the clean-up
    /// delay.
    pub(crate) fn report(&mut self, now: u64) -> Report {
        if self.state == State::Succeeded {
            self.state = State::Stopping;
            let soon = now + u64::from(self.delays.cleanup);
            self.stop = self.stop.map(|stop| stop.min(soon));
        }
        self.report.clone()
    }

    /// Whether a phone may have failed credentials forgotten. The caller forgets those in flash,
    /// and then calls [`Self::reset`].
    pub(crate) fn resettable(&self) -> Result<(), WrongState> {
        if self.state == State::Failed {
            return Ok(());
        }
        log::error!(
            target: TAG,
            "Trying reset when not in failure state. Current state: {}",
            self.state as u8
        );
        Err(WrongState)
    }

    /// Awaits credentials anew.
    pub(crate) fn reset(&mut self) {
        self.state = State::Started;
        self.report = Report::Connecting;
    }

    /// A phone wants to provision once more, which needs a service that does not stop by itself.
    pub(crate) fn reprovision(&self) -> Result<(), WrongState> {
        log::error!(
            target: TAG,
            "Execute wifi_prov_mgr_disable_auto_stop() before calling this API"
        );
        Err(WrongState)
    }

    /// The next moment at which [`Self::due`] has something.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        let connect = self.connect.as_ref().map(|(moment, _)| *moment);
        connect.into_iter().chain(self.stop).min()
    }

    /// What is to be done by now; called until there is nothing left.
    pub(crate) fn due(&mut self, now: u64) -> Option<Due> {
        if let Some((_, credentials)) = self.connect.take_if(|(moment, _)| *moment <= now) {
            log::info!(target: TAG, "STA Start");
            return Some(Due::Connect(credentials));
        }
        self.stop.take_if(|moment| *moment <= now)?;
        self.state = State::Stopping;
        Some(Due::Stop)
    }
}

#[cfg(test)]
mod tests;
