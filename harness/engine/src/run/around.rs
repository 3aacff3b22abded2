//! What stands around a board, as far as it decides which cases can run there: the one list of what
//! is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use board::Abilities;
use board::process::{ProcessLink, Value};
use board::rig::{Ability, BoardLink, Firmware, Rig, RigBoard, RigPhone};

use super::around_firmware;
use crate::attempt::HOME;
use crate::language::{self, FirmwareNeed, Need, Over};

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
    /// Whether it has a console.
    console: bool,
    /// What of this host phones use.
    phone: RigPhone,
    /// The program that is the board, if it is one.
    program: Option<ProcessLink>,
    /// Its firmware; the reference firmware without one.
    firmware: Option<Firmware>,
}

/// What of a case is missing on a board with these abilities, which stands in `rig` or, without one,
/// in the lab.
pub(super) fn lacks(
    abilities: Abilities,
    rig: Option<&InRig>,
    case: &language::Case,
) -> Vec<String> {
    let needs = case.needs();
    let over = transport(rig, case);
    let missing = needs
        .iter()
        .filter_map(|need| lack(abilities, rig, need, over));
    let mut missing: Vec<String> = missing.collect();
    if let Some(rig) = rig {
        missing.extend(rig.lacks(&case.scenario.world));
        missing.extend(rig.has_no_second(case));
    }
    missing
}

/// How a phone gets at the device of `case`.
fn transport(rig: Option<&InRig>, case: &language::Case) -> Over {
    let firmware = rig.and_then(|rig| rig.firmware.as_ref());
    let of_firmware = firmware.and_then(around_firmware::transport);
    of_firmware.or(case.transport()).unwrap_or_default()
}

/// What is missing for `need`, if it is. Phones get at the device by the transport `over`.
fn lack(abilities: Abilities, rig: Option<&InRig>, need: &Need, over: Over) -> Option<String> {
    let is_there = match (need, rig) {
        (Need::Power, _) => abilities.power,
        (Need::TornWrite, _) => abilities.torn_write,
        (Need::Storage, _) => abilities.storage,
        // The lab has everything else.
        (_, None) => true,
        (Need::Isolate, Some(rig)) => rig.can.contains(&Ability::Isolate),
        (Need::SwitchAccessPoint, Some(rig)) => rig.can.contains(&Ability::SwitchAccessPoint),
        (Need::Console, Some(rig)) => rig.console,
        (Need::OwnRadio | Need::OwnAir, Some(_)) => false,
        (Need::Visit, Some(rig)) => return rig.phone_lacks(over),
        (Need::Lan, Some(rig)) => return rig.unnamed("lan", "lan", &rig.phone.lan),
        (Need::Firmware(need), Some(rig)) => return rig.firmware_lacks(need),
    };
    (!is_there).then(|| need.to_string())
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
            phone: board.phone.clone(),
            firmware: board.firmware.clone().or_else(|| {
                let program = program.as_ref();
                program.map(Firmware::of_program)
            }),
            program,
        }
    }

    /// Whether phones use radios of this host, which its own system bus leads to.
    pub(super) fn uses_host_radios(&self) -> bool {
        self.phone.bluetooth.is_some() || self.phone.wifi.is_some()
    }

    /// Whether phones use anything of this host.
    pub(super) fn has_phones(&self) -> bool {
        self.phone != RigPhone::default()
    }

    /// What is missing for a phone that gets at the device over this transport.
    fn phone_lacks(&self, over: Over) -> Option<String> {
        match over {
            Over::Softap => self.unnamed("soft-ap", "wifi", &self.phone.wifi),
            Over::Ble => self.unnamed("bluetooth", "bluetooth", &self.phone.bluetooth),
            Over::Console => (!self.console).then(|| Need::Console.to_string()),
        }
    }

    /// What its firmware lacks for `need`.
    fn firmware_lacks(&self, need: &FirmwareNeed) -> Option<String> {
        match &self.firmware {
            Some(firmware) => around_firmware::lack(firmware, need),
            // The reference firmware is told of a network that is there.
            None if *need == FirmwareNeed::OnNetwork && !self.roles.contains(HOME) => {
                Some(no_home())
            }
            None => None,
        }
    }

    /// What is missing for `need` if the rig file does not name what phones use for it.
    fn unnamed(&self, need: &str, key: &str, named: &Option<String>) -> Option<String> {
        if self.program.is_some() {
            // It has the host's own network, and phones have none that leads to it.
            return Some(need.to_string());
        }
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let missing = format!("{need} ({file} names no `[phone] {key}`)");
        named.is_none().then_some(missing)
    }

    /// Where `case` has two phones use what there is one of.
    fn has_no_second(&self, case: &language::Case) -> Vec<String> {
        let firmware = self.firmware.as_ref();
        let at_once = case.phones_at_once(firmware.and_then(around_firmware::transport));
        at_once.iter().map(ToString::to_string).collect()
    }

    /// What of `world` is not there.
    fn lacks(&self, world: &language::WorldSpec) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(program) = &self.program {
            missing.extend(untold(program, world));
        }
        let mut absent = Vec::new();
        for (role, access_point) in world.access_points.iter() {
            if self.program.is_some() {
                missing.push(format!(
                    "a radio, to join {role}: a program has the host's network"
                ));
            } else if !self.roles.contains(role) {
                absent.push(role);
            } else if access_point.is_of_its_own() {
                missing.push(format!("an access point {role} that can be set"));
            }
        }
        missing.extend(match absent[..] {
            [] => None,
            [role] => Some(format!("`[access_points.{role}]` in the rig file")),
            _ => Some(format!(
                "`[access_points.NAME]` in the rig file for {}",
                absent.join(", ")
            )),
        });
        let is_told = |firmware: &Firmware| firmware.is_told_of_a_network();
        if self.firmware.as_ref().is_some_and(is_told)
            && world.access_points.is_empty()
            && !self.roles.contains(HOME)
        {
            missing.push(no_home());
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

fn no_home() -> String {
    format!("`[access_points.{HOME}]` in the rig file")
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
            | Value::AuthorityDer
            | Value::ClientId => (cloud.is_some(), "a cloud"),
            Value::ClientCertificate
            | Value::ClientCertificateDer
            | Value::ClientKey
            | Value::ClientKeyDer => (
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
            Value::WifiSsid | Value::WifiPassphrase => (false, "a radio"),
            Value::Factory | Value::Files | Value::Pop => (true, ""),
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
