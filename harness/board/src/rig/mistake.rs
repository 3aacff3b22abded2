//! What is wrong with a rig file, and where.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A rig file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// It cannot be read.
    #[error(
        "failed to read the rig file {}; `proving boards init` writes one",
        path.display()
    )]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be written.
    #[error("failed to write the rig file {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is there already.
    #[error("{} is there already and stays as it is", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// It says what cannot be.
    #[error(transparent)]
    Mistakes(#[from] RigMistakes),
}

/// Everything that is wrong with one rig file, at least one mistake, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigMistakes {
    path: PathBuf,
    text: String,
    list: Vec<RigMistake>,
}

impl RigMistakes {
    pub(super) fn new(path: &Path, text: &str, mut list: Vec<RigMistake>) -> Self {
        list.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        list.dedup();
        let mut shown = without_passphrases(text);
        for mistake in list.iter().filter(|mistake| mistake.secret) {
            shown = hide(&shown, &mistake.span);
        }
        Self {
            path: path.to_owned(),
            text: shown,
            list,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in the file, with asterisks where it gives passphrases away.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Each mistake.
    pub fn iter(&self) -> impl Iterator<Item = &RigMistake> {
        self.list.iter()
    }

    /// The line in which `mistake` stands, from 1.
    pub fn line(&self, mistake: &RigMistake) -> usize {
        let before = &self.text.as_bytes()[..mistake.span.start.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

impl fmt::Display for RigMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.list.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let (path, line) = (self.path.display(), self.line(mistake));
            write!(f, "{path}:{line}: {}; {}", mistake.message, mistake.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for RigMistakes {}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigMistake {
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// What is wrong, with the whole key.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Whether what stands there must not be shown.
    secret: bool,
}

impl RigMistake {
    pub(super) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            span,
            message: message.into(),
            help: help.into(),
            secret: false,
        }
    }

    /// The same, about something that must not be shown.
    pub(super) fn about_a_secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    /// `found` at `span` is none of `known`, which are things of kind `what`.
    pub(super) fn unknown(
        span: Range<usize>,
        message: impl Into<String>,
        found: &str,
        known: &[&str],
    ) -> Self {
        let near = known
            .iter()
            .map(|word| (strsim::damerau_levenshtein(found, word), word))
            .filter(|(distance, word)| *distance <= word.len().max(3) / 3)
            .min();
        let help = match near {
            Some((_, word)) => format!("did you mean `{word}`?"),
            None => format!("there are: {}", quoted(known)),
        };
        Self::new(span, message, help)
    }
}

/// `words` as they stand in a sentence.
pub(super) fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// `text` with asterisks, as many as there were bytes, in each line that has a passphrase in it
/// instead of a reference to one: these lines end up in the logs of CI.
fn without_passphrases(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let value = line
            .find("passphrase")
            .and_then(|at| Some(at + line[at..].find('=')? + 1));
        match value.map(|at| line.split_at(at)) {
            Some((key, value)) if !is_reference(value) => {
                shown.push_str(key);
                for byte in value.bytes() {
                    let kept = matches!(byte, b' ' | b'\r' | b'\n' | b'"' | b'\'');
                    shown.push(if kept { char::from(byte) } else { '*' });
                }
            }
            _ => shown.push_str(line),
        }
    }
    shown
}

/// `text` with asterisks, as many as there were bytes, in the lines of `span`.
fn hide(text: &str, span: &Range<usize>) -> String {
    let (Some(before), Some(hidden), Some(after)) = (
        text.get(..span.start),
        text.get(span.clone()),
        text.get(span.end..),
    ) else {
        return String::new();
    };
    let stars = hidden.bytes().map(|byte| match byte {
        b'\n' | b'\r' => char::from(byte),
        _ => '*',
    });
    format!("{before}{}{after}", stars.collect::<String>())
}

/// Whether what follows `passphrase =` is one plain reference, and nothing else that is worth
/// hiding.
fn is_reference(value: &str) -> bool {
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    value.starts_with("env:") || value.starts_with("file:")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_passphrase_in_the_file_is_not_shown() {
        let text = "a = 1\npassphrase = \"horse é\" # hm\nx = { passphrase='b' }\n";
        let shown = without_passphrases(text);
        assert!(
            !shown.contains("horse") && !shown.contains("'b'"),
            "{shown}"
        );
        assert_eq!(shown.len(), text.len());
        let reference = "passphrase = \"env:HOME_PASSPHRASE\"\n";
        assert_eq!(without_passphrases(reference), reference);
    }

    proptest! {
        #[test]
        fn hiding_moves_nothing(text in "(passphrase|[ =\"'\n\\PC]){0,30}") {
            prop_assert_eq!(without_passphrases(&text).len(), text.len());
        }
    }
}
