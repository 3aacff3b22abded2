//! OpenSSL looks at what `proving certs` writes: the good verify, and the bad fail for their reason.

use std::path::Path;
use std::process::Command;

use crate::peer::{Said, is_there, run};

const NAME: &str = "mqtt.example";
const DEVICE: &str = "device-1";

/// OpenSSL's number for each flaw that it can see (`openssl-verification-options(1)`); 0 for none.
const PROFILES: [(&str, u32); 22] = [
    ("client", 0),
    ("client-by-intermediate", 0),
    ("client-expired", 10),
    ("client-not-yet-valid", 9),
    ("client-other-ca", 20),
    ("client-self-signed", 18),
    ("client-missing-intermediate", 20),
    ("client-server-usage", 26),
    // Nothing is wrong with the certificate itself.
    ("client-key-mismatch", 0),
    ("server", 0),
    ("server-by-intermediate", 0),
    ("server-expired", 10),
    ("server-not-yet-valid", 9),
    ("server-wrong-name", 62),
    // OpenSSL still looks for names in the subject if there are no others.
    ("server-common-name-only", 0),
    ("server-other-ca", 20),
    // Signed by another authority of ours.
    ("server-rsa", 20),
    ("client-rsa", 20),
    ("server-self-signed", 18),
    ("server-missing-intermediate", 20),
    ("server-client-usage", 26),
    // Made for addresses only, so no name is in it.
    ("server-ip-only", 62),
];

/// A folder of certificates, if OpenSSL is there.
fn certificates() -> Option<tempfile::TempDir> {
    if !is_there("openssl", "openssl") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    run(Command::new(env!("CARGO_BIN_EXE_proving"))
        .args(["certs", "--name", NAME, "--name", "192.0.2.7"])
        .args(["--client", DEVICE, "--out"])
        .arg(folder.path()))
    .well();
    Some(folder)
}

fn openssl(folder: &Path, arguments: &[&str]) -> Said {
    run(Command::new("openssl").args(arguments).current_dir(folder))
}

/// Verifies `file` for its purpose, with whatever its PEM file holds besides.
fn verify(folder: &Path, profile: &str, file: &str, name: &[&str]) -> Said {
    let chain = format!("{profile}.pem");
    let mut arguments = vec!["verify", "-x509_strict", "-CAfile", "ca.pem"];
    arguments.extend(["-untrusted", &chain]);
    if profile.starts_with("server") {
        arguments.extend(["-purpose", "sslserver"]);
        arguments.extend(name);
    } else {
        arguments.extend(["-purpose", "sslclient"]);
    }
    arguments.push(file);
    openssl(folder, &arguments)
}

#[test]
fn every_profile_verifies_or_fails_for_its_reason() {
    let Some(folder) = certificates() else { return };
    let folder = folder.path();
    for (profile, flaw) in PROFILES {
        for file in [format!("{profile}.pem"), format!("{profile}.der")] {
            let said = verify(folder, profile, &file, &["-verify_hostname", NAME]);
            if flaw == 0 {
                assert_eq!(said.well().text(), format!("{file}: OK\n"));
            } else {
                said.failed_with(&format!("error {flaw} at 0 depth lookup"));
            }
        }
    }
    let said = verify(folder, "server", "server.pem", &["-verify_ip", "192.0.2.7"]);
    said.well();
    let said = verify(folder, "server", "server.pem", &["-verify_ip", "192.0.2.8"]);
    said.failed_with("error 64 at 0 depth lookup");
    let file = "server-ip-only.pem";
    let said = verify(folder, "server-ip-only", file, &["-verify_ip", "10.0.0.1"]);
    said.well();
}

#[test]
fn every_profile_is_judged() {
    let Some(folder) = certificates() else { return };
    let mut judged: Vec<String> = ["ca", "intermediate", "other-ca", "rsa-ca"]
        .map(String::from)
        .into();
    judged.extend(PROFILES.map(|(profile, _)| profile.to_owned()));
    let files = std::fs::read_dir(folder.path()).unwrap();
    for file in files {
        let file = file.unwrap().file_name().into_string().unwrap();
        let profile = file.split('.').next().unwrap();
        assert!(judged.iter().any(|known| known == profile), "{file}");
    }
}

#[test]
fn authorities_are_what_they_say() {
    let Some(folder) = certificates() else { return };
    let folder = folder.path();
    for file in ["ca.pem", "ca.der", "intermediate.pem", "intermediate.der"] {
        let said = openssl(
            folder,
            &["verify", "-x509_strict", "-CAfile", "ca.pem", file],
        );
        assert_eq!(said.well().text(), format!("{file}: OK\n"));
    }
    for file in ["rsa-ca.pem", "server-rsa.pem", "client-rsa.der"] {
        let arguments = ["verify", "-x509_strict", "-CAfile", "rsa-ca.pem", file];
        let said = openssl(folder, &arguments);
        assert_eq!(said.well().text(), format!("{file}: OK\n"));
    }
    // It vouches for itself, which counts for nothing unless it is trusted.
    for (trusted, good) in [("ca.pem", false), ("other-ca.pem", true)] {
        let said = openssl(folder, &["verify", "-CAfile", trusted, "other-ca.der"]);
        assert_eq!(said.status.success(), good, "{said:?}");
    }
}

#[test]
fn keys_belong_to_their_certificates_in_both_forms() {
    let Some(folder) = certificates() else { return };
    let folder = folder.path();
    for (profile, _) in PROFILES {
        let file = |extension: &str| format!("{profile}{extension}");
        let of_certificate = |file: &str| {
            openssl(folder, &["x509", "-noout", "-pubkey", "-in", file])
                .well()
                .stdout
        };
        let of_key = |file: &str| {
            openssl(folder, &["pkey", "-pubout", "-in", file])
                .well()
                .stdout
        };
        let certificate = of_certificate(&file(".pem"));
        assert_eq!(certificate, of_certificate(&file(".der")), "{profile}");
        let key = of_key(&file(".key.pem"));
        assert_eq!(key, of_key(&file(".key.der")), "{profile}");
        let belongs = profile != "client-key-mismatch";
        assert_eq!(certificate == key, belongs, "{profile}");
    }
}

#[test]
fn certificates_are_of_p_256_and_name_whom_they_are_for() {
    let Some(folder) = certificates() else { return };
    let text = |file: &str| {
        let arguments = [
            "x509", "-noout", "-text", "-nameopt", "RFC2253", "-in", file,
        ];
        openssl(folder.path(), &arguments).well().text().to_owned()
    };
    let (server, client) = (text("server.pem"), text("client.pem"));
    for certificate in [&server, &client] {
        assert!(
            certificate.contains("ASN1 OID: prime256v1"),
            "{certificate}"
        );
        assert!(certificate.contains("Signature Algorithm: ecdsa-with-SHA256"));
        assert!(certificate.contains("Version: 3"));
    }
    assert!(
        server.contains(&format!("DNS:{NAME}, IP Address:192.0.2.7")),
        "{server}"
    );
    assert!(server.contains("TLS Web Server Authentication"), "{server}");
    assert!(
        client.contains(&format!("Subject: CN={DEVICE}")),
        "{client}"
    );
    assert!(client.contains("TLS Web Client Authentication"), "{client}");
    assert!(!client.contains("DNS:"), "{client}");
}
