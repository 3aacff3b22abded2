//! `[authority]`: who signs the certificates of broker and boards.

use std::ops::Range;
use std::path::PathBuf;

use super::section::Section;

/// The authority of a rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigAuthority {
    /// Where it is.
    pub place: AuthorityPlace,
    /// Where the rig file says so, in bytes.
    pub span: Range<usize>,
}

/// Where an authority is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityPlace {
    /// In this folder, as [`AuthorityPlace::CERTIFICATE`] and [`AuthorityPlace::KEY`]; made there by the
    /// first run.
    Kept(PathBuf),
    /// In the team's own files, in PEM.
    Own {
        /// Its certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// In a file of the team's own, in PEM, without its key: it has signed the certificate of a broker
    /// that runs without us, and signs nothing here.
    Trusted(PathBuf),
}

impl AuthorityPlace {
    /// Name of the certificate in a folder that is kept.
    pub const CERTIFICATE: &str = "ca.pem";
    /// Name of the key in a folder that is kept.
    pub const KEY: &str = "ca.key";

    /// The file of its certificate.
    pub fn certificate(&self) -> PathBuf {
        match self {
            Self::Kept(folder) => folder.join(Self::CERTIFICATE),
            Self::Own { certificate, .. } | Self::Trusted(certificate) => certificate.clone(),
        }
    }

    /// The file of its key, if it has one.
    pub fn key(&self) -> Option<PathBuf> {
        match self {
            Self::Kept(folder) => Some(folder.join(Self::KEY)),
            Self::Own { key, .. } => Some(key.clone()),
            Self::Trusted(_) => None,
        }
    }
}

/// `[authority]`, whose key may be left out if the broker `is_external`.
pub(super) fn authority(section: Section<'_>, is_external: bool) -> Option<RigAuthority> {
    let kept = section.path("keep", "`keep = \"authority\"`, a folder");
    let certificate = section.path("certificate", "`certificate = \"ca.pem\"`");
    let key = section.path("key", "`key = \"ca.key\"`");
    let span = section.span.clone();
    let place = match (kept, certificate, key) {
        (Some(folder), None, None) => Some(AuthorityPlace::Kept(folder)),
        (None, Some(certificate), Some(key)) => Some(AuthorityPlace::Own { certificate, key }),
        (None, Some(certificate), None) if is_external && !section.has("key") => {
            Some(AuthorityPlace::Trusted(certificate))
        }
        (None, Some(_), None) if !section.has("key") => {
            section.missing("key", "`key = \"ca.key\"`, which belongs to `certificate`");
            None
        }
        (None, None, Some(_)) if !section.has("certificate") => {
            let example = "`certificate = \"ca.pem\"`, which belongs to `key`";
            section.missing("certificate", example);
            None
        }
        (Some(_), ..) => {
            let message = "`authority.keep` makes an authority, and files of another are there";
            let help = "leave `keep` out, or `certificate` and `key`";
            section.note(span.clone(), message, help);
            None
        }
        (None, ..) => {
            if !["keep", "certificate", "key"]
                .iter()
                .any(|key| section.has(key))
            {
                section.missing("keep", "`keep = \"authority\"`, or `certificate` and `key`");
            }
            None
        }
    };
    section.end();
    Some(RigAuthority {
        place: place?,
        span,
    })
}
