//! What a process holds of this host's radios, and what others find when it was killed.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clock::Clock;

/// The variable that says which system bus is meant; radios of different buses are different.
const SYSTEM_BUS: &str = "DBUS_SYSTEM_BUS_ADDRESS";
/// How often to look whether a radio is free.
const LOOK: Duration = Duration::from_millis(200);
/// No note is longer, in bytes.
const LONGEST: u64 = 4096;

/// A radio of this host that this process alone uses, with a note for those after it.
///
/// The note is a file that is locked as long as this is there. A process that is killed leaves note
/// and no lock, by which the next one knows what it has to put back.
#[derive(Debug)]
pub(crate) struct Hold {
    file: File,
}

impl Hold {
    /// Holds the radio called `name`, once it is free; none if it is not within `patience`. With it
    /// comes what a process that was killed had noted.
    pub(crate) async fn take(
        name: &str,
        patience: Duration,
        clock: &Clock,
    ) -> io::Result<Option<(Self, Option<String>)>> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path(name)?)?;
        let deadline = clock.now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if clock.now() >= deadline => return Ok(None),
                Err(TryLockError::WouldBlock) => clock.sleep(LOOK).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let mut text = String::new();
        // What is no text is no note of ours.
        let _ = (&mut file).take(LONGEST).read_to_string(&mut text);
        let note = Some(text).filter(|text| !text.is_empty());
        Ok(Some((Self { file }, note)))
    }

    /// Whether there is a note about `name`, by whomever.
    pub(crate) fn is_noted(name: &str) -> bool {
        let length = |path| fs::metadata(path).map(|found| found.len());
        place(name).and_then(length).is_ok_and(|length| length > 0)
    }

    /// Whether a process holds the radio called `name`. Nothing is changed.
    pub(crate) fn is_held(name: &str) -> bool {
        let opened = place(name).and_then(File::open);
        opened.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Notes what has to be put back if this process is killed; nothing, once it has been.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

/// Where notes about the radio `name` are: in a folder of this user's alone.
fn path(name: &str) -> io::Result<PathBuf> {
    let user = user()?;
    let folder = folder(user);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    let others_write = found.permissions().mode() & 0o022 != 0;
    if !found.is_dir() || found.uid() != user || others_write {
        let what = format!(
            "{} belongs to another user or lets others write; remove it, or set XDG_RUNTIME_DIR to \
             a folder of your own",
            folder.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(folder.join(file_name(name)))
}

/// The same, whether the folder is there or not.
fn place(name: &str) -> io::Result<PathBuf> {
    Ok(folder(user()?).join(file_name(name)))
}

fn user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

fn folder(user: u32) -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_absolute() => PathBuf::from(folder).join("proving"),
        _ => std::env::temp_dir().join(format!("proving-{user}")),
    }
}

fn file_name(name: &str) -> String {
    let bus = std::env::var(SYSTEM_BUS).unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric();
    let bus: String = bus.chars().filter(is_plain).take(120).collect();
    let name: String = name.chars().filter(is_plain).take(40).collect();
    format!("radio-{name}-{bus}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_radio_is_held_by_one_and_its_note_is_found_by_the_next() {
        let clock = Clock::start(1.0);
        let name = format!("test{}", std::process::id());
        let take = async |patience| Hold::take(&name, patience, &clock).await.unwrap();
        let (mut hold, note) = take(Duration::ZERO).await.unwrap();
        assert_eq!(note, None);
        hold.note("checkpoint 7").unwrap();
        assert!(take(Duration::from_millis(300)).await.is_none());
        assert!(Hold::is_noted(&name));
        assert!(Hold::is_held(&name));
        drop(hold);
        assert!(!Hold::is_held(&name));
        let (mut hold, note) = take(Duration::ZERO).await.unwrap();
        assert_eq!(note.as_deref(), Some("checkpoint 7"));
        hold.note("").unwrap();
        drop(hold);
        assert_eq!(take(Duration::ZERO).await.unwrap().1, None);
        fs::remove_file(path(&name).unwrap()).unwrap();
    }
}
