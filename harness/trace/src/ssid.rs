//! Names of Wi-Fi networks: bytes, in a spelling that shows them all.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a Wi-Fi network: up to 32 bytes (IEEE 802.11-2020 §9.4.2.2) in no particular encoding.
///
/// It is shown as text if all of it is UTF-8, else as ASCII. What is neither, control characters, what
/// changes the direction of writing, and spaces at either end are shown as `\xNN` for each byte, a
/// backslash as `\\`. That spelling reads back as the same bytes, everywhere an SSID is written.
///
/// ```
/// use trace::Ssid;
///
/// let gbk = Ssid::from(b"\xb2\xe2\xca\xd4".as_slice());
/// assert_eq!(gbk.to_string(), r"\xb2\xe2\xca\xd4");
/// assert_eq!(r"\xb2\xe2\xca\xd4".parse(), Ok(gbk));
/// assert_eq!(Ssid::from("Café".as_bytes()).to_string(), "Café");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssid(Vec<u8>);

/// A text that spells no SSID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{rest}` is no escape of an SSID: write `\\xNN` for a byte, and `\\\\` for a backslash")]
pub struct SsidError {
    rest: String,
}

impl Ssid {
    /// The bytes on the air.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes on the air.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Whether it has no byte, as that of a network that hides its name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Ssid {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Ssid {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl FromStr for Ssid {
    type Err = SsidError;

    fn from_str(text: &str) -> Result<Self, SsidError> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            let (byte, length) = escape(rest.as_bytes()).ok_or_else(|| SsidError {
                rest: rest.chars().take(4).collect(),
            })?;
            bytes.push(byte);
            rest = &rest[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

/// The byte that an escape at the beginning of `text` stands for, and how long the escape is.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'\\', ..] => Some((b'\\', 2)),
        [b'\\', b'x', digits @ ..] => {
            let mut byte = [0];
            hex::decode_to_slice(digits.first_chunk::<2>()?, &mut byte).ok()?;
            Some((byte[0], 4))
        }
        _ => None,
    }
}

impl fmt::Display for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        let Ok(text) = str::from_utf8(&self.0) else {
            // In another encoding; letters that happen to be UTF-8 would only mislead.
            return self
                .0
                .iter()
                .enumerate()
                .try_for_each(|(at, byte)| match byte {
                    b'\\' => f.write_str(r"\\"),
                    b' ' if at != 0 && at != last => f.write_str(" "),
                    b'!'..=b'~' => write!(f, "{}", char::from(*byte)),
                    byte => escaped(&[*byte], f),
                });
        };
        text.char_indices()
            .try_for_each(|(at, letter)| match letter {
                '\\' => f.write_str(r"\\"),
                ' ' if at == 0 || at == last => f.write_str(r"\x20"),
                letter if is_shown(letter) => write!(f, "{letter}"),
                letter => escaped(letter.encode_utf8(&mut [0; 4]).as_bytes(), f),
            })
    }
}

/// Whether people see a letter as it is; not those that move the cursor, turn the writing around or
/// show nothing.
fn is_shown(letter: char) -> bool {
    !(letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || (letter.is_whitespace() && letter != ' '))
}

fn escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, r"\x{byte:02x}"))
}

impl fmt::Debug for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ssid({self})")
    }
}

impl Serialize for Ssid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its spelling, or from bytes (`!!binary` in YAML).
impl<'de> Deserialize<'de> for Ssid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SsidVisitor)
    }
}

struct SsidVisitor;

impl Visitor<'_> for SsidVisitor {
    type Value = Ssid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Ssid, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Ssid, E> {
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ssid_is_text_as_far_as_it_is_text() {
        for (bytes, spelled) in [
            (&b"home"[..], "home"),
            (b"", ""),
            ("Café ☕ & \"friends\"".as_bytes(), "Café ☕ & \"friends\""),
            ("测试".as_bytes(), "测试"),
            (b"\xb2\xe2\xca\xd4", r"\xb2\xe2\xca\xd4"),
            (b"a\xff b", r"a\xff b"),
            // Two of these bytes are a letter of Armenian.
            (b"\xb2\xe2\xca\xd4\xb7[", r"\xb2\xe2\xca\xd4\xb7["),
            (b" \xff\\ ", r"\x20\xff\\\x20"),
            (b" a ", r"\x20a\x20"),
            (b" ", r"\x20"),
            (b"\x1b[2J\n\0", r"\x1b[2J\x0a\x00"),
            ("a\u{202e}b".as_bytes(), r"a\xe2\x80\xaeb"),
            (br"C:\home", r"C:\\home"),
            (b"0xb2e2cad4", "0xb2e2cad4"),
        ] {
            assert_eq!(Ssid::from(bytes).to_string(), spelled);
            assert_eq!(spelled.parse(), Ok(Ssid::from(bytes)), "{spelled}");
        }
    }

    #[test]
    fn what_is_no_escape_says_what_to_write() {
        for text in [r"a\b", r"\", r"\x", r"\x4", r"\xgg", r"\u00e9", r"\é"] {
            let error = text.parse::<Ssid>().expect_err(text).to_string();
            assert!(error.contains(r"write `\xNN` for a byte"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_read_back_and_show_on_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let ssid = Ssid::from(bytes);
            let spelled = ssid.to_string();
            prop_assert!(!spelled.contains(char::is_control), "{spelled:?}");
            prop_assert_eq!(spelled.trim(), &spelled);
            prop_assert_eq!(spelled.parse::<Ssid>().expect("its own spelling"), ssid.clone());
            let json = serde_json::to_string(&ssid).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Ssid>(&json).expect("its own JSON"), ssid);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\\\x0-9a-fé]{0,20}") {
            let _ = text.parse::<Ssid>();
        }
    }
}
