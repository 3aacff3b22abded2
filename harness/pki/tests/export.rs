//! What stands in a folder after an export.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pki::{ExportError, Pki};

const NOW: u64 = 1_795_305_600;

#[test]
fn an_export_holds_every_profile_and_keys_are_for_their_owner_alone() {
    let pki = Pki::new(NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b");
    let written = pki.export(&out, &["localhost"], "device-1").unwrap();
    let mut found: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    let mut expected = written.clone();
    expected.sort();
    assert_eq!(found, expected);
    assert!(out.join("ca.pem").exists() && out.join("client.key.der").exists());
    for path in written {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.contains(".key.") {
            assert_eq!(mode, 0o600, "{name}");
        }
    }
}

#[test]
fn no_authority_exports_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(NOW).unwrap();
    pki.export(folder.path(), &["localhost"], "device-1")
        .unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with("ca.key"), "{name}");
    }
}

#[test]
fn what_exists_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.key.pem");
    fs::write(&path, "somebody's").unwrap();
    let pki = Pki::new(NOW).unwrap();
    let identity = pki.mint("client", &[], "device-1").unwrap();
    let refused = identity.export(folder.path(), "client");
    assert!(matches!(refused, Err(ExportError::Exists { path: p }) if p == path));
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let identity = Pki::new(NOW).unwrap().mint("client", &[], "d").unwrap();
    let error = identity.export(&file.join("x"), "client").unwrap_err();
    assert!(error.to_string().contains("file/x"), "{error}");
}
