//! Writing certificates and keys for other people's programs.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::{ExportError, Identity, Pki};

impl Pki {
    /// Writes every authority and one new identity of every other profile to `folder`, which is
    /// made if need be. The paths written, in order. See [`Identity::export`] for the names.
    pub fn export(
        &self,
        folder: &Path,
        names: &[&str],
        client: &str,
    ) -> Result<Vec<PathBuf>, ExportError> {
        let mut written = self.export_authorities(folder)?;
        for (name, profile) in self.profiles().iter().filter(|(_, p)| !p.authority) {
            let host = names.first().copied().unwrap_or("localhost");
            let common_name = if profile.names == crate::Names::None && name.starts_with("client") {
                client
            } else {
                host
            };
            let identity = self.mint(name, names, common_name)?;
            written.extend(identity.export(folder, name)?);
        }
        Ok(written)
    }

    /// Writes the certificate of every authority to `folder` as `NAME.pem` and `NAME.der`.
    pub fn export_authorities(&self, folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
        make(folder)?;
        let mut written = Vec::new();
        for (name, _) in self.profiles().iter().filter(|(_, p)| p.authority) {
            let authority = self.authority(name)?;
            let [pem, der] = ["pem", "der"].map(|ending| format!("{name}.{ending}"));
            written.push(write(folder, &pem, authority.pem().as_bytes(), PUBLIC)?);
            written.push(write(folder, &der, authority.der(), PUBLIC)?);
        }
        Ok(written)
    }
}

impl Identity {
    /// Writes `NAME.pem` (the chain), `NAME.der` (the certificate), `NAME.key.pem` and
    /// `NAME.key.der` to `folder`, which is made if need be. Keys can be read by their owner alone.
    /// A file that exists stays as it is and is an error.
    pub fn export(&self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, ExportError> {
        make(folder)?;
        let write = |ending: &str, bytes: &[u8], mode| {
            write(folder, &format!("{name}.{ending}"), bytes, mode)
        };
        Ok(vec![
            write("pem", self.chain_pem().as_bytes(), PUBLIC)?,
            write("der", self.certificate_der(), PUBLIC)?,
            write("key.pem", self.key_pem().as_bytes(), SECRET)?,
            write("key.der", self.key_der(), SECRET)?,
        ])
    }
}

/// Writes files of these names to `folder`, which is made if need be; what is secret can be read by
/// its owner alone. A file that exists stays as it is and is an error.
pub(crate) fn write_all(
    folder: &Path,
    files: &[(&str, &[u8], bool)],
) -> Result<Vec<PathBuf>, ExportError> {
    make(folder)?;
    let each = files.iter().map(|(name, bytes, secret)| {
        write(folder, name, bytes, if *secret { SECRET } else { PUBLIC })
    });
    each.collect()
}

/// Permissions of certificates.
const PUBLIC: u32 = 0o644;
/// Permissions of private keys.
const SECRET: u32 = 0o600;

fn make(folder: &Path) -> Result<(), ExportError> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| ExportError::Io {
            path: folder.to_owned(),
            source,
        })
}

fn write(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, ExportError> {
    let path = folder.join(name);
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ExportError::Exists { path });
        }
        Err(source) => return Err(ExportError::Io { path, source }),
    };
    if let Err(source) = file.write_all(bytes) {
        // Half a key is worse than none.
        let _ = fs::remove_file(&path);
        return Err(ExportError::Io { path, source });
    }
    Ok(path)
}
