//! Which phones of a case need the same thing at once. A host has one radio for all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trace::Source;

use super::clause::Expect;
use super::scenario::Case;
use super::step::{BindOutcome, Step};
use super::world::Over;

/// Two phones that need the same at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtOnce {
    /// What both need.
    pub what: &'static str,
    /// The first by name.
    pub one: String,
    /// The other.
    pub other: String,
}

impl std::fmt::Display for AtOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, one, other } = self;
        write!(f, "two phones at once {what} ({one} and {other})")
    }
}

impl Case {
    /// The phones that have to be on the LAN: those that listen there, and those that only ask something of it.
    pub fn phones_on_lan(&self) -> BTreeSet<&str> {
        let mut phones = self.phones_that_listen();
        let asking = self.scenario.steps.iter().filter_map(|step| match &**step {
            Step::Discover(step) if !step.own_network => Some(&step.phone),
            Step::Browse(step) => Some(&step.phone),
            Step::WebSocket(step) => Some(&step.phone),
            Step::Datagram(step) => Some(&step.phone),
            _ => None,
        });
        phones.extend(asking.map(|phone| phone.value.as_str()));
        phones
    }

    /// The phones that listen for CoAP on the LAN: those that query devices, that hear them, and that acknowledge
    /// what they hear once a device is bound. There is one port for it.
    pub fn phones_that_listen(&self) -> BTreeSet<&str> {
        let mut phones = BTreeSet::new();
        let mut hears = false;
        for step in &self.scenario.steps {
            match &**step {
                Step::Query(query) => {
                    phones.insert(query.phone.value.as_str());
                }
                Step::Bind(bind) if bind.outcome.value == BindOutcome::Bound => {
                    phones.insert(bind.phone.value.as_str());
                }
                Step::Expect(Expect::Clause(clause)) => {
                    let coap = clause.patterns().filter(|p| p.source == Source::Coap);
                    for pattern in coap {
                        hears = true;
                        let to = pattern.fields.iter().find(|field| field.name == "to");
                        if let Some(Value::String(phone)) = to.map(|field| &field.value.value) {
                            phones.insert(phone);
                        }
                    }
                }
                _ => {}
            }
        }
        if hears && phones.is_empty() {
            phones.extend(self.scenario.world.phones.iter().map(|p| p.value.as_str()));
        }
        phones
    }

    /// Phones that are in sessions over the same radio at once, or on the LAN. The device is provisioned
    /// over `over`, if that is known better than the scenario says.
    pub fn phones_at_once(&self, over: Option<Over>) -> Vec<AtOnce> {
        let mut found = Vec::new();
        let mut note = |what, one: &str, other: &str| {
            let at_once = AtOnce {
                what,
                one: one.min(other).to_owned(),
                other: one.max(other).to_owned(),
            };
            if !found.contains(&at_once) {
                found.push(at_once);
            }
        };
        let mut listening = self.phones_that_listen().into_iter();
        if let (Some(one), Some(other)) = (listening.next(), listening.next()) {
            note("on the LAN", one, other);
        }
        let mut open: BTreeMap<&str, &str> = BTreeMap::new();
        for step in &self.scenario.steps {
            let (phone, device, stays) = match &**step {
                Step::Provision(step) => {
                    let stays = step.stay || step.stop_after.is_some();
                    (&step.phone, step.device.as_ref(), stays)
                }
                Step::ReadVersion(step) => (&step.phone, step.device.as_ref(), false),
                Step::Scan(step) => (&step.phone, step.device.as_ref(), true),
                Step::Control(step) => (&step.phone, step.device.as_ref(), true),
                Step::Custom(step) => (&step.phone, step.device.as_ref(), true),
                Step::Request(step) => (&step.phone, step.device.as_ref(), true),
                Step::Wire(step) => (&step.phone, step.device.as_ref(), true),
                Step::Attribute(step) => (&step.phone, step.device.as_ref(), true),
                Step::Discover(step) if step.own_network => {
                    (&step.phone, step.device.as_ref(), true)
                }
                Step::Leave(step) => {
                    open.retain(|_, phone| *phone != step.phone.value);
                    continue;
                }
                _ => continue,
            };
            let device = self.scenario.world.devices.named(self.device(device));
            let radio = match over.or(device.map(|device| device.provisioning.over())) {
                Some(Over::Softap) => "on one Wi-Fi interface",
                Some(Over::Ble) => "on one Bluetooth adapter",
                Some(Over::Console) | None => continue,
            };
            let phone = phone.value.as_str();
            if let Some(first) = open.insert(radio, phone)
                && first != phone
            {
                note(radio, first, phone);
            }
            if !stays {
                open.remove(radio);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn case(steps: &str) -> Case {
        let text = format!(
            "name: Turns\nworld:\n  access_points: {{ home: {{}} }}\n  cloud: {{ linkkit: {{}} }}\n  \
             devices: {{ device: {{}} }}\n  phones: [alice, mallory]\nsteps:\n  - power: on\n{steps}"
        );
        let known = crate::known().expect("our own");
        let mut cases = parse("turns.yaml", &text, &known).expect("sound");
        cases.remove(0)
    }

    fn at_once(steps: &str) -> Vec<String> {
        let found = case(steps).phones_at_once(None);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn phones_that_take_turns_need_nothing_at_once() {
        let turns = at_once(
            "  - scan: { phone: alice, finds: [home] }\n  - leave: { phone: alice }\n  \
             - provision: { phone: mallory, join: home, outcome: connected }\n",
        );
        assert_eq!(turns, [""; 0]);
    }

    #[test]
    fn a_session_that_stays_open_beside_another_phones_is_one_too_many() {
        let both = at_once(
            "  - scan: { phone: alice, finds: [home] }\n  \
             - provision: { phone: mallory, join: home, outcome: connected }\n",
        );
        let expected = "two phones at once on one Wi-Fi interface (alice and mallory)";
        assert_eq!(both, [expected]);
    }

    #[test]
    fn phones_that_only_ask_on_the_lan_need_it_together() {
        let both = "  - query: { phone: alice, outcome: answered }\n  \
                    - datagram: { phone: mallory, hex: ff }\n";
        assert_eq!(at_once(both), [""; 0]);
        let case = case(both);
        assert_eq!(case.phones_on_lan(), ["alice", "mallory"].into());
        assert_eq!(case.phones_that_listen(), ["alice"].into());
    }

    #[test]
    fn two_phones_that_listen_on_the_lan_are_one_too_many() {
        let both = at_once(
            "  - query: { phone: alice, outcome: answered }\n  \
             - expect: { coap: { to: mallory, path: /sys/device/info/notify }, within: 5s }\n",
        );
        assert_eq!(both, ["two phones at once on the LAN (alice and mallory)"]);
    }
}
