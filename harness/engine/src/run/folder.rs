//! The folders of a run.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::OffsetDateTime;

/// Longest name of a case's folder, in bytes; file systems take 255.
const LONGEST_NAME: usize = 120;

/// Makes a folder of its own for a run in `out`, and returns its name and path.
pub(super) fn create(out: &Path) -> Result<(String, PathBuf), FolderError> {
    make(out)?;
    let now = OffsetDateTime::from(SystemTime::now());
    let stamp = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{}",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        std::process::id(),
    );
    // Only runs of the same process in the same second meet here.
    for count in 1_u32.. {
        let name = match count {
            1 => stamp.clone(),
            _ => format!("{stamp}-{count}"),
        };
        let path = out.join(&name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok((name, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FolderError { path, source }),
        }
    }
    unreachable!("there are not 2^32 folders of one second")
}

/// Makes the folder at `path` and those above it.
pub(super) fn make(path: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(path).map_err(|source| FolderError {
        path: path.to_owned(),
        source,
    })
}

/// Names for the folders of cases with these identifiers, in the same order: readable, safe on
/// any file system, each different from the others even where case does not count.
pub(super) fn names<'i>(ids: impl Iterator<Item = &'i str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    ids.map(|id| {
        let base = name(id);
        let mut found = base.clone();
        let mut count = 1;
        while !taken.insert(found.to_ascii_lowercase()) {
            count += 1;
            found = format!("{base}-{count}");
        }
        found
    })
    .collect()
}

fn name(id: &str) -> String {
    let safe = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '.' | '-' | '=' => c,
        _ => '_',
    };
    let name: String = id.chars().map(safe).take(LONGEST_NAME).collect();
    let name = name.trim_matches(['.', '_']);
    if name.is_empty() {
        "case".to_owned()
    } else {
        name.to_owned()
    }
}

/// A folder could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to create the folder {}; name another with --out", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_can_be_read_and_stays_inside() {
        let names = names(
            [
                "softap/happy[security=v1]",
                "../../etc",
                "",
                "SOFTAP_happy_security=v1",
            ]
            .into_iter(),
        );
        assert_eq!(
            names,
            [
                "softap_happy_security=v1",
                "etc",
                "case",
                "SOFTAP_happy_security=v1-2"
            ],
        );
    }

    proptest! {
        #[test]
        fn names_are_single_components_and_differ(ids in proptest::collection::vec(".{0,200}", 0..8)) {
            let found = names(ids.iter().map(String::as_str));
            let distinct: BTreeSet<_> = found.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), ids.len());
            for name in found {
                prop_assert_eq!(Path::new(&name).file_name(), Some(name.as_ref()));
                prop_assert!(name.len() < 140);
            }
        }
    }
}
