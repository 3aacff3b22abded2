//! OpenSSL's client, as old as it can be, at the broker for old devices.

use std::process::{Command, Stdio};

use cloud::{Cause, Handshake};

use crate::peer::{Running, Said, is_there};
use crate::up::Up;

fn connect(up: &Up, arguments: &[&str]) -> Said {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", up.endpoint("/cloud/broker/address")])
        .args(["-CAfile", up.endpoint("/cloud/broker/authority")])
        .args(["-verify_return_error"])
        .args(["-cert", up.endpoint("/cloud/broker/client/certificate")])
        .args(["-key", up.endpoint("/cloud/broker/client/key")])
        .args(arguments)
        .stdin(Stdio::null());
    Running::start(&mut command).end()
}

fn handshake(up: &Up, connection: u64) -> Handshake {
    up.see_payload("the handshake", |handshake: &Handshake| {
        handshake.connection == connection
    })
}

#[test]
fn every_old_version_gets_into_a_world_of_up() {
    if !is_there("openssl", "openssl") {
        return;
    }
    for strength in ["of-2017", "of-today"] {
        let case = format!("strength={strength},key_exchange=any]");
        let up = Up::start("old_tls.yaml", &case, &[]);
        let versions = [
            ("-tls1", "TLS 1.0"),
            ("-tls1_1", "TLS 1.1"),
            ("-tls1_2", "TLS 1.2"),
        ];
        for (connection, (option, version)) in (1..).zip(versions) {
            let said = connect(&up, &[option, "-cipher", "ALL:@SECLEVEL=0"]);
            assert!(
                said.status.success(),
                "{strength}, {version}: {}",
                said.stderr
            );
            let seen = handshake(&up, connection);
            assert!(seen.ok, "{strength}: {seen:?}");
            assert_eq!(seen.version.as_deref(), Some(version));
            let shown = seen.client_certificate.unwrap();
            assert_eq!(shown.subject.common_name.as_deref(), Some("up"));
        }
    }
}

#[test]
fn key_exchange_by_rsa_alone_is_what_it_says() {
    if !is_there("openssl", "openssl") {
        return;
    }
    let up = Up::start("old_tls.yaml", "strength=of-today,key_exchange=rsa]", &[]);
    assert!(
        connect(&up, &["-tls1_2", "-cipher", "kRSA"])
            .status
            .success()
    );
    let cipher = handshake(&up, 1).cipher.unwrap();
    assert!(cipher.starts_with("TLS_RSA_WITH_"), "{cipher}");
    assert!(
        !connect(&up, &["-tls1_2", "-cipher", "ECDHE"])
            .status
            .success()
    );
    assert_eq!(handshake(&up, 2).cause, Cause::NoCommonCipher);
}
