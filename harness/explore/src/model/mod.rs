//! What a device must answer and say, whatever is done to it: written from the documents of ESP-IDF,
//! Linkkit and MQTT, not from the device.
//!
//! [`State::take`] says for an action whether it can be taken, which steps of a scenario it is with
//! what must come of them, and what is true afterwards. An action of which nobody knows what must come
//! cannot be taken: a walk has only steps that a device has to pass.

mod app;
mod cloud;
mod network;
mod power;
mod requests;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use language::{Over, Security};

use crate::action::{Action, Breakage, Network, Phone};
use crate::setting::{Cloud, Setting};

/// What is true between two actions, as far as it decides what must come of the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// Whether the device has power.
    pub power: bool,
    /// Whether anything was done yet.
    pub begun: bool,
    /// What stands in the device's storage.
    pub stored: Stored,
    /// Its provisioning service.
    pub service: Service,
    /// Its station.
    pub station: Station,
    /// Its session with the cloud.
    pub mqtt: Mqtt,
    /// Whether it was told the time since it has power.
    pub has_time: bool,
    /// What the cloud knows of its token.
    pub binding: Binding,
    /// The last token that was told.
    pub token: Token,
    /// How many tokens were told.
    pub tokens: u32,
    /// Whether the device still has the token that was told last: an answer to a phone makes it take another.
    pub token_stays: bool,
    /// Whether the token that the device has is used up.
    pub spent: bool,
    /// The session that alice has open.
    pub alice: Session,
    /// The session that bob has open.
    pub bob: Session,
    /// Phones that are in no network: theirs has sent them away, or they found it not, or no address there.
    pub locked_out: BTreeSet<Phone>,
    /// Whether credentials were set in this run of the firmware, and which not yet applied.
    pub set: bool,
    /// Whether a join has failed since it has power.
    pub has_failed: bool,
    /// Whether the lease ends in a minute.
    pub short_lease: bool,
    /// Whether the device has declined the address that another host has.
    pub declined: bool,
    /// Whether four more phones are in the SoftAP, which takes five.
    pub crowded: bool,
    /// Whether a phone's question may still wait for the hardware address of the device that it is for.
    pub lingers: bool,
    /// Whether telemetry that nobody has acknowledged may take all places of the device's outbox.
    pub backlog: bool,
    /// What is broken.
    pub broken: BTreeSet<Breakage>,
    /// Whether only a restart makes certain again what the device is at.
    pub unsure: bool,
}

/// What stands in a device's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// Nothing.
    Nothing,
    /// Credentials of a network.
    Right(Network),
    /// Credentials that will always fail.
    Failing,
    /// One of two things.
    Unknown,
}

/// The provisioning service (ESP-IDF `wifi_prov_mgr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Not there.
    Off,
    /// Waits for credentials.
    Started,
    /// The credentials failed.
    Failed,
    /// They are good, and no phone has been told.
    Untold {
        /// Whether some of the half minute is over.
        is_half_over: bool,
    },
    /// They are good, and the service stays.
    Succeeded,
    /// It has stopped.
    Stopped,
}

/// The station of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// In no network, and tries none that is there.
    Idle,
    /// Looks for a network whose access point is off.
    Looking(Network),
    /// In a network that leases it no address.
    Starving(Network),
    /// In a network, with an address.
    Addressed(Network),
}

/// The session with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mqtt {
    /// There was none since the device has power.
    Never,
    /// There is one.
    Up,
    /// There was one.
    Down,
    /// One of both ends may not know yet that it is over.
    Unsure,
}

/// What the cloud knows of a device's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Nothing.
    Never,
    /// It has taken one, and said so.
    Replied,
    /// It has heard of one, and says nothing.
    Silent,
    /// Something, perhaps.
    Unsure,
}

/// The last token that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// There is none that anything is known of.
    None,
    /// It lives, and nobody has bound by it.
    Fresh,
    /// Somebody has bound by it.
    Used(Phone),
    /// Its life is over.
    Old,
}

/// A phone's session with the provisioning service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Session {
    /// None.
    None,
    /// Both sides know it.
    Open,
    /// The phone alone knows it, and can still ask.
    Lost,
    /// The phone alone knows it, and reaches nobody.
    Dead,
}

/// A step of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// As YAML in flow style, without the dash.
    pub yaml: String,
    /// What it checks, in a few words: part of a finding's signature.
    pub checks: String,
}

/// What comes of an action.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What is true afterwards.
    pub state: State,
    /// What it is in a scenario: first what is done, then what must come of it.
    pub steps: Vec<Step>,
    /// Whether the device may log errors.
    pub is_noisy: bool,
}

impl Taken {
    fn new(state: &State) -> Self {
        Self {
            state: state.clone(),
            steps: Vec::new(),
            is_noisy: false,
        }
    }

    fn step(&mut self, checks: &str, yaml: impl Into<String>) {
        self.steps.push(Step {
            yaml: yaml.into(),
            checks: checks.into(),
        });
    }

    /// The device must log this within so many seconds.
    fn logs(&mut self, text: &str, seconds: u32) {
        self.step(
            &format!("log: {text}"),
            format!("expect: {{ log: {{ text: \"{text}\" }}, within: {seconds}s }}"),
        );
    }

    /// The device must log all of these within so many seconds, in any order.
    fn logs_all(&mut self, texts: &[&str], seconds: u32) {
        let patterns: Vec<String> = texts
            .iter()
            .map(|text| format!("{{ log: {{ text: \"{text}\" }} }}"))
            .collect();
        self.step(
            &format!("log: {}", texts.join(", ")),
            format!(
                "expect: {{ any_order: [{}], within: {seconds}s }}",
                patterns.join(", ")
            ),
        );
    }

    /// The device must not log this for so many seconds.
    fn logs_never(&mut self, text: &str, seconds: u32) {
        self.step(
            &format!("never log: {text}"),
            format!("expect: {{ never: [{{ log: {{ text: \"{text}\" }} }}], for: {seconds}s }}"),
        );
    }
}

/// What [`State::take`] knows besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'s> {
    /// What the device is.
    pub setting: &'s Setting,
}

impl State {
    /// One more token is told; its number.
    pub(super) fn next_token(&mut self) -> u32 {
        self.tokens += 1;
        self.tokens
    }

    /// A device fresh from the factory, without power.
    pub fn fresh() -> Self {
        Self {
            power: false,
            begun: false,
            stored: Stored::Nothing,
            service: Service::Off,
            station: Station::Idle,
            mqtt: Mqtt::Never,
            has_time: false,
            binding: Binding::Never,
            token: Token::None,
            tokens: 0,
            token_stays: false,
            spent: false,
            alice: Session::None,
            bob: Session::None,
            locked_out: BTreeSet::new(),
            set: false,
            has_failed: false,
            short_lease: false,
            declined: false,
            crowded: false,
            lingers: false,
            backlog: false,
            broken: BTreeSet::new(),
            unsure: false,
        }
    }

    /// What comes of `action`; none if it cannot be taken, or nobody knows.
    pub fn take(&self, setting: &Setting, action: &Action) -> Option<Taken> {
        let makes_certain = matches!(
            action,
            Action::PowerOff | Action::Reset | Action::FactoryReset
        );
        if self.unsure && !makes_certain {
            return None;
        }
        let mut taken = match action {
            Action::FillStorage => self.fill_storage(),
            Action::PowerOn => self.power_on(setting),
            Action::PowerOff => self.power_off(),
            Action::Reset => self.reset(setting),
            Action::FactoryReset => self.factory_reset(setting),
            Action::Provision(phone, credentials, until) => {
                self.provision(setting, *phone, *credentials, *until)
            }
            Action::WrongSecret(phone) => self.wrong_secret(setting, *phone),
            Action::StrangerLooks => self.stranger_looks(setting),
            Action::ReadVersion(phone) => self.read_version(setting, *phone),
            Action::Leave(phone) => self.leave(setting, *phone),
            Action::Reconnect(phone) => self.reconnect(setting, *phone),
            Action::Scan(kind) => self.scan(setting, *kind),
            Action::Control(command) => self.control(setting, *command),
            Action::Custom { is_empty } => self.custom(setting, *is_empty),
            Action::Crowd => self.crowd(setting),
            Action::Noise => self.noise(setting),
            Action::OtherSession => self.other_session(setting),
            Action::Break(what) => self.break_it(setting, *what),
            Action::Mend(what) => self.mend(setting, *what),
            Action::Once(what) => self.once(setting, *what),
            Action::Wait(time) => self.wait(setting, *time),
            Action::Query(phone, by) => self.query(setting, *phone, *by),
            Action::Bind(phone) => self.bind(setting, *phone),
            Action::Browse { with_certificate } => self.browse(setting, *with_certificate),
            Action::CloudLives => self.cloud_lives(setting),
        }?;
        taken.state.begun = true;
        // Anything else takes a time that is not counted, unless it has told a token.
        let is_quick = matches!(
            action,
            Action::Query(..) | Action::Bind(_) | Action::Wait(_)
        );
        if !is_quick && taken.state.tokens == self.tokens {
            taken.state.token = Token::None;
        }
        let has_waited = matches!(action, Action::Wait(_));
        taken.state.lingers &= !has_waited || self.is_broken(Breakage::Isolation);
        taken.state.backlog &= !has_waited;
        taken.state.backlog |= self.piles_up(setting, action);
        Some(taken)
    }

    /// Whether telemetry goes on during `action` that the broker acknowledges no more.
    fn piles_up(&self, setting: &Setting, action: &Action) -> bool {
        let takes_time = !matches!(
            action,
            Action::Query(..) | Action::Bind(_) | Action::Break(_) | Action::PowerOff
        );
        takes_time && setting.publishes_on() && self.is_broken(Breakage::PubackNever)
    }

    /// The session that `phone` has open.
    pub fn session(&self, phone: Phone) -> Session {
        match phone {
            Phone::Alice => self.alice,
            Phone::Bob => self.bob,
        }
    }

    fn session_mut(&mut self, phone: Phone) -> &mut Session {
        match phone {
            Phone::Alice => &mut self.alice,
            Phone::Bob => &mut self.bob,
        }
    }

    /// Whether a phone is in its own network.
    fn is_home(&self, phone: Phone) -> bool {
        self.session(phone) == Session::None && !self.locked_out.contains(&phone)
    }

    /// A phone ends what it has open, and goes to its own network.
    fn goes_home(&mut self, phone: Phone) {
        *self.session_mut(phone) = Session::None;
        match self.leases(Network::Home) {
            true => self.locked_out.remove(&phone),
            false => self.locked_out.insert(phone),
        };
    }

    /// No phone reaches the service in an old session any more.
    fn end_sessions(&mut self) {
        for phone in [Phone::Alice, Phone::Bob] {
            if self.session(phone) != Session::None {
                *self.session_mut(phone) = Session::Dead;
            }
        }
    }

    fn is_broken(&self, what: Breakage) -> bool {
        self.broken.contains(&what)
    }

    /// Whether phones can go to the service and home again, where they need an address.
    fn can_move(&self, setting: &Setting) -> bool {
        let broken = [Breakage::NoLeases, Breakage::Naks, Breakage::Taken];
        let is_leased = broken.into_iter().all(|what| !self.is_broken(what));
        let is_there = |network| !self.is_broken(Breakage::AccessPointOff(network));
        let has_home = is_there(Network::Home) || is_there(Network::Office);
        setting.over != Over::Softap || is_leased && has_home
    }

    /// Whether the service answers requests.
    fn serves(&self) -> bool {
        self.power
            && matches!(
                self.service,
                Service::Started | Service::Failed | Service::Succeeded
            )
    }

    /// The network in which the station has an address.
    fn network(&self) -> Option<Network> {
        match self.station {
            Station::Addressed(network) if self.power => Some(network),
            _ => None,
        }
    }

    /// Its name in reports on coverage.
    pub fn name(&self) -> String {
        if !self.power {
            return format!("off, stored {}", word(self.stored));
        }
        let service = match self.service {
            Service::Untold { .. } => "untold".to_owned(),
            other => word(other),
        };
        let session = [self.alice, self.bob]
            .into_iter()
            .find(|s| *s != Session::None);
        let session = session.map_or_else(|| "no".to_owned(), word);
        format!(
            "service {service}, {session} session, station {}, cloud {}",
            word(self.station),
            word(self.mqtt)
        )
    }
}

/// The name of a variant, without what is in it.
fn word(value: impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// Whether sessions have a secret that a phone can have wrong.
fn has_secret(security: Security) -> bool {
    !matches!(security, Security::None | Security::V1NoPop)
}

/// Whether other phones can disturb each other's sessions.
fn is_shared(setting: &Setting) -> bool {
    setting.over != Over::Console
}

/// Whether the device has a cloud.
fn has_cloud(setting: &Setting) -> bool {
    setting.cloud != Cloud::None
}
