//! What of a case's needs a firmware of others does not meet.

use board::rig::{Firmware, Security as Spoken, Transport};

use language::{FirmwareNeed, IdfVersion, Over, Security};

/// What is missing for `need` in `firmware`, if it is.
pub(super) fn lack(firmware: &Firmware, need: &FirmwareNeed) -> Option<String> {
    if is_met(firmware, need) {
        return None;
    }
    Some(match instead(firmware, need) {
        Some(instead) => format!("{need} ({firmware}: {instead})"),
        None => need.to_string(),
    })
}

fn is_met(firmware: &Firmware, need: &FirmwareNeed) -> bool {
    let provisioning = firmware.provisioning.as_ref();
    match need {
        FirmwareNeed::Provisioned => provisioning.is_some(),
        FirmwareNeed::OnNetwork => provisioning.is_none(),
        FirmwareNeed::Over(over) => transport(firmware) == Some(*over),
        FirmwareNeed::Security(security) => {
            provisioning.is_some_and(|found| same(found.security) == *security)
        }
        FirmwareNeed::Version(version) => {
            let said = provisioning.and_then(|found| found.version);
            let mut known = IdfVersion::ALL.iter();
            known.any(|(word, known)| said == Some(*word) && known == version)
        }
        FirmwareNeed::ServiceKey => provisioning.is_some_and(|found| found.service_key.is_some()),
        FirmwareNeed::Endpoint(name) => {
            provisioning.is_some_and(|found| found.custom_endpoints.contains(name))
        }
        FirmwareNeed::Certificate => firmware.is_handed_a_certificate,
        FirmwareNeed::Feature(feature) => firmware.can.contains(feature),
        FirmwareNeed::Component(tag) => firmware.prints(tag),
        FirmwareNeed::Level(level) => *level <= firmware.log_level,
        FirmwareNeed::Setting(_) | FirmwareNeed::Transcript => false,
    }
}

/// What the firmware is in the place of what is needed, where that says more than the need does.
fn instead(firmware: &Firmware, need: &FirmwareNeed) -> Option<String> {
    let provisioning = firmware.provisioning.as_ref();
    let Some(found) = provisioning else {
        let is_of_provisioning = matches!(
            need,
            FirmwareNeed::Provisioned
                | FirmwareNeed::Over(_)
                | FirmwareNeed::Security(_)
                | FirmwareNeed::Version(_)
        );
        return is_of_provisioning.then(|| "on its network already".to_owned());
    };
    match need {
        FirmwareNeed::Over(_) | FirmwareNeed::OnNetwork => Some(found.transport.to_string()),
        FirmwareNeed::Security(_) => Some(found.security.to_string()),
        FirmwareNeed::Version(_) => {
            let version = found.version.unwrap_or("its `version` is not said");
            Some(version.to_owned())
        }
        _ => None,
    }
}

/// By which transport `firmware` is provisioned.
pub(super) fn transport(firmware: &Firmware) -> Option<Over> {
    firmware
        .provisioning
        .as_ref()
        .map(|provisioning| match provisioning.transport {
            Transport::Softap => Over::Softap,
            Transport::Ble => Over::Ble,
            Transport::Console => Over::Console,
        })
}

fn same(spoken: Spoken) -> Security {
    match spoken {
        Spoken::None => Security::None,
        Spoken::V1 => Security::V1,
        Spoken::V1NoPop => Security::V1NoPop,
        Spoken::V2 => Security::V2,
        Spoken::V2Patch0 => Security::V2Patch0,
    }
}
