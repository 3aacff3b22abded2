//! The authority of a rig, from its files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use board::rig::AuthorityPlace;
use pki::{KeptAuthority, Pki};

/// No certificate or key is longer, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Rights of others than a file's owner.
const OTHERS: u32 = 0o077;

/// The files that a rig file names are no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct AuthorityMistake {
    /// What is wrong, with the file.
    pub message: String,
    /// What mends it.
    pub help: String,
}

impl AuthorityMistake {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// The authority at `place`; one that is kept is made, if it is not there yet.
pub fn open(place: &AuthorityPlace) -> Result<KeptAuthority, AuthorityMistake> {
    let now = now();
    if let AuthorityPlace::Kept(folder) = place
        && !place.certificate().exists()
    {
        make(folder, now)?;
    }
    read(place, now)
}

/// Whether the authority at `place` can be used as its place says; one that is kept is made, if it is not
/// there yet.
pub fn check(place: &AuthorityPlace) -> Result<(), AuthorityMistake> {
    match place {
        AuthorityPlace::Trusted(certificate) => trusted(certificate).map(drop),
        AuthorityPlace::Kept(_) | AuthorityPlace::Own { .. } => open(place).map(drop),
    }
}

/// The certificate of an authority in the file at `path`, in DER.
pub fn trusted(path: &Path) -> Result<Vec<u8>, AuthorityMistake> {
    let text = text(path)?;
    pki::authority_certificate(&text, now()).map_err(|error| {
        AuthorityMistake::new(
            format!("{} {error}", path.display()),
            "name the certificate of an authority that is valid now",
        )
    })
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

fn read(place: &AuthorityPlace, now: u64) -> Result<KeptAuthority, AuthorityMistake> {
    let certificate = place.certificate();
    let Some(key) = place.key() else {
        return Err(AuthorityMistake::new(
            format!("the authority of {} has no key here", certificate.display()),
            "write `key` under `[authority]`",
        ));
    };
    let found = fs::metadata(&key).map_err(|error| unread(&key, &error))?;
    if found.mode() & OTHERS != 0 {
        return Err(AuthorityMistake::new(
            format!(
                "others may read the key of the authority, {}",
                key.display()
            ),
            format!(
                "`chmod 600 {}`, and make a new one if they did",
                key.display()
            ),
        ));
    }
    let texts = (text(&certificate)?, text(&key)?);
    KeptAuthority::from_pem(&texts.0, &texts.1, now).map_err(|error| {
        let at_fault = if error.is_of_the_key() {
            &key
        } else {
            &certificate
        };
        let help = match error {
            pki::KeptError::NoKey => format!(
                "`openssl pkcs8 -topk8 -nocrypt -in {0} -out {0}.pkcs8`, and name that",
                key.display()
            ),
            pki::KeptError::OtherKey => format!(
                "name the key that `openssl x509 -noout -pubkey -in {}` shows the public part of",
                certificate.display()
            ),
            _ => "name the certificate and the key of an authority that is valid now".to_owned(),
        };
        AuthorityMistake::new(format!("{} {error}", at_fault.display()), help)
    })
}

fn text(path: &Path) -> Result<String, AuthorityMistake> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map_err(|error| unread(path, &error))?;
    Ok(text)
}

fn unread(path: &Path, error: &io::Error) -> AuthorityMistake {
    AuthorityMistake::new(
        format!("{} cannot be read: {error}", path.display()),
        "name a file that is there and that this user may read",
    )
}

/// Makes an authority in `folder`, whole or not at all: another run may do the same.
fn make(folder: &Path, now: u64) -> Result<(), AuthorityMistake> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        AuthorityMistake::new(
            format!(
                "failed to {what} for the authority in {}: {error}",
                folder.display()
            ),
            "name a folder that this user may make, or an empty one",
        )
    };
    let kept = Pki::new(now).and_then(|pki| pki.keep());
    let kept = kept.map_err(|error| failed("make a key", &error))?;
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(|error| failed("make the folder above", &error))?;
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = folder.with_file_name(name);
    let written = DirBuilder::new().mode(0o700).create(&new).and_then(|()| {
        write(&new.join(AuthorityPlace::KEY), &kept.key_pem(), 0o600)?;
        let certificate = new.join(AuthorityPlace::CERTIFICATE);
        write(&certificate, &kept.certificate_pem(), 0o644)?;
        fs::rename(&new, folder)
    });
    let Err(error) = written else { return Ok(()) };
    // What there is of it is of no use.
    let _ = fs::remove_dir_all(&new);
    match AuthorityPlace::Kept(folder.to_owned())
        .certificate()
        .exists()
    {
        // Another run was faster.
        true => Ok(()),
        false => Err(failed("write files", &error)),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_its_key_is_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = AuthorityPlace::Kept(folder.path().join("lab/authority"));
        let first = open(&place).expect("it is made");
        assert_eq!(open(&place), Ok(first));
        let (certificate, key) = (place.certificate(), place.key().expect("it has one"));
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!((mode(&key), mode(&certificate)), (0o600, 0o644));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("ours");
        let refused = open(&place).expect_err("others may read it");
        assert!(
            refused
                .help
                .contains(&format!("chmod 600 {}", key.display())),
            "{refused}"
        );
    }

    #[test]
    fn a_folder_with_something_else_in_it_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("notes.txt"), "mine").expect("ours");
        let place = AuthorityPlace::Kept(folder.path().to_owned());
        assert!(
            open(&place)
                .expect_err("it is not empty")
                .message
                .contains("failed to write")
        );
        let left: Vec<_> = fs::read_dir(folder.path()).expect("it is there").collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_key_of_another_certificate_is_a_mistake() {
        let folder = tempfile::tempdir().expect("a folder");
        let [one, other] = ["one", "other"].map(|name| {
            let place = AuthorityPlace::Kept(folder.path().join(name));
            open(&place).expect("it is made");
            (place.certificate(), place.key().expect("it has one"))
        });
        let mixed = AuthorityPlace::Own {
            certificate: one.0,
            key: other.1,
        };
        let mistake = open(&mixed).expect_err("they do not fit");
        assert!(
            mistake.message.contains("not the certificate's"),
            "{mistake}"
        );
    }
}
