//! References to what must not stand in a rig file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::section::Section;

/// No secret is longer, in bytes.
const LONGEST: u64 = 1024;

/// Where a secret stands: `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// In a variable of the environment.
    Environment(String),
    /// In a file, alone; line ends behind it do not count.
    File(PathBuf),
}

/// A secret is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error(
        "the environment variable {0}, to which rig.toml refers, is not set; set it and try again"
    )]
    NotSet(String),
    /// It is set to nothing that could be one.
    #[error("{0}, to which rig.toml refers for a secret, is empty or not UTF-8")]
    Unusable(SecretReference),
    /// The file cannot be read.
    #[error("failed to read the file {}, to which rig.toml refers for a secret", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The secret that the value of `key` refers to.
pub(super) fn secret(section: &Section<'_>, key: &'static str) -> Option<SecretReference> {
    let example = format!("`{key} = \"env:{}\"`", key.to_ascii_uppercase());
    let found = section.multiline(key, &example)?;
    let reference = SecretReference::parse(&found.value, section.folder());
    if reference.is_none() {
        let message = format!(
            "`{}` must say where it is, not what it is",
            section.name(key)
        );
        let help = format!("put it into the environment and write {example}");
        section.note_secret(found.span, message, help);
    }
    reference
}

impl SecretReference {
    /// The reference that `text` is; relative paths start from `folder`. None if it is something
    /// else, such as the secret itself.
    pub fn parse(text: &str, folder: &Path) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let named = !name.is_empty() && name.chars().all(is_name);
            return named.then(|| Self::Environment(name.to_owned()));
        }
        let path = text.strip_prefix("file:")?;
        (!path.is_empty() && !path.contains('\0')).then(|| Self::File(folder.join(path)))
    }

    /// The secret itself.
    pub fn resolve(&self) -> Result<String, SecretError> {
        let unusable = || SecretError::Unusable(self.clone());
        let secret = match self {
            Self::Environment(name) => std::env::var_os(name)
                .ok_or_else(|| SecretError::NotSet(name.clone()))?
                .into_string()
                .map_err(|_| unusable())?,
            Self::File(path) => {
                let wrap = |source| SecretError::File {
                    path: path.clone(),
                    source,
                };
                let mut bytes = Vec::new();
                let file = File::open(path).map_err(wrap)?;
                file.take(LONGEST).read_to_end(&mut bytes).map_err(wrap)?;
                let text = String::from_utf8(bytes).map_err(|_| unusable())?;
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
        };
        if secret.is_empty() {
            return Err(unusable());
        }
        Ok(secret)
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_references() {
        let folder = Path::new("/rig");
        assert_eq!(
            SecretReference::parse("env:HOME_PASSPHRASE", folder),
            Some(SecretReference::Environment("HOME_PASSPHRASE".into()))
        );
        assert_eq!(
            SecretReference::parse("file:home.passphrase", folder),
            Some(SecretReference::File("/rig/home.passphrase".into()))
        );
        for text in ["correct horse", "env:", "env:A B", "file:", "ENV:HOME", ""] {
            assert_eq!(SecretReference::parse(text, folder), None, "{text}");
        }
    }

    #[test]
    fn a_secret_in_a_file_ends_before_the_line_does() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), "correct horse \r\n").expect("ours");
        let reference = SecretReference::parse("file:secret", folder.path()).expect("well formed");
        assert_eq!(reference.resolve().expect("there"), "correct horse ");
    }

    #[test]
    fn a_secret_that_is_not_there_is_told_by_its_place_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("empty"), "\n").expect("ours");
        for (text, problem) in [
            (
                "env:PROVING_NEVER_SET",
                "PROVING_NEVER_SET, to which rig.toml refers, is not set",
            ),
            ("file:none", "failed to read the file"),
            ("file:empty", "is empty or not UTF-8"),
        ] {
            let reference = SecretReference::parse(text, folder.path()).expect("well formed");
            let error = reference.resolve().expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
