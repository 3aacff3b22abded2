//! Making keys and certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};
use time::OffsetDateTime;

use crate::key::{copy_of, new_key};
use crate::{
    Authority, Chain, Identity, Issuer, KeptAuthority, Key, Names, PkiError, Profile, Profiles,
    Usage,
};

/// The authorities of one run, and what they sign. Cheap to clone.
#[derive(Clone)]
pub struct Pki {
    inner: Arc<Inner>,
}

struct Inner {
    now: i64,
    profiles: Profiles,
    /// Those that were made so far: RSA keys take long, so authorities with one are made when they are
    /// first asked for.
    authorities: Mutex<BTreeMap<String, Arc<Signer>>>,
}

/// Profile of the authority that signs what names no other.
pub(crate) const ROOT: &str = "ca";

/// An authority with its key.
pub(crate) struct Signer {
    pub(crate) issuer: rcgen::Issuer<'static, KeyPair>,
    pub(crate) der: Vec<u8>,
    /// Authorities between itself (included) and the root (not included), nearest first.
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Pki {
    /// Fresh authorities by the profiles of `certs/`. `now` is Unix time in s, by the lab's clock.
    pub fn new(now: u64) -> Result<Self, PkiError> {
        Self::with_profiles(now, Profiles::built_in()?)
    }

    /// The same, with `kept` in the place of the authority that everything good is signed by.
    pub fn with_authority(now: u64, kept: &KeptAuthority) -> Result<Self, PkiError> {
        Self::build(now, Profiles::built_in()?, Some(kept))
    }

    /// Fresh authorities by other profiles. `now` is Unix time in s, by the lab's clock.
    pub fn with_profiles(now: u64, profiles: Profiles) -> Result<Self, PkiError> {
        Self::build(now, profiles, None)
    }

    /// Authorities by `profiles`, with `kept`, if there is one, in the place of the one that everything good
    /// is signed by. `now` is Unix time in s, by the lab's clock.
    pub fn build(
        now: u64,
        profiles: Profiles,
        kept: Option<&KeptAuthority>,
    ) -> Result<Self, PkiError> {
        let inner = Inner {
            now: i64::try_from(now).unwrap_or(i64::MAX),
            profiles,
            authorities: Mutex::default(),
        };
        let authorities = || inner.profiles.iter().filter(|(_, it)| it.authority);
        if let Some(kept) = kept {
            let signer = Arc::new(kept.signer()?);
            inner.made().insert(ROOT.to_owned(), signer);
        }
        for (name, _) in authorities() {
            inner.check(name)?;
        }
        for (name, profile) in authorities() {
            if !profile.key_type.is_rsa() {
                inner.signer(name)?;
            }
        }
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// A new key and a certificate of `profile` for it. `names` (host names and addresses) and
    /// `common_name` are used unless the profile has its own. An authority can't be minted.
    pub fn mint(
        &self,
        profile: &str,
        names: &[&str],
        common_name: &str,
    ) -> Result<Identity, PkiError> {
        self.mint_as(
            profile,
            self.inner.profiles.named(profile)?,
            names,
            common_name,
        )
    }

    /// The same of a profile of one's own, called `profile` in messages.
    pub fn mint_as(
        &self,
        profile: &str,
        settings: &Profile,
        names: &[&str],
        common_name: &str,
    ) -> Result<Identity, PkiError> {
        let inner = &*self.inner;
        let key = new_key(profile, settings.key_type)?;
        let common_name = settings.common_name.as_deref().unwrap_or(common_name);
        let params = inner.params(profile, settings, names, common_name)?;
        let (certificate, above) = match settings.issuer() {
            Issuer::Itself => (params.self_signed(&key), Vec::new()),
            Issuer::Authority(name) => {
                let signer = inner.signer(&name)?;
                let certificate = params.signed_by(&key, &signer.issuer);
                (certificate, signer.chain.clone())
            }
        };
        let certificate = certificate.map_err(|source| PkiError::Mint {
            name: profile.to_owned(),
            source,
        })?;
        let mut chain = vec![certificate.der().to_vec()];
        match settings.chain {
            Chain::Full => chain.extend(above),
            Chain::LeafOnly => {}
            Chain::Unlinked => {
                let other = new_key(profile, settings.key_type)?;
                let params = inner.params(profile, settings, names, common_name)?;
                let other = params.self_signed(&other);
                let other = other.map_err(|source| PkiError::Mint {
                    name: profile.to_owned(),
                    source,
                })?;
                chain.push(other.der().to_vec());
            }
        }
        let key = match settings.key {
            Key::Own => key,
            Key::Other => new_key(profile, settings.key_type)?,
        };
        Ok(Identity {
            profile: profile.to_owned(),
            common_name: common_name.to_owned(),
            chain,
            key: key.serialize_der(),
        })
    }

    /// The certificate of the authority of profile `name`.
    pub fn authority(&self, name: &str) -> Result<Authority, PkiError> {
        let signer = self.inner.signer(name)?;
        Ok(Authority {
            der: signer.der.clone(),
        })
    }

    /// The authority that everything good is signed by, to be kept beyond the run.
    pub fn keep(&self) -> Result<KeptAuthority, PkiError> {
        let signer = self.inner.signer(ROOT)?;
        Ok(KeptAuthority::of(&signer))
    }

    /// What can be minted.
    pub fn profiles(&self) -> &Profiles {
        &self.inner.profiles
    }
}

impl Inner {
    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Signer>>> {
        self.authorities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the way from the authority `name` to one that signs itself ends.
    fn check(&self, name: &str) -> Result<(), PkiError> {
        let mut at = name.to_owned();
        for _ in 0..=self.profiles.iter().count() {
            let profile = self.profiles.named(&at)?;
            if !profile.authority {
                return Err(PkiError::NoAuthority { name: at });
            }
            if let Some(other) = &profile.cross_of {
                let other = self.profiles.named(other)?;
                if !other.authority || other.cross_of.is_some() {
                    return Err(PkiError::NoAuthority { name: at });
                }
            }
            match profile.issuer() {
                Issuer::Itself => return Ok(()),
                Issuer::Authority(above) => at = above,
            }
        }
        Err(PkiError::Circle {
            name: name.to_owned(),
        })
    }

    /// The authority `name`, which is made, with those above it, unless it exists.
    fn signer(&self, name: &str) -> Result<Arc<Signer>, PkiError> {
        let profile = self.profiles.named(name)?;
        if let Some(signer) = self.made().get(name) {
            return Ok(signer.clone());
        }
        if !profile.authority {
            return Err(PkiError::NoAuthority {
                name: name.to_owned(),
            });
        }
        let mut common_name = profile.common_name.as_deref().unwrap_or(name);
        let key = match &profile.cross_of {
            None => new_key(name, profile.key_type)?,
            Some(other) => {
                let named = self.profiles.named(other)?;
                common_name = named.common_name.as_deref().unwrap_or(other);
                copy_of(name, self.signer(other)?.issuer.key())?
            }
        };
        let params = self.params(name, profile, &[], common_name)?;
        let wrap = |source| PkiError::Mint {
            name: name.to_owned(),
            source,
        };
        let (der, chain) = match profile.issuer() {
            Issuer::Itself => {
                let der = params.self_signed(&key).map_err(wrap)?.der().to_vec();
                (der, Vec::new())
            }
            Issuer::Authority(above) => {
                let above = self.signer(&above)?;
                let certificate = params.signed_by(&key, &above.issuer).map_err(wrap)?;
                let der = certificate.der().to_vec();
                let mut chain = vec![der.clone()];
                chain.extend_from_slice(&above.chain);
                (der, chain)
            }
        };
        let signer = Arc::new(Signer {
            issuer: rcgen::Issuer::new(params, key),
            der,
            chain,
        });
        // Another thread may have been faster; there is one authority of a name.
        let mut made = self.made();
        Ok(made.entry(name.to_owned()).or_insert(signer).clone())
    }

    fn params(
        &self,
        name: &str,
        profile: &Profile,
        given: &[&str],
        common_name: &str,
    ) -> Result<CertificateParams, PkiError> {
        let names = match &profile.names {
            _ if profile.authority => Vec::new(),
            Names::Given => given.iter().map(|name| (*name).to_owned()).collect(),
            Names::None => Vec::new(),
            Names::Fixed(names) => names.clone(),
        };
        let mut params = CertificateParams::new(names).map_err(|source| PkiError::Mint {
            name: name.to_owned(),
            source,
        })?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = self.moment(name, profile.not_before.as_secs())?;
        params.not_after = self.moment(name, profile.not_after.as_secs())?;
        // RFC 5280 §4.2.1.1: in all certificates but those that sign themselves.
        params.use_authority_key_identifier_extension = profile.issuer() != Issuer::Itself;
        if profile.authority {
            params.is_ca = IsCa::Ca(match profile.path_length {
                None => BasicConstraints::Unconstrained,
                Some(most) => BasicConstraints::Constrained(most),
            });
            let permitted = profile.permits.iter().cloned().map(GeneralSubtree::DnsName);
            let permitted: Vec<_> = permitted.collect();
            params.name_constraints = (!permitted.is_empty()).then_some(NameConstraints {
                permitted_subtrees: permitted,
                excluded_subtrees: Vec::new(),
            });
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        } else {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            if profile.key_type.is_rsa() {
                // TLS 1.2 without forward secrecy, as old devices speak it (RFC 5246 §7.4.2).
                params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
            }
        }
        params.extended_key_usages = match profile.usage {
            Usage::Any => Vec::new(),
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        Ok(params)
    }

    fn moment(&self, name: &str, offset: i64) -> Result<OffsetDateTime, PkiError> {
        // Verifiers refuse to read dates before 1970, which a lab set to 1970 would ask for.
        let moment = self.now.saturating_add(offset).max(0);
        OffsetDateTime::from_unix_timestamp(moment).map_err(|_| PkiError::Dates {
            name: name.to_owned(),
        })
    }
}

impl Profile {
    fn issuer(&self) -> Issuer {
        match &self.issuer {
            Some(issuer) => issuer.clone(),
            None if self.authority => Issuer::Itself,
            None => Issuer::Authority(ROOT.to_owned()),
        }
    }
}

/// RFC 7468: base64 in lines of 64 characters between the two markers.
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
