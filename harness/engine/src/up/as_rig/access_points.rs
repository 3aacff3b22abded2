//! The access points of the rig.

use std::net::Ipv4Addr;

use lab::air::{AccessPointChange, AccessPointSettings, Ethernet};
use rand_core::{OsRng, RngCore};

use super::Stage;
use crate::attempt::auth_mode;
use crate::attempt::hostapd::Setup;

/// The access point whose LAN is that of the rig.
pub const HOME: &str = "home";
/// Every role that there is an access point for: its channel and strength.
const ROLES: [(&str, u8, i8); 5] = [
    (HOME, 6, -41),
    ("office", 11, -60),
    ("near", 6, -33),
    ("middle", 11, -60),
    ("far", 1, -84),
];
/// Characters of a passphrase.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of a passphrase.
const LENGTH: usize = 16;

/// The access points.
pub struct AccessPoints {
    all: Vec<Known>,
}

/// One of them, as the rig file describes it.
pub struct Known {
    /// What scenarios call it.
    pub role: String,
    /// How it was set up.
    pub settings: AccessPointSettings,
}

impl Known {
    /// Its name in the air.
    pub fn ssid(&self) -> String {
        String::from_utf8_lossy(&self.settings.ssid).into_owned()
    }

    /// The variable in which its passphrase is.
    pub fn variable(&self) -> String {
        format!("{}_PASSPHRASE", self.role.to_ascii_uppercase())
    }
}

/// Sets up every access point, bridged with `lan` if there is one, and switches it on.
pub fn set_up(stage: &Stage, lan: Option<&Ethernet>) -> AccessPoints {
    let mut all = Vec::new();
    for (third, (role, channel, rssi)) in (43..).zip(ROLES) {
        let settings = AccessPointSettings {
            ssid: format!("{role}-{}", word(4)).into_bytes(),
            passphrase: word(LENGTH),
            channel,
            rssi,
            subnet: Ipv4Addr::new(192, 168, third, 0),
            ..AccessPointSettings::default()
        };
        match lan {
            Some(lan) => stage
                .air
                .add_bridged_access_point(role, settings.clone(), lan),
            None => stage.air.add_access_point(role, settings.clone()),
        }
        all.push(Known {
            role: role.to_owned(),
            settings,
        });
    }
    AccessPoints { all }
}

impl AccessPoints {
    /// Each, in the order of the rig file.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.all.iter()
    }

    /// Sets one up as lines of hostapd.conf say, and switches it on.
    pub fn set(&self, stage: &Stage, role: &str, lines: &[u8]) -> Result<(), String> {
        let known = self.all.iter().find(|known| known.role == role);
        let known = known.ok_or_else(|| format!("there is no access point {role}"))?;
        let setup = Setup::read(&String::from_utf8_lossy(lines))?;
        let settings = AccessPointSettings {
            ssid: setup.ssid.as_bytes().to_vec(),
            passphrase: setup.passphrase,
            channel: setup.channel.unwrap_or(known.settings.channel),
            auth: auth_mode(setup.auth),
            hidden: setup.hidden,
            ..known.settings.clone()
        };
        stage.air.add_access_point(role, settings);
        Ok(())
    }

    /// Switches something of one.
    pub fn switch(&self, stage: &Stage, role: &str, what: &str, to: &str) -> Result<(), String> {
        let on = match to {
            "on" => true,
            "off" => false,
            other => return Err(format!("`{other}` is neither `on` nor `off`")),
        };
        let change = match what {
            "power" => AccessPointChange::On(on),
            "internet" => AccessPointChange::Internet(on),
            "isolation" => AccessPointChange::Isolation(on),
            other => {
                return Err(format!(
                    "`{other}` is none of `power`, `internet` and `isolation`"
                ));
            }
        };
        let changed = stage.air.set_access_point(role, change);
        changed.map_err(|error| error.to_string())
    }
}

fn word(length: usize) -> String {
    let mut bytes = vec![0; length];
    OsRng.fill_bytes(&mut bytes);
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
    bytes.into_iter().map(letter).collect()
}
