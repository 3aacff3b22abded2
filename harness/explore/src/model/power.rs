//! Power and storage.

use super::{Binding, Mqtt, Service, State, Station, Stored, Taken, Token};
use crate::action::{Breakage, Network};
use crate::setting::{Setting, Unregistered};

impl State {
    pub(super) fn fill_storage(&self) -> Option<Taken> {
        if self.begun {
            return None;
        }
        let mut taken = Taken::new(self);
        // What it says of that is its own matter.
        taken.is_noisy = true;
        taken.step("damage", "damage_storage: { with: full }");
        Some(taken)
    }

    pub(super) fn power_on(&self, setting: &Setting) -> Option<Taken> {
        if self.power || self.stored == Stored::Unknown {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step("power", "power: on");
        taken.boots(setting);
        Some(taken)
    }

    pub(super) fn power_off(&self) -> Option<Taken> {
        if !self.power {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step("power", "power: off");
        taken.state.forgets();
        taken.state.power = false;
        taken.state.service = Service::Off;
        Some(taken)
    }

    pub(super) fn reset(&self, setting: &Setting) -> Option<Taken> {
        if !self.power || self.stored == Stored::Unknown {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.step("power", "power: reset");
        taken.boots(setting);
        Some(taken)
    }

    pub(super) fn factory_reset(&self, setting: &Setting) -> Option<Taken> {
        if self.stored == Stored::Nothing {
            return None;
        }
        let mut taken = Taken::new(self);
        if self.power {
            taken.step("power", "power: off");
        }
        taken.step("erase", "erase_storage");
        taken.step("power", "power: on");
        taken.state.stored = Stored::Nothing;
        taken.boots(setting);
        Some(taken)
    }

    /// All that only the running firmware knew is gone.
    fn forgets(&mut self) {
        self.end_sessions();
        self.station = Station::Idle;
        self.mqtt = Mqtt::Never;
        self.has_time = false;
        self.binding = Binding::Never;
        self.token = Token::None;
        self.spent = false;
        self.set = false;
        self.has_failed = false;
        self.short_lease = false;
        self.crowded = false;
        self.backlog = false;
        self.unsure = false;
    }

    /// Whether a station that knows the network gets an address in it.
    pub(super) fn leases(&self, network: Network) -> bool {
        !self.is_broken(Breakage::AccessPointOff(network))
            && (network == Network::Office
                || !self.is_broken(Breakage::NoLeases) && !self.is_broken(Breakage::Naks))
    }
}

impl Taken {
    /// The firmware starts: provisioned devices go to their network, others start the service.
    fn boots(&mut self, setting: &Setting) {
        self.state.forgets();
        self.state.power = true;
        const STARTED: &str = "Provisioning started with service name";
        match self.state.stored {
            Stored::Nothing => {
                self.state.service = Service::Started;
                self.logs(STARTED, 10);
                if setting.unregistered != Unregistered::Nothing {
                    self.step("time", "wait: 1s");
                }
            }
            Stored::Right(network) => {
                self.state.service = Service::Off;
                self.logs_never(STARTED, 3);
                if self.state.leases(network) {
                    self.gets_address(setting, network);
                } else if self.state.is_broken(Breakage::AccessPointOff(network)) {
                    self.is_noisy = true;
                    self.state.station = Station::Looking(network);
                } else {
                    self.is_noisy = true;
                    self.starves(network);
                }
            }
            Stored::Failing => {
                self.is_noisy = true;
                self.state.service = Service::Off;
                self.logs_never(STARTED, 5);
            }
            Stored::Unknown => self.state.unsure = true,
        }
    }

    /// The station is in a network that leases it no address, and asks with pauses.
    pub(super) fn starves(&mut self, network: Network) {
        self.state.station = Station::Starving(network);
        if self.state.is_broken(Breakage::Naks) {
            self.step(
                "asks for an address with pauses",
                "expect: { air: { kind: address_asked, where: { /by: device device } }, count: { at_least: 2, at_most: 40 }, since: now, for: 60s }",
            );
        }
    }
}
