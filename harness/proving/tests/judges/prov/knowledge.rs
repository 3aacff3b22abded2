//! What the owner knows: where it may stand, who is asked for it, and that it stays secret.

use std::net::TcpListener;

use super::*;
use crate::peer::{Running, python};
use crate::up::fixture;

#[test]
fn a_qr_code_says_all_that_is_needed() {
    let owner = Owner::of("softap", "v2");
    let code = serde_json::json!({
        "ver": "v1",
        "name": owner.up.device("service_name"),
        "username": owner.up.device("username"),
        "pop": owner.up.device("password"),
        "transport": "softap",
    });
    let in_log = "https://espressif.github.io/esp-jumpstart/qrcode.html?data=";
    for code in [code.to_string(), format!("{in_log}{code}")] {
        let mut command = bare();
        command.args(["wifi-scan", "--qr", "env:QR", "--url", &url(&owner.up)]);
        let said = run(command.env("QR", code)).well();
        assert!(said.text().contains(owner.ssid()), "{said:?}");
    }
    let mut command = bare();
    command.args(["info", "--qr", "text:{}", "--url", &url(&owner.up)]);
    ended(&run(&mut command), 2, "failed to read the QR code");
    owner.up.end();
}

#[test]
fn the_code_that_the_device_prints_leads_to_it() {
    for (security, called, known_as) in [
        ("v1", "proof of possession", "pop"),
        ("v2", "password", "password"),
    ] {
        let owner = Owner::of("softap", security);
        let printed = owner.up.see("the QR code's address", |event| {
            let line = event.payload::<trace::LogLine>()?;
            let at = line.text.find("https://")?;
            Some(line.text[at..].to_owned())
        });
        // The trace holds names where the device has printed secrets.
        let name = format!("<{called} of device>");
        let code = printed.replace(&name, owner.up.device(known_as));
        assert_ne!(code, printed, "the trace shows the secret");
        let mut command = bare();
        command.args(["status", "--qr", "env:QR", "--url", &url(&owner.up)]);
        let said = run(command.env("QR", code)).well();
        assert_eq!(said.text(), "connecting, or waiting for credentials\n");
        owner.up.end();
    }
}

#[test]
fn a_secret_is_taken_from_where_others_cannot_read_it() {
    let owner = Owner::of("softap", "v1");
    let url = url(&owner.up);
    let status = |pop: &str| {
        let mut command = bare();
        run(command.args(["status", "--url", &url, "--pop", pop]))
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pop");
    std::fs::write(&file, format!("{}\n", owner.up.device("pop"))).unwrap();
    status(&format!("file:{}", file.display())).well();
    status(&format!("text:{}", owner.up.device("pop"))).well();

    let bare = status("abcd1234");
    ended(&bare, 2, "stands on the command line");
    assert!(!bare.stderr.contains("abcd1234"), "{bare:?}");
    ended(
        &status("env:PROVING_NO_SUCH_VARIABLE"),
        2,
        "PROVING_NO_SUCH_VARIABLE",
    );
    ended(&status("file:/nowhere/pop"), 2, "from /nowhere/pop");
    ended(&status("-"), 2, "standard input is not a terminal");
    owner.up.end();
}

#[test]
fn whoever_sits_at_the_terminal_is_asked_and_what_they_type_is_not_shown() {
    let Some(python) = python("pexpect", "pexpect") else {
        return;
    };
    let owner = Owner::of("softap", "v1");
    let mut command = Command::new(python);
    command
        .arg(fixture("asked.py"))
        .args(["passphrase: =PASSPHRASE", "proof of possession: =POP", "--"])
        .args([env!("CARGO_BIN_EXE_proving"), "prov", "set", "--ssid"])
        .args([owner.ssid(), "--url", &url(&owner.up), "--poll", "200ms"])
        .env("POP", owner.up.device("pop"))
        .env("PASSPHRASE", owner.passphrase());
    let said = run(&mut command).well();
    assert!(said.text().contains("connected: "), "{said:?}");
    assert!(!said.text().contains(owner.up.device("pop")), "{said:?}");
    assert!(!said.text().contains(owner.passphrase()), "{said:?}");
    owner.up.end();
}

#[test]
fn what_the_owner_got_wrong_is_told_apart_from_what_the_network_did() {
    let owner = Owner::of("softap", "v1");
    let url = url(&owner.up);
    let mut wrong = bare();
    wrong.args(["status", "--url", &url, "--pop", "text:abcd1234"]);
    let said = run(&mut wrong);
    ended(&said, 1, "closed the connection without a response");
    ended(
        &said,
        1,
        "the values given to the device caused this; check proof of possession",
    );
    owner
        .up
        .see_line("security1", "Key mismatch. Close connection");

    let mut nowhere = bare();
    nowhere.args(["info", "--no-retry", "--url", "http://127.0.0.1:1"]);
    let said = run(&mut nowhere);
    ended(&said, 3, "failed to connect to 127.0.0.1:1");
    ended(
        &said,
        3,
        "the connection between this host and the device caused this",
    );

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let mut waiting = bare();
    waiting.args(["info", "--no-retry", "--timeout", "300ms", "--url", &silent]);
    ended(&run(&mut waiting), 3, "300ms");

    let unknown = owner.prov(&["custom", "no-such-endpoint", "--data", "x"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let long = "s".repeat(33);
    let said = owner.prov(&["set", "--ssid", &long, "--open"]);
    ended(&said, 2, "the SSID has more than 32 bytes");
    owner.up.end();
}

#[test]
fn a_device_that_is_ending_its_service_is_not_only_called_a_stranger() {
    let owner = Owner::of("softap", "v1");
    owner.set("env:PASSPHRASE", &[]).well();
    let said = owner.prov(&["status"]);
    ended(&said, 1, "may be ending its service");
    owner
        .up
        .see_line("security1", "Key mismatch. Close connection");
    owner.up.end();
}

#[test]
fn a_wrong_name_or_password_is_told_apart_from_the_right_ones() {
    let owner = Owner::of("softap", "v2");
    for (name, password) in [
        (owner.up.device("username"), "not the password"),
        ("nobody", owner.up.device("password")),
    ] {
        let mut command = bare();
        command
            .args(["status", "--url", &url(&owner.up), "--username", name])
            .args(["--password", "env:PASSWORD"]);
        let said = run(command.env("PASSWORD", password));
        ended(
            &said,
            1,
            "the values given to the device caused this; check proof of possession",
        );
    }
    owner.prov(&["status"]).well();
    owner.up.end();
}

#[test]
fn whoever_interrupts_gets_their_terminal_back() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = bare();
    let at = format!("http://{}", silent.local_addr().unwrap());
    let running = Running::start(command.args(["info", "--url", &at]));
    // It listens for signals before it connects.
    let _open = silent.accept().unwrap();
    running.interrupt();
    let said = running.end();
    assert_eq!(said.status.code(), Some(130), "{said:?}");
}

#[test]
fn what_was_exchanged_is_traced_without_secrets() {
    let owner = Owner::of("softap", "v1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    owner
        .set("env:PASSPHRASE", &["--trace", path.to_str().unwrap()])
        .well();
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
