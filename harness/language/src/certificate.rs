//! Certificates that a scenario names or describes.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::check::Known;
use super::mistake::Mistake;
use super::scenario::Scenario;
use super::span::{Placed, Span};
use super::step::Step;
use super::world::WorldSpec;

/// What stands between a file and the profile in it.
const IN_FILE: &str = ".yaml#";
/// Longest profile file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A certificate: a profile that is known by name, or one of the scenario's own.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// The profile of that name in `certs/`; `FILE.yaml#NAME` until the file has been read.
    Named(String),
    /// A profile of the scenario's own.
    Described(Box<pki::Profile>),
}

impl Certificate {
    /// Whether it is the profile called `name`.
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Named(named) if named == name)
    }

    /// A new key and a certificate for it; `names` and `common_name` as for [`pki::Pki::mint`].
    pub fn mint(
        &self,
        pki: &pki::Pki,
        names: &[&str],
        common_name: &str,
    ) -> Result<pki::Identity, pki::PkiError> {
        match self {
            Self::Named(name) => pki.mint(name, names, common_name),
            Self::Described(profile) => {
                pki.mint_as("the scenario's own", profile, names, common_name)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CertificateVisitor)
    }
}

struct CertificateVisitor;

impl<'de> Visitor<'de> for CertificateVisitor {
    type Value = Certificate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a profile's name, or a profile such as `{ names: { fixed: [10.0.0.1] } }`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Certificate, E> {
        Ok(Certificate::Named(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Certificate, A::Error> {
        let profile = pki::Profile::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Certificate::Described(Box::new(profile)))
    }
}

impl JsonSchema for Certificate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Certificate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text =
            |description: &str| json_schema!({ "type": "string", "description": description });
        let moment = |description: &str| {
            json_schema!({
                "type": "string",
                "description": description,
                "pattern": "^[+-]?[0-9]+[smhd]$",
            })
        };
        json_schema!({
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "description": "A profile, as those in `certs/`.",
                    "additionalProperties": false,
                    "properties": {
                        "about": text("In a few words, what is good or bad about it."),
                        "issuer": text("Who signs it: `self`, or an authority in `certs/`; `ca` if left out."),
                        "common_name": text("Takes the place of the name of the run."),
                        "names": {
                            "description": "Names in its subjectAltName; those of the run if left out.",
                            "anyOf": [
                                { "enum": ["given", "none"] },
                                {
                                    "type": "object",
                                    "additionalProperties": false,
                                    "required": ["fixed"],
                                    "properties": {
                                        "fixed": {
                                            "type": "array",
                                            "items": { "type": "string" },
                                            "description": "Host names and addresses.",
                                        },
                                    },
                                },
                            ],
                        },
                        "usage": { "enum": ["any", "server", "client"], "description": "What its extendedKeyUsage allows." },
                        "not_before": moment("Start of its validity, from the lab's now: `-1d`."),
                        "not_after": moment("End of its validity, from the lab's now: `365d`."),
                        "chain": { "enum": ["full", "leaf-only", "unlinked"], "description": "How much of its chain is shown." },
                        "key": { "enum": ["own", "other"], "description": "Which private key is handed out with it." },
                        "key_type": {
                            "enum": ["p-256", "p-384", "rsa-2048", "rsa-3072", "rsa-4096"],
                            "description": "Of which kind its key is.",
                        },
                    },
                },
            ],
        })
    }
}

/// Most files of a folder of profiles.
const MOST: usize = 64;

/// Reads the folder of profiles that a scenario names; it is found from the scenario's folder.
pub(super) fn read_folder(scenario: &mut Scenario, file: &str) -> Option<Mistake> {
    let world = &mut scenario.world;
    let named = world.certs.as_ref()?;
    let parent = Path::new(file).parent().unwrap_or(Path::new(""));
    match texts_in(&parent.join(&named.value)) {
        Ok(texts) => {
            world.profiles = texts;
            None
        }
        Err(why) => {
            let message = format!("failed to read certificate profiles: {why}");
            Some(Mistake::at(named.span, message))
        }
    }
}

/// Every profile that a scenario of this world can name.
pub(super) fn known_in(world: &WorldSpec, known: &Known) -> Known {
    let mut all = known.clone();
    let mut own = pki::Profiles::default();
    for (file, text) in &world.profiles {
        // They were read once already.
        let _ = own.add(file, text);
    }
    for (name, profile) in own.iter() {
        let list = match profile.authority {
            true => &mut all.authorities,
            false if name.starts_with("server") => &mut all.server_certificates,
            false if name.starts_with("client") => &mut all.client_certificates,
            false => continue,
        };
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    }
    all
}

fn texts_in(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let shown = |path: &Path, why: &dyn fmt::Display| format!("{}: {why}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| shown(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries.take(16 * MOST) {
        let path = entry.map_err(|error| shown(folder, &error))?.path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() || paths.len() > MOST {
        let why = format!("{} files end in .yaml; 1 to {MOST} are read", paths.len());
        return Err(shown(folder, &why));
    }
    let mut profiles = pki::Profiles::default();
    let mut texts = Vec::new();
    for path in paths {
        let size = std::fs::metadata(&path).map_err(|error| shown(&path, &error))?;
        if size.len() > LONGEST {
            return Err(shown(&path, &"it is longer than a mebibyte"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| shown(&path, &error))?;
        let name = path.display().to_string();
        let added = profiles.add(&name, &text);
        added.map_err(|error| error.to_string())?;
        texts.push((name, text));
    }
    Ok(texts)
}

/// Puts profiles of files in the place of their names; files are found from the scenario's folder.
pub(super) fn read_files(scenario: &mut Scenario, file: &str) -> Vec<Mistake> {
    let world = &mut scenario.world;
    let broker = world
        .cloud
        .iter_mut()
        .map(|cloud| &mut cloud.broker.certificate);
    let devices = world.devices.iter_mut();
    let devices = devices.flat_map(|(_, device)| {
        let shown = device.server.iter_mut();
        let shown = shown.flat_map(|server| &mut server.certificates);
        let shown = shown.map(|shown| &mut shown.certificate);
        shown.chain([&mut device.cloud.certificate])
    });
    let steps = scenario.steps.iter_mut();
    let clients = steps.filter_map(|step| match &mut step.value {
        Step::Browse(step) => Some(&mut step.tls.certificate),
        Step::WebSocket(step) => Some(&mut step.tls.certificate),
        _ => None,
    });
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let read = &mut world.profile_files;
    broker
        .chain(devices)
        .chain(clients)
        .flatten()
        .filter_map(|certificate| read_file(certificate, folder, read).err())
        .collect()
}

fn read_file(
    certificate: &mut Placed<Certificate>,
    folder: &Path,
    read: &mut Vec<PathBuf>,
) -> Result<(), Mistake> {
    let span = certificate.span;
    let Certificate::Named(name) = &certificate.value else {
        return Ok(());
    };
    let Some(at) = name.find(IN_FILE) else {
        return Ok(());
    };
    let (path, name) = (&name[..at + IN_FILE.len() - 1], &name[at + IN_FILE.len()..]);
    let path = folder.join(path);
    let profile = profile_in(&path, name, span)?;
    read.push(path);
    certificate.value = Certificate::Described(Box::new(profile));
    Ok(())
}

fn profile_in(path: &Path, name: &str, span: Span) -> Result<pki::Profile, Mistake> {
    let shown = path.display().to_string();
    let failed = |why: String| Mistake::at(span, format!("failed to read {shown}: {why}"));
    let size = std::fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if size > LONGEST {
        return Err(failed("it is longer than a mebibyte".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut profiles = pki::Profiles::default();
    profiles
        .add(&shown, &text)
        .map_err(|error| Mistake::at(span, error.to_string()))?;
    match profiles.named(name) {
        Ok(profile) => Ok(profile.clone()),
        Err(_) => {
            let known: Vec<_> = profiles.names().collect();
            Err(Mistake::unknown(
                Some(span),
                "certificate profile",
                name,
                known,
            ))
        }
    }
}

/// What is wrong with a certificate at `span`: `named` are the profiles that are known for its use,
/// `authorities` those that can sign.
pub(super) fn mistake(
    certificate: &Placed<Certificate>,
    named: &[String],
    authorities: &[String],
) -> Option<Mistake> {
    let span = certificate.span;
    let profile = match &certificate.value {
        Certificate::Named(name) if named.contains(name) => return None,
        Certificate::Named(name) => {
            let known = named.iter().map(String::as_str);
            return Some(Mistake::unknown(
                Some(span),
                "certificate profile",
                name,
                known,
            ));
        }
        Certificate::Described(profile) => profile,
    };
    if profile.authority {
        return Some(Mistake::at(
            span,
            "neither a broker nor a device shows an authority's certificate",
        ));
    }
    match &profile.issuer {
        Some(pki::Issuer::Authority(name)) if !authorities.contains(name) => {
            let known = ["self"]
                .into_iter()
                .chain(authorities.iter().map(String::as_str));
            Some(Mistake::unknown(Some(span), "issuer", name, known))
        }
        _ => None,
    }
}
