//! The scenarios of the repository, inside the program, and how they get out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
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
    #[error("nothing was written, since this would be overwritten: {}", shown(.0))]
    Exists(Vec<PathBuf>),
    /// A folder that files would be written into is a link.
    #[error("nothing was written, since {} is a link, which may lead out of the folder", .0.display())]
    Link(PathBuf),
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
        if let Some(link) = link_above(folder, name) {
            return Err(ExportError::Link(link));
        }
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

/// The first link among the folders of the file `name`, below `folder`.
fn link_above(folder: &Path, name: &str) -> Option<PathBuf> {
    let above = Path::new(name).ancestors().skip(1);
    let mut above: Vec<PathBuf> = above
        .filter(|path| !path.as_os_str().is_empty())
        .map(|path| folder.join(path))
        .collect();
    above.reverse();
    above.into_iter().find(|path| path.is_symlink())
}

/// Writes a file that has its name only once it is whole, and takes nobody's.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let random = RandomState::new().hash_one(std::process::id());
    name.push(format!(".{random:016x}.part"));
    let part = path.with_file_name(name);
    let mut file = File::create_new(&part)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| name_it(&part, path));
    // By its new name it stays.
    let _ = fs::remove_file(&part);
    written
}

fn name_it(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system that has no links.
        Err(_) if !path.is_symlink() && !path.exists() => fs::rename(part, path),
        other => other,
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let names = paths.iter().take(SHOWN);
    let names: Vec<String> = names.map(|path| path.display().to_string()).collect();
    let more = match paths.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
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

    #[test]
    fn a_folder_that_is_a_link_leads_nowhere() {
        let folder = tempfile::tempdir().expect("there is room");
        let outside = tempfile::tempdir().expect("there is room");
        let link = folder.path().join("a");
        std::os::unix::fs::symlink(outside.path(), &link).expect("there is room");
        let files = [("one", "1"), ("a/b/two", "2")];
        let error = export(folder.path(), files).expect_err("it would be written through");
        assert!(
            matches!(&error, ExportError::Link(path) if *path == link),
            "{error}"
        );
        assert!(!folder.path().join("one").exists());
        assert_eq!(
            fs::read_dir(outside.path()).expect("it is there").count(),
            0
        );
        // The folder itself may be one: the user has named it.
        export(&link, [("b/two", "2")]).expect("there is room");
        let names = fs::read_dir(outside.path().join("b")).expect("it is there");
        let names: Vec<_> = names
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["two"], "no part is left");
    }
}
