//! Espressif's client modules provision the device (PyPI: esp-rainmaker-cli).

use std::process::Command;

use lab::air::{Joined, Left};

use crate::peer::{Said, python, run};
use crate::up::{Up, fixture};

const FORWARD: &str = "127.0.0.1:0=softap:80";

/// What the device's owner and its network's owner know.
struct Knowledge<'u> {
    pop: &'u str,
    password: &'u str,
    networks: Vec<[&'u str; 2]>,
}

impl<'u> Knowledge<'u> {
    fn of(up: &'u Up) -> Self {
        Self {
            pop: up.device("pop"),
            password: up.device("password"),
            networks: vec![[ssid(up), up.endpoint("/access_points/home/passphrase")]],
        }
    }
}

fn ssid(up: &Up) -> &str {
    up.endpoint("/access_points/home/ssid")
}

/// A device of this security, if Espressif's modules are there.
fn up(security: &str) -> Option<(Up, Judge)> {
    let python = python("rmaker_tools.common.prov", "esp-rainmaker-cli")?;
    let up = Up::start(
        "provisioning.yaml",
        &format!("security={security}]"),
        &[FORWARD],
    );
    Some((up, Judge(python)))
}

struct Judge(std::path::PathBuf);

impl Judge {
    fn provision(&self, up: &Up, knowledge: &Knowledge<'_>) -> Said {
        let mut command = Command::new(&self.0);
        command
            .arg(fixture("esp_prov.py"))
            .arg(up.forward("tcp", "softap", 80).to_string())
            .arg(up.security().to_string())
            .args([knowledge.pop, up.device("username"), knowledge.password])
            .args(knowledge.networks.iter().flatten());
        run(&mut command).well()
    }
}

/// How the judge says it ended.
fn outcome(said: &Said) -> &str {
    let last = said.text().lines().last().unwrap_or_default();
    last.strip_prefix("judge: ")
        .unwrap_or_else(|| panic!("{said:?}"))
}

fn assert_says(said: &Said, line: &str) {
    assert!(
        said.text().lines().any(|said| said == line),
        "no `{line}` in {said:?}"
    );
}

fn assert_connected(up: &Up, said: &Said) {
    assert_eq!(outcome(said), "connected", "{said:?}");
    assert_says(said, "==== WiFi state: Connected ====");
    let joined = up.see_payload("the join", |_: &Joined| true);
    assert_eq!(joined.ssid, ssid(up));
    up.see_line("app", "Provisioning successful");
    // The status that reported success ends the service.
    up.see_line("wifi_prov_mgr", "Provisioning stopped");
}

/// Right credentials, after a look at who else is on the air.
fn connects(security: &str, capabilities: &str) {
    let Some((up, judge)) = up(security) else {
        return;
    };
    let said = judge.provision(&up, &Knowledge::of(&up));
    assert_connected(&up, &said);
    assert_says(&said, &format!("judge: heard {} 6 -41 WPA2_PSK", ssid(&up)));
    let number = up.security();
    let patch = match security {
        // Releases from before there was another told nothing of it.
        "v2-patch0" => String::new(),
        _ => format!(r#""sec_patch_ver": {}, "#, u8::from(security == "v2")),
    };
    assert_says(
        &said,
        &format!(
            r#"proto-ver: {{"prov": {{"ver": "v1.1", "sec_ver": {number}, {patch}"cap": [{capabilities}]}}}}"#
        ),
    );
    up.end();
}

/// A wrong passphrase, then a network that is not there, then the right one.
fn fails_and_recovers(security: &str) {
    let Some((up, judge)) = up(security) else {
        return;
    };
    let mut knowledge = Knowledge::of(&up);
    let right = knowledge.networks[0];
    knowledge.networks = vec![
        [right[0], "not the passphrase"],
        ["nobody's network", right[1]],
        right,
    ];
    let said = judge.provision(&up, &knowledge);
    assert_says(&said, "---- Failure reason: Incorrect Password ----");
    assert_says(&said, "---- Failure reason: Incorrect SSID ----");
    let refusal = "judge: failed; without reset, refused apply";
    let refusals = said.text().lines().filter(|line| *line == refusal);
    assert_eq!(refusals.count(), 2, "{said:?}");
    up.see_line("wifi_prov_mgr", "STA Auth Error");
    up.see_line("wifi_prov_mgr", "STA AP Not found");
    up.see_payload("the wrong passphrase", |left: &Left| {
        // 802.11's 4-way handshake time-out.
        left.ssid == right[0] && left.reason == 15
    });
    assert_connected(&up, &said);
    up.end();
}

/// Credentials that end in failure and stay so.
fn stays_failed(security: &str, network: impl Fn(&Up) -> [String; 2], reason: &str, line: &str) {
    let Some((up, judge)) = up(security) else {
        return;
    };
    let network = network(&up);
    let mut knowledge = Knowledge::of(&up);
    knowledge.networks = vec![[&network[0], &network[1]]];
    let said = judge.provision(&up, &knowledge);
    assert_eq!(outcome(&said), "failed");
    assert_says(&said, &format!("---- Failure reason: {reason} ----"));
    up.see_line("wifi_prov_mgr", line);
    assert!(!up.has_line("Provisioning successful"));
    up.end();
}

/// Whoever knows the wrong secret gets nowhere; whoever knows the right one still does.
fn refuses(security: &str, wrong: impl Fn(&mut Knowledge<'_>), line: (&str, &str)) {
    let Some((up, judge)) = up(security) else {
        return;
    };
    let mut knowledge = Knowledge::of(&up);
    wrong(&mut knowledge);
    let said = judge.provision(&up, &knowledge);
    assert!(outcome(&said).starts_with("refused"), "{said:?}");
    up.see_line(line.0, line.1);
    assert!(!up.has_line("Received Wi-Fi credentials"));
    let said = judge.provision(&up, &Knowledge::of(&up));
    assert_connected(&up, &said);
    up.end();
}

#[test]
fn security_0_connects() {
    connects("none", r#""no_sec", "wifi_scan""#);
}

#[test]
fn security_1_connects() {
    connects("v1", r#""wifi_scan""#);
}

#[test]
fn security_1_without_proof_of_possession_connects() {
    connects("v1-no-pop", r#""no_pop", "wifi_scan""#);
}

#[test]
fn security_2_connects() {
    connects("v2", r#""wifi_scan""#);
}

#[test]
fn security_0_fails_and_recovers() {
    fails_and_recovers("none");
}

#[test]
fn security_2_of_the_first_releases_connects() {
    connects("v2-patch0", r#""wifi_scan""#);
}

#[test]
fn security_2_of_the_first_releases_fails_and_recovers() {
    fails_and_recovers("v2-patch0");
}

#[test]
fn security_1_fails_and_recovers() {
    fails_and_recovers("v1");
}

#[test]
fn security_1_without_proof_of_possession_fails_and_recovers() {
    fails_and_recovers("v1-no-pop");
}

#[test]
fn security_2_fails_and_recovers() {
    fails_and_recovers("v2");
}

#[test]
fn a_wrong_passphrase_is_an_incorrect_password() {
    let network = |up: &Up| [ssid(up).to_owned(), "not the passphrase".to_owned()];
    stays_failed("v1", network, "Incorrect Password", "STA Auth Error");
}

#[test]
fn an_unknown_ssid_is_an_incorrect_ssid() {
    let network = |_: &Up| ["nobody's network".to_owned(), "whatever it is".to_owned()];
    stays_failed("v2", network, "Incorrect SSID", "STA AP Not found");
}

#[test]
fn a_wrong_proof_of_possession_is_refused() {
    let wrong = |knowledge: &mut Knowledge<'_>| knowledge.pop = "abcd1234";
    refuses("v1", wrong, ("security1", "Key mismatch. Close connection"));
}

#[test]
fn a_wrong_password_is_refused() {
    let wrong = |knowledge: &mut Knowledge<'_>| knowledge.password = "abcd1234";
    let line = "Failed to authenticate client proof!";
    refuses("v2", wrong, ("security2", line));
}
