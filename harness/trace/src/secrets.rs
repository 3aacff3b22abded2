//! Replacing secrets by stable names at the one entry to the trace.

mod finder;
mod qr;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use finder::Finder;

/// Shorter secrets would take innocent text with them.
const SHORTEST: usize = finder::START;

/// What must not be stored, and the names that stand in its place.
///
/// A secret is found as it is, in JSON's escapes, in hex of either case and in base64 at any
/// alignment. `<name>` takes its place; the name never changes during a run, so that two
/// occurrences can still be told to be the same.
#[derive(Clone, Default)]
pub struct Secrets {
    inner: Arc<RwLock<Inner>>,
}

struct Inner {
    /// Finds every spelling of every secret, and whatever else calls for a closer look, in a text
    /// and in the JSON of it.
    finder: Finder,
    /// Every spelling of every secret, and the name that replaces it.
    spellings: BTreeMap<String, String>,
    plain: BTreeMap<String, Vec<u8>>,
    counts: BTreeMap<String, usize>,
    /// Whether what looks like a secret becomes one.
    learns: bool,
}

impl Default for Inner {
    fn default() -> Self {
        let mut finder = Finder::default();
        finder.add(TOKEN, None);
        for spelling in [qr::START, &escaped(qr::START)] {
            finder.add(spelling, None);
        }
        Self {
            finder,
            spellings: BTreeMap::new(),
            plain: BTreeMap::new(),
            counts: BTreeMap::new(),
            learns: true,
        }
    }
}

impl Secrets {
    /// Those of a trace that is stored nowhere: only what is added is replaced.
    pub(crate) fn only_added() -> Self {
        let inner = Inner {
            finder: Finder::default(),
            learns: false,
            ..Inner::default()
        };
        Self {
            inner: Arc::new(RwLock::new(inner)),
        }
    }

    /// From now on `secret` is written as `<name>`. A secret of fewer than four bytes is ignored.
    pub fn add(&self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        if secret.len() < SHORTEST {
            return;
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let name = format!("<{name}>");
        for spelling in spellings(secret) {
            inner.finder.add(&spelling, Some(&name));
            // JSON escapes letter by letter, so what is in a text is in its JSON, escaped.
            inner.finder.add(&escaped(&spelling), None);
            inner
                .spellings
                .entry(spelling)
                .or_insert_with(|| name.clone());
        }
        inner.plain.entry(name).or_insert_with(|| secret.to_vec());
    }

    /// Adds the next secret of a numbered kind, such as the second token (`<token 2>`), unless it
    /// is known already. The name that stands for it, without brackets.
    pub fn add_numbered(&self, kind: &str, secret: impl AsRef<[u8]>) -> String {
        let secret = secret.as_ref();
        if let Some(name) = self.name_of(secret) {
            return name;
        }
        let name = {
            let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            let count = inner.counts.entry(kind.to_owned()).or_default();
            *count += 1;
            format!("{kind} {count}")
        };
        self.add(&name, secret);
        name
    }

    /// The name of `secret`, without brackets, if it was added.
    pub fn name_of(&self, secret: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(secret).ok()?;
        let inner = self.read();
        let name = inner.spellings.get(text)?;
        Some(name.trim_matches(['<', '>']).to_owned())
    }

    /// `text` with every `<name>` replaced by its secret again: what a step captured from an event
    /// has to be put to use. Never store or show the result.
    pub fn reveal(&self, text: &str) -> String {
        let inner = self.read();
        let mut revealed = text.to_owned();
        for (name, secret) in &inner.plain {
            if let Ok(secret) = std::str::from_utf8(secret) {
                revealed = revealed.replace(name, secret);
            }
        }
        revealed
    }

    /// Replaces every secret in `value`, in keys too.
    pub fn redact(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact_text(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            Value::Object(map) => {
                for (_, item) in map.iter_mut() {
                    self.redact(item);
                }
                if map
                    .keys()
                    .any(|key| matches!(self.redact_text(key), Cow::Owned(_)))
                {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(key, item)| (self.redact_text(&key).into_owned(), item))
                        .collect();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// `text` with every secret replaced. What a device has just told, and could not be added before, is
    /// recognised by its shape: a bind token, and the secrets of a QR code's payload.
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.may_stand_in(text) {
            return Cow::Borrowed(text);
        }
        if self.read().learns {
            self.learn(text);
        }
        self.read().finder.replace(text)
    }

    /// Adds what looks like a secret in `text`.
    fn learn(&self, text: &str) {
        for token in bind_tokens(text) {
            self.add_numbered("token", token);
        }
        for (kind, secret) in qr::secrets(text) {
            let is_a_name = self.read().plain.contains_key(&secret);
            if secret.len() >= SHORTEST && !is_a_name {
                self.add_numbered(kind, secret);
            }
        }
    }

    /// Whether there may be a secret in `text`, which may be JSON. If not, there is none for sure:
    /// not in the text, and not in the values that it stands for.
    pub(crate) fn may_stand_in(&self, text: &str) -> bool {
        self.read().finder.notices(text)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What bind tokens stand behind.
const TOKEN: &str = "token";
/// Digits of a bind token (Linkkit: 16 random bytes in hex).
const TOKEN_DIGITS: usize = 32;
/// Quotes, colons and escapes that may stand between the word and the token.
const MOST_PUNCTUATION: usize = 12;

/// What looks like a bind token: the word, punctuation, and 32 hex digits.
fn bind_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(TOKEN).filter_map(|(at, word)| {
        let rest = &text[at + word.len()..];
        let begin = rest
            .bytes()
            .take(MOST_PUNCTUATION + 1)
            .position(|byte| byte.is_ascii_alphanumeric())?;
        let rest = &rest[begin..];
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        (begin > 0 && digits == TOKEN_DIGITS).then(|| &rest[..digits])
    })
}

/// Every way in which `secret` may stand in a text.
fn spellings(secret: &[u8]) -> Vec<String> {
    let mut found = vec![hex::encode(secret), hex::encode_upper(secret)];
    if let Ok(text) = std::str::from_utf8(secret) {
        found.push(text.to_owned());
        // Once escaped in a JSON text, and once more where that text stands in another.
        let once = escaped(text);
        found.push(escaped(&once));
        found.push(once);
        found.push(format!("{secret:?}"));
    }
    for shift in 0..3 {
        let mut shifted = vec![0_u8; shift];
        shifted.extend_from_slice(secret);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            // Characters that also depend on the neighbours are not part of the spelling.
            let first = (shift * 8).div_ceil(6);
            let last = shifted.len() * 8 / 6;
            if last - first >= SHORTEST {
                found.push(encoded[first..last].to_owned());
            }
        }
    }
    found
}

fn escaped(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
