//! The folder of an imitated rig.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::super::UpError;

/// Held for as long as the rig stands; with it a folder is known as one of ours.
const LOCK: &str = "imitated-rig.lock";
/// Files and folders that a rig makes.
const RIG_TOML: &str = "rig.toml";
const SCRIPT: &str = "rig";
const CONTROL: &str = "control";
const ENV: &str = "env";
const BOARD: &str = "board";
const UART: &str = "uart";
const CONSOLE: &str = "console.sock";
const UART_SOCKET: &str = "uart.sock";
const HCI: &str = "hci.sock";
const LAN: &str = "lan.sock";
const SOFT_AP: &str = "softap.sock";
const RADIO: &str = "radio.json";
const MADE: [&str; 13] = [
    // First, so that no run begins on a rig that is going.
    RIG_TOML,
    CONTROL,
    SCRIPT,
    ENV,
    super::super::ENDPOINTS,
    BOARD,
    UART,
    CONSOLE,
    UART_SOCKET,
    HCI,
    LAN,
    SOFT_AP,
    RADIO,
];

/// The folder, held by this process.
pub struct Folder {
    path: PathBuf,
    _lock: File,
    /// Whether it was not there before.
    is_new: bool,
}

impl Folder {
    /// Takes `path` for a rig: an empty folder, one that is made now, or one that an earlier rig has
    /// left without clearing it.
    pub fn take(path: &Path) -> Result<Self, UpError> {
        let is_new = !path.exists();
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let failed = |what: &str| {
            let what = format!("{what} {}", path.display());
            move |source| UpError::Io { what, source }
        };
        builder.create(path).map_err(failed("make"))?;
        let path = fs::canonicalize(path).map_err(failed("find"))?;
        let lock = path.join(LOCK);
        let is_ours = lock.exists();
        let taken = MADE
            .iter()
            .find(|name| path.join(name).symlink_metadata().is_ok());
        if let (false, Some(taken)) = (is_ours, taken) {
            return Err(UpError::FolderInUse {
                folder: path.clone(),
                why: format!(
                    "it has a `{taken}` that no imitated rig has made; name another folder"
                ),
            });
        }
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&lock).map_err(failed("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(UpError::FolderInUse {
                    folder: path,
                    why: "another `proving up --as-rig` stands there".to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let folder = Self {
            path,
            _lock: file,
            is_new,
        };
        folder.sweep()?;
        for name in [CONTROL, BOARD] {
            let mut builder = DirBuilder::new();
            let made = builder.mode(0o700).create(folder.path.join(name));
            made.map_err(failed("make the parts of"))?;
        }
        Ok(folder)
    }

    pub fn rig_toml(&self) -> PathBuf {
        self.path.join(RIG_TOML)
    }

    pub fn control(&self) -> PathBuf {
        self.path.join(CONTROL)
    }

    pub fn board(&self) -> PathBuf {
        self.path.join(BOARD)
    }

    pub fn uart(&self) -> PathBuf {
        self.path.join(UART)
    }

    pub fn console(&self) -> PathBuf {
        self.path.join(CONSOLE)
    }

    pub fn uart_socket(&self) -> PathBuf {
        self.path.join(UART_SOCKET)
    }

    pub fn hci(&self) -> PathBuf {
        self.path.join(HCI)
    }

    pub fn lan(&self) -> PathBuf {
        self.path.join(LAN)
    }

    pub fn soft_ap(&self) -> PathBuf {
        self.path.join(SOFT_AP)
    }

    pub fn radio(&self) -> PathBuf {
        self.path.join(RADIO)
    }

    /// Writes the script; others only need to read and start it.
    pub fn write_script(&self, text: &str) -> Result<(), UpError> {
        self.write(SCRIPT, 0o700, text)
    }

    /// Writes the variables that a run wants.
    pub fn write_env(&self, text: &str) -> Result<(), UpError> {
        self.write(ENV, 0o600, text)
    }

    /// Writes where everything is.
    pub fn write_endpoints(&self, text: &str) -> Result<(), UpError> {
        self.write(super::super::ENDPOINTS, 0o600, text)
    }

    /// Writes the rig file, which says that the rig stands.
    pub fn write_rig_toml(&self, text: &str) -> Result<(), UpError> {
        self.write(RIG_TOML, 0o600, text)
    }

    /// Writes a file so that it is there as a whole or not at all.
    fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), UpError> {
        let path = self.path.join(name);
        // In a folder that is swept whole.
        let unfinished = self.control().join(format!("{name}.unfinished"));
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(mode);
        let written = options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|source| UpError::Io {
            what: format!("write {}", path.display()),
            source,
        })
    }

    /// Removes everything that a rig makes.
    fn sweep(&self) -> Result<(), UpError> {
        for name in MADE {
            let path = self.path.join(name);
            let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
            let removed = match is_folder {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            match removed {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(UpError::Io {
                        what: format!("remove {}", path.display()),
                        source,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes everything that the rig has made, and the folder if it was not there before.
    pub fn clear(self) -> Result<(), UpError> {
        self.sweep()?;
        let lock = self.path.join(LOCK);
        fs::remove_file(&lock).map_err(|source| UpError::Io {
            what: format!("remove {}", lock.display()),
            source,
        })?;
        if self.is_new {
            // It stays if others have put something into it.
            let _ = fs::remove_dir(&self.path);
        }
        Ok(())
    }
}
