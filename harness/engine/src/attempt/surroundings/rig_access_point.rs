//! The access points of a rig: how they usually are, and how a scenario has one set up.

use std::io::Write;

use board::BoardError;
use board::command::CommandTemplate;
use clock::Clock;
use language::{AccessPoint, Auth};
use trace::in_full;

use super::hostapd::Setup;
use crate::attempt::problem::LabError;
use crate::attempt::values::AccessPointValues;

/// The passphrase of an access point of the rig; empty if it is open.
pub fn passphrase(point: &board::rig::AccessPoint) -> Result<String, LabError> {
    match &point.passphrase {
        Some(secret) => secret
            .resolve()
            .map_err(|error| LabError::Scenario(in_full(&error))),
        None => Ok(String::new()),
    }
}

/// An access point as its section in the rig file describes it.
pub(super) fn usual(point: &board::rig::AccessPoint) -> Result<Setup, LabError> {
    let passphrase = passphrase(point)?;
    Ok(Setup {
        ssid: point.ssid.clone(),
        auth: match passphrase.is_empty() {
            true => Auth::Open,
            false => Auth::Wpa2Psk,
        },
        passphrase,
        hidden: false,
        channel: None,
    })
}

impl From<Setup> for AccessPointValues {
    fn from(setup: Setup) -> Self {
        Self {
            ssid: setup.ssid,
            passphrase: setup.passphrase,
        }
    }
}

/// An access point as a scenario wants it; what that leaves open is as usual.
pub(super) fn of_its_own(settings: &AccessPoint, usual: &Setup, made: AccessPointValues) -> Setup {
    let auth = settings.auth();
    let passphrase = match (&settings.passphrase, auth) {
        (None, Auth::Open) => String::new(),
        (None, _) if !usual.passphrase.is_empty() => usual.passphrase.clone(),
        _ => made.passphrase,
    };
    let ssid = settings.ssid.as_ref();
    Setup {
        ssid: ssid.map_or_else(|| usual.ssid.clone(), |ssid| ssid.value.clone()),
        passphrase,
        auth,
        hidden: settings.hidden,
        channel: Some(settings.channel.value),
    }
}

/// Has a command of the rig set an access point up.
pub(super) async fn set(
    command: &CommandTemplate,
    setup: &Setup,
    clock: &Clock,
) -> Result<(), LabError> {
    let lines = setup.lines().ok_or_else(|| {
        LabError::Scenario("a passphrase for an access point is not printable ASCII".to_owned())
    })?;
    let failed = |source| LabError::Io {
        what: "write the settings of an access point".to_owned(),
        source,
    };
    // It holds a passphrase: only its owner can read it, and it is gone with the call.
    let mut file = tempfile::NamedTempFile::with_prefix("proving-").map_err(failed)?;
    file.write_all(lines.as_bytes()).map_err(failed)?;
    let path = file.path().display().to_string();
    let ended = command
        .fill(&[("file", &path)])
        .run(clock, &mut |_| {})
        .await;
    Ok(ended.map_err(BoardError::from)?)
}
