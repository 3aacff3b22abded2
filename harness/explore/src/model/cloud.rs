//! The way to the cloud, and the session there.

use super::{Binding, Mqtt, Session, State, Station, Taken, Token, has_cloud};
use crate::action::{Action, Breakage, Network, Phone};
use crate::setting::{Certificate, Cloud, Server, Setting};

impl State {
    /// Whether nothing keeps a device in `network` from a session with the broker.
    pub(super) fn is_online(&self, setting: &Setting, network: Network) -> bool {
        let is_cut_off = network == Network::Home && self.is_broken(Breakage::InternetOff);
        let is_timeless = !self.has_time && !self.hears_the_time(network);
        let is_refused = self
            .broken
            .iter()
            .any(|breakage| breakage.keeps_from_the_broker());
        has_cloud(setting)
            && setting.certificate == Certificate::Good
            && !is_cut_off
            && !is_timeless
            && !is_refused
    }

    /// Whether a time server answers a device in `network`.
    fn hears_the_time(&self, network: Network) -> bool {
        let is_cut_off = network == Network::Home && self.is_broken(Breakage::InternetOff);
        !is_cut_off && !self.is_broken(Breakage::TimeSilent)
    }

    pub(super) fn cloud_lives(&self, setting: &Setting) -> Option<Taken> {
        let network = self.network()?;
        if self.mqtt != Mqtt::Up || !self.is_online(setting, network) || !self.is_idle() {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.lives(setting);
        Some(taken)
    }

    /// Whether no phone waits in a session, and no service for a phone: time may pass.
    pub(super) fn is_idle(&self) -> bool {
        self.alice != Session::Open
            && self.bob != Session::Open
            && !matches!(self.service, super::Service::Untold { .. })
    }
}

/// The first report of a token since the device was started.
const FIRST_REPORT: &str =
    "cloud: { linkkit: token_reported, where: { /id: \"0\" } }, since: power";

impl Taken {
    /// The station has found its network, and says so.
    pub(super) fn gets_address(&mut self, setting: &Setting, network: Network) {
        self.logs("sta ip: ", 60);
        self.takes_address(setting, network);
    }

    /// An address that another host has is declined (RFC 2131 §4.4.1, RFC 5227 §2.1.1).
    pub(super) fn declines(&mut self, network: Network) {
        if network == Network::Home && self.state.is_broken(Breakage::Taken) && !self.state.declined
        {
            self.is_noisy = true;
            self.state.declined = true;
            self.step(
                "declines the address of another host",
                "expect: { air: { kind: address_asked, where: { /message: decline } }, within: 15s }",
            );
            // It has to wait for ten seconds before it asks for another.
            self.step("time", "wait: 20s");
        }
    }

    /// The station has an address for the first time since the device has power: what it does with the
    /// cloud within so many seconds.
    pub(super) fn meets_cloud(&mut self, setting: &Setting, network: Network, seconds: u32) {
        if setting.server != Server::None {
            self.step(
                "web server starts",
                "expect: { log: { text: \"Server listening on port 443\" }, since: start, within: 30s }",
            );
        }
        if !has_cloud(setting) {
            return;
        }
        if setting.certificate != Certificate::Good {
            self.is_noisy = true;
            let is_reached = {
                let good = Setting {
                    certificate: Certificate::Good,
                    ..setting.clone()
                };
                self.state.is_online(&good, network)
            };
            if is_reached {
                self.state.has_time = true;
                self.step(
                    "refuses the broker",
                    format!(
                        "expect: {{ tls: {{ kind: handshake, where: {{ /ok: false }} }}, within: {seconds}s }}"
                    ),
                );
            }
            return;
        }
        if !self.state.is_online(setting, network) {
            self.is_noisy = true;
            // It asks for the time whatever the broker does.
            if !self.state.has_time && self.state.hears_the_time(network) {
                self.state.has_time = true;
                // Whether other lines came first is not known.
                self.step(
                    "asks for the time",
                    format!("expect: {{ log: {{ text: \"Time is set\" }}, since: power, within: {seconds}s }}"),
                );
            }
            return;
        }
        self.state.has_time = true;
        self.state.mqtt = Mqtt::Up;
        if setting.will {
            self.step(
                "leaves a will",
                format!(
                    "expect: {{ mqtt: {{ kind: connect, where: {{ /will/topic: lamp/state, /will/payload: gone }} }}, within: {seconds}s }}"
                ),
            );
        }
        self.step(
            "session with the broker",
            format!(
                "expect: {{ mqtt: {{ kind: session_opened, where: {{ /clean_session: {} }} }}, within: {seconds}s }}",
                setting.clean_session
            ),
        );
        self.publishes(setting, "");
        if setting.cloud == Cloud::Linkkit {
            self.reports(setting, network);
        }
    }

    /// The device tells the cloud a token, and once that has replied, the phones in its network.
    fn reports(&mut self, setting: &Setting, network: Network) {
        // It has one already, or owes it to the phone that has asked, or whose question gets through by now.
        let has_asked = self.state.lingers && !self.state.is_broken(Breakage::Isolation);
        if setting.phone_token || has_asked || self.state.binding != Binding::Never {
            self.state.binding = Binding::Unsure;
            return;
        }
        let hears = network == Network::Home
            && self.state.is_home(Phone::Alice)
            && !self.state.is_broken(Breakage::Isolation);
        if self.state.is_broken(Breakage::MatchNever) {
            self.is_noisy = true;
            self.step(
                "token report",
                format!("expect: {{ {FIRST_REPORT}, within: 15s }}"),
            );
            if hears {
                self.step(
                    "no notification without a reply",
                    "expect: { never: [{ coap: { to: alice, path: /sys/device/info/notify } }], since: power, for: 20s }",
                );
            }
            if self.state.tokens == 0 {
                self.step(
                    "two more reports without a reply",
                    "expect: { cloud: { linkkit: token_reported }, count: 2, for: 120s }",
                );
            }
            self.state.binding = Binding::Silent;
            return;
        }
        self.state.binding = Binding::Replied;
        if !hears {
            self.step(
                "token report",
                format!("expect: {{ {FIRST_REPORT}, within: 15s }}"),
            );
            return;
        }
        let token = self.state.next_token();
        self.step(
            "token report",
            format!(
                "expect: {{ {FIRST_REPORT}, capture: {{ t{token}: /params/token }}, within: 15s }}"
            ),
        );
        // Others may have been told before the device was started anew.
        self.step(
            "notification",
            format!(
                "expect: {{ coap: {{ to: alice, path: /sys/device/info/notify, where: {{ /json/params/token: \"${{t{token}}}\" }} }}, within: 15s }}"
            ),
        );
        self.state.token = Token::Fresh;
        self.state.token_stays = true;
        self.state.spent = false;
    }

    /// Telemetry comes, once the session is there.
    fn publishes(&mut self, setting: &Setting, since: &str) {
        if setting.telemetry.is_some() {
            self.step(
                "telemetry",
                format!(
                    "expect: {{ mqtt: {{ kind: publish, where: {{ /topic: t }} }}{since}, within: 60s }}"
                ),
            );
        }
    }

    /// The session is there, whether or not it was lost in between.
    pub(super) fn lives(&mut self, setting: &Setting) {
        self.state.mqtt = Mqtt::Up;
        // What is not acknowledged is sent again and again, so that no ping is needed.
        let is_repeated = self.state.is_broken(Breakage::PubackNever);
        let (checks, yaml) = match setting.publishes_on() {
            // Whether the only message is still to be acknowledged is not followed.
            false if is_repeated => return,
            true if is_repeated => (
                "sent again",
                "expect: { mqtt: publish, since: now, within: 8m }",
            ),
            true => (
                "telemetry goes on",
                "expect: { mqtt: { kind: publish, where: { /topic: t } }, since: now, within: 8m }",
            ),
            false => (
                "kept alive",
                "expect: { mqtt: pingreq, since: now, within: 10m }",
            ),
        };
        self.step(checks, yaml);
    }

    /// What was broken is not any more: what comes back by itself.
    pub(super) fn recovers(&mut self, setting: &Setting) {
        let Some(network) = self.state.network() else {
            return;
        };
        if !self.state.is_online(setting, network) {
            return;
        }
        match self.state.mqtt {
            Mqtt::Up => {}
            Mqtt::Unsure => self.lives(setting),
            Mqtt::Never => self.meets_cloud(
                &Setting {
                    server: Server::None,
                    ..setting.clone()
                },
                network,
                300,
            ),
            Mqtt::Down => {
                self.state.mqtt = Mqtt::Up;
                self.step(
                    "session opened again",
                    "expect: { mqtt: { kind: session_opened }, since: fault, within: 5m }",
                );
                if setting.publishes_on() {
                    self.publishes(setting, ", since: now");
                }
            }
        }
    }

    /// The station is in its network again.
    pub(super) fn comes_back(&mut self, setting: &Setting, network: Network) {
        self.step(
            "has an address again",
            // A phone may have come back before.
            "expect: { log: { text: \"sta ip: \" }, since: fault, within: 5m }",
        );
        self.state.station = Station::Addressed(network);
        self.state.short_lease =
            network == Network::Home && self.state.is_broken(Breakage::ShortLeases);
        self.declines(network);
        if self.state.mqtt == Mqtt::Never {
            self.meets_cloud(setting, network, 300);
        } else {
            // It may have been quicker than this step.
            if self.state.mqtt == Mqtt::Down {
                self.state.mqtt = Mqtt::Unsure;
            }
            self.recovers(setting);
        }
    }
}

impl Action {
    /// Whether it only sees whether all is well.
    pub fn is_check(&self) -> bool {
        matches!(self, Self::CloudLives)
    }
}
