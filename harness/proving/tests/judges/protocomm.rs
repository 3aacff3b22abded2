//! A client that nobody at Espressif wrote provisions the device (PyPI: esp-protocomm).

use std::path::PathBuf;
use std::process::Command;

use crate::peer::{Said, python, run};
use crate::up::{Up, fixture};

const FORWARD: &str = "127.0.0.1:0=softap:80";

/// A device of this security, if the client is there.
fn up(security: &str) -> Option<(Up, PathBuf)> {
    let python = python("esp_protocomm", "esp-protocomm")?;
    let case = format!("security={security}]");
    Some((Up::start("provisioning.yaml", &case, &[FORWARD]), python))
}

fn provision(up: &Up, python: &PathBuf, pop: &str, passphrase: &str) -> Said {
    let address = up.forward("tcp", "softap", 80).to_string();
    let ssid = up.endpoint("/access_points/home/ssid");
    let script = fixture("esp_protocomm_provisions.py");
    let mut command = Command::new(python);
    run(command.arg(script).args([&address, pop, ssid, passphrase])).well()
}

fn passphrase(up: &Up) -> &str {
    up.endpoint("/access_points/home/passphrase")
}

/// How the judge says it ended.
fn outcome(said: &Said) -> &str {
    said.text().trim_end().trim_start_matches("judge: ")
}

#[test]
fn a_client_of_security_1_connects_with_and_without_proof_of_possession() {
    for security in ["v1", "v1-no-pop"] {
        let Some((up, python)) = up(security) else {
            return;
        };
        let pop = if security == "v1" {
            up.device("pop")
        } else {
            ""
        };
        let said = provision(&up, &python, pop, passphrase(&up));
        assert_eq!(outcome(&said), "connected", "{said:?}");
        up.see_line("app", "Provisioning successful");
        up.end();
    }
}

#[test]
fn a_wrong_passphrase_is_an_incorrect_password() {
    let Some((up, python)) = up("v1") else { return };
    let said = provision(&up, &python, up.device("pop"), "not the passphrase");
    assert_eq!(outcome(&said), "connection failed: incorrect password");
    up.see_line("wifi_prov_mgr", "STA Auth Error");
    up.end();
}

#[test]
fn a_wrong_proof_of_possession_is_refused_and_the_right_one_works_afterwards() {
    let Some((up, python)) = up("v1") else { return };
    let said = provision(&up, &python, "abcd1234", passphrase(&up));
    let refusal = "refused: the device rejected the second handshake round";
    assert!(outcome(&said).starts_with(refusal), "{said:?}");
    up.see_line("security1", "Key mismatch. Close connection");
    let said = provision(&up, &python, up.device("pop"), passphrase(&up));
    assert_eq!(outcome(&said), "connected", "{said:?}");
    up.end();
}
