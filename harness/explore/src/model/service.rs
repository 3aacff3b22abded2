//! Provisioning: the manager of ESP-IDF 5.5, and what phones must be told by it.

use language::{Over, Security};

use super::{
    Mqtt, Service, Session, State, Station, Stored, Taken, has_cloud, has_secret, is_shared,
};
use crate::action::{Breakage, Credentials, Network, Phone, Until};
use crate::setting::{Certificate, Cloud, Setting};

impl State {
    pub(super) fn provision(
        &self,
        setting: &Setting,
        phone: Phone,
        credentials: Credentials,
        until: Until,
    ) -> Option<Taken> {
        let is_full = phone == Phone::Bob && self.crowded;
        if is_full
            || phone == Phone::Bob && !is_shared(setting)
            || !self.power
            || !self.can_move(setting)
        {
            return None;
        }
        match self.session(phone) {
            Session::Open => self.go_on(setting, phone, credentials, until, true),
            Session::Lost => self.find_lost(setting, phone, credentials, until),
            Session::None | Session::Dead => self.begin(setting, phone, credentials, until),
        }
    }

    /// The phone goes on in a session that the device has forgotten.
    fn find_lost(
        &self,
        setting: &Setting,
        phone: Phone,
        credentials: Credentials,
        until: Until,
    ) -> Option<Taken> {
        let is_plain = credentials == Credentials::Right(Network::Home) && until == Until::End;
        let is_unheard = setting.over == Over::Ble && self.is_broken(Breakage::BluetoothSilent);
        if !is_plain || is_unheard || setting.security == Security::None {
            return None;
        }
        let mut taken = Taken::new(self);
        let phone_name = phone.name();
        taken.is_noisy = true;
        taken.step(
            "session lost",
            format!(
                "provision: {{ phone: {phone_name}, join: home, resume: true, outcome: session-lost }}"
            ),
        );
        taken.state.goes_home(phone);
        let other = phone.other();
        // A request of an unknown session ends the one that there is (protocomm_req_handle).
        if self.session(other) != Session::None {
            *taken.state.session_mut(other) = Session::Dead;
        }
        Some(taken)
    }

    /// The phone begins a session of its own.
    fn begin(
        &self,
        setting: &Setting,
        phone: Phone,
        credentials: Credentials,
        until: Until,
    ) -> Option<Taken> {
        let other = phone.other();
        let is_connected = matches!(self.session(other), Session::Open | Session::Lost);
        let is_single = setting.over == Over::Ble && is_connected;
        let is_unheard = setting.over == Over::Ble && self.is_broken(Breakage::BluetoothSilent);
        if !self.serves() || is_single || is_unheard {
            let is_over = matches!(self.service, Service::Off | Service::Stopped);
            let is_plain = credentials == Credentials::Right(Network::Home) && until == Until::End;
            let is_known = is_over || is_single || is_unheard;
            // What is left of the half minute would be over by then.
            let is_waited_for = matches!(self.service, Service::Untold { .. });
            if !is_plain || !is_known || is_waited_for || setting.over == Over::Console {
                return None;
            }
            let mut taken = Taken::new(self);
            taken.step(
                "unreachable",
                format!(
                    "provision: {{ phone: {}, join: home, outcome: unreachable }}",
                    phone.name()
                ),
            );
            taken.state.goes_home(phone);
            return Some(taken);
        }
        let mut state = self.clone();
        if self.session(other) == Session::Open {
            *state.session_mut(other) = Session::Lost;
        }
        *state.session_mut(phone) = Session::Open;
        state.go_on(setting, phone, credentials, until, false)
    }

    /// The phone goes on in an open session.
    fn go_on(
        &self,
        setting: &Setting,
        phone: Phone,
        credentials: Credentials,
        until: Until,
        resumed: bool,
    ) -> Option<Taken> {
        if !self.serves() {
            return None;
        }
        let mut taken = Taken::new(self);
        let name = phone.name();
        let resume = if resumed { ", resume: true" } else { "" };
        if until == Until::Session {
            // Whose credentials it would be does not matter.
            if resumed || credentials != Credentials::Right(Network::Home) {
                return None;
            }
            taken.step(
                "session",
                format!("provision: {{ phone: {name}, stop_after: session }}"),
            );
            return Some(taken);
        }
        let given = match credentials {
            Credentials::Right(network) => format!("join: {}", network.name()),
            Credentials::WrongPassphrase(network) => {
                format!("join: {}, passphrase: not the passphrase", network.name())
            }
            Credentials::NoSuchNetwork => "join: home, ssid: \"nobody's network\"".to_owned(),
        };
        let is_started = self.service == Service::Started;
        match until {
            Until::Session => {}
            Until::Set => {
                taken.state.set = true;
                taken.step(
                    "set",
                    format!("provision: {{ phone: {name}, {given}{resume}, stop_after: set }}"),
                );
                return Some(taken);
            }
            Until::Apply if !is_started || setting.phone_token || self.tarries(setting) => {
                return None;
            }
            Until::Apply => {
                taken.step(
                    "apply",
                    format!("provision: {{ phone: {name}, {given}{resume}, stop_after: apply }}"),
                );
                taken.tries(setting, credentials)?;
                taken.is_applied(setting, credentials, false);
                return Some(taken);
            }
            Until::End | Until::EndAndStay => {}
        }
        let stays = until == Until::EndAndStay;
        let stay = if stays { ", stay: true" } else { "" };
        let outcome = match is_started {
            true => self.outcome(credentials)?,
            false => "credentials-refused",
        };
        let token = match setting.phone_token && is_started && outcome == "connected" {
            true => format!(", token: mine{}", taken.state.next_token()),
            // Whether a token is needed before credentials are refused is not known.
            false if setting.phone_token => return None,
            false => String::new(),
        };
        taken.step(
            outcome,
            format!(
                "provision: {{ phone: {name}, {given}{resume}{stay}{token}, outcome: {outcome} }}"
            ),
        );
        if !stays {
            taken.state.goes_home(phone);
        }
        if is_started {
            taken.tries(setting, credentials)?;
            taken.is_applied(setting, credentials, true);
        } else {
            taken.is_noisy = true;
            taken.logs("Wi-Fi credentials already received by provisioning app", 2);
        }
        Some(taken)
    }

    /// Whether a device that has joined is waited for so long that a service which no phone has asked would
    /// be over.
    fn tarries(&self, setting: &Setting) -> bool {
        let is_unheard = setting.cloud == Cloud::Linkkit && self.is_broken(Breakage::MatchNever);
        is_unheard || self.is_broken(Breakage::Taken)
    }

    /// What a phone must be told of credentials that a started service was given; none if it would wait
    /// for ever.
    fn outcome(&self, credentials: Credentials) -> Option<&'static str> {
        let is_off = |network| self.is_broken(Breakage::AccessPointOff(network));
        match credentials {
            Credentials::NoSuchNetwork => Some("network-not-found"),
            Credentials::Right(network) | Credentials::WrongPassphrase(network)
                if is_off(network) =>
            {
                Some("network-not-found")
            }
            Credentials::WrongPassphrase(_) => Some("auth-error"),
            Credentials::Right(network) => self.leases(network).then_some("connected"),
        }
    }

    pub(super) fn wrong_secret(&self, setting: &Setting, phone: Phone) -> Option<Taken> {
        let is_quiet = self.session(phone) == Session::None
            && self.session(phone.other()) == Session::None
            && !(setting.over == Over::Ble && self.is_broken(Breakage::BluetoothSilent));
        let is_his = phone == Phone::Alice || is_shared(setting);
        let is_able = self.serves() && self.can_move(setting) && !self.crowded;
        if !is_able || !has_secret(setting.security) || !is_quiet || !is_his {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.is_noisy = true;
        let (secret, line) = match setting.security {
            Security::V1 => ("pop: not-it-1", "Key mismatch. Close connection"),
            _ => (
                "password: not-it-either",
                "Failed to authenticate client proof!",
            ),
        };
        taken.step(
            "session refused",
            format!(
                "provision: {{ phone: {}, {secret}, outcome: session-refused }}",
                phone.name()
            ),
        );
        taken.logs(line, 2);
        Some(taken)
    }

    pub(super) fn stranger_looks(&self, setting: &Setting) -> Option<Taken> {
        let is_over = matches!(self.service, Service::Off | Service::Stopped);
        let is_heard = !self.is_broken(Breakage::BluetoothSilent);
        if !self.power || !is_over || setting.over != Over::Ble || !is_heard {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step(
            "unreachable",
            "provision: { phone: erin, join: home, outcome: unreachable }",
        );
        taken.step(
            "never seen",
            "expect: { never: [{ air: { kind: ble_advertising_seen, where: { /by: erin } } }], since: start, for: 1s }",
        );
        Some(taken)
    }

    pub(super) fn crowd(&self, setting: &Setting) -> Option<Taken> {
        let is_quiet = self.alice == Session::None && self.bob == Session::None;
        if !self.serves()
            || setting.over != Over::Softap
            || !is_quiet
            || self.crowded
            || !self.can_move(setting)
        {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.state.crowded = true;
        for phone in ["carol", "dave", "erin", "frank"] {
            taken.step(
                "session in a crowd",
                format!("provision: {{ phone: {phone}, stop_after: session }}"),
            );
        }
        Some(taken)
    }
}

impl Taken {
    /// The device says what it tries, and what comes of it.
    fn tries(&mut self, setting: &Setting, credentials: Credentials) -> Option<()> {
        let outcome = self.state.outcome(credentials)?;
        if outcome == "connected" {
            return Some(());
        }
        self.is_noisy = true;
        let (mine, theirs) = match outcome {
            "auth-error" => (
                "STA Auth Error",
                "Reason : Wi-Fi station authentication failed",
            ),
            _ => ("STA AP Not found", "Reason : Wi-Fi access-point not found"),
        };
        let seconds = if setting.attempts.is_some() { 60 } else { 30 };
        self.logs_all(&["STA Disconnected", mine, theirs], seconds);
        if setting.attempts.is_some() && outcome == "auth-error" && !self.state.has_failed {
            self.step(
                "as often as it may",
                "expect: { air: { kind: left, where: { /reason: 15 } }, count: { at_least: 3 }, within: 1s }",
            );
        }
        self.state.has_failed = true;
        Some(())
    }

    /// Credentials were applied, and tried: what is true then. `told` if a phone was told of it.
    fn is_applied(&mut self, setting: &Setting, credentials: Credentials, told: bool) {
        let is_new = self.state.stored == Stored::Nothing;
        self.state.set = false;
        let is_good = self.state.outcome(credentials) == Some("connected");
        self.state.stored = match credentials {
            Credentials::Right(network) => Stored::Right(network),
            _ if is_new => Stored::Failing,
            _ => Stored::Unknown,
        };
        let Credentials::Right(network) = credentials else {
            self.state.service = Service::Failed;
            return;
        };
        if !is_good {
            if !is_new {
                self.state.stored = Stored::Unknown;
            }
            self.state.service = Service::Failed;
            return;
        }
        self.logs("STA Got IP", 30);
        self.state.service = match (told, setting.auto_stop) {
            (true, true) => {
                self.stops(setting, 10);
                Service::Stopped
            }
            (true, false) => Service::Succeeded,
            (false, _) => Service::Untold {
                is_half_over: false,
            },
        };
        self.takes_address(setting, network);
        let is_reached = has_cloud(setting)
            && self.state.mqtt == Mqtt::Up
            && setting.certificate == Certificate::Good;
        if setting.phone_token && is_reached {
            let token = self.state.tokens;
            self.step(
                "bound by the phone's token",
                format!(
                    "bind: {{ phone: alice, token: \"${{mine{token}}}\", within: 30s, outcome: bound }}"
                ),
            );
        }
    }

    /// The service ends.
    pub(super) fn stops(&mut self, setting: &Setting, seconds: u32) {
        self.logs("Provisioning stopped", seconds);
        if setting.over == Over::Ble {
            self.logs("BTDM memory released", 20);
        }
        self.state.service = Service::Stopped;
        self.state.end_sessions();
    }

    /// The station is in the network, and has its address, of which the device has told already.
    pub(super) fn takes_address(&mut self, setting: &Setting, network: Network) {
        self.state.station = Station::Addressed(network);
        self.state.short_lease =
            network == Network::Home && self.state.is_broken(Breakage::ShortLeases);
        self.declines(network);
        self.meets_cloud(setting, network, 60);
    }
}
