//! The provisioning state machine (ESP-IDF 5.5 `wifi_provisioning/src/manager.c`), without input
//! and output: it is told what happened and when, and says what to do and what to announce.
//!
//! Moments are ms since boot.

use alloc::string::{String, ToString};
use core::net::Ipv4Addr;

use proto::wifi_config::WifiConnectFailedReason as Reason;

use super::profile::Profile;
use crate::board::AccessPoint;
use crate::bugs::{self, Bug};
use crate::credentials::Credentials;

/// ESP-IDF's `WIFI_REASON_NO_AP_FOUND`.
const NO_AP_FOUND: u16 = 201;
/// The shortest clean-up delay, in ms.
const MIN_CLEANUP: u32 = 100;

/// What decides how the machine behaves. Delays in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) profile: Profile,
    /// From the answer to apply until the station connects.
    pub(crate) connect: u32,
    /// From success until the service stops by itself.
    pub(crate) auto_stop: u32,
    /// From the decision to stop until the service is gone.
    pub(crate) cleanup: u32,
    /// Whether the service stops by itself at all.
    pub(crate) stops_by_itself: bool,
    /// Attempts before a failure is final; 0 for one.
    pub(crate) attempts: u32,
    /// Failures after which credentials are awaited anew; 0 for never.
    pub(crate) failures: u32,
    /// Whether a failure is announced with the reason of the one before.
    pub(crate) stale_reason: bool,
}

impl From<&factory::Provisioning> for Rules {
    fn from(settings: &factory::Provisioning) -> Self {
        let profile = Profile(settings.version);
        let stops_by_itself = !settings.disable_auto_stop || bugs::is(Bug::AutoStopIgnoresDisable);
        Self {
            profile,
            connect: settings.connect_delay_ms,
            auto_stop: settings.auto_stop_ms,
            cleanup: settings.cleanup_delay_ms.max(MIN_CLEANUP),
            stops_by_itself,
            attempts: match profile.counts_attempts() {
                true => settings.conn_attempts,
                false => 0,
            },
            failures: settings.reset_after_failures,
            stale_reason: settings.stale_fail_reason || bugs::is(Bug::StaleReason),
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
    /// Disconnect the station.
    Disconnect,
    /// Have the failed credentials forgotten.
    Reset,
    /// End the service.
    Stop,
}

/// What a phone is told about the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Connecting,
    /// Connecting once more.
    AttemptFailed {
        remaining: u32,
    },
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
    rules: Rules,
    state: State,
    /// Set and not yet applied.
    set: Option<Credentials>,
    /// Applied, to be tried at the moment.
    connect: Option<(u64, Credentials)>,
    /// When the service ends, unless a phone asks for the status before.
    stop: Option<u64>,
    /// The station is to leave.
    disconnect: bool,
    /// The application wants a reset.
    reset: bool,
    /// Attempts that have failed.
    attempts: u32,
    /// Failures that the application has seen since it wanted a reset.
    failures: u32,
    /// Reason of the last failure; the first value of ESP-IDF's type before any.
    last_reason: Reason,
    report: Report,
}

impl Machine {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Started,
            set: None,
            connect: None,
            stop: None,
            disconnect: false,
            reset: false,
            attempts: 0,
            failures: 0,
            last_reason: Reason::AuthError,
            report: Report::Connecting,
        }
    }

    pub(crate) fn profile(&self) -> Profile {
        self.rules.profile
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    fn tag(&self) -> &'static str {
        self.rules.profile.tag()
    }

    /// Keeps credentials for [`Self::take_set`].
    pub(crate) fn set(&mut self, credentials: Credentials) {
        self.set = Some(credentials);
    }

    /// Takes the credentials that were set. The caller asks whether they are awaited, keeps them
    /// in flash, before they are proven, and then calls [`Self::apply`].
    pub(crate) fn take_set(&mut self) -> Option<Credentials> {
        self.set.take()
    }

    /// Whether credentials may be applied.
    pub(crate) fn awaits_credentials(&self) -> Result<(), WrongState> {
        let again = self.state == State::Failed && bugs::is(Bug::SecondCredentialsAccepted);
        if self.state >= State::CredentialsReceived && !again {
            log::error!(
                target: self.tag(),
                "Wi-Fi credentials already received by provisioning app"
            );
            return Err(WrongState);
        }
        Ok(())
    }

    /// Has these credentials tried.
    pub(crate) fn apply(&mut self, now: u64, credentials: Credentials) -> Event {
        let moment = now + u64::from(self.rules.connect);
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
        let tag = self.tag();
        log::error!(target: tag, "STA Disconnected");
        log::error!(target: tag, "Disconnect reason : {reason}");
        let is_authentication = self.rules.profile.is_authentication_failure(reason);
        let why = match reason {
            NO_AP_FOUND if bugs::is(Bug::ApNotFoundRetriedForever) => return None,
            NO_AP_FOUND if !bugs::is(Bug::WrongReasonReported) => {
                log::error!(target: tag, "STA AP Not found");
                Reason::NetworkNotFound
            }
            reason if reason == NO_AP_FOUND || is_authentication => {
                log::error!(target: tag, "STA Auth Error");
                Reason::AuthError
            }
            // Not final: the station goes on trying.
            _ => return None,
        };
        let previous = core::mem::replace(&mut self.last_reason, why);
        if let Some(remaining) = self.remaining_attempts() {
            self.report = Report::AttemptFailed { remaining };
            return None;
        }
        self.state = State::Failed;
        self.report = Report::Failed(why);
        self.failures = self.failures.saturating_add(1);
        self.reset = self.rules.failures > 0 && self.failures >= self.rules.failures;
        Some(Event::Failed(match self.rules.stale_reason {
            true => previous,
            false => why,
        }))
    }

    /// Counts an attempt that has failed, and says how many are left, if any.
    fn remaining_attempts(&mut self) -> Option<u32> {
        if self.rules.attempts == 0 {
            return None;
        }
        if !bugs::is(Bug::AttemptsNotCounted) {
            self.attempts = self.attempts.saturating_add(1);
        }
        let remaining = self.rules.attempts.saturating_sub(self.attempts);
        (remaining > 0).then_some(remaining)
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
        log::info!(target: self.tag(), "STA Got IP");
        self.state = State::Succeeded;
        // As the example counts its retries.
        self.failures = 0;
        self.report = Report::Connected {
            address: address.to_string(),
            access_point,
        };
        let wait = if bugs::is(Bug::StopsTooEarly) {
            0
        } else {
            u64::from(self.rules.auto_stop) + u64::from(self.rules.cleanup)
        };
        let stops = self.rules.stops_by_itself && !bugs::is(Bug::ServiceNeverStops);
        self.stop = stops.then_some(now + wait);
        Some(Event::Succeeded)
    }

    /// Whether what the station does is about the credentials that were applied last. Before it is
    /// told of them it may still be busy with those that failed and were reset.
    fn is_trying(&self) -> bool {
        self.state == State::CredentialsReceived && self.connect.is_none()
    }

    /// What a phone is told. The first report of success ends the service after the clean-up
    /// delay, if it stops by itself.
    pub(crate) fn report(&mut self, now: u64) -> Report {
        if self.state == State::Succeeded && self.rules.stops_by_itself {
            self.state = State::Stopping;
            let soon = now + u64::from(self.rules.cleanup);
            self.stop = self.stop.map(|stop| stop.min(soon));
        }
        self.report.clone()
    }

    /// Whether the service is ending: its clean-up delay runs, and the proof of possession is freed
    /// already.
    pub(crate) fn is_cleaning_up(&self, now: u64) -> bool {
        let cleanup = u64::from(self.rules.cleanup);
        self.stop.is_some_and(|stop| now + cleanup >= stop)
    }

    /// The end of the service waits for so many ms more.
    pub(crate) fn postpone_stop(&mut self, by: u64) {
        self.stop = self.stop.map(|stop| stop + by);
    }

    /// The application ends the service, after the clean-up delay.
    pub(crate) fn stop(&mut self, now: u64) {
        if self.state != State::Stopping {
            self.state = State::Stopping;
            self.connect = None;
            self.stop = Some(now + u64::from(self.rules.cleanup));
        }
    }

    /// Whether failed credentials may be forgotten. The caller forgets those in flash, and then
    /// calls [`Self::reset`].
    pub(crate) fn resettable(&self) -> Result<(), WrongState> {
        let idempotent = self.rules.profile.reset_is_idempotent();
        let allowed = match self.state {
            State::Failed => !bugs::is(Bug::ResetRefusedInFail),
            State::Started if idempotent => true,
            _ => bugs::is(Bug::ResetAcceptedAnywhere),
        };
        if allowed {
            return Ok(());
        }
        log::error!(
            target: self.tag(),
            "Trying reset when not in failure state. Current state: {}",
            self.state as u8
        );
        Err(WrongState)
    }

    /// Awaits credentials anew, and has the station forget those that failed, which it may be trying. A phone
    /// that asks is still told of the failure.
    pub(crate) fn reset(&mut self) {
        self.state = State::Started;
        self.reset = false;
        self.disconnect = true;
        if self.rules.profile.reset_clears_attempts() {
            self.attempts = 0;
        }
    }

    /// Provisions once more, from whatever state, which needs a service that does not stop by
    /// itself.
    pub(crate) fn reprovision(&mut self) -> Result<(), WrongState> {
        if self.rules.stops_by_itself && !bugs::is(Bug::ReprovWithoutDisableAccepted) {
            log::error!(
                target: self.tag(),
                "Execute {} before calling this API",
                match self.rules.profile.has_component_names() {
                    true => "network_prov_mgr_disable_auto_stop()",
                    false => "wifi_prov_mgr_disable_auto_stop()",
                }
            );
            return Err(WrongState);
        }
        self.state = State::Started;
        self.report = Report::Connecting;
        self.connect = None;
        self.stop = None;
        self.disconnect = !bugs::is(Bug::ReprovStaysConnected);
        Ok(())
    }

    /// The next moment at which [`Self::due`] has something.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        if self.disconnect || self.reset {
            return Some(0);
        }
        let connect = self.connect.as_ref().map(|(moment, _)| *moment);
        connect.into_iter().chain(self.stop).min()
    }

    /// What is to be done by now; called until there is nothing left.
    pub(crate) fn due(&mut self, now: u64) -> Option<Due> {
        if core::mem::take(&mut self.disconnect) {
            return Some(Due::Disconnect);
        }
        if core::mem::take(&mut self.reset) {
            self.failures = 0;
            return Some(Due::Reset);
        }
        if let Some((_, credentials)) = self.connect.take_if(|(moment, _)| *moment <= now) {
            log::info!(target: self.tag(), "STA Start");
            return Some(Due::Connect(credentials));
        }
        self.stop.take_if(|moment| *moment <= now)?;
        self.state = State::Stopping;
        Some(Due::Stop)
    }
}

#[cfg(test)]
mod tests;
