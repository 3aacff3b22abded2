//! The scenarios of the repository, inside the program, and how they get out.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Path below `scenarios/`, and text, of each file: scenarios, their transcripts, and what belongs to them.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Existing files that are named in an error.
const SHOWN: usize = 5;

/// What [`export`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files that were written.
    pub written: usize,
    /// Files that were there with the same text.
    pub same: usize,
}

/// Files could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Files of these names are there and say something else.
    #[error("{} would be overwritten, so nothing was written: {}", several(.0.len()), shown(.0))]
    Exists(Vec<PathBuf>),
    /// A file could not be read or written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

/// Writes `files` (path below `folder`, text) into `folder`. A file that is there stays as it is: with another
/// text it is an error, before anything is written.
pub fn export<'f>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'f str, &'f str)>,
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    let mut missing = Vec::new();
    let mut others = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push((path, text)),
            _ if fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes()) => exported.same += 1,
            _ => others.push(path),
        }
    }
    if !others.is_empty() {
        return Err(ExportError::Exists(others));
    }
    for (path, text) in missing {
        write_new(&path, text).map_err(|source| ExportError::Write { path, source })?;
        exported.written += 1;
    }
    Ok(exported)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

fn several(count: usize) -> String {
    match count {
        1 => "an existing file".to_owned(),
        count => format!("{count} existing files"),
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let names = paths.iter().take(SHOWN);
    let names: Vec<String> = names.map(|path| path.display().to_string()).collect();
    let more = match paths.len().saturating_sub(SHOWN) {
        0 => "",
        _ => " and others",
    };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_carries_scenarios_and_their_transcripts() {
        let has = |end: &str| FILES.iter().filter(|(path, _)| path.ends_with(end)).count();
        assert!(has(".yaml") > 200 && has(".snap") > 0);
        assert!(FILES.iter().any(|(path, _)| *path == "differences.yaml"));
        let mut sorted = FILES.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, FILES);
    }

    #[test]
    fn a_file_that_says_something_else_is_named_and_nothing_is_written() {
        let folder = tempfile::tempdir().expect("there is room");
        let files = [("a/one.yaml", "1"), ("two.yaml", "2")];
        let first = export(folder.path(), files).expect("it is empty");
        assert_eq!((first.written, first.same), (2, 0));
        let again = export(folder.path(), files).expect("the same stands there");
        assert_eq!((again.written, again.same), (0, 2));
        let own = folder.path().join("two.yaml");
        fs::write(&own, "mine").expect("there is room");
        fs::remove_file(folder.path().join("a/one.yaml")).expect("it is there");
        let error = export(folder.path(), files).expect_err("it would be lost");
        assert!(error.to_string().contains("two.yaml"), "{error}");
        assert_eq!(fs::read_to_string(own).expect("it is there"), "mine");
        assert!(!folder.path().join("a/one.yaml").exists());
    }

    #[test]
    fn a_link_to_nowhere_is_a_file_that_is_there() {
        let folder = tempfile::tempdir().expect("there is room");
        let outside = folder.path().join("outside");
        std::os::unix::fs::symlink(&outside, folder.path().join("a")).expect("there is room");
        export(folder.path(), [("a", "1")]).expect_err("it would be written through");
        assert!(!outside.exists());
    }
}
