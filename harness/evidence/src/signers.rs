//! Whose signatures are taken.

use std::path::{Path, PathBuf};

use ssh_key::{HashAlg, PublicKey};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use crate::signature::{KeyError, NAMESPACE, text_of};

/// The keys whose signatures are taken.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Whose it is.
    name: String,
    key: PublicKey,
    after: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
}

/// Signers could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SignersError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] KeyError),
    /// A line is none of such a file.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl Signers {
    /// The one public key in the file at `path`.
    pub fn one(path: &Path) -> Result<Self, SignersError> {
        let text = text_of(path)?;
        let key = PublicKey::from_openssh(text.trim()).map_err(|error| SignersError::Line {
            path: path.to_owned(),
            line: 1,
            why: format!(
                "this is no public key of OpenSSH ({error}); name the file that ends in .pub"
            ),
        })?;
        let known = Known {
            name: key.comment().to_owned(),
            key,
            after: None,
            before: None,
        };
        Ok(Self { known: vec![known] })
    }

    /// Those of a file as `ssh-keygen -Y verify -f` takes it (ssh-keygen(1), ALLOWED SIGNERS). Authorities of
    /// certificates, and keys for other namespaces, are passed over; times without a zone are of UTC.
    pub fn allowed(path: &Path) -> Result<Self, SignersError> {
        let text = text_of(path)?;
        let mut known = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let found = known_of(line).map_err(|why| SignersError::Line {
                path: path.to_owned(),
                line: number + 1,
                why,
            })?;
            known.extend(found);
        }
        Ok(Self { known })
    }

    /// The name of the signer that `key` is of at `now`, if it is of any.
    pub(crate) fn name_of(&self, key: &PublicKey, now: OffsetDateTime) -> Option<&str> {
        let is_valid = |known: &&Known| {
            known.key.key_data() == key.key_data()
                && known.after.is_none_or(|after| now >= after)
                && known.before.is_none_or(|before| now <= before)
        };
        self.known
            .iter()
            .find(is_valid)
            .map(|known| known.name.as_str())
    }

    /// The fingerprints, for people.
    pub fn fingerprints(&self) -> Vec<String> {
        let keys = self.known.iter();
        keys.map(|known| known.key.fingerprint(HashAlg::Sha256).to_string())
            .collect()
    }
}

/// `principals [options] type key [comment]`.
fn known_of(line: &str) -> Result<Option<Known>, String> {
    let (name, mut rest) = first_word(line)?;
    let mut found = Known {
        name: name.trim_matches('"').to_owned(),
        // Replaced below.
        key: PublicKey::from(ssh_key::public::Ed25519PublicKey([0; 32])),
        after: None,
        before: None,
    };
    let mut is_taken = true;
    if !is_key_type(rest) {
        let (options, key) = first_word(rest)?;
        rest = key;
        for option in options_of(options) {
            let (name, value) = option.split_once('=').unwrap_or((option.as_str(), ""));
            match name.to_ascii_lowercase().as_str() {
                "namespaces" => is_taken &= is_in(value, NAMESPACE),
                "valid-after" => found.after = Some(moment(value)?),
                "valid-before" => found.before = Some(moment(value)?),
                "cert-authority" => is_taken = false,
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
    }
    // The comment may have quotes, and other spaces than one.
    let key: Vec<&str> = rest.split_whitespace().collect();
    found.key = PublicKey::from_openssh(&key.join(" "))
        .map_err(|error| format!("there is no public key of OpenSSH ({error})"))?;
    Ok(is_taken.then_some(found))
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// The first word of `text`, in which what stands in quotes is part of it, and what follows.
fn first_word(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            ' ' | '\t' if !quoted => return Ok((&text[..at], text[at..].trim_start())),
            _ => quoted ^= c == '"',
        }
    }
    match quoted {
        true => Err("a quote does not end".to_owned()),
        false => Ok((text, "")),
    }
}

/// Whether `text` matches a pattern of this list, and none with `!` before it (ssh_config(5), PATTERNS).
fn is_in(list: &str, text: &str) -> bool {
    let any = |negated: bool| {
        list.split(',').any(|one| match one.strip_prefix('!') {
            Some(pattern) => negated && matches(pattern, text),
            None => !negated && matches(one, text),
        })
    };
    any(false) && !any(true)
}

/// Options stand between commas that are in no quotes; the quotes are left out.
fn options_of(text: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => options.push(String::new()),
            c => {
                if let Some(option) = options.last_mut() {
                    option.push(c);
                }
            }
        }
    }
    options
}

/// `*` and `?` as ssh_config(5) has them in patterns.
fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Whether the pattern so far matches so many characters.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern.chars() {
        if wanted == '*' {
            for length in 0..text.len() {
                reached[length + 1] |= reached[length];
            }
            continue;
        }
        for length in (0..text.len()).rev() {
            reached[length + 1] = reached[length] && (wanted == '?' || wanted == text[length]);
        }
        reached[0] = false;
    }
    reached[text.len()]
}

/// YYYYMMDD or YYYYMMDDHHMM\[SS\], of UTC with or without Z.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let wrong = || format!("`{text}` is no time such as 20261231 or 202612312359Z");
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if ![8, 12, 14].contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse().ok());
    let small = |from| part(from, from + 2).map_or(0, |number: u16| number as u8);
    let year: u16 = part(0, 4).ok_or_else(wrong)?;
    let month = time::Month::try_from(small(4)).map_err(|_| wrong())?;
    let date = Date::from_calendar_date(i32::from(year), month, small(6)).map_err(|_| wrong())?;
    let time = Time::from_hms(small(8), small(10), small(12)).map_err(|_| wrong())?;
    Ok(PrimitiveDateTime::new(date, time).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn known(options: &str) -> Result<Option<Known>, String> {
        known_of(&format!("lab@example {options} {KEY} a comment"))
    }

    #[test]
    fn a_line_names_who_for_what_and_how_long() {
        let now = moment("20260601").expect("a time");
        for (options, is_taken) in [
            ("", true),
            ("namespaces=\"proving-evidence\"", true),
            ("namespaces=\"git,proving-*\"", true),
            ("namespaces=\"git,file\"", false),
            ("namespaces=\"*,!proving-evidence\"", false),
            ("namespaces=\"!proving-*,*\"", false),
            ("namespaces=\"*,!git\"", true),
            ("namespaces=\"!git\"", false),
            ("valid-after=\"20260101\"", true),
            ("valid-after=\"20270101\"", false),
            ("valid-before=\"202605312359Z\"", false),
            (
                "namespaces=\"proving-?vidence\",valid-before=\"20261231000000\"",
                true,
            ),
            ("cert-authority", false),
        ] {
            let known = known(options).expect(options);
            let signers = Signers {
                known: known.into_iter().collect(),
            };
            let key = PublicKey::from_openssh(KEY).expect("a key");
            let name = signers.name_of(&key, now);
            assert_eq!(name, is_taken.then_some("lab@example"), "{options}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_the_reason() {
        for (options, why) in [
            ("namespaces=\"git", "does not end"),
            ("valid-after=\"soon\"", "is no time"),
            ("valid-after=\"20261301\"", "is no time"),
            ("nonsense", "no option `nonsense`"),
        ] {
            let error = known(options).expect_err(options);
            assert!(error.contains(why), "{error}");
        }
        let quote = format!("lab@example namespaces=\"proving-*\" {KEY} the 5\" one");
        assert!(known_of(&quote).is_ok_and(|known| known.is_some()));
        assert!(known_of("lab@example").is_err());
        assert!(known_of("lab@example ssh-ed25519 AAAA").is_err());
    }

    /// What would be cut off might be the line that takes a key back.
    #[test]
    fn a_file_that_is_too_long_is_an_error() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("allowed");
        let line = format!("lab@example {KEY}\n");
        std::fs::write(&path, line.repeat(1000)).expect("there is room");
        let error = Signers::allowed(&path).expect_err("it is too long");
        assert!(error.to_string().contains("64 KiB"), "{error}");
        std::fs::write(&path, line.repeat(10)).expect("there is room");
        assert!(Signers::allowed(&path).is_ok());
    }
}
