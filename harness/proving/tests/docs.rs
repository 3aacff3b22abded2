//! The pages of `docs/`: what they show of a rig file is one, and their commands do what they say.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use board::rig::Rig;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

/// The blocks of a page that are in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut parts = page.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        if let Some(text) = block.strip_prefix(&format!("{language}\n")) {
            blocks.push(text.to_owned());
        }
    }
    blocks
}

#[test]
fn every_rig_file_of_the_pages_has_no_mistake() {
    let mut read = 0;
    for name in ["own-firmware.md", "rig.md"] {
        for text in blocks(&page(name), "toml") {
            let rig = Rig::parse(Path::new("/nowhere/rig.toml"), &text);
            assert!(rig.is_ok(), "{name}: {:?}\n{text}", rig.err());
            read += 1;
        }
    }
    assert_eq!(read, 4);
}

#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    for name in ["own-firmware.md", "rig.md", "esp8266.md", "qualify.md"] {
        let page = page(name);
        let links = page
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links {
            let file = link.split('#').next().unwrap();
            let target = repository().join("docs").join(file);
            assert!(file.is_empty() || target.exists(), "{name}: {link}");
        }
    }
}

/// The commands of `own-firmware.md`, one after the other, as a reader would type them.
#[test]
fn a_reader_gets_from_a_desk_to_the_first_green_and_the_first_red() {
    let folder = sandbox::folder();
    let at = |name: &str| folder.path().join(name);
    symlink(repository().join("scenarios"), at("scenarios")).unwrap();
    let mut script = String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
    for block in blocks(&page("own-firmware.md"), "sh") {
        script.push_str(&format!("echo '# step'\n{block}"));
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_proving")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = sandbox::command("bash", folder.path())
        .args(["-c", &script])
        .env("PATH", format!("{}:{path}", programs.display()))
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{told}");
    let steps: Vec<&str> = said.split("# step\n").skip(1).collect();
    let [_, doctor, list, green, red, _, left] = steps[..] else {
        panic!("{said}");
    };
    assert!(doctor.contains("ok"), "{doctor}");
    assert!(list.contains("cases would run on device"), "{list}");
    assert!(green.contains(" PASSED "), "{green}");
    assert!(!green.contains(" FAILED "), "{green}");
    for line in [
        "wanted ",
        "but ",
        "when ",
        "blame    the device",
        "look at ",
    ] {
        assert!(red.contains(line), "{line}: {red}");
    }
    assert!(left.contains("broker-events ("), "{left}");
    let handed = at("handed");
    let mode = fs::metadata(&handed).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{}", handed.display());
}

/// The commands of `qualify.md`, one after the other.
#[test]
fn a_release_is_qualified_kept_and_verified_as_the_page_says() {
    let keygen = std::process::Command::new("ssh-keygen").output();
    if keygen.is_err() && std::env::var_os("PROVING_JUDGES_REQUIRED").is_none() {
        eprintln!(
            "skipped, because ssh-keygen is not installed: `cargo xtask setup` installs openssh-client"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut script = String::from("set -eu\n");
    for block in blocks(&page("qualify.md"), "sh") {
        script.push_str(&format!("echo '# step'\n{block}"));
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_proving")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("PATH", format!("{}:{path}", programs.display()))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{told}");
    let steps: Vec<&str> = said.split("# step\n").skip(1).collect();
    let [_, first, second, verified, stranger, afterwards] = steps[..] else {
        panic!("{said}");
    };
    assert!(first.contains("lamp 2.3: QUALIFIED\n"), "{first}");
    assert!(first.contains("signed by SHA256:"), "{first}");
    assert!(
        second.contains("compared        8 cases judged both times"),
        "{second}"
    );
    let by_us = "signed    by releases@lamp.example";
    assert!(
        verified.contains(by_us) && verified.contains("unsigned"),
        "{verified}"
    );
    assert!(
        stranger.starts_with("Good \"proving-evidence\" signature"),
        "{stranger}"
    );
    assert!(stranger.contains(by_us), "{stranger}");
    assert!(afterwards.contains(by_us), "{afterwards}");
}

#[test]
fn the_page_on_the_esp8266_runs_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let commands = blocks(&page("esp8266.md"), "sh");
    assert_eq!(commands.len(), 4);
    let mut said = String::new();
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(&words)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        said = String::from_utf8(output.stdout).unwrap();
    }
    assert!(
        said.contains("espconn_secure_cert_req_enable(0x01, 0x7d)"),
        "{said}"
    );
    assert!(
        said.contains("0x7d000 made/esp_cert_private_key.bin"),
        "{said}"
    );
    // Converted, they are the same; with the authority alone there is no client image.
    for image in ["esp_ca_cert.bin", "esp_cert_private_key.bin"] {
        let read = |way: &str| fs::read(folder.path().join(way).join(image));
        assert_eq!(read("made").unwrap(), read("own").unwrap());
        assert_eq!(read("one-way").is_ok(), image == "esp_ca_cert.bin");
    }
}
