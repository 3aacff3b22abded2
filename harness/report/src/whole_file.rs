//! Reports as files, of which a reader finds all or nothing.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Makes sure that a report can be written to `path`, and that one of an earlier run is not taken for
/// it.
pub fn prepare(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_special(path) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let part = part_of(path);
    File::create(&part)?;
    fs::remove_file(part)
}

/// Writes `content` to `path`, which has all of it or what it had before, whenever this process is
/// killed.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    if is_special(path) {
        return fs::write(path, content);
    }
    let part = part_of(path);
    fs::write(&part, content)?;
    fs::rename(part, path)
}

/// Whether something other than a file is there, such as `/dev/stdout`: it is written to, and never
/// replaced.
fn is_special(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Where a report stands until it is whole.
fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_report_of_an_earlier_run_is_gone_until_the_next_is_whole() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("reports").join("junit.xml");
        for _ in 0..2 {
            prepare(&path).expect("it can be written");
            assert!(!path.exists());
            write_whole(&path, "all").expect("it is written");
            assert_eq!(fs::read(&path).expect("it is there"), b"all");
        }
        let folder = path.parent().expect("it has one");
        assert_eq!(fs::read_dir(folder).expect("it is there").count(), 1);
    }

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        let folder = tempfile::tempdir().expect("there is room");
        let [link, file] = ["link", "file"].map(|name| folder.path().join(name));
        fs::write(&file, "before").expect("there is room");
        symlink(&file, &link).expect("there is room");
        prepare(&link).expect("it can be written");
        write_whole(&link, "all").expect("it is written");
        assert!(prepare(folder.path()).is_err());
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("it is there"), b"all");
    }
}
