//! Secrets on the command line, or where they are.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::str::FromStr;

/// No secret of a device is longer, in bytes.
const LONGEST: u64 = 4096;

/// A secret, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// Said to be there for everybody to see.
    Text(String),
    Variable(String),
    File(PathBuf),
    Ask,
    /// Perhaps the secret itself, which belongs elsewhere. Not kept.
    Bare,
}

/// A secret is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or no text.
    #[error("the variable {name}, which should hold the {what}, is not set to a text")]
    Variable {
        /// What it should hold.
        what: &'static str,
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("failed to read the {what} from {}", path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Secret given in the clear on the command line.
    #[error("the {0} stands on the command line, where other users of this host can read it")]
    Bare(&'static str),
    /// Secret that is missing where standard input is not a terminal.
    #[error("standard input is not a terminal, so the {0} cannot be asked for")]
    NoTerminal(&'static str),
    /// Terminal from which the secret could not be read.
    #[error("failed to ask for the {what}")]
    Ask {
        /// What was asked for.
        what: &'static str,
        /// Error of the terminal.
        source: io::Error,
    },
}

impl FromStr for SecretSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once(':') {
            _ if text == "-" => Self::Ask,
            Some(("env", name)) => Self::Variable(name.to_owned()),
            Some(("file", path)) => Self::File(path.into()),
            Some(("text", secret)) => Self::Text(secret.to_owned()),
            _ => Self::Bare,
        })
    }
}

/// Without the secret.
impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Ask => f.write_str("Ask"),
            Self::Bare => f.write_str("Bare"),
        }
    }
}

impl SecretSource {
    /// The secret itself, which is `what`.
    pub(super) fn read(&self, what: &'static str) -> Result<String, SecretError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::Variable(name) => std::env::var(name).map_err(|_| SecretError::Variable {
                what,
                name: name.clone(),
            }),
            Self::File(path) => {
                let file = std::fs::File::open(path);
                let mut text = String::new();
                file.and_then(|file| file.take(LONGEST).read_to_string(&mut text))
                    .map_err(|source| SecretError::File {
                        what,
                        path: path.clone(),
                        source,
                    })?;
                Ok(text.lines().next().unwrap_or_default().to_owned())
            }
            Self::Ask => ask(what),
            Self::Bare => Err(SecretError::Bare(what)),
        }
    }
}

/// Asks the user at the terminal, without echoing what is typed.
pub(super) fn ask(what: &'static str) -> Result<String, SecretError> {
    if !io::stdin().is_terminal() {
        return Err(SecretError::NoTerminal(what));
    }
    rpassword::prompt_password(format!("{what}: "))
        .map_err(|source| SecretError::Ask { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_where_it_is() {
        let source = |text: &str| text.parse::<SecretSource>().expect("never fails");
        assert_eq!(source("-"), SecretSource::Ask);
        assert_eq!(source("env:POP"), SecretSource::Variable("POP".into()));
        assert_eq!(source("file:/a:b"), SecretSource::File("/a:b".into()));
        assert_eq!(source("text:env:x"), SecretSource::Text("env:x".into()));
        assert_eq!(
            source("text:abcd1234"),
            SecretSource::Text("abcd1234".into())
        );
        assert_eq!(format!("{:?}", source("text:abcd1234")), "Text");
    }

    #[test]
    fn a_secret_that_others_can_read_is_not_taken_by_accident() {
        for text in ["abcd1234", "abcd:1234", ""] {
            let source = text.parse::<SecretSource>().expect("never fails");
            assert_eq!(source, SecretSource::Bare);
            let error = source.read("pop").expect_err("it stands there");
            assert!(matches!(error, SecretError::Bare(_)), "{error}");
        }
    }

    #[test]
    fn a_file_holds_a_secret_on_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pop");
        std::fs::write(&path, "abcd1234\nnot this\n").expect("written");
        assert_eq!(
            SecretSource::File(path).read("pop").expect("it is there"),
            "abcd1234"
        );
        let missing = SecretSource::File(folder.path().join("missing")).read("pop");
        assert!(matches!(missing, Err(SecretError::File { .. })));
        let variable = SecretSource::Variable("PROVING_NO_SUCH_VARIABLE".into()).read("pop");
        assert!(matches!(variable, Err(SecretError::Variable { .. })));
    }
}
