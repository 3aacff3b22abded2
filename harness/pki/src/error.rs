//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Something could not be minted.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A profile file is wrong.
    #[error("failed to read the certificate profiles in {file}: {message}")]
    Profiles {
        /// Path of the file.
        file: String,
        /// Where and why.
        message: String,
    },
    /// There is no such profile.
    #[error("there is no certificate profile {name:?}; there are {known}")]
    UnknownProfile {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The profile signs nothing.
    #[error("certificate profile {name:?} is no authority; set `authority: true` to sign with it")]
    NoAuthority {
        /// Name of the profile.
        name: String,
    },
    /// Authorities sign each other in a circle.
    #[error("certificate profile {name:?} is signed, in the end, by itself; break the circle")]
    Circle {
        /// One profile of the circle.
        name: String,
    },
    /// A moment cannot be written into a certificate.
    #[error("the dates of certificate profile {name:?} lie outside the calendar")]
    Dates {
        /// Name of the profile.
        name: String,
    },
    /// The certificate could not be made.
    #[error("failed to mint a certificate of profile {name:?}")]
    Mint {
        /// Name of the profile.
        name: String,
        /// Underlying error.
        source: rcgen::Error,
    },
    /// The images of an ESP8266 could not be made.
    #[error(transparent)]
    Images(#[from] crate::esp8266::Esp8266Error),
    /// The key could not be made.
    #[error("failed to make a key for certificate profile {name:?}: {why}")]
    Key {
        /// Name of the profile.
        name: String,
        /// Reason of the failure.
        why: String,
    },
}

/// Certificates and keys could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something is there already and stays as it is.
    #[error("{} exists already; remove it or export to another folder", path.display())]
    Exists {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("failed to write {}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Underlying error.
        source: io::Error,
    },
    /// What was to be written could not be minted.
    #[error(transparent)]
    Pki(#[from] PkiError),
}
