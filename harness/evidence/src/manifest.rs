//! The list of an evidence folder's files. One that came from elsewhere may say anything.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::printable::printable;

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of its signature, as `ssh-keygen -Y sign` calls it.
pub const SIGNATURE: &str = "manifest.json.sig";

/// Version of the form of evidence.
const VERSION: u32 = 1;
/// Bytes of a manifest.
pub(crate) const LARGEST_MANIFEST: u64 = 64 << 20;
/// Files that evidence may have.
const MOST_FILES: usize = 200_000;
/// Bytes of one file, and of all: what is larger would be hashed for hours.
const LARGEST_FILE: u64 = 16 << 30;
const MOST_BYTES: u64 = 256 << 30;
/// Bytes of a path.
const LONGEST_PATH: usize = 1024;

/// What an evidence folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the form of evidence.
    version: u32,
    /// Name and version of what wrote it.
    pub tool: String,
    /// Unix time in ms when it was written, by the clock of that host.
    pub written_ms: u64,
    /// Every file but the manifest and its signature, by path.
    pub files: Vec<Entry>,
}

/// A file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Below the folder, with `/` between its parts.
    pub path: String,
    /// In small hex digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// Why evidence is refused before any of it is compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub(crate) String);

impl Manifest {
    pub(crate) fn new(tool: &str, written_ms: u64, mut files: Vec<Entry>) -> Self {
        files.sort();
        Self {
            version: VERSION,
            tool: tool.to_owned(),
            written_ms,
            files,
        }
    }

    /// The manifest that `bytes` are, if each of its files can stand in the folder.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let wrong = |error: serde_json::Error| {
            Refusal(format!(
                "{MANIFEST} is none: {}",
                printable(&error.to_string())
            ))
        };
        let Versioned { version } = serde_json::from_slice(bytes).map_err(wrong)?;
        if version != VERSION {
            return Err(Refusal(format!(
                "{MANIFEST} is of version {version}, this program reads {VERSION}"
            )));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        manifest.judge().map_err(Refusal)?;
        Ok(manifest)
    }

    fn judge(&self) -> Result<(), String> {
        if self.files.len() > MOST_FILES {
            return Err(format!("{MANIFEST} names more than {MOST_FILES} files"));
        }
        let mut known = BTreeSet::new();
        let mut total = 0_u64;
        for Entry {
            path,
            sha256,
            bytes,
        } in &self.files
        {
            judge_path(path)?;
            let is_new = known.insert(path);
            let path = printable(path);
            if !is_new {
                return Err(format!("{MANIFEST} names {path} twice"));
            }
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if sha256.len() != 64 || !sha256.bytes().all(is_digit) {
                return Err(format!("{MANIFEST} has no SHA-256 of {path}"));
            }
            total = total.saturating_add(*bytes);
            if *bytes > LARGEST_FILE || total > MOST_BYTES {
                return Err(format!(
                    "{path} is said to have {bytes} bytes: a file may have {LARGEST_FILE}, all together {MOST_BYTES}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether `path` names a file below a folder, and nothing else on any system.
pub(crate) fn judge_path(path: &str) -> Result<(), String> {
    let shown: String = path.chars().take(80).flat_map(char::escape_debug).collect();
    let is_plain = |part: &str| {
        !part.is_empty()
            && matches!(
                Path::new(part).components().collect::<Vec<_>>()[..],
                [Component::Normal(_)]
            )
    };
    if path.len() > LONGEST_PATH {
        return Err(format!("the path {shown}… is too long"));
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) || !path.split('/').all(is_plain) {
        return Err(format!(
            "{MANIFEST} names `{shown}`, which leads out of the folder"
        ));
    }
    if path == MANIFEST || path == SIGNATURE {
        return Err(format!("{MANIFEST} names itself or its signature"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(files: &str) -> Result<Manifest, Refusal> {
        let text = format!(r#"{{"version":1,"tool":"t","written_ms":0,"files":[{files}]}}"#);
        Manifest::read(text.as_bytes())
    }

    fn file(path: &str, bytes: &str) -> String {
        let path = serde_json::to_string(path).expect("JSON");
        format!(
            r#"{{"path":{path},"sha256":"{}","bytes":{bytes}}}"#,
            "0a".repeat(32)
        )
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "./a",
            "a/.",
            "",
            "a\\b",
            "a\nb",
            "a/",
            "a\0b",
        ] {
            let refusal = with(&file(path, "1")).expect_err(path);
            assert!(refusal.0.contains("leads out of"), "{path}: {refusal}");
        }
        assert!(with(&file("a/..b/c", "1")).is_ok());
    }

    #[test]
    fn what_no_folder_can_hold_is_refused_with_the_reason() {
        let twice = format!("{},{}", file("a", "1"), file("a", "2"));
        let most = (0..17).map(|n| file(&n.to_string(), &LARGEST_FILE.to_string()));
        let most = most.collect::<Vec<_>>().join(",");
        for (files, why) in [
            (twice, "names a twice"),
            (
                file("a", "99999999999999"),
                "is said to have 99999999999999 bytes",
            ),
            (file("a", "18446744073709551615"), "is said to have"),
            (file("a", "-1"), "is none"),
            (most, "all together"),
            (file(MANIFEST, "1"), "names itself"),
            (file(SIGNATURE, "1"), "names itself"),
            (file("a", "1").replace("0a", "0A"), "no SHA-256"),
            (file("a", "1").replace("0a0a", ""), "no SHA-256"),
            (file("a", r#"1,"bytes":2"#), "duplicate field"),
            (file("a", r#"1,"mode":2"#), "unknown field"),
        ] {
            let refusal = with(&files).expect_err(why);
            assert!(refusal.0.contains(why), "{why}: {refusal}");
        }
        let later = Manifest::read(br#"{"version":2,"anything":1}"#).expect_err("it is of another");
        assert!(later.0.contains("version 2"), "{later}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), path in "\\PC{0,20}") {
            let _ = Manifest::read(&bytes);
            // What is let through stays below the folder, whatever it is joined to.
            if judge_path(&path).is_ok() {
                let joined = Path::new("/evidence").join(&path);
                prop_assert!(joined.starts_with("/evidence"));
                prop_assert!(joined.components().all(|part| part != Component::ParentDir));
            }
        }
    }
}
