//! Every profile, judged by the verifiers that TLS uses.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::sync::Arc;
use std::time::Duration;

use pki::{Identity, Pki, PkiError, Profiles};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

/// 2026-11-22.
const NOW: u64 = 1_795_305_600;
const HOST: &str = "mqtt.example";

fn pki() -> Pki {
    Pki::new(NOW).unwrap()
}

fn roots(pki: &Pki) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in ["ca", "rsa-ca"] {
        roots
            .add(pki.authority(authority).unwrap().rustls())
            .unwrap();
    }
    Arc::new(roots)
}

fn at(now: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now))
}

fn split(identity: &Identity) -> (CertificateDer<'static>, Vec<CertificateDer<'static>>) {
    let mut chain = identity.rustls_chain();
    let leaf = chain.remove(0);
    (leaf, chain)
}

fn as_server(pki: &Pki, identity: &Identity, host: &str, now: u64) -> Result<(), Error> {
    let (leaf, above) = split(identity);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots(pki), ring::default_provider().into())
            .build()
            .unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    verifier
        .verify_server_cert(&leaf, &above, &name, &[], at(now))
        .map(|_| ())
}

fn as_client(pki: &Pki, identity: &Identity, now: u64) -> Result<(), Error> {
    let (leaf, above) = split(identity);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(pki), ring::default_provider().into())
            .build()
            .unwrap();
    verifier
        .verify_client_cert(&leaf, &above, at(now))
        .map(|_| ())
}

/// The name of the reason alone.
fn reason(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "good".to_owned(),
        Err(Error::InvalidCertificate(error)) => format!("{error:?}")
            .split([' ', '(', '{'])
            .next()
            .unwrap()
            .trim_end_matches("Context")
            .to_owned(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn every_server_profile_is_as_bad_as_it_says() {
    let pki = pki();
    for (profile, expected) in [
        ("server", "good"),
        ("server-by-intermediate", "good"),
        ("server-rsa", "good"),
        ("server-expired", "Expired"),
        ("server-not-yet-valid", "NotValidYet"),
        ("server-wrong-name", "NotValidForName"),
        ("server-common-name-only", "NotValidForName"),
        ("server-other-ca", "UnknownIssuer"),
        ("server-self-signed", "UnknownIssuer"),
        ("server-missing-intermediate", "UnknownIssuer"),
        ("server-client-usage", "InvalidPurpose"),
        ("server-ip-only", "NotValidForName"),
    ] {
        let identity = pki.mint(profile, &[HOST, "10.0.0.1"], HOST).unwrap();
        assert_eq!(
            reason(as_server(&pki, &identity, HOST, NOW)),
            expected,
            "{profile}"
        );
    }
}

#[test]
fn every_client_profile_is_as_bad_as_it_says() {
    let pki = pki();
    for (profile, expected) in [
        ("client", "good"),
        ("client-by-intermediate", "good"),
        ("client-rsa", "good"),
        ("client-expired", "Expired"),
        ("client-not-yet-valid", "NotValidYet"),
        ("client-other-ca", "UnknownIssuer"),
        ("client-self-signed", "UnknownIssuer"),
        ("client-missing-intermediate", "UnknownIssuer"),
        ("client-server-usage", "InvalidPurpose"),
        ("client-key-mismatch", "good"),
    ] {
        let identity = pki.mint(profile, &[], "device-1").unwrap();
        assert_eq!(
            reason(as_client(&pki, &identity, NOW)),
            expected,
            "{profile}"
        );
    }
}

#[test]
fn the_tables_above_name_every_profile() {
    let table = include_str!("profiles.rs");
    for (name, profile) in Profiles::built_in().unwrap().iter() {
        let listed = table.contains(&format!("(\"{name}\","));
        assert!(listed || profile.authority, "{name} is tested nowhere");
    }
}

#[test]
fn chains_of_ones_own_are_as_bad_as_they_say() {
    let mut profiles = Profiles::built_in().unwrap();
    let own = include_str!("../../../scenarios/certs/chains.yaml");
    profiles.add("chains.yaml", own).unwrap();
    let pki = Pki::with_profiles(NOW, profiles).unwrap();
    for (profile, expected, length) in [
        ("server-cross-signed", "good", 2),
        ("server-by-expired-intermediate", "Expired", 2),
        // webpki has words of its own for these.
        ("server-out-of-bounds", "Other", 2),
        ("server-below-one-too-many", "Other", 3),
        ("server-too-deep", "Other", 11),
    ] {
        let identity = pki.mint(profile, &[HOST], HOST).unwrap();
        let found = reason(as_server(&pki, &identity, HOST, NOW));
        assert_eq!(found, expected, "{profile}");
        assert_eq!(identity.chain_der().len(), length, "{profile}");
    }
}

#[test]
fn what_only_an_authority_has_is_refused_elsewhere() {
    for field in ["path_length: 0", "permits: [a.example]", "cross_of: ca"] {
        let mut profiles = Profiles::default();
        let error = profiles.add("own.yaml", &format!("leaf: {{ {field} }}"));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("leaf") && error.contains("authority: true"),
            "{error}"
        );
    }
    for (text, wrong) in [
        (
            "a: { authority: true, cross_of: nowhere, issuer: ca }",
            "nowhere",
        ),
        (
            "a: { authority: true, cross_of: server, issuer: ca }",
            "\"a\"",
        ),
        (
            "a: { authority: true, cross_of: ca, issuer: other-ca }\n\
             b: { authority: true, cross_of: a, issuer: ca }",
            "\"b\"",
        ),
    ] {
        let mut profiles = Profiles::built_in().unwrap();
        profiles.add("own.yaml", text).unwrap();
        let error = Pki::with_profiles(NOW, profiles).err().unwrap().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn a_profile_of_ones_own_is_minted_as_it_says() {
    let text = "
by-address: { names: { fixed: [\"10.0.0.1\"] }, key_type: rsa-4096 }
p-384: { key_type: p-384 }
mine: { names: { fixed: [mine.example] }, not_before: -2d, not_after: -1d }
";
    let mut profiles = Profiles::default();
    profiles.add("own.yaml", text).unwrap();
    let pki = pki();
    let minted = |name: &str| {
        let profile = profiles.named(name).unwrap();
        pki.mint_as(name, profile, &[HOST], HOST).unwrap()
    };
    let by_address = minted("by-address");
    assert_eq!(
        reason(as_server(&pki, &by_address, "10.0.0.1", NOW)),
        "good"
    );
    assert_eq!(
        reason(as_server(&pki, &by_address, HOST, NOW)),
        "NotValidForName"
    );
    // A key of 4096 bits has a modulus of 512 bytes in its certificate.
    assert!(by_address.certificate_der().len() > 512 + 200);
    assert!(by_address.key_der().len() > 2_000);
    assert_eq!(reason(as_server(&pki, &minted("p-384"), HOST, NOW)), "good");
    let mine = minted("mine");
    assert_eq!(
        reason(as_server(&pki, &mine, "mine.example", NOW)),
        "Expired"
    );
}

#[test]
fn dates_follow_the_clock_of_the_lab() {
    let pki = Pki::new(0).unwrap();
    let identity = pki.mint("server", &[HOST], HOST).unwrap();
    assert_eq!(reason(as_server(&pki, &identity, HOST, 60)), "good");
    assert_eq!(reason(as_server(&pki, &identity, HOST, NOW)), "Expired");
}

#[test]
fn addresses_count_as_names() {
    let pki = pki();
    let identity = pki.mint("server", &["10.0.0.1", "::1"], HOST).unwrap();
    for host in ["10.0.0.1", "::1"] {
        assert_eq!(
            reason(as_server(&pki, &identity, host, NOW)),
            "good",
            "{host}"
        );
    }
    assert_eq!(
        reason(as_server(&pki, &identity, "10.0.0.2", NOW)),
        "NotValidForName"
    );
}

#[test]
fn a_key_belongs_to_its_certificate_unless_the_profile_says_otherwise() {
    let pki = pki();
    let matches = |profile: &str| {
        let identity = pki.mint(profile, &[HOST], HOST).unwrap();
        let key = ring::sign::any_supported_type(&identity.rustls_key()).unwrap();
        CertifiedKey::new(identity.rustls_chain(), key).keys_match()
    };
    assert!(matches("client").is_ok());
    assert_eq!(
        matches("client-key-mismatch").unwrap_err(),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch)
    );
}

#[test]
fn two_runs_trust_each_other_not_at_all() {
    let (ours, theirs) = (pki(), pki());
    let identity = theirs.mint("server", &[HOST], HOST).unwrap();
    let Err(Error::InvalidCertificate(error)) = as_server(&ours, &identity, HOST, NOW) else {
        panic!("a certificate of another run was taken");
    };
    // Same subject, another key: the signature is what fails.
    assert!(
        matches!(
            error,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ),
        "{error:?}"
    );
}

#[test]
fn pem_reads_back_as_what_der_says() {
    use rustls::pki_types::pem::PemObject as _;
    let identity = pki().mint("server-by-intermediate", &[HOST], HOST).unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(identity.chain_pem().as_bytes())
        .map(Result::unwrap)
        .collect();
    assert_eq!(chain, identity.rustls_chain());
    assert_eq!(chain.len(), 2);
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    assert_eq!(key.unwrap(), identity.rustls_key());
}

#[test]
fn an_identity_does_not_print_its_key() {
    let identity = pki().mint("client", &[], "device-1").unwrap();
    let printed = format!("{identity:?}");
    assert_eq!(
        printed,
        r#"Identity { profile: "client", common_name: "device-1", chain: 1, .. }"#
    );
}

#[test]
fn mistakes_in_profiles_are_named() {
    let unknown = pki().mint("sever", &[], "x").unwrap_err().to_string();
    assert!(
        unknown.contains("no certificate profile \"sever\""),
        "{unknown}"
    );
    assert!(unknown.contains("server-expired"), "{unknown}");

    let mut profiles = Profiles::default();
    let circle = "
a: { about: x, authority: true, issuer: b, not_before: -1d, not_after: 1d }
b: { about: x, authority: true, issuer: a, not_before: -1d, not_after: 1d }
";
    profiles.add("circle.yaml", circle).unwrap();
    assert!(matches!(
        Pki::with_profiles(NOW, profiles),
        Err(PkiError::Circle { .. })
    ));

    let mut profiles = Profiles::default();
    let error = profiles
        .add(
            "typo.yaml",
            "a: { about: x, not_before: 1y, not_after: 1d }",
        )
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("typo.yaml") && error.contains("1y"),
        "{error}"
    );
    assert!(profiles.add("extra.yaml", "a: { abuot: x }").is_err());
}
