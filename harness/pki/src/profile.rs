//! Certificate profiles: what to mint.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Offset, PkiError};

/// The profiles of `certs/`, which every binary carries.
const BUILT_IN: [(&str, &str); 3] = [
    (
        "certs/authorities.yaml",
        include_str!("../../../certs/authorities.yaml"),
    ),
    (
        "certs/servers.yaml",
        include_str!("../../../certs/servers.yaml"),
    ),
    (
        "certs/clients.yaml",
        include_str!("../../../certs/clients.yaml"),
    ),
];

/// One kind of certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// In a few words, what is good or bad about it.
    #[serde(default)]
    pub about: String,
    /// Whether it signs others. Made once per run.
    #[serde(default)]
    pub authority: bool,
    /// Who signs it; `ca` unless it says otherwise, itself if it is an authority.
    #[serde(default)]
    pub issuer: Option<Issuer>,
    /// Takes the place of the common name that is asked for.
    #[serde(default)]
    pub common_name: Option<String>,
    /// Names in its subjectAltName.
    #[serde(default)]
    pub names: Names,
    /// What its extendedKeyUsage allows.
    #[serde(default)]
    pub usage: Usage,
    /// Start of its validity; the day before if left out.
    #[serde(default = "a_day_ago")]
    pub not_before: Offset,
    /// End of its validity; in a year if left out.
    #[serde(default = "in_a_year")]
    pub not_after: Offset,
    /// How much of its chain is shown.
    #[serde(default)]
    pub chain: Chain,
    /// Which private key is handed out with it.
    #[serde(default)]
    pub key: Key,
    /// Of which kind its key is.
    #[serde(default)]
    pub key_type: KeyType,
    /// Of an authority: how many others may stand between it and a certificate that shows itself.
    #[serde(default)]
    pub path_length: Option<u8>,
    /// Of an authority: the domains that names may be of which it signs; all if there are none.
    #[serde(default)]
    pub permits: Vec<String>,
    /// Of an authority: another one of which it has the name and the key, so that it is a second certificate
    /// for that one (cross-signed).
    #[serde(default)]
    pub cross_of: Option<String>,
}

impl Profile {
    /// Whether it has what only an authority has.
    fn is_like_an_authority(&self) -> bool {
        self.path_length.is_some() || !self.permits.is_empty() || self.cross_of.is_some()
    }
}

fn a_day_ago() -> Offset {
    Offset::from_secs(-86_400)
}

fn in_a_year() -> Offset {
    Offset::from_secs(365 * 86_400)
}

/// Who signs a certificate: `self`, or the name of an authority.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Issuer {
    /// It signs itself.
    Itself,
    /// The authority of that profile.
    Authority(String),
}

impl From<String> for Issuer {
    fn from(name: String) -> Self {
        if name == "self" {
            Self::Itself
        } else {
            Self::Authority(name)
        }
    }
}

/// Where the names in a certificate come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// Those of the run.
    #[default]
    Given,
    /// It has none.
    None,
    /// These, the same in every run.
    Fixed(Vec<String>),
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// No extendedKeyUsage at all.
    #[default]
    Any,
    /// TLS servers.
    Server,
    /// TLS clients.
    Client,
}

/// How much of the chain is shown. The root never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// The certificate and every authority between it and the root.
    #[default]
    Full,
    /// The certificate alone.
    LeafOnly,
    /// The certificate, and another one that has not signed it.
    Unlinked,
}

/// Which private key is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The one that belongs to the certificate.
    #[default]
    Own,
    /// One that does not.
    Other,
}

/// Of which kind a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum KeyType {
    /// Elliptic curve NIST P-256.
    #[default]
    #[serde(rename = "p-256")]
    P256,
    /// Elliptic curve NIST P-384.
    #[serde(rename = "p-384")]
    P384,
    /// RSA of 2048 bits.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA of 3072 bits.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA of 4096 bits, which takes seconds to make.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

/// Profiles by name.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    by_name: BTreeMap<String, Profile>,
}

impl Profiles {
    /// The profiles of `certs/`.
    pub fn built_in() -> Result<Self, PkiError> {
        let mut profiles = Self::default();
        for (file, text) in BUILT_IN {
            profiles.add(file, text)?;
        }
        Ok(profiles)
    }

    /// Adds the profiles of one YAML text; those of the same name are replaced. `file` is its name
    /// in messages.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), PkiError> {
        let read: BTreeMap<String, Profile> =
            serde_saphyr::from_str(text).map_err(|error| PkiError::Profiles {
                file: file.to_owned(),
                message: error.to_string(),
            })?;
        let mut read_names = read.iter();
        let leaf = read_names.find(|(_, it)| !it.authority && it.is_like_an_authority());
        if let Some((name, _)) = leaf {
            return Err(PkiError::Profiles {
                file: file.to_owned(),
                message: format!(
                    "{name}: `path_length`, `permits` and `cross_of` are of an authority; set \
                     `authority: true`"
                ),
            });
        }
        self.by_name.extend(read);
        Ok(())
    }

    /// The profile called `name`.
    pub fn named(&self, name: &str) -> Result<&Profile, PkiError> {
        self.by_name
            .get(name)
            .ok_or_else(|| PkiError::UnknownProfile {
                name: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            })
    }

    /// Every profile's name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Every profile and its name, sorted by it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Profile)> {
        self.by_name
            .iter()
            .map(|(name, profile)| (name.as_str(), profile))
    }
}
