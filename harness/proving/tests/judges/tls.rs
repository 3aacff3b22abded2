//! OpenSSL's client at the broker.

use std::process::{Command, Stdio};

use cloud::{Cause, Handshake};

use crate::peer::{Running, Said, is_there};
use crate::up::Up;

/// A broker that shows the certificate `profile`, if OpenSSL is there.
fn up(profile: &str) -> Option<Up> {
    let case = format!("shows={profile}]");
    is_there("openssl", "openssl").then(|| Up::start("broker.yaml", &case, &[]))
}

/// A handshake of OpenSSL's, which checks chain, dates and the name `name`.
///
/// With TLS 1.3 a client is done before the broker has looked at its certificate, so one that is to be
/// refused has to `listen`, until the broker ends the connection. Others leave after the handshake.
fn connect(up: &Up, name: &str, listen: bool, arguments: &[&str]) -> Said {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", up.endpoint("/cloud/broker/address")])
        .args(["-CAfile", up.endpoint("/cloud/broker/authority")])
        .args(["-verify_return_error", "-verify_hostname", name])
        .args(["-servername", name, "-showcerts"])
        .args(arguments)
        .stdin(if listen {
            Stdio::piped()
        } else {
            Stdio::null()
        });
    Running::start(&mut command).end()
}

/// How to show the good certificate of `identity`.
fn shown<'u>(up: &'u Up, identity: &str) -> [&'u str; 4] {
    let file = |field: &str| up.endpoint(&format!("/cloud/broker/{identity}/{field}"));
    ["-cert", file("certificate"), "-key", file("key")]
}

fn handshake(up: &Up, connection: u64) -> Handshake {
    up.see_payload("the handshake", |handshake: &Handshake| {
        handshake.connection == connection
    })
}

#[test]
fn a_good_broker_is_accepted() {
    accepted("server", &["Proving CA"]);
}

#[test]
fn a_broker_below_an_intermediate_authority_is_accepted() {
    accepted(
        "server-by-intermediate",
        &["Proving Intermediate CA", "Proving CA"],
    );
}

/// By both versions, under both of its names: the one for devices and the one for this host.
fn accepted(profile: &str, issuers: &[&str]) {
    let Some(up) = up(profile) else { return };
    let tls12 = (
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"][..],
        "New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256",
        ("TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    );
    let tls13 = (
        &["-tls1_3"][..],
        "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384",
        ("TLS 1.3", "TLS13_AES_256_GCM_SHA384"),
    );
    let names = ["mqtt.proving.example", "localhost"];
    let cases = [tls12, tls13].map(|version| names.map(|name| (version, name)));
    for (connection, ((arguments, agreed, traced), name)) in (1..).zip(cases.as_flattened()) {
        let arguments = [arguments, &shown(&up, "client")[..]].concat();
        let said = connect(&up, name, false, &arguments).well();
        for line in [
            "Verify return code: 0 (ok)",
            &format!("Verified peername: {name}"),
            agreed,
        ] {
            assert!(said.text().contains(line), "no `{line}` in {said:?}");
        }
        assert_chain(&said, issuers);

        let handshake = handshake(&up, connection);
        assert!(handshake.ok, "{handshake:?}");
        assert_eq!(handshake.version.as_deref(), Some(traced.0));
        assert_eq!(handshake.cipher.as_deref(), Some(traced.1));
        assert_eq!(handshake.server_name.as_deref(), Some(*name));
        assert_eq!(handshake.shown, profile);
    }
    up.end();
}

/// Each certificate names the next one's subject as its issuer. The last issuer may come along or
/// not: who trusts it has it.
fn assert_chain(said: &Said, issuers: &[&str]) {
    let mut subject = "mqtt.proving.example";
    for (depth, issuer) in issuers.iter().enumerate() {
        let sent = format!("{depth} s:CN = {subject}\n   i:CN = {issuer}\n");
        assert!(said.text().contains(&sent), "no `{sent}` in {said:?}");
        subject = issuer;
    }
}

#[test]
fn every_bad_client_is_refused_by_the_alert_that_says_why() {
    let Some(up) = up("server") else { return };
    let mut connection = 0;
    for version in ["-tls1_2", "-tls1_3"] {
        for (identity, alert, number, cause) in [
            // TLS 1.2 knows no such alert (RFC 5246 §7.4.6 has handshake_failure for this), yet
            // rustls sends it there too, and OpenSSL understands.
            (
                None,
                "certificate required",
                116,
                Cause::NoClientCertificate,
            ),
            (
                Some("bad_clients/expired"),
                "certificate expired",
                45,
                Cause::ClientCertificateExpired,
            ),
            (
                Some("bad_clients/other_authority"),
                "unknown ca",
                48,
                Cause::ClientCertificateUnknownIssuer,
            ),
        ] {
            connection += 1;
            let mut arguments = vec![version];
            arguments.extend(identity.iter().flat_map(|identity| shown(&up, identity)));
            let said = connect(&up, "localhost", true, &arguments);
            let said = said.failed_with(&format!("alert {alert}"));
            assert!(said.stderr.contains(&format!("SSL alert number {number}")));
            // The client itself had nothing against the broker.
            assert!(said.text().contains("Verification: OK"), "{said:?}");
            let handshake = handshake(&up, connection);
            assert_eq!((handshake.ok, handshake.cause), (false, cause));
            assert_eq!(handshake.alert_sent.unwrap().number, number);
        }
    }
    up.end();
}

#[test]
fn older_versions_are_refused() {
    let Some(up) = up("server") else { return };
    let mut arguments = vec!["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    arguments.extend(shown(&up, "client"));
    let said = connect(&up, "localhost", true, &arguments);
    // rustls misses an extension that such a client cannot have, before it looks at the version.
    said.failed_with("alert handshake failure");
    let handshake = handshake(&up, 1);
    assert_eq!(
        (handshake.ok, handshake.cause),
        (false, Cause::NoCommonVersion)
    );
    assert_eq!(handshake.offered, ["TLS 1.1"]);
    up.end();
}

#[test]
fn every_bad_broker_is_refused_by_its_client() {
    // Numbers and texts are those of `openssl-verification-options(1)`.
    for (profile, reason, alert) in [
        (
            "server-expired",
            "10:certificate has expired",
            "certificate_expired",
        ),
        (
            "server-not-yet-valid",
            "9:certificate is not yet valid",
            "bad_certificate",
        ),
        (
            "server-other-ca",
            "20:unable to get local issuer certificate",
            "unknown_ca",
        ),
        (
            "server-wrong-name",
            "62:hostname mismatch",
            "bad_certificate",
        ),
    ] {
        let Some(up) = up(profile) else { return };
        let said = connect(&up, "mqtt.proving.example", true, &shown(&up, "client"));
        let said = said.failed_with(&format!("verify error:num={reason}"));
        assert!(
            said.stderr.contains("certificate verify failed"),
            "{said:?}"
        );
        let handshake = handshake(&up, 1);
        assert_eq!(handshake.shown, profile);
        assert_eq!(handshake.cause, Cause::ServerCertificateRefused);
        assert_eq!(handshake.alert_received.unwrap().name, alert, "{profile}");
        up.end();
    }
}
