//! What apps do with a device in its network, and what happens while nobody does anything.

use super::{Binding, Mqtt, Service, Session, State, Station, Taken, Token, has_cloud};
use crate::action::{Breakage, By, Network, Phone, Time};
use crate::setting::{Certificate, Cloud, Server, Setting};

impl State {
    pub(super) fn query(&self, setting: &Setting, phone: Phone, by: By) -> Option<Taken> {
        let is_bindable = setting.cloud == Cloud::Linkkit && !setting.phone_token;
        if !is_bindable || self.network() != Some(Network::Home) || !self.is_home(phone) {
            return None;
        }
        if !self.is_idle() || setting.certificate != Certificate::Good {
            return None;
        }
        // A token that cannot be reported is told to nobody, and an outbox has an end. Of questions that come
        // in the same moment not each is answered.
        let has_company = self.lingers && !self.is_broken(Breakage::Isolation);
        if self.backlog || has_company {
            return None;
        }
        let mut taken = Taken::new(self);
        let name = phone.name();
        let is_for_one = by == By::Unicast;
        let by = match by {
            By::Broadcast => "broadcast",
            By::Multicast => "multicast",
            By::Unicast => "unicast",
        };
        let is_heard = self.hears(phone);
        let is_known = match self.mqtt {
            Mqtt::Up => match self.binding {
                Binding::Replied => true,
                Binding::Silent => false,
                Binding::Never | Binding::Unsure => return None,
            },
            Mqtt::Never => false,
            Mqtt::Down | Mqtt::Unsure => return None,
        };
        if is_heard && is_known && self.is_online(setting, Network::Home) {
            let token = taken.state.next_token();
            taken.step(
                "query answered",
                format!(
                    "query: {{ phone: {name}, by: {by}, capture: {{ t{token}: /data/token }} }}"
                ),
            );
            taken.state.token = match self.spent {
                true => Token::None,
                false => Token::Fresh,
            };
            taken.state.token_stays = false;
            taken.state.spent = false;
        } else if !is_heard || !is_known {
            taken.step(
                "query unanswered",
                format!("query: {{ phone: {name}, by: {by}, outcome: unanswered }}"),
            );
            taken.state.lingers |= is_for_one && !is_heard;
            if self.mqtt == Mqtt::Never {
                // The phone is told once the cloud has taken a token, at a time that is not counted.
                taken.state.binding = Binding::Unsure;
            }
            if is_known {
                // A query that is lost on its way changes nothing; an answer that is lost does.
                taken.state.token = Token::None;
            }
        } else {
            return None;
        }
        Some(taken)
    }

    pub(super) fn bind(&self, setting: &Setting, phone: Phone) -> Option<Taken> {
        if setting.cloud != Cloud::Linkkit || setting.phone_token {
            return None;
        }
        let mut taken = Taken::new(self);
        let outcome = match self.token {
            Token::None => return None,
            Token::Fresh => {
                taken.state.token = Token::Used(phone);
                taken.state.spent = self.token_stays;
                "bound"
            }
            Token::Used(owner) if owner != phone => "already-used",
            Token::Used(_) => return None,
            Token::Old => {
                taken.state.token = Token::None;
                "expired"
            }
        };
        taken.step(
            outcome,
            format!(
                "bind: {{ phone: {}, token: \"${{t{}}}\", outcome: {outcome} }}",
                phone.name(),
                self.tokens
            ),
        );
        Some(taken)
    }

    pub(super) fn browse(&self, setting: &Setting, with_certificate: bool) -> Option<Taken> {
        if !self.hears(Phone::Alice) || self.is_broken(Breakage::ShortLeases) {
            return None;
        }
        let mut taken = Taken::new(self);
        match (setting.server, with_certificate) {
            (Server::None, _) | (Server::Open, true) => return None,
            (Server::Open, false) => {
                taken.step(
                    "page",
                    "browse: { phone: alice, shows: Hello Secure World! }",
                );
            }
            // It judges dates, so it has to know the time.
            (Server::Closed, _) if !self.has_time => return None,
            (Server::Closed, true) => {
                taken.step(
                    "page",
                    "browse: { phone: alice, tls: { certificate: client } }",
                );
            }
            (Server::Closed, false) => {
                taken.is_noisy = true;
                taken.step(
                    "turned away",
                    "browse: { phone: alice, outcome: turned-away }",
                );
            }
        }
        Some(taken)
    }

    pub(super) fn wait(&self, setting: &Setting, time: Time) -> Option<Taken> {
        let mut taken = Taken::new(self);
        let seconds = time.seconds();
        if !self.power {
            return None;
        }
        if let Service::Untold { is_half_over } = self.service {
            return self.wait_untold(setting, time, is_half_over);
        }
        if self.alice == Session::Open || self.bob == Session::Open {
            return None;
        }
        taken.state.token = self.aged(setting, time);
        let is_cut_off = self.is_cut_off(setting);
        match (self.service, self.mqtt) {
            (Service::Failed | Service::Succeeded, _) => {
                taken.logs_never("Provisioning stopped", seconds);
            }
            _ if is_cut_off => {
                taken.is_noisy = true;
                taken.step(
                    "no session",
                    format!(
                        "expect: {{ never: [{{ mqtt: session_opened }}], since: now, for: {seconds}s }}"
                    ),
                );
            }
            _ => taken.step("time", format!("wait: {seconds}s")),
        }
        Some(taken)
    }

    /// What the last token is after this time.
    fn aged(&self, setting: &Setting, time: Time) -> Token {
        match (self.token, time) {
            (Token::Used(_) | Token::Old, _) => Token::None,
            (Token::Fresh, Time::Long | Time::VeryLong) if setting.short_tokens => Token::Old,
            // Shorter than its life, if nothing else took time.
            (Token::Fresh, _) if setting.short_tokens => Token::None,
            (token, _) => token,
        }
    }

    /// Whether no session with the broker can be opened, and there is none.
    fn is_cut_off(&self, setting: &Setting) -> bool {
        let is_away = match self.station {
            Station::Addressed(network) => !self.is_online(setting, network),
            Station::Idle | Station::Looking(_) | Station::Starving(_) => true,
        };
        has_cloud(setting) && is_away && matches!(self.mqtt, Mqtt::Never | Mqtt::Down)
    }

    /// A service that has told no phone of its success waits half a minute for one (ESP-IDF: auto stop).
    fn wait_untold(&self, setting: &Setting, time: Time, is_half_over: bool) -> Option<Taken> {
        let mut taken = Taken::new(self);
        taken.state.token = self.aged(setting, time);
        let seconds = time.seconds();
        if !setting.auto_stop {
            taken.logs_never("Provisioning stopped", seconds);
            return Some(taken);
        }
        match time {
            Time::AWhile if !is_half_over => {
                taken.logs_never("Provisioning stopped", seconds);
                taken.state.service = Service::Untold { is_half_over: true };
            }
            Time::Long => {
                taken.stops(setting, seconds);
                // It stops by itself in the midst of that, which is not counted.
                if setting.short_tokens {
                    taken.state.token = Token::None;
                }
            }
            _ => return None,
        }
        Some(taken)
    }
}
