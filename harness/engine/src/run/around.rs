//! What stands around a board, as far as it decides which cases can run there: the one list of what
//! is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use board::Abilities;
use board::process::{ProcessLink, Value};
use board::rig::{Ability, BoardLink, Firmware, Rig, RigBoard, RigBroker, RigPhone};
use language::{self, Certificate, CloudNeed, Expect, FirmwareNeed, Need, Outcome, Over, Step};
use pki::Names;
use trace::Source;

use super::around_firmware;
use crate::attempt::{BROKER_HOST, HOME};

/// What stands around a real board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InRig {
    /// The rig file.
    pub file: PathBuf,
    /// What a lease of the board is called.
    pub identity: String,
    /// The access points that are there, by role, and whether each can be set up.
    roles: BTreeMap<String, bool>,
    /// The broker; none without one.
    broker: Option<BrokerOf>,
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

/// Whose broker it is, as far as it decides what can run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BrokerOf {
    /// Ours.
    Own {
        /// Whether others than this host can reach it.
        is_reached: bool,
    },
    /// One that runs without us.
    External {
        /// As the rig file has it.
        url: String,
        /// Whether a time server of ours stands beside it.
        has_time: bool,
    },
}

impl BrokerOf {
    fn new(broker: &RigBroker) -> Self {
        match broker {
            RigBroker::Own(broker) => Self::Own {
                is_reached: broker.is_off_loopback(),
            },
            RigBroker::External(broker) => Self::External {
                url: broker.to_string(),
                has_time: broker.time.is_some(),
            },
        }
    }

    /// What is missing for `need`, if it is.
    fn lacks(&self, need: CloudNeed) -> Option<String> {
        let Self::External { url, has_time } = self else {
            return None;
        };
        let what = match need {
            CloudNeed::BrokerEvents => "what a broker of ours sees of TLS and MQTT",
            CloudNeed::BrokerFaults => "a broker that can be broken on purpose",
            CloudNeed::Linkkit => "a Linkkit cloud of ours",
            CloudNeed::ThingsBoard => "a ThingsBoard of ours",
            CloudNeed::Time if *has_time => return None,
            CloudNeed::Time => "`broker.bind`, for a time server of ours",
        };
        Some(format!("{need} ({what}; `broker.external` is {url})"))
    }
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
        if !needs.contains(&Need::OwnAir) && is_alone_on_air(case) {
            missing.push(of_the_lab(&Need::OwnAir));
        }
        if names_the_broker(case) {
            missing.push(format!(
                "a broker that is called {BROKER_HOST}, as in the lab"
            ));
        }
        if is_back_at_once(case, over) {
            missing.push("a phone that joins a network within a second".to_owned());
        }
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
        (Need::OldTls, _) => cfg!(feature = "legacy"),
        (Need::ShortRecords, _) => abilities.short_records,
        // The lab has everything else.
        (_, None) => true,
        (Need::Isolate, Some(rig)) => rig.can.contains(&Ability::Isolate),
        (Need::SwitchAccessPoint, Some(rig)) => rig.can.contains(&Ability::SwitchAccessPoint),
        (Need::Console, Some(rig)) => rig.console,
        (Need::OwnRadio | Need::OwnAir | Need::DamagedStorage | Need::RawAttributes, Some(_)) => {
            return Some(of_the_lab(need));
        }
        (Need::Visit, Some(rig)) => return rig.phone_lacks(over),
        (Need::Lan, Some(rig)) => return rig.unnamed("lan", "lan", &rig.phone.lan),
        (Need::OwnCloud(need), Some(rig)) => {
            return rig.broker.as_ref().and_then(|broker| broker.lacks(*need));
        }
        (Need::Firmware(need), Some(rig)) => return rig.firmware_lacks(need),
    };
    (!is_there).then(|| need.to_string())
}

/// What only the lab has, and what it is for.
fn of_the_lab(need: &Need) -> String {
    let what = match need {
        Need::OwnRadio => "Bluetooth that can be disturbed",
        Need::DamagedStorage => "storage that can be written",
        Need::RawAttributes => {
            "a phone with a channel of the Attribute Protocol, which BlueZ keeps to itself"
        }
        _ => "all that is on the air, and nothing else there",
    };
    format!("{need} ({what}, as in the lab)")
}

/// Whether `case` takes the access points of its world for all that there are, wants to see what must not
/// be on the air, or compares a log line by line, whose order phones of the host change.
fn is_alone_on_air(case: &language::Case) -> bool {
    let mut steps = case.scenario.steps.iter();
    let is_exact = steps.any(|step| match &**step {
        Step::Scan(scan) => scan.count.is_some(),
        Step::Expect(Expect::Transcript(_)) => true,
        _ => false,
    });
    let mut never = case.scenario.never.iter();
    is_exact || never.any(|never| never.pattern.source == Source::Air)
}

/// Whether the broker's certificate in `case` is for the name that the broker has in the lab, in other words
/// than those of the run.
fn names_the_broker(case: &language::Case) -> bool {
    let cloud = case.scenario.world.cloud.as_ref();
    let certificate = cloud.and_then(|cloud| cloud.broker.certificate.as_ref());
    let Some(Certificate::Described(profile)) = certificate.map(|placed| &**placed) else {
        return false;
    };
    let Names::Fixed(names) = &profile.names else {
        return false;
    };
    let (_, domain) = BROKER_HOST.split_once('.').unwrap_or_default();
    names.iter().any(|name| name.contains(domain))
}

/// Whether a phone has to be back in a device's network while the service there ends: the interface of a
/// host takes longer to join it than the service lives on. Phones get at the device by the transport `over`,
/// where the scenario leaves it open.
fn is_back_at_once(case: &language::Case, over: Over) -> bool {
    let steps: Vec<&Step> = case.scenario.steps.iter().map(|step| &**step).collect();
    let over_soft_ap = |device: &Option<language::Placed<String>>| {
        let device = case.device(device.as_ref());
        let device = case.scenario.world.devices.named(device);
        device.is_some_and(|device| device.provisioning.over.unwrap_or(over) == Over::Softap)
    };
    steps.windows(2).any(|pair| match pair {
        [Step::Provision(first), Step::Provision(then)] => {
            let outcome = first.outcome.as_ref().map(|outcome| outcome.value);
            let is_over = outcome == Some(Outcome::Connected) && !first.stay;
            is_over && !then.resume && over_soft_ap(&first.device) && over_soft_ap(&then.device)
        }
        // Whoever has the right secret is refused in a service's last second alone.
        [_, Step::Provision(last)] => {
            let outcome = last.outcome.as_ref().map(|outcome| outcome.value);
            let has_the_secret =
                last.pop.is_none() && last.password.is_none() && last.damaged_proof.is_none();
            outcome == Some(Outcome::SessionRefused) && has_the_secret && over_soft_ap(&last.device)
        }
        _ => false,
    })
}

impl InRig {
    /// What stands around `board` in the rig file `file`.
    pub(super) fn of(board: &RigBoard, rig: &Rig, file: &Path) -> Self {
        let program = match &board.link {
            BoardLink::Process(link) => Some((**link).clone()),
            BoardLink::Probe(_) | BoardLink::Serial(_) => None,
        };
        let broker = rig.broker.as_ref().map(BrokerOf::new);
        Self {
            file: file.to_owned(),
            identity: board.identity(),
            roles: (rig.access_points.iter())
                .map(|(role, point)| (role.clone(), point.set.is_some()))
                .collect(),
            // The broker of a program is on loopback unless the rig file says otherwise.
            broker: broker.or(program
                .as_ref()
                .map(|_| BrokerOf::Own { is_reached: false })),
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
    pub fn has_phones(&self) -> bool {
        self.phone != RigPhone::default()
    }

    /// What phones use of this host, as leases call it.
    pub(super) fn phones(&self) -> Vec<String> {
        self.phone.identities()
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
            None if *need == FirmwareNeed::OnNetwork && !self.roles.contains_key(HOME) => {
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
                continue;
            }
            match self.roles.get(role) {
                None => absent.push(role),
                Some(false) if access_point.is_of_its_own() => missing.push(format!(
                    "an access point {role} that can be set (`access_points.{role}.set` in the rig file)"
                )),
                Some(_) => {}
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
            && !self.roles.contains_key(HOME)
        {
            missing.push(no_home());
        }
        if let Some(cloud) = &world.cloud {
            let required = language::ClientCertificate::Required;
            match self.broker {
                None => missing.push("`[broker]` in the rig file".to_owned()),
                Some(BrokerOf::Own { is_reached: true })
                    if cloud.client_certificate() != required =>
                {
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
