//! What breaks around a device, and what happens when it is mended.

use language::Over;

use super::{Binding, Mqtt, Service, State, Station, Stored, Taken, has_cloud};
use crate::action::{Breakage, Mishap, Network, Phone};
use crate::setting::{Cloud, Server, Setting};

impl State {
    pub(super) fn break_it(&self, setting: &Setting, what: Breakage) -> Option<Taken> {
        if self.is_broken(what) || !self.matters(setting, what) || !self.is_idle() {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.is_noisy = true;
        let mut replaced = None;
        if what.is_of_dhcp() {
            replaced = self.broken.iter().copied().find(|other| other.is_of_dhcp());
            // Only the end of a short lease is seen at once.
            let ends_lease = replaced == Some(Breakage::ShortLeases)
                && what == Breakage::NoLeases
                && self.short_lease
                && self.station == Station::Addressed(Network::Home);
            if replaced.is_some() && !ends_lease || replaced.is_none() && self.short_lease {
                return None;
            }
        }
        if let Some(replaced) = replaced {
            taken.state.broken.remove(&replaced);
            taken.step("mend", format!("fault: {{ off: {} }}", replaced.yaml()));
        }
        taken.state.broken.insert(what);
        taken.step("break", format!("fault: {{ on: {} }}", what.yaml()));
        if what == Breakage::AccessPointOff(Network::Home) {
            taken.state.sends_phones_away();
        }
        match what {
            Breakage::AccessPointOff(network) if self.network() == Some(network) => {
                taken.loses_network(setting, Station::Looking(network));
            }
            Breakage::AccessPointOff(network) if self.station == Station::Starving(network) => {
                taken.state.station = Station::Looking(network);
            }
            Breakage::AccessPointOff(_) if self.service == Service::Failed => {
                taken.state.unsure = self.stored == Stored::Unknown;
            }
            Breakage::NoLeases if replaced.is_some() => {
                taken.state.short_lease = false;
                taken.state.station = Station::Starving(Network::Home);
                taken.logs("sta ip lost", 90);
                if taken.state.mqtt != Mqtt::Never {
                    taken.state.mqtt = Mqtt::Down;
                }
            }
            Breakage::InternetOff if self.network() == Some(Network::Home) => {
                taken.state.doubts_session();
            }
            Breakage::BrokerMoved => taken.state.doubts_session(),
            Breakage::BrokerDownKept | Breakage::BrokerDownLost if self.mqtt != Mqtt::Never => {
                taken.state.mqtt = Mqtt::Down;
            }
            _ => {}
        }
        Some(taken)
    }

    /// Whether it makes a difference at all.
    fn matters(&self, setting: &Setting, what: Breakage) -> bool {
        let is_down = |what| self.is_broken(what);
        match what {
            Breakage::AccessPointOff(_) => true,
            Breakage::BluetoothSilent => setting.over == Over::Ble,
            Breakage::Isolation => setting.cloud == Cloud::Linkkit,
            Breakage::MatchNever => {
                setting.cloud == Cloud::Linkkit
                    && !setting.phone_token
                    && self.mqtt == Mqtt::Never
                    && self.binding == Binding::Never
                    && self.network().is_none()
            }
            Breakage::PubackNever => setting
                .telemetry
                .is_some_and(|telemetry| telemetry.acknowledged),
            Breakage::BrokerDownKept => has_cloud(setting) && !is_down(Breakage::BrokerDownLost),
            Breakage::BrokerDownLost => has_cloud(setting) && !is_down(Breakage::BrokerDownKept),
            // What becomes of one of them under the other is nobody's matter.
            Breakage::BrokerMoved => has_cloud(setting) && !is_down(Breakage::NameFails),
            Breakage::NameFails => has_cloud(setting) && !is_down(Breakage::BrokerMoved),
            Breakage::Naks | Breakage::NoLeases | Breakage::Taken | Breakage::ShortLeases => {
                !matches!(self.station, Station::Looking(_))
            }
            _ => has_cloud(setting),
        }
    }

    pub(super) fn mend(&self, setting: &Setting, what: Breakage) -> Option<Taken> {
        if !self.is_broken(what) || !self.is_idle() {
            return None;
        }
        let mut taken = Taken::new(self);
        taken.is_noisy = true;
        taken.step("mend", format!("fault: {{ off: {} }}", what.yaml()));
        taken.state.broken.remove(&what);
        taken.alice_comes_back();
        match what {
            Breakage::AccessPointOff(network) => match self.station {
                Station::Looking(looked_for) if looked_for == network => {
                    if taken.state.leases(network) {
                        taken.comes_back(setting, network);
                    } else {
                        taken.state.station = Station::Starving(network);
                    }
                }
                // Whether it still tries what has failed is its own matter.
                _ if self.service == Service::Failed => taken.state.unsure = true,
                _ => {}
            },
            Breakage::NoLeases | Breakage::Naks
                if self.station == Station::Starving(Network::Home) =>
            {
                taken.comes_back(setting, Network::Home);
            }
            Breakage::ShortLeases if self.short_lease => {
                // When it learns of the longer lease is not counted.
                taken.state.short_lease = false;
                taken.step("time", "wait: 60s");
            }
            Breakage::MatchNever if self.binding == Binding::Silent => {
                taken.state.binding = Binding::Unsure;
            }
            Breakage::BrokerMoved => {
                taken.state.doubts_session();
                taken.recovers(setting);
            }
            Breakage::PubackNever => {}
            _ => taken.recovers(setting),
        }
        Some(taken)
    }

    pub(super) fn once(&self, setting: &Setting, what: Mishap) -> Option<Taken> {
        if !self.is_idle() {
            return None;
        }
        let network = self.network()?;
        let mut taken = Taken::new(self);
        taken.is_noisy = true;
        match what {
            Mishap::SessionsReset | Mishap::SessionsTakenOver => {
                if self.mqtt != Mqtt::Up || self.is_broken(Breakage::BrokerMoved) {
                    return None;
                }
                let by = match what {
                    Mishap::SessionsReset => "reset",
                    _ => "takeover",
                };
                taken.step(
                    "session ended",
                    format!("fault: {{ on: {{ session_ended: {by} }} }}"),
                );
                taken.state.mqtt = Mqtt::Down;
                taken.recovers(setting);
            }
            Mishap::BeaconsMissed => {
                if network != Network::Home || !taken.state.leases(network) {
                    return None;
                }
                taken.step(
                    "stations lost",
                    "fault: { on: { stations_lost: { at: home, reason: 200 } } }",
                );
                taken.state.doubts_session();
                taken.state.sends_phones_away();
                taken.comes_back(setting, network);
                taken.alice_comes_back();
            }
        }
        Some(taken)
    }

    /// The network at home loses the phones that are in it. They come back with their next word.
    fn sends_phones_away(&mut self) {
        let phones = [Phone::Alice, Phone::Bob].into_iter();
        let at_home: Vec<_> = phones.filter(|phone| self.is_home(*phone)).collect();
        self.locked_out.extend(at_home);
    }

    /// Whether both ends of the session still agree is not known.
    fn doubts_session(&mut self) {
        if matches!(self.mqtt, Mqtt::Up | Mqtt::Down) {
            self.mqtt = Mqtt::Unsure;
        }
    }

    /// Whether phones at home and the device hear each other.
    pub(super) fn hears(&self, phone: Phone) -> bool {
        self.network() == Some(Network::Home)
            && self.is_home(phone)
            && !self.is_broken(Breakage::Isolation)
    }
}

impl Taken {
    /// Alice, who listens for tokens, looks for her network again.
    fn alice_comes_back(&mut self) {
        if self.state.locked_out.contains(&Phone::Alice) && self.state.leases(Network::Home) {
            self.step("home again", "leave: { phone: alice }");
            self.state.goes_home(Phone::Alice);
        }
    }

    /// The station is out of its network.
    fn loses_network(&mut self, setting: &Setting, station: Station) {
        self.state.station = station;
        self.logs("Disconnected. Connecting to the AP again...", 20);
        if setting.server != Server::None {
            self.step(
                "web server stops",
                "expect: { log: { text: \"Server shuts down, releasing SSL context\" }, since: start, within: 20s }",
            );
        }
        if self.state.mqtt != Mqtt::Never {
            self.state.mqtt = Mqtt::Down;
        }
    }
}
