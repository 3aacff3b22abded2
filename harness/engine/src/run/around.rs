//! What stands around a board, as far as it decides which cases can run there: the one list of what
//! is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use board::Abilities;
use board::process::{ProcessLink, Value};
use board::rig::{Ability, BoardLink, Rig, RigBoard};

use crate::language::{self, Need};

/// What stands around a real board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InRig {
    /// The rig file.
    pub file: PathBuf,
    /// What a lease of the board is called.
    pub identity: String,
    /// The access points that are there, by role.
    roles: BTreeSet<String>,
    /// Whether others than this host can reach the broker; none without one.
    broker_is_reached: Option<bool>,
    /// What the rig can do.
    can: BTreeSet<Ability>,
    /// Whether it has a UART for the console scheme.
    console: bool,
    /// The program that is the board, if it is one.
    program: Option<ProcessLink>,
}

/// What of a case is missing on a board with these abilities, which stands in `rig` or, without one,
/// in the lab.
pub(super) fn lacks(
    abilities: Abilities,
    rig: Option<&InRig>,
    case: &language::Case,
) -> Vec<String> {
    let needs = case.needs();
    let missing = needs.iter().filter(|need| !meets(abilities, rig, **need));
    let mut missing: Vec<String> = missing.map(ToString::to_string).collect();
    if let Some(rig) = rig {
        missing.extend(rig.lacks(&case.scenario.world));
    }
    missing
}

fn meets(abilities: Abilities, rig: Option<&InRig>, need: Need) -> bool {
    let around = |rig_can: fn(&InRig) -> bool| rig.is_none_or(rig_can);
    match need {
        Need::Power => abilities.power,
        Need::TornWrite => abilities.torn_write,
        Need::Storage => abilities.storage,
        Need::Isolate => around(|rig| rig.can.contains(&Ability::Isolate)),
        Need::SwitchAccessPoint => around(|rig| rig.can.contains(&Ability::SwitchAccessPoint)),
        Need::Console => around(|rig| rig.console),
        Need::OwnRadio | Need::OwnAir | Need::SoftAp | Need::Bluetooth => rig.is_none(),
    }
}

impl InRig {
    /// What stands around `board` in the rig file `file`.
    pub(super) fn of(board: &RigBoard, rig: &Rig, file: &Path) -> Self {
        let program = match &board.link {
            BoardLink::Process(link) => Some((**link).clone()),
            BoardLink::Probe(_) | BoardLink::Serial(_) => None,
        };
        let broker_is_reached = rig.broker.as_ref().map(|broker| broker.is_off_loopback());
        Self {
            file: file.to_owned(),
            identity: board.identity(),
            roles: rig.access_points.keys().cloned().collect(),
            // The broker of a program is on loopback unless the rig file says otherwise.
            broker_is_reached: broker_is_reached.or(program.as_ref().map(|_| false)),
            can: board.can.clone(),
            console: board.console.is_some(),
            program,
        }
    }

    /// What of `world` is not there.
    fn lacks(&self, world: &language::WorldSpec) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(program) = &self.program {
            missing.extend(untold(program, world));
        }
        for (role, access_point) in world.access_points.iter() {
            if self.program.is_some() {
                missing.push(format!(
                    "a radio, to join {role}: a program has the host's network"
                ));
            } else if !self.roles.contains(role) {
                missing.push(format!("`[access_points.{role}]` in the rig file"));
            } else if access_point.is_of_its_own() {
                missing.push(format!("an access point {role} that can be set"));
            }
        }
        if let Some(cloud) = &world.cloud {
            let required = language::ClientCertificate::Required;
            match self.broker_is_reached {
                None => missing.push("`[broker]` in the rig file".to_owned()),
                Some(true) if cloud.broker.client_certificate != required => {
                    missing.push("a broker on loopback, as others could use it".to_owned());
                }
                Some(_) => {}
            }
        }
        if world.devices.len() > 1 {
            missing.push("a board for each device".to_owned());
        }
        missing
    }
}

/// What of `world` a program wants to be told that is not there.
fn untold(program: &ProcessLink, world: &language::WorldSpec) -> Vec<String> {
    let cloud = world.cloud.as_ref();
    let every = |has: fn(&language::Device) -> bool| {
        let mut devices = world.devices.iter();
        devices.all(|(_, device)| has(device))
    };
    let has_certificate = |device: &language::Device| {
        let profile = device.cloud.certificate.as_ref();
        profile.is_none_or(|profile| !profile.is_named("none"))
    };
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in Value::ALL {
        let (is_there, what) = match value {
            Value::BrokerHost
            | Value::BrokerPort
            | Value::TimeHost
            | Value::TimePort
            | Value::Authority
            | Value::ClientId => (cloud.is_some(), "a cloud"),
            Value::ClientCertificate | Value::ClientKey => (
                cloud.is_some() && every(has_certificate),
                "a device with a certificate",
            ),
            Value::TelemetryTopic | Value::TelemetryPayload => (
                every(|device| device.telemetry.is_some()),
                "a device with telemetry",
            ),
            Value::ProductKey | Value::DeviceName | Value::DeviceSecret => (
                cloud.is_some_and(|cloud| cloud.linkkit.is_some()),
                "a cloud with Linkkit",
            ),
            Value::Factory => (true, ""),
        };
        if !is_there && program.mentions(value) {
            missing
                .entry(what)
                .or_default()
                .push(format!("`${{{name}}}`"));
        }
    }
    missing
        .into_iter()
        .map(|(what, names)| format!("{what} (for {})", names.join(", ")))
        .collect()
}
