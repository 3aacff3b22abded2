//! Images of an ESP8266's flash, read by OpenSSL and by a reader of records in Python.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::Path;
use std::process::Command;

use pki::esp8266::{
    Age, CA_IMAGE, CLIENT_IMAGE, Esp8266Error, FlashMap, Image, LoadError, Material, Misplaced,
    Order, Subjects,
};

const NOW: u64 = 1_795_305_600;
const SUBJECTS: Subjects<'_> = Subjects {
    server: "192.168.111.100",
    client: "192.168.111.101",
};

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn openssl_takes_what_is_made_of_either_age() {
    for (age, bits, signature) in [
        (Age::Of2017, "1024", "sha1WithRSAEncryption"),
        (Age::Today, "2048", "sha256WithRSAEncryption"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let material = Material::mint(age, SUBJECTS, NOW).unwrap();
        let images = material.images(Order::CertificateFirst).unwrap();
        material.export(folder.path(), &images).unwrap();
        for file in ["ca.crt", "server.crt", "client.crt"] {
            let text = openssl(folder.path(), &["x509", "-in", file, "-noout", "-text"]);
            assert!(text.contains(signature), "{text}");
            assert!(text.contains(&format!("({bits} bit)")), "{text}");
        }
        let at = NOW.to_string();
        for file in ["server.crt", "client.crt"] {
            let verify = ["verify", "-attime", &at, "-auth_level", "0", "-CAfile"];
            let said = openssl(folder.path(), &[&verify[..], &["ca.crt", file]].concat());
            assert_eq!(said.trim(), format!("{file}: OK"));
        }
        let dates = ["x509", "-in", "server.crt", "-noout", "-enddate", "-ext"];
        let dates = openssl(folder.path(), &[&dates[..], &["subjectAltName"]].concat());
        // 5000 days behind 2026-11-22.
        assert!(
            dates.contains("notAfter=Jul 31") && dates.contains("2040"),
            "{dates}"
        );
        assert!(dates.contains("IP Address:192.168.111.100"), "{dates}");
        let key = openssl(
            folder.path(),
            &["rsa", "-in", "client.key", "-check", "-noout"],
        );
        assert!(key.contains("RSA key ok"), "{key}");
    }
}

#[test]
fn records_are_those_of_the_sdk_for_a_reader_that_knows_only_their_layout() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::mint(Age::Of2017, SUBJECTS, NOW).unwrap();
    // `struct.pack("32sH", name, len)`, as the SDK's scripts put records together.
    let script = "\
import base64, struct, sys
pem = lambda f: base64.b64decode(''.join(l for l in open(f) if '--' not in l))
record = lambda name, body: struct.pack('<32sH', name, len(body)) + body
ca = record(b'TLS.ca_x509.cer', pem('ca.crt'))
pair = [record(b'certificate', pem('client.crt')), record(b'private_key', pem('client.key'))]
if sys.argv[1] == 'key-first': pair.reverse()
assert ca == open('esp_ca_cert.bin', 'rb').read()
assert b''.join(pair) == open('esp_cert_private_key.bin', 'rb').read()
";
    for (order, name) in [
        (Order::CertificateFirst, "certificate-first"),
        (Order::KeyFirst, "key-first"),
    ] {
        let out = folder.path().join(name);
        let images = material.images(order).unwrap();
        material.export(&out, &images).unwrap();
        let python = Command::new("python3")
            .args(["-c", script, name])
            .current_dir(&out)
            .output()
            .unwrap();
        assert!(python.status.success(), "{python:?}");
        let (certificate, key) = images.client.unwrap().client().unwrap();
        assert_eq!(certificate.name, "certificate");
        assert_eq!(key.name, "private_key");
        let first = if order == Order::KeyFirst {
            key
        } else {
            certificate
        };
        assert_eq!(first.offset, 34);
    }
}

#[test]
fn own_certificates_are_only_converted() {
    let made = tempfile::tempdir().unwrap();
    let material = Material::mint(Age::Today, SUBJECTS, NOW).unwrap();
    let images = material.images(Order::CertificateFirst).unwrap();
    material.export(made.path(), &images).unwrap();
    let read = |name| fs::read(made.path().join(name)).unwrap();
    let (ca, client, key) = (read("ca.crt"), read("client.crt"), read("client.key"));
    // As OpenSSL of today writes keys: PKCS #8.
    openssl(
        made.path(),
        &[
            "pkcs8",
            "-topk8",
            "-nocrypt",
            "-in",
            "client.key",
            "-out",
            "client.p8",
        ],
    );
    for key in [&key, &read("client.p8")] {
        let own = Material::own(&ca, Some((&client, key))).unwrap();
        let own = own.images(Order::CertificateFirst).unwrap();
        assert_eq!(own.ca, images.ca);
        assert_eq!(own.client, images.client);
    }
    let one_way = Material::own(&ca, None).unwrap();
    let one_way = one_way.images(Order::CertificateFirst).unwrap();
    assert_eq!(one_way.ca, images.ca);
    assert_eq!(one_way.client, None);
}

#[test]
fn what_cannot_be_used_is_told_by_file_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::mint(Age::Today, SUBJECTS, NOW).unwrap();
    let images = material.images(Order::CertificateFirst).unwrap();
    material.export(folder.path(), &images).unwrap();
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    let (ca, client, key) = (read("ca.crt"), read("client.crt"), read("client.key"));
    let pki = pki::Pki::new(NOW).unwrap();
    let elliptic = pki.mint("client", &[], "device").unwrap();
    let refused = |ca: &[u8], client: &[u8], key: &[u8]| {
        Material::own(ca, Some((client, key))).err().unwrap()
    };
    let error = refused(b"not PEM", &client, &key);
    assert!(
        matches!(error, Esp8266Error::Pem { file: "ca.crt", .. }),
        "{error}"
    );
    let error = refused(&ca, &client, &read("server.key"));
    assert!(matches!(error, Esp8266Error::NotAPair), "{error}");
    let error = refused(&ca, &client, elliptic.key_pem().as_bytes());
    assert!(
        matches!(error, Esp8266Error::NotRsa { file: "client.key" }),
        "{error}"
    );
    let damaged = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n";
    let error = refused(damaged.as_bytes(), &client, &key);
    assert!(
        matches!(error, Esp8266Error::Damaged { file: "ca.crt", .. }),
        "{error}"
    );
}

#[test]
fn the_loader_stops_where_the_devices_does() {
    let load = |bytes: Vec<u8>| Image::from_bytes(bytes).records().unwrap_err();
    let record = |name: &str, length: u16, payload: usize| {
        let mut bytes = vec![0; 32];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.resize(34 + payload, 0x30);
        bytes
    };
    assert_eq!(load(vec![0xff; 4096]), LoadError::Erased { start: 0 });
    let left = 5;
    assert_eq!(load(vec![0; left]), LoadError::Header { start: 0, left });
    let cut = load(record("certificate", 100, 40));
    assert!(
        matches!(
            cut,
            LoadError::Cut {
                length: 100,
                left: 40,
                ..
            }
        ),
        "{cut}"
    );
    let fits = Image::from_bytes(record("certificate", 8158, 8158));
    assert_eq!(fits.records().unwrap().len(), 1);
    let beyond = load(record("certificate", 8159, 8159));
    assert!(
        matches!(beyond, LoadError::Beyond { length: 8159, .. }),
        "{beyond}"
    );
    let lacks = Image::from_bytes(record("certificate", 3, 3))
        .client()
        .unwrap_err();
    assert_eq!(
        lacks,
        LoadError::Lacks {
            name: "private_key"
        }
    );
    let none = Image::from_bytes([]).authority().unwrap_err();
    assert!(matches!(none, LoadError::Lacks { .. }), "{none}");
}

#[test]
fn a_flash_map_is_checked_by_rule() {
    let good = FlashMap::usual(837, Some(2062));
    assert_eq!(good.check(), []);
    let only = |map: FlashMap| {
        let found = map.check();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    // The address is flashed, and the call reads another one: seed 002, 4.6 c.
    let sector = only(FlashMap {
        ca_sector: 0x78,
        ..good
    });
    assert!(matches!(
        sector,
        Misplaced::Sector {
            image: CA_IMAGE,
            sector: 0x78,
            ..
        }
    ));
    assert!(sector.to_string().contains("must be 0x77"), "{sector}");
    // An authority of more than 4096 bytes runs into the client's image: 4.6 d.
    let overlap = only(FlashMap {
        ca_length: 4097,
        ..good
    });
    assert!(matches!(
        overlap,
        Misplaced::Overlap {
            end: 0x7_8001,
            start: 0x7_8000,
            ..
        }
    ));
    assert!(overlap.to_string().contains("to 0x79000"), "{overlap}");
    assert_eq!(
        FlashMap {
            ca_length: 4096,
            ..good
        }
        .check(),
        []
    );
    // The settings lie directly above a client image of one sector.
    let settings = only(FlashMap {
        client_length: Some(4097),
        ..good
    });
    assert!(matches!(
        settings,
        Misplaced::Taken {
            image: CLIENT_IMAGE,
            start: 0x7_9000,
            ..
        }
    ));
    // Two copies of the settings are written in turn, and a flag says which one holds.
    for (sector, is_taken) in [
        (0x79, true),
        (0x7a, true),
        (0x7b, false),
        (0x7c, true),
        (0x7d, false),
    ] {
        let found = FlashMap {
            client_address: sector * 4096,
            client_sector: sector,
            ..good
        };
        let found = found.check();
        assert_eq!(found.len(), usize::from(is_taken), "{sector:#x}: {found:?}");
    }
    let unaligned = only(FlashMap {
        client_address: 0x7_8100,
        ..good
    });
    assert!(matches!(
        unaligned,
        Misplaced::Unaligned {
            image: CLIENT_IMAGE,
            ..
        }
    ));
    let beyond = only(FlashMap {
        flash_size: 0x7_8000,
        ..good
    });
    assert!(
        matches!(beyond, Misplaced::BeyondFlash { end: 0x7_880e, .. }),
        "{beyond}"
    );
    let boot = FlashMap {
        ca_address: 0,
        ca_sector: 0,
        ..good
    };
    assert!(matches!(only(boot), Misplaced::Taken { start: 0, .. }));
    // No address overflows.
    let top = FlashMap {
        ca_address: 0xffff_f000,
        ca_sector: 0xf_ffff,
        ..good
    };
    assert!(matches!(only(top), Misplaced::BeyondFlash { .. }));
}
