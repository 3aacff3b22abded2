//! Linkkit in a world.

use std::collections::BTreeMap;

use cloud::{Broker, Linkkit, LinkkitDevice, LinkkitSettings, MatchReply, Rules};
use factory::{LinkkitProfile, NoToken};
use language::Profile;
use trace::Trace;

use super::super::problem::LabError;
use super::super::values::DeviceValues;

pub(super) async fn start(
    settings: &language::Linkkit,
    devices: &BTreeMap<String, DeviceValues>,
    broker: &Broker,
    trace: &Trace,
) -> Result<Linkkit, LabError> {
    let settings = LinkkitSettings {
        devices: devices
            .iter()
            .map(|(name, values)| LinkkitDevice {
                device: name.clone(),
                product_key: values.product_key.clone(),
                device_name: values.device_name.clone(),
                device_secret: values.device_secret.clone(),
            })
            .collect(),
        rules: Rules {
            token_life: settings.token_life,
            several_accounts: settings.several_accounts,
            last_token_only: settings.last_token_only,
        },
        ..LinkkitSettings::default()
    };
    Ok(Linkkit::start(settings, broker, trace.clone()).await?)
}

pub(super) fn section(settings: &language::Linkkit, values: &DeviceValues) -> factory::Linkkit {
    let mut profile = match settings.profile {
        Profile::Seed2019 => LinkkitProfile::seed_2019(),
        Profile::Sdk230 => LinkkitProfile::sdk_2_3_0(),
        Profile::Sdk301 => LinkkitProfile::sdk_3_0_1(),
    };
    if settings.no_token_is_said {
        profile.no_token = NoToken::Code400;
    }
    factory::Linkkit {
        product_key: values.product_key.clone(),
        device_name: values.device_name.clone(),
        device_secret: values.device_secret.clone(),
        profile,
    }
}

pub(super) fn match_reply(reply: language::MatchReply) -> MatchReply {
    match reply {
        language::MatchReply::Never => MatchReply::Never,
        language::MatchReply::WrongId => MatchReply::WrongId,
        language::MatchReply::EarlierId => MatchReply::EarlierId,
        language::MatchReply::Code(code) => MatchReply::Code(code),
        language::MatchReply::After(delay) => MatchReply::After(delay),
    }
}

/// What a code of the bind API means in the scenario language; none for refusals of other kinds.
pub fn bind_outcome(code: i64) -> Option<language::BindOutcome> {
    match cloud::linkkit::codes::outcome(code) {
        cloud::BindOutcome::Bound => Some(language::BindOutcome::Bound),
        cloud::BindOutcome::Unknown => Some(language::BindOutcome::Unknown),
        cloud::BindOutcome::Mismatched => Some(language::BindOutcome::Mismatched),
        cloud::BindOutcome::Expired => Some(language::BindOutcome::Expired),
        cloud::BindOutcome::AlreadyUsed => Some(language::BindOutcome::AlreadyUsed),
        cloud::BindOutcome::Refused if code == cloud::linkkit::codes::FORBIDDEN => {
            Some(language::BindOutcome::Forbidden)
        }
        cloud::BindOutcome::Refused => None,
    }
}
