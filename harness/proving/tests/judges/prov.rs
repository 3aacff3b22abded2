//! Our own phone, as its user has it: `proving prov` against the device of `proving up`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::peer::{Said, run};
use crate::up::{Up, fixture};

const FORWARD: &str = "127.0.0.1:0=softap:80";
/// Not the device's, whose own is made up.
const WRONG: &str = "not the passphrase";

/// Somebody who knows what the device's owner knows.
struct Owner {
    up: Up,
}

impl Owner {
    fn of(security: &str) -> Self {
        let case = format!("security={security}]");
        Self {
            up: Up::start("provisioning.yaml", &case, &[FORWARD]),
        }
    }

    /// `proving prov` with these arguments, and whatever secret is needed in the environment.
    fn prov(&self, arguments: &[&str]) -> Said {
        let address = self.up.forward("tcp", "softap", 80);
        let url = format!("http://{address}");
        let mut command = bare();
        command
            .args(arguments)
            .args([
                "--url",
                &url,
                "--pop",
                "env:POP",
                "--password",
                "env:PASSWORD",
            ])
            .args(["--username", self.up.device("username")])
            .env("POP", self.up.device("pop"))
            .env("PASSWORD", self.up.device("password"))
            .env("PASSPHRASE", self.passphrase())
            .env("WRONG", WRONG);
        let said = run(&mut command);
        // Whatever happened.
        for secret in [
            self.up.device("pop"),
            self.up.device("password"),
            self.passphrase(),
            WRONG,
        ] {
            if !secret.is_empty() {
                assert!(!said.stderr.contains(secret), "{said:?}");
                assert!(!said.text().contains(secret), "{said:?}");
            }
        }
        said
    }

    /// The same, as JSON.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self
            .prov(&[arguments, &["--message-format", "json"]].concat())
            .well();
        let lines = said.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn ssid(&self) -> &str {
        self.up.endpoint("/access_points/home/ssid")
    }

    fn passphrase(&self) -> &str {
        self.up.endpoint("/access_points/home/passphrase")
    }
}

/// `proving prov`, with nobody at the terminal.
fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
    command.arg("prov").stdin(Stdio::null());
    command
}

/// Asserts the exit code, and what standard error holds.
fn ended(said: &Said, code: i32, why: &str) {
    assert_eq!(said.status.code(), Some(code), "{said:?}");
    // Messages are broken into lines for the terminal.
    let text: Vec<&str> = said
        .stderr
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    assert!(text.join(" ").contains(why), "no `{why}` in {said:?}");
}

#[test]
fn a_device_is_looked_at_set_up_failed_reset_and_set_up_again() {
    for (security, number) in [("none", 0), ("v1", 1), ("v1-no-pop", 1), ("v2", 2)] {
        let owner = Owner::of(security);
        let found = owner.json(&["scan"]);
        assert_eq!(found[0]["prov"]["ver"], "v1.1", "{found:?}");
        let info = owner.json(&["info"]);
        assert_eq!(info[0]["security"], number, "{info:?}");

        let heard = owner.json(&["wifi-scan"]);
        assert_eq!(heard.len(), 1, "{heard:?}");
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
        assert_eq!(words.last(), Some(&"WPA2"), "{table:?}");

        ended(
            &owner.prov(&["reset"]),
            1,
            "answered ctrl_reset with InternalError",
        );
        let set = [
            "set",
            "--ssid",
            owner.ssid(),
            "--poll",
            "200ms",
            "--passphrase",
        ];
        let failed = owner.prov(&[&set[..], &["env:WRONG"]].concat());
        ended(&failed, 1, "the access point rejected the passphrase");
        ended(&failed, 1, "`reset` the device");
        let status = owner.prov(&["status"]);
        assert_eq!(status.status.code(), Some(1), "{status:?}");
        assert_eq!(status.text(), "failed: wrong passphrase\n");
        let refused = owner.prov(&[&set[..], &["env:PASSPHRASE"]].concat());
        ended(&refused, 1, "answered apply_config with InternalError");

        let reset = owner.prov(&["reset"]).well();
        assert_eq!(reset.text(), "the device takes other credentials now\n");
        let connected = owner.json(&[&set[..], &["env:PASSPHRASE"]].concat());
        assert_eq!(connected[0]["state"], "connected", "{connected:?}");
        assert_eq!(connected[0]["ssid"], owner.ssid());
        owner.up.see_line("app", "Provisioning successful");
        owner.up.end();
    }
}

#[test]
fn a_failure_can_be_taken_back_along_with_the_next_credentials() {
    let owner = Owner::of("v1");
    let nobody = owner.prov(&["set", "--ssid", "nobody's", "--poll", "200ms", "--open"]);
    ended(&nobody, 1, "the device finds no such access point");
    let again = [
        "set",
        "--ssid",
        owner.ssid(),
        "--passphrase",
        "env:PASSPHRASE",
        "--reset-first",
    ];
    let said = owner.prov(&again).well();
    assert!(said.text().starts_with("connected: "), "{said:?}");
    owner.up.end();
}

#[test]
fn a_qr_code_says_all_that_is_needed() {
    let owner = Owner::of("v2");
    let code = serde_json::json!({
        "ver": "v1",
        "name": owner.up.device("service_name"),
        "username": owner.up.device("username"),
        "pop": owner.up.device("password"),
        "transport": "softap",
    });
    let url = format!("http://{}", owner.up.forward("tcp", "softap", 80));
    let mut command = bare();
    command.args(["wifi-scan", "--qr", "env:QR", "--url", &url]);
    let said = run(command.env("QR", code.to_string())).well();
    assert!(said.text().contains(owner.ssid()), "{said:?}");
    owner.up.end();
}

#[test]
fn what_the_owner_got_wrong_is_told_apart_from_what_the_network_did() {
    let owner = Owner::of("v1");
    let url = format!("http://{}", owner.up.forward("tcp", "softap", 80));
    let mut wrong = bare();
    wrong.args(["status", "--url", &url, "--pop", "text:abcd1234"]);
    let said = run(&mut wrong);
    ended(&said, 1, "closed the connection without a response");
    ended(&said, 1, "check proof of possession");
    owner
        .up
        .see_line("security1", "Key mismatch. Close connection");

    let mut shown = bare();
    shown.args(["status", "--url", &url, "--pop", "abcd1234"]);
    let said = run(&mut shown);
    ended(&said, 2, "stands on the command line");
    assert!(!said.stderr.contains("abcd1234"), "{said:?}");

    let mut silent = bare();
    silent.args(["status", "--url", &url]);
    ended(
        &run(&mut silent),
        2,
        "the proof of possession is needed, and there is nobody to ask",
    );

    let mut missing = bare();
    missing.args([
        "status",
        "--url",
        &url,
        "--pop",
        "env:PROVING_NO_SUCH_VARIABLE",
    ]);
    ended(&run(&mut missing), 2, "PROVING_NO_SUCH_VARIABLE");

    let mut nowhere = bare();
    nowhere.args(["info", "--no-retry", "--url", "http://127.0.0.1:1"]);
    ended(&run(&mut nowhere), 3, "failed to connect to 127.0.0.1:1");

    let unknown = owner.prov(&["custom", "no-such-endpoint", "--data", "x"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    owner.up.end();
}

#[test]
fn what_was_exchanged_is_traced_without_secrets() {
    let owner = Owner::of("v1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let file = path.to_str().unwrap();
    let set = [
        "set",
        "--ssid",
        owner.ssid(),
        "--passphrase",
        "env:PASSPHRASE",
        "--trace",
        file,
    ];
    owner.prov(&set).well();
    let text = std::fs::read_to_string(&path).unwrap();
    for said in [
        "cmd_set_config",
        "<passphrase 1>",
        "resp_apply_config",
        "\"connected\"",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
    assert!(!text.contains(owner.passphrase()) && !text.contains(owner.up.device("pop")));
    owner.up.end();
}

#[test]
fn salt_and_verifier_are_made_without_a_device() {
    let generate = |more: &[&str]| {
        let mut command = bare();
        command.args([
            "gen-sec2",
            "--username",
            "wifiprov",
            "--password",
            "env:PASSWORD",
        ]);
        run(command.args(more).env("PASSWORD", "abcd1234")).well()
    };
    let said = generate(&["--message-format", "json"]);
    let made: Value = serde_json::from_str(said.text()).unwrap();
    let length = |field: &str| made[field].as_str().unwrap().len();
    assert_eq!((length("salt"), length("verifier")), (32, 768));
    let said = generate(&["--c", "--salt-length", "4"]);
    assert!(
        said.text()
            .starts_with("static const char sec2_salt[] = {\n    0x")
    );
    assert_eq!(said.text().matches("0x").count(), 4 + 384);
}

#[test]
fn a_console_provisions_too_and_cannot_carry_security_2() {
    for (case, ends) in [
        ("security=v1]", None),
        ("security=v2]", Some("holds 256 bytes")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console");
        let port = path.to_str().unwrap();
        assert!(fixture("console.yaml").is_file());
        let up = Up::start_with("console.yaml", case, &["--console", port]);
        let mut command = bare();
        command
            .args([
                "set",
                "--transport",
                "console",
                "--port",
                port,
                "--poll",
                "200ms",
            ])
            .args(["--ssid", up.endpoint("/access_points/home/ssid")])
            .args(["--passphrase", "env:PASSPHRASE", "--pop", "env:POP"])
            .args([
                "--username",
                up.device("username"),
                "--password",
                "env:PASSWORD",
            ])
            .env("PASSPHRASE", up.endpoint("/access_points/home/passphrase"))
            .env("POP", up.device("pop"))
            .env("PASSWORD", up.device("password"));
        let said = run(&mut command);
        match ends {
            None => assert!(said.well().text().starts_with("connected: ")),
            Some(why) => ended(&said, 2, why),
        }
        up.end();
    }
}

#[test]
fn a_phones_token_binds_the_device_without_a_lan_between_them() {
    for (how, endpoint) in [
        ("endpoint", ["--token-endpoint", "binding-token"]),
        ("switchap", ["--switchap-endpoint", "switchap"]),
    ] {
        let case = format!("token={how}]");
        let up = Up::start("handover.yaml", &case, &[FORWARD]);
        let url = format!("http://{}", up.forward("tcp", "softap", 80));
        let mut command = bare();
        command
            .args(["set", "--url", &url, "--pop", "env:POP", "--poll", "200ms"])
            .args(["--ssid", up.endpoint("/access_points/home/ssid")])
            .args(["--passphrase", "env:PASSPHRASE"])
            .args(endpoint)
            .args([
                "--cloud",
                up.endpoint("/cloud/bind_api"),
                "--account",
                "alice",
            ])
            .args(["--product-key", up.device("product_key")])
            .args(["--device-name", up.device("device_name")])
            .env("POP", up.device("pop"))
            .env("PASSPHRASE", up.endpoint("/access_points/home/passphrase"));
        let said = run(&mut command).well();
        assert!(said.stderr.contains("bound to alice"), "{said:?}");
        let is_bind = |event: &trace::Event| event.kind == "bound";
        let bound = up.see("the bind", |event| {
            is_bind(event).then(|| event.data.clone())
        });
        assert_eq!(bound["device_name"], up.device("device_name"));
        assert_eq!(bound["account"], "alice");
        up.end();
    }
}
