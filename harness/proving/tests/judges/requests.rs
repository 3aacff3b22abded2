//! Espressif's client modules send what provisioning itself does not need (PyPI: esp-rainmaker-cli):
//! scans, custom endpoints, reset and reprovisioning.

use std::process::Command;

use crate::peer::{python, run};
use crate::up::{Up, fixture};

const FORWARD: &str = "127.0.0.1:0=softap:80";
const REQUESTS: &str = "requests.yaml";

/// What the modules make of these requests, line by line, on the device of this case; none if they
/// are not there.
fn said(
    file: &str,
    case: &str,
    requests: impl Fn(&Up) -> Vec<String>,
) -> Option<(Up, Vec<String>)> {
    let python = python("rmaker_tools.common.prov", "esp-rainmaker-cli")?;
    let up = Up::start(file, case, &[FORWARD]);
    let mut command = Command::new(python);
    command
        .arg(fixture("esp_prov_requests.py"))
        .arg(up.forward("tcp", "softap", 80).to_string())
        .arg(up.security().to_string())
        .args(["pop", "username", "password"].map(|field| up.device(field)))
        .args(requests(&up));
    let said = run(&mut command).well();
    let lines = said.text().lines();
    let lines = lines.filter_map(|line| line.strip_prefix("judge: "));
    let lines = lines.map(str::to_owned).collect();
    Some((up, lines))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn ssid(up: &Up) -> &str {
    up.endpoint("/access_points/home/ssid")
}

const SECURITIES: [&str; 4] = ["none", "v1", "v1-no-pop", "v2"];

#[test]
fn a_scan_tells_who_is_there_and_refuses_what_it_has_not_found() {
    for security in SECURITIES {
        let case = format!("security={security}]");
        let requests = |_: &Up| words(&["scan", "scan-from", "9"]);
        let Some((up, lines)) = said(REQUESTS, &case, requests) else {
            return;
        };
        let [scan, beyond] = &lines[..] else {
            panic!("{lines:?}");
        };
        let home = up.endpoint("/access_points/home/ssid");
        let far = up.endpoint("/access_points/far/ssid");
        assert_eq!(*scan, format!("scan: {home}/6/-41 {far}/11/-80"));
        assert!(beyond.starts_with("scan-from: refused"), "{beyond}");
        up.end();
    }
}

#[test]
fn a_custom_endpoint_answers_in_every_security() {
    for security in SECURITIES {
        let case = format!("security={security}]");
        let requests = |_: &Up| words(&["custom", "custom-data", "hello"]);
        let Some((up, lines)) = said(REQUESTS, &case, requests) else {
            return;
        };
        assert_eq!(lines, ["custom: SUCCESS"]);
        up.see_line("app", "Received data: hello");
        up.end();
    }
}

#[test]
fn a_reset_is_refused_before_a_failure_and_done_after_it() {
    let requests = |up: &Up| {
        words(&[
            "reset",
            "set",
            ssid(up),
            "not the passphrase",
            "outcome",
            "reset",
            "set",
            ssid(up),
            up.endpoint("/access_points/home/passphrase"),
            "outcome",
        ])
    };
    for security in SECURITIES {
        let Some((up, lines)) = said(REQUESTS, &format!("security={security}]"), requests) else {
            return;
        };
        assert_eq!(
            lines,
            [
                "reset: refused: CtrlReset failed",
                "set: done",
                "outcome: failed",
                "reset: done",
                "set: done",
                "outcome: connected",
            ]
        );
        up.end();
    }
}

#[test]
fn reprovisioning_needs_a_device_that_keeps_its_service() {
    let requests = |up: &Up| {
        words(&[
            "set",
            ssid(up),
            up.endpoint("/access_points/home/passphrase"),
            "outcome",
            "reprov",
        ])
    };
    for (file, case, last) in [
        ("requests-stays.yaml", "stays", "reprov: done"),
        (
            REQUESTS,
            "security=v1]",
            "reprov: refused: CtrlReprov failed",
        ),
    ] {
        let Some((up, lines)) = said(file, case, requests) else {
            return;
        };
        assert_eq!(lines, ["set: done", "outcome: connected", last], "{case}");
        up.end();
    }
}
