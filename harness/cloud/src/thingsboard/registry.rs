//! What the cloud knows of its devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use clock::LabTime;
use serde_json::{Map, Value};

use super::credentials::{basic_id, certificate_id, text_id};
use super::payload::MOST_KEYS;

/// Devices at most, those that provision themselves included.
const MOST_DEVICES: usize = 4096;
/// Calls of one device that are waiting for an answer, at most.
const MOST_CALLS: usize = 100;

/// How a device proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By this user name.
    AccessToken(String),
    /// By these fields of CONNECT; one of the first two must be there.
    MqttBasic {
        /// Client id.
        client_id: Option<String>,
        /// User name.
        username: Option<String>,
        /// Password.
        password: Option<String>,
    },
    /// By the certificate with this id, which is SHA3-256 over its text.
    X509 {
        /// See [`credentials`](super::credentials).
        id: String,
        /// Base64 of its DER.
        text: String,
    },
}

impl Credentials {
    /// Those of a device with the certificate in `der`.
    pub fn certificate(der: &[u8]) -> Self {
        Self::X509 {
            id: certificate_id(der),
            text: super::credentials::certificate_text(der),
        }
    }

    /// Those of a certificate that was pasted as PEM, or without header and line ends.
    pub fn pasted(pem: &str) -> Self {
        let text = super::credentials::pasted(pem);
        let id = text_id(&text);
        Self::X509 { id, text }
    }

    /// By which they are found; none if there is nothing in them.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::AccessToken(token) => Some(token.clone()),
            Self::X509 { id, .. } => Some(id.clone()),
            Self::MqttBasic {
                client_id,
                username,
                ..
            } => basic_id(client_id.as_deref(), username.as_deref()),
        }
    }
}

/// Without what is secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessToken(_) => "AccessToken",
            Self::MqttBasic { .. } => "MqttBasic",
            Self::X509 { .. } => "X509",
        })
    }
}

/// One device.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// Its name in the scenario.
    pub(super) scenario: Option<String>,
    credentials: Option<Credentials>,
    /// Whether it has got its credentials by provisioning itself.
    pub(super) provisioned: bool,
    pub(super) client: Map<String, Value>,
    pub(super) shared: Map<String, Value>,
    pub(super) latest: Map<String, Value>,
    pub(super) telemetry_count: u64,
    /// Whether the server attribute `claimingAllowed` is set.
    pub(super) claiming_allowed: bool,
    claim: Option<Claim>,
    pub(super) customer: Option<String>,
    /// Whether it speaks for others.
    pub(super) gateway: bool,
    calls: BTreeSet<i64>,
}

#[derive(Debug)]
struct Claim {
    secret_key: String,
    until: LabTime,
}

/// What came of a customer's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    Success,
    /// The device has sent no claim message, or that was evicted.
    NothingThere,
    WrongKey,
    Expired,
    Owned,
}

/// Devices, by name, and their credentials, by id.
#[derive(Debug, Default)]
pub(super) struct Registry {
    devices: BTreeMap<String, Device>,
    by_credentials: BTreeMap<String, String>,
}

/// Why a device cannot be added, or get other credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAdded {
    NameTaken,
    CredentialsTaken,
    CredentialsEmpty,
    TooMany,
}

impl NotAdded {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::NameTaken => "there is a device of this name already",
            Self::CredentialsTaken => "another device has these credentials",
            Self::CredentialsEmpty => "there is nothing in the credentials",
            Self::TooMany => "there are as many devices as may be",
        }
    }
}

impl Registry {
    pub(super) fn add(
        &mut self,
        name: &str,
        scenario: Option<&str>,
        credentials: Option<Credentials>,
    ) -> Result<&mut Device, NotAdded> {
        if self.devices.contains_key(name) {
            return Err(NotAdded::NameTaken);
        }
        if self.devices.len() >= MOST_DEVICES {
            return Err(NotAdded::TooMany);
        }
        if let Some(credentials) = &credentials {
            self.free(name, credentials)?;
        }
        let device = Device {
            scenario: scenario.map(str::to_owned),
            ..Device::default()
        };
        self.devices.insert(name.to_owned(), device);
        if let Some(credentials) = credentials {
            self.set_credentials(name, credentials)?;
        }
        self.devices.get_mut(name).ok_or(NotAdded::TooMany)
    }

    /// Gives a device that there is other credentials.
    pub(super) fn set_credentials(
        &mut self,
        name: &str,
        credentials: Credentials,
    ) -> Result<(), NotAdded> {
        let id = self.free(name, &credentials)?;
        let Some(device) = self.devices.get_mut(name) else {
            return Ok(());
        };
        let before = device.credentials.replace(credentials);
        if let Some(before) = before.and_then(|before| before.id()) {
            self.by_credentials.remove(&before);
        }
        self.by_credentials.insert(id, name.to_owned());
        Ok(())
    }

    /// The id of `credentials`, if no device but `name` has them.
    fn free(&self, name: &str, credentials: &Credentials) -> Result<String, NotAdded> {
        let id = credentials.id().ok_or(NotAdded::CredentialsEmpty)?;
        match self.by_credentials.get(&id) {
            Some(other) if other != name => Err(NotAdded::CredentialsTaken),
            _ => Ok(id),
        }
    }

    /// The device whose credentials have this id, and they.
    pub(super) fn find(&self, id: &str) -> Option<(&str, &Credentials)> {
        let name = self.by_credentials.get(id)?;
        let credentials = self.devices.get(name)?.credentials.as_ref()?;
        Some((name, credentials))
    }

    pub(super) fn device(&self, name: &str) -> Option<&Device> {
        self.devices.get(name)
    }

    pub(super) fn device_mut(&mut self, name: &str) -> Option<&mut Device> {
        self.devices.get_mut(name)
    }

    pub(super) fn credentials(&self, name: &str) -> Option<&Credentials> {
        self.devices.get(name)?.credentials.as_ref()
    }

    /// Takes a device's claim message, unless an earlier one still counts: the first wins until it is
    /// evicted. One that has expired counts, too, until a customer has tried it.
    pub(super) fn offer(&mut self, name: &str, secret_key: &str, until: LabTime) -> bool {
        let Some(device) = self.devices.get_mut(name) else {
            return false;
        };
        if device.claim.is_some() {
            return false;
        }
        let secret_key = secret_key.to_owned();
        device.claim = Some(Claim { secret_key, until });
        true
    }

    /// A customer claims a device. None if there is no such device.
    pub(super) fn claim(
        &mut self,
        customer: &str,
        name: &str,
        secret_key: &str,
        now: LabTime,
    ) -> Option<Claimed> {
        let device = self.devices.get_mut(name)?;
        let Some(claim) = &device.claim else {
            return Some(match device.customer {
                Some(_) => Claimed::Owned,
                None => Claimed::NothingThere,
            });
        };
        // A wrong guess destroys the claim, as does one that comes too late (ClaimDevicesServiceImpl).
        let outcome = if claim.secret_key != secret_key {
            Claimed::WrongKey
        } else if now > claim.until {
            Claimed::Expired
        } else if device.customer.is_some() {
            return Some(Claimed::Owned);
        } else {
            device.customer = Some(customer.to_owned());
            device.claiming_allowed = false;
            Claimed::Success
        };
        device.claim = None;
        Some(outcome)
    }

    /// Takes a device from its customer, whom it gives. None if there is no such device.
    pub(super) fn unclaim(&mut self, name: &str) -> Option<Option<String>> {
        Some(self.devices.get_mut(name)?.customer.take())
    }
}

impl Device {
    /// The cloud has called the device.
    pub(super) fn called(&mut self, request: i64) {
        if self.calls.len() >= MOST_CALLS {
            self.calls.pop_first();
        }
        self.calls.insert(request);
    }

    /// The device has answered; whether it was asked.
    pub(super) fn answered(&mut self, request: i64) -> bool {
        self.calls.remove(&request)
    }
}

/// Puts `values` into `kept`, of which only so many are kept.
pub(super) fn keep(kept: &mut Map<String, Value>, values: &Map<String, Value>) {
    for (key, value) in values {
        if kept.contains_key(key) || kept.len() < MOST_KEYS {
            kept.insert(key.clone(), value.clone());
        }
    }
}

/// So long a claim may be used if the device does not say (`DEVICE_CLAIM_DURATION`).
pub(super) const CLAIM_DURATION: Duration = Duration::from_millis(86_400_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> LabTime {
        LabTime::from_micros(s * 1_000_000)
    }

    fn registry() -> Registry {
        let mut registry = Registry::default();
        registry.add("d", None, None).unwrap();
        registry
    }

    #[test]
    fn the_first_claim_message_counts_until_it_is_evicted() {
        let mut registry = registry();
        assert!(registry.offer("d", "one", at(60)));
        assert!(!registry.offer("d", "two", at(60)));
        assert_eq!(
            registry.claim("bob", "d", "two", at(1)),
            Some(Claimed::WrongKey)
        );
        // The wrong guess has destroyed it.
        assert_eq!(
            registry.claim("bob", "d", "one", at(1)),
            Some(Claimed::NothingThere)
        );
        assert!(registry.offer("d", "two", at(60)));
        assert_eq!(
            registry.claim("bob", "d", "two", at(1)),
            Some(Claimed::Success)
        );
    }

    #[test]
    fn a_claim_ends_with_its_time() {
        let mut registry = registry();
        registry.offer("d", "one", at(60));
        assert_eq!(
            registry.claim("bob", "d", "one", at(61)),
            Some(Claimed::Expired)
        );
        assert_eq!(
            registry.claim("bob", "d", "one", at(1)),
            Some(Claimed::NothingThere)
        );
        registry.offer("d", "one", at(60));
        assert_eq!(
            registry.claim("bob", "d", "one", at(60)),
            Some(Claimed::Success)
        );
    }

    #[test]
    fn a_device_that_is_owned_can_be_claimed_once_it_is_given_back() {
        let mut registry = registry();
        registry.offer("d", "one", at(60));
        registry.claim("bob", "d", "one", at(1));
        assert_eq!(
            registry.claim("eve", "d", "one", at(1)),
            Some(Claimed::Owned)
        );
        registry.offer("d", "one", at(60));
        assert_eq!(
            registry.claim("eve", "d", "one", at(1)),
            Some(Claimed::Owned)
        );
        assert_eq!(registry.unclaim("d"), Some(Some("bob".into())));
        assert_eq!(registry.unclaim("d"), Some(None));
        assert_eq!(
            registry.claim("eve", "d", "one", at(1)),
            Some(Claimed::Success)
        );
        assert_eq!(registry.claim("eve", "x", "one", at(1)), None);
        assert_eq!(registry.unclaim("x"), None);
    }

    #[test]
    fn credentials_are_one_device_s() {
        let mut registry = registry();
        let token = |text: &str| Credentials::AccessToken(text.into());
        registry.set_credentials("d", token("t")).unwrap();
        let taken = registry.add("e", None, Some(token("t"))).err();
        assert_eq!(taken, Some(NotAdded::CredentialsTaken));
        assert!(registry.device("e").is_none());
        registry.set_credentials("d", token("u")).unwrap();
        assert!(registry.find("t").is_none());
        assert_eq!(registry.find("u").unwrap().0, "d");
        assert_eq!(
            registry.add("d", None, None).err(),
            Some(NotAdded::NameTaken)
        );
    }
}
