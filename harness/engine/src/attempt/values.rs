//! The values behind a scenario's roles. The same seed makes the same names and addresses.

use language::{AccessPoint, Auth, Security, WorldSpec};
use trace::{Secrets, Ssid};

/// Characters of made-up passphrases and names: none that could be taken for another.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// An access point's name and passphrase.
#[derive(Clone, Debug)]
pub struct AccessPointValues {
    /// SSID.
    pub ssid: Ssid,
    /// Passphrase; empty for an open network.
    pub passphrase: String,
}

/// Who a device is, and what only its owner knows.
#[derive(Clone, Debug)]
pub struct DeviceValues {
    /// MAC address of its station.
    pub mac: [u8; 6],
    /// Proof of possession (security 1), empty for none.
    pub pop: String,
    /// SRP user name (security 2).
    pub username: String,
    /// SRP password (security 2).
    pub password: String,
    /// Linkkit product key.
    pub product_key: String,
    /// Linkkit device name.
    pub device_name: String,
    /// Linkkit device secret.
    pub device_secret: String,
}

impl DeviceValues {
    /// SSID of the device's own access point, as ESP-IDF's example makes it.
    pub fn service_name(&self) -> String {
        let [.., a, b, c] = self.mac;
        format!("PROV_{a:02X}{b:02X}{c:02X}")
    }
}

/// Makes values from a seed (SplitMix64: reproducible, not secret).
pub struct Maker {
    state: u64,
}

impl Maker {
    /// The values that `seed` makes.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Values for an access point, as far as the scenario leaves them open.
    pub fn access_point(
        &mut self,
        role: &str,
        settings: &AccessPoint,
        secrets: &Secrets,
    ) -> AccessPointValues {
        let ssid = self.word(6);
        let passphrase = self.word(16);
        let values = AccessPointValues {
            ssid: settings.ssid.as_ref().map_or_else(
                || format!("{role}-{ssid}").into_bytes().into(),
                |given| given.value.clone(),
            ),
            passphrase: match (&settings.passphrase, settings.auth()) {
                (Some(given), _) => given.value.clone(),
                (None, Auth::Open) => String::new(),
                // A device may be given one for an enterprise network, too.
                (None, _) => passphrase,
            },
        };
        secrets.add(&format!("passphrase {role}"), &values.passphrase);
        values
    }

    /// Values for a device.
    pub fn device(&mut self, name: &str, world: &WorldSpec, secrets: &Secrets) -> DeviceValues {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        let values = DeviceValues {
            // Locally administered, unicast; room for the SoftAP's address above it.
            mac: [0x02, 0x50, a, b, c, d & 0xFE],
            pop: match world.devices.named(name).map(|d| d.provisioning.security()) {
                Some(Security::V1NoPop) => String::new(),
                _ => self.word(8),
            },
            username: "wifiprov".into(),
            password: self.word(10),
            product_key: format!("a1{}", self.word(9)),
            device_name: format!("{name}-{}", self.word(6)),
            device_secret: self.word(32),
        };
        secrets.add(&format!("proof of possession of {name}"), &values.pop);
        secrets.add(&format!("password of {name}"), &values.password);
        secrets.add(&format!("secret of {name}"), &values.device_secret);
        values
    }

    fn word(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(ALPHABET[(self.next() % ALPHABET.len() as u64) as usize]))
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
