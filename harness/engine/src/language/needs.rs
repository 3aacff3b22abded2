//! What a board or a rig must be able to do for a case.

use std::collections::BTreeSet;
use std::fmt;

use trace::Source;

use super::clause::{Clause, Expect, Wanted};
use super::fault::{Fault, FaultStep};
use super::pattern::Pattern;
use super::power::PowerAction;
use super::scenario::Case;
use super::step::Step;
use super::world::Over;

/// Something that not every board or rig can do; virtual ones can do all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Take a board's power away.
    Power,
    /// Take it away in the middle of a write to storage.
    TornWrite,
    /// Erase a board's storage.
    Storage,
    /// Keep an access point's clients apart.
    Isolate,
    /// Switch an access point off, or its way to the internet.
    SwitchAccessPoint,
    /// Disturb the Bluetooth radio.
    OwnRadio,
    /// A phone that can join a device's SoftAP.
    SoftAp,
    /// A phone on the device's LAN.
    Lan,
    /// An air of the lab's own, in which everything is seen.
    OwnAir,
    /// A UART of its own for the console scheme.
    Console,
    /// A Bluetooth radio, and a phone that has one.
    Bluetooth,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::TornWrite => "torn-write",
            Self::Storage => "storage",
            Self::Isolate => "isolate",
            Self::SwitchAccessPoint => "switch-access-point",
            Self::OwnRadio => "own-radio",
            Self::SoftAp => "soft-ap",
            Self::Lan => "lan",
            Self::OwnAir => "own-air",
            Self::Console => "console",
            Self::Bluetooth => "bluetooth",
        })
    }
}

impl Case {
    /// What the steps of this case need; where it is missing, the case is skipped.
    pub fn needs(&self) -> BTreeSet<Need> {
        let is_visited = self.scenario.steps.iter().any(|step| is_visit(step));
        let devices = self.scenario.world.devices.iter();
        let transports = devices.filter_map(|(_, device)| match device.provisioning.over {
            Over::Softap => is_visited.then_some(Need::SoftAp),
            Over::Ble => Some(Need::Bluetooth),
            Over::Console => Some(Need::Console),
        });
        self.scenario
            .steps
            .iter()
            .filter_map(|step| need(step))
            .chain(transports)
            .collect()
    }
}

impl Clause {
    /// Every pattern in it.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let (one, several) = match &self.wanted {
            Wanted::One(pattern, _) | Wanted::Count(pattern, ..) => (Some(&**pattern), None),
            Wanted::InOrder(patterns, _)
            | Wanted::AnyOrder(patterns, _)
            | Wanted::Never(patterns, _) => (None, Some(patterns)),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }
}

/// Whether a phone goes to the device for it.
fn is_visit(step: &Step) -> bool {
    matches!(
        step,
        Step::Provision(_)
            | Step::ReadVersion(_)
            | Step::Scan(_)
            | Step::Control(_)
            | Step::Custom(_)
    )
}

fn need(step: &Step) -> Option<Need> {
    match step {
        Step::Power(power) => match power.action {
            PowerAction::Off => Some(Need::Power),
            PowerAction::CutInWrite(_) => Some(Need::TornWrite),
            PowerAction::On | PowerAction::Reset => None,
        },
        Step::EraseStorage(_) => Some(Need::Storage),
        Step::Console(_) => Some(Need::Console),
        Step::Fault(FaultStep::On(fault) | FaultStep::Off(fault)) => match fault {
            Fault::Isolation(_) => Some(Need::Isolate),
            Fault::AccessPointOff(_) | Fault::InternetOff(_) => Some(Need::SwitchAccessPoint),
            // The cloud is ours on every board.
            Fault::TimeSilent
            | Fault::ConnectRefused(_)
            | Fault::SubscribeRefused(_)
            | Fault::MatchReply(_) => None,
            Fault::BluetoothSilent | Fault::BluetoothDropAfter(_) | Fault::BluetoothSlow(_) => {
                Some(Need::OwnRadio)
            }
        },
        Step::Provision(_)
        | Step::ReadVersion(_)
        | Step::Scan(_)
        | Step::Control(_)
        | Step::Custom(_)
        | Step::Leave(_)
        | Step::Reconnect(_)
        | Step::Bind(_)
        | Step::Wait(_) => None,
        Step::Query(_) => Some(Need::Lan),
        Step::Expect(Expect::Clause(clause)) => {
            let seen_by = |source| clause.patterns().any(|pattern| pattern.source == source);
            let in_air = seen_by(Source::Air).then_some(Need::OwnAir);
            in_air.or_else(|| seen_by(Source::Coap).then_some(Need::Lan))
        }
        Step::Expect(Expect::Transcript(_)) => None,
    }
}
