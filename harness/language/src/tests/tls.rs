//! Mistakes in how a broker speaks TLS, in certificates of one's own and in an ESP8266.

use super::*;

/// What is said about a scenario with this broker, device and further world.
fn mistakes(broker: &str, device: &str, world: &str) -> Vec<String> {
    let text = format!(
        "name: TLS\nworld:\n  cloud: {{ broker: {broker} }}\n  devices: {{ device: {device} }}\n{world}\
         steps:\n  - power: on\n"
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/tls/try.yaml");
    match parse(file, &text, &known()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn an_impossible_handshake_is_told() {
    for (broker, says) in [
        (
            "{ old_tls: { oldest: tls-1.2, newest: tls-1.0 } }",
            "newer than `newest`",
        ),
        ("{ handshake: { record_size: 31 } }", "32 to 16389"),
        (
            "{ old_tls: {}, handshake: { record_size: 64 } }",
            "OpenSSL's size",
        ),
    ] {
        let found = mistakes(broker, "{}", "");
        assert!(
            found.len() == 1 && found[0].contains(says),
            "{broker}: {found:?}"
        );
    }
    let good = "{ old_tls: {}, handshake: { stops_after: 0 } }";
    assert_eq!(mistakes(good, "{}", ""), [""; 0]);
}

#[test]
fn an_esp8266_that_cannot_be_is_told() {
    for (device, says) in [
        ("{ esp8266_nonos: {} }", "on_network: true"),
        (
            "{ on_network: true, esp8266_nonos: { ca: { address: 0x1000000 } } }",
            "16 MiB",
        ),
        (
            "{ on_network: true, esp8266_nonos: { ca: { size: 9000 } } }",
            "8192 bytes",
        ),
        (
            "{ on_network: true, esp8266_nonos: { ca: { authority: cb } } }",
            "authority",
        ),
    ] {
        let found = mistakes("{}", device, "");
        assert!(
            found.len() == 1 && found[0].contains(says),
            "{device}: {found:?}"
        );
    }
    let good = "{ on_network: true, esp8266_nonos: { ca: { address: 0x7D000, sector: 125 } } }";
    assert_eq!(mistakes("{}", good, ""), [""; 0]);
}

/// Also in flow style; what a comment says is read by nobody.
#[test]
fn a_scenario_tells_the_files_that_it_was_read_from() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/tls");
    let file = format!("{folder}/try.yaml");
    let text = "\
name: TLS
# As ../certs/servers.yaml#server-expired has it.
world: { certs: ../certs, devices: { device: {} } }
steps: [{ power: on }, { expect: { transcript: onboarding } }]
";
    let cases = parse(&file, text, &known()).expect("a scenario");
    let mut profiles: Vec<_> = std::fs::read_dir(format!("{folder}/../certs"))
        .expect("it is there")
        .map(|entry| {
            std::path::Path::new(folder)
                .join("../certs")
                .join(entry.expect("an entry").file_name())
        })
        .collect();
    profiles.push(file.into());
    profiles.sort();
    let read: Vec<_> = cases[0].read_from().into_iter().collect();
    assert_eq!(read, profiles);
    assert_eq!(cases[0].transcripts().collect::<Vec<_>>(), ["onboarding"]);
}

#[test]
fn a_folder_of_certificates_adds_their_names() {
    let own = "{ certificate: server-too-deep }";
    let found = mistakes(own, "{}", "");
    assert!(found[0].contains("server-too-deep"), "{found:?}");
    assert_eq!(mistakes(own, "{}", "  certs: ../certs\n"), [""; 0]);
    let described = "{ certificate: { issuer: level-3 } }";
    assert_eq!(mistakes(described, "{}", "  certs: ../certs\n"), [""; 0]);
    for nothing in ["nowhere", "."] {
        // The scenarios of this folder are no profiles.
        let found = mistakes("{}", "{}", &format!("  certs: {nothing}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("certificate profiles"), "{found:?}");
    }
}
