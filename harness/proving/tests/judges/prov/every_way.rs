//! Every command, over every transport, with every security.

use super::*;

const SECURITIES: [(&str, u64); 4] = [("none", 0), ("v1", 1), ("v1-no-pop", 1), ("v2", 2)];

#[test]
fn a_device_is_looked_at_set_up_failed_reset_and_set_up_again_over_softap() {
    for (security, number) in SECURITIES {
        goes_the_whole_way("softap", security, number);
    }
}

#[test]
fn a_device_is_looked_at_set_up_failed_reset_and_set_up_again_over_its_console() {
    for (security, number) in SECURITIES {
        goes_the_whole_way("console", security, number);
    }
}

#[test]
fn a_device_is_looked_at_set_up_failed_reset_and_set_up_again_over_bluetooth() {
    for (security, number) in SECURITIES {
        goes_the_whole_way("ble", security, number);
    }
}

fn goes_the_whole_way(transport: &str, security: &str, number: u64) {
    let owner = Owner::of(transport, security);
    is_looked_at(&owner, transport, number);

    ended(
        &owner.prov(&["reset"]),
        1,
        "answered ctrl_reset with InternalError",
    );
    ended(
        &owner.prov(&["reset"]),
        1,
        "the device caused this; only a failure can be taken back",
    );
    let failed = owner.set("env:WRONG", &[]);
    ended(&failed, 1, "the access point rejected the passphrase");
    ended(
        &failed,
        1,
        "the values given to the device caused this; check the passphrase; then `reset` the device",
    );
    let status = owner.prov(&["status"]);
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    assert_eq!(status.text(), "failed: wrong passphrase\n");
    let refused = owner.set("env:PASSPHRASE", &[]);
    ended(&refused, 1, "answered apply_config with InternalError");

    let reset = owner.prov(&["reset"]).well();
    assert_eq!(reset.text(), "the device takes other credentials now\n");
    let set = owner.set_arguments("env:PASSPHRASE");
    let connected = owner.json(&set);
    assert_eq!(connected[0]["state"], "connected", "{connected:?}");
    assert_eq!(connected[0]["ssid"], owner.ssid());
    owner.up.see_line("app", "Provisioning successful");
    owner.up.end();
}

/// What can be asked before there are credentials.
fn is_looked_at(owner: &Owner, transport: &str, number: u64) {
    let found = owner.json(&["scan"]);
    assert_eq!(found[0]["type"], "device", "{found:?}");
    if transport == "softap" {
        assert_eq!(found[0]["prov"]["ver"], "v1.1", "{found:?}");
    }
    let info = owner.json(&["info"]);
    assert_eq!(info[0]["security"], number, "{info:?}");

    let heard = owner.json(&["wifi-scan"]);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0]["ssid"], owner.ssid());
    assert_eq!(
        (&heard[0]["channel"], &heard[0]["rssi"]),
        (&6.into(), &(-41).into())
    );
    let table = owner
        .prov(&["wifi-scan", "--no-blocking", "--group-channels", "0"])
        .well();
    let words: Vec<_> = table.text().split_whitespace().collect();
    assert_eq!(words[..5], ["SSID", "BSSID", "CHANNEL", "RSSI", "SECURITY"]);
    assert_eq!(words.last(), Some(&"WPA2_PSK"), "{table:?}");

    let answer = owner.prov(&["custom", "custom-data", "--data", "hello"]);
    assert_eq!(answer.well().text(), "SUCCESS\n");
    owner.up.see_line("app", "Received data: hello");
    let bytes = owner.json(&["custom", "custom-data", "--hex", "00ff"]);
    assert_eq!(bytes[0]["hex"], hex::encode("SUCCESS\0"), "{bytes:?}");
}

#[test]
fn what_is_under_way_is_told_step_by_step() {
    let owner = Owner::of("softap", "v2");
    let said = owner.set("env:PASSPHRASE", &[]).well();
    let steps = [
        "asking http://127.0.0.1:",
        "session established",
        "credentials sent",
        "the device joins the network",
    ];
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(lines.len(), steps.len(), "{said:?}");
    for (line, step) in lines.iter().zip(steps) {
        assert!(line.starts_with(step), "{line:?} instead of {step:?}");
    }
    assert!(said.text().starts_with("connected: "), "{said:?}");
    owner.up.end();
}

#[test]
fn a_failure_can_be_taken_back_along_with_the_next_credentials() {
    let owner = Owner::of("softap", "v1");
    let nobody = owner.prov(&["set", "--ssid", "nobody's", "--poll", "200ms", "--open"]);
    ended(&nobody, 1, "the device finds no such access point");
    ended(&nobody, 1, "check the SSID letter by letter");
    let said = owner.set("env:PASSPHRASE", &["--reset-first"]).well();
    assert!(said.text().starts_with("connected: "), "{said:?}");
    owner.up.end();
}

#[test]
fn a_device_that_keeps_its_service_is_provisioned_anew_and_others_are_not() {
    for (file, case, stays) in [
        ("requests-stays.yaml", "stays", true),
        ("requests.yaml", "security=v1]", false),
    ] {
        let owner = Owner {
            up: Up::start(file, case, &[FORWARD]),
            way: Vec::new(),
            _folder: tempfile::tempdir().unwrap(),
        };
        let url = url(&owner.up);
        let owner = owner.through(&url);
        if !stays {
            let refused = owner.prov(&["reprov"]);
            ended(&refused, 1, "answered ctrl_reprov with InternalError");
            ended(&refused, 1, "`wifi_prov_mgr_disable_auto_stop`");
            owner.up.end();
            continue;
        }
        owner.set("env:PASSPHRASE", &[]).well();
        let status = owner.json(&["status"]);
        assert_eq!(status[0]["state"], "connected", "{status:?}");
        let anew = owner.prov(&["reprov"]).well();
        assert_eq!(anew.text(), "the device begins anew\n");
        let said = owner.set("env:PASSPHRASE", &[]).well();
        assert!(said.text().starts_with("connected: "), "{said:?}");
        owner.up.end();
    }
}

#[test]
fn a_console_of_256_bytes_cannot_carry_security_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console");
    let port = path.to_str().unwrap();
    let up = Up::start_with(
        "console.yaml",
        "security=v2,line=256]",
        &["--console", port],
    );
    let mut command = bare();
    command
        .args(["status", "--transport", "console", "--port", port])
        .args([
            "--username",
            up.device("username"),
            "--password",
            "env:PASSWORD",
        ])
        .env("PASSWORD", up.device("password"));
    let said = run(&mut command);
    ended(&said, 2, "holds 256 bytes");
    ended(&said, 2, "use another transport, or another security");
    up.end();
}
