//! What phones ask besides provisioning, and what is typed at a console.

use language::{Over, Security};

use super::{Mqtt, Service, Session, State, Station, Stored, Taken, is_shared};
use crate::action::{Breakage, Command, Network, Phone, ScanKind};
use crate::setting::{Setting, Unregistered};

impl State {
    /// Alice's open session, or one that she can begin: everybody else's is lost by that.
    fn asks(&self, setting: &Setting) -> Option<Taken> {
        let mut taken = Taken::new(self);
        if !self.serves() || !self.can_move(setting) {
            return None;
        }
        match self.alice {
            Session::Open => {}
            Session::Lost | Session::Dead => return None,
            Session::None => {
                if setting.over == Over::Ble
                    && (self.bob != Session::None || self.is_broken(Breakage::BluetoothSilent))
                {
                    return None;
                }
                if self.bob == Session::Open {
                    taken.state.bob = Session::Lost;
                }
                taken.state.alice = Session::Open;
            }
        }
        Some(taken)
    }

    pub(super) fn read_version(&self, setting: &Setting, phone: Phone) -> Option<Taken> {
        let other = self.session(phone.other());
        let is_apart = setting.over != Over::Softap && other != Session::None;
        let is_deaf = setting.over == Over::Ble && self.is_broken(Breakage::BluetoothSilent);
        let is_his = phone == Phone::Alice || is_shared(setting);
        let is_able = self.serves() && self.can_move(setting) && is_his && !self.crowded;
        if !is_able || self.session(phone) != Session::None || is_apart || is_deaf {
            return None;
        }
        let mut taken = Taken::new(self);
        let app = match setting.app_info {
            true => ", /lamp/ver: \"2.1\", /lamp/cap/1: blink",
            false => "",
        };
        taken.step(
            "version",
            format!(
                "read_version: {{ phone: {}, where: {{ /prov/ver: v1.1{app} }} }}",
                phone.name()
            ),
        );
        if other == Session::Open {
            *taken.state.session_mut(phone.other()) = Session::Lost;
        }
        Some(taken)
    }

    pub(super) fn leave(&self, setting: &Setting, phone: Phone) -> Option<Taken> {
        if !self.can_move(setting) {
            return None;
        }
        if !matches!(
            self.session(phone),
            Session::Open | Session::Lost | Session::Dead
        ) {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step("leave", format!("leave: {{ phone: {} }}", phone.name()));
        taken.state.goes_home(phone);
        Some(taken)
    }

    pub(super) fn reconnect(&self, setting: &Setting, phone: Phone) -> Option<Taken> {
        let is_deaf = self.is_broken(Breakage::BluetoothSilent);
        if setting.over != Over::Ble
            || self.session(phone) != Session::Open
            || is_deaf
            || !self.serves()
        {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step(
            "reconnect",
            format!("reconnect: {{ phone: {} }}", phone.name()),
        );
        *taken.state.session_mut(phone) = Session::Lost;
        Some(taken)
    }

    pub(super) fn scan(&self, setting: &Setting, kind: ScanKind) -> Option<Taken> {
        let mut taken = self.asks(setting)?;
        let is_there = setting.unregistered != Unregistered::Scan;
        if self.service != Service::Started || !is_there {
            if kind != ScanKind::Active || self.service == Service::Succeeded && is_there {
                return None;
            }
            taken.is_noisy = true;
            taken.step("scan refused", "scan: { phone: alice, outcome: refused }");
            if !is_there {
                taken.gives_up();
            }
            return Some(taken);
        }
        let heard: Vec<&str> = [Network::Home, Network::Office]
            .into_iter()
            .filter(|network| !self.is_broken(Breakage::AccessPointOff(*network)))
            .map(Network::name)
            .collect();
        let finds = format!("finds: [{}], count: {}", heard.join(", "), heard.len());
        let (checks, yaml) = match kind {
            ScanKind::Active => ("scan", format!("scan: {{ phone: alice, {finds} }}")),
            ScanKind::Passive => (
                "passive scan",
                format!("scan: {{ phone: alice, passive: true, {finds} }}"),
            ),
            ScanKind::InGroups => (
                "scan in groups",
                format!("scan: {{ phone: alice, group_channels: 1, at_least: 2800ms, {finds} }}"),
            ),
            ScanKind::PastTheEnd => {
                taken.is_noisy = true;
                (
                    "scan past the end",
                    "scan: { phone: alice, from: 9, outcome: refused }".to_owned(),
                )
            }
        };
        taken.step(checks, yaml);
        if kind == ScanKind::Passive {
            taken.step(
                "no probes",
                "expect: { air: { kind: scan_begun, where: { /passive: true } }, within: 1s }",
            );
        }
        Some(taken)
    }

    pub(super) fn control(&self, setting: &Setting, command: Command) -> Option<Taken> {
        let mut taken = self.asks(setting)?;
        match command {
            Command::Reset if self.service == Service::Failed => {
                taken.step("reset granted", "control: { phone: alice, command: reset }");
                taken.state.service = Service::Started;
                taken.state.stored = Stored::Nothing;
                taken.state.station = Station::Idle;
            }
            Command::Reset => {
                taken.is_noisy = true;
                taken.step(
                    "reset refused",
                    "control: { phone: alice, command: reset, outcome: refused }",
                );
                taken.logs("Trying reset when not in failure state", 2);
            }
            Command::Reprov if setting.auto_stop => {
                taken.is_noisy = true;
                taken.step(
                    "reprov refused",
                    "control: { phone: alice, command: reprov, outcome: refused }",
                );
                taken.logs("Execute wifi_prov_mgr_disable_auto_stop()", 2);
            }
            Command::Reprov => {
                if self.service != Service::Succeeded || self.network().is_none() {
                    return None;
                }
                taken.is_noisy = true;
                taken.step(
                    "reprov granted",
                    "control: { phone: alice, command: reprov }",
                );
                taken.step("leaves its network", "expect: { air: left, within: 5s }");
                taken.state.service = Service::Started;
                taken.state.station = Station::Idle;
                taken.state.mqtt = match self.mqtt {
                    Mqtt::Never => Mqtt::Never,
                    _ => Mqtt::Down,
                };
            }
        }
        Some(taken)
    }

    pub(super) fn custom(&self, setting: &Setting, is_empty: bool) -> Option<Taken> {
        if !setting.custom {
            return None;
        }
        let mut taken = self.asks(setting)?;
        let is_there = setting.unregistered != Unregistered::Custom;
        if is_empty {
            if setting.over != Over::Softap || setting.security != Security::None || !is_there {
                return None;
            }
            taken.is_noisy = true;
            taken.step(
                "empty refused",
                "custom: { phone: alice, endpoint: custom-data, send: \"\", outcome: refused }",
            );
            taken.gives_up();
        } else if is_there {
            taken.step(
                "custom",
                "custom: { phone: alice, endpoint: custom-data, send: hello, reply: SUCCESS }",
            );
        } else {
            taken.is_noisy = true;
            taken.step(
                "custom refused",
                "custom: { phone: alice, endpoint: custom-data, send: hello, outcome: refused }",
            );
            taken.gives_up();
        }
        Some(taken)
    }

    pub(super) fn noise(&self, setting: &Setting) -> Option<Taken> {
        if !self.serves() || setting.over != Over::Console || self.alice != Session::None {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.is_noisy = true;
        taken.step("echo", "console: { type: \"hello\\r\", shows: hello }");
        taken.step(
            "prompt",
            "console: { type: \"prov-session x zz\\r\", shows: \">> \" }",
        );
        taken.step("help", "console: { type: \"help\\r\", shows: help }");
        Some(taken)
    }

    pub(super) fn other_session(&self, setting: &Setting) -> Option<Taken> {
        if !self.serves() || setting.over != Over::Console || self.alice != Session::Open {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step(
            "version at the console",
            "console: { type: \"proto-ver 31337 2d2d2d\\r\", shows: \"7b0a09\" }",
        );
        taken.state.alice = Session::Lost;
        Some(taken)
    }
}

impl Taken {
    /// Alice goes home after a request that found no handler: whether her session outlives it is not known.
    fn gives_up(&mut self) {
        self.step("leave", "leave: { phone: alice }");
        self.state.goes_home(Phone::Alice);
    }
}
