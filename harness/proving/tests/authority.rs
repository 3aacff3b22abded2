//! `[authority]` in rig.toml: kept from run to run, or the team's own, judged by openssl.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod sandbox;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use finished::results;

const CLOUD: &str = r#"
name: It meets the broker
world:
  cloud: {}
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { tag: meet, text: "Verify return code: 0 (ok)" }, within: 20s }
  - expect: { tls: { kind: handshake, where: { /ok: true } }, within: 10s }
"#;

/// A program that keeps what it is told, and meets the broker by openssl.
const BOARD: &str = "[boards.dut]\nkind = \"process\"\n\
command = [\"./meet\", \"${ca.pem}\", \"${client.pem}\", \"${client.key}\", \"${broker.host}:${broker.port}\"]\n";
const MEET: &str = "#!/bin/sh\nset -eu\nhere=$(dirname \"$0\")\n\
cp \"$1\" \"$here/told-ca.pem\"; cp \"$2\" \"$here/told-client.pem\"\n\
openssl s_client -tls1_3 -connect \"$4\" -CAfile \"$1\" -cert \"$2\" -key \"$3\" -verify_return_error </dev/null 2>&1 |\n\
grep 'Verify return code' | head -1 | sed 's/^ */I (1) meet: /'\nsleep 60\n";

fn bench(authority: &str) -> TempDir {
    let folder = sandbox::folder();
    fs::write(
        folder.path().join("rig.toml"),
        format!("{BOARD}{authority}"),
    )
    .unwrap();
    fs::write(folder.path().join("case.yaml"), CLOUD).unwrap();
    let meet = folder.path().join("meet");
    fs::write(&meet, MEET).unwrap();
    fs::set_permissions(&meet, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn proving(bench: &Path) -> Output {
    sandbox::command(env!("CARGO_BIN_EXE_proving"), bench)
        .args([
            "run",
            "case.yaml",
            "--board",
            "dut",
            "--message-format",
            "json",
        ])
        .output()
        .unwrap()
}

fn passes(bench: &Path) {
    let output = proving(bench);
    let result = results(&output).into_iter().next().unwrap();
    assert_eq!(result["verdict"], "passed", "{result:#} {output:?}");
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What `proving doctor` says of the authority, and its exit code.
fn examined(bench: &Path) -> (Option<i32>, String) {
    let output = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench)
        .args(["doctor", "--board", "dut"])
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// What a run says that is refused, without line breaks.
fn refused(bench: &Path) -> String {
    let output = proving(bench);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr)
        .unwrap()
        .replace(['\n', '\u{2502}'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_authority_that_is_kept_signs_in_every_run() {
    let bench = bench("[authority]\nkeep = \"authority\"\n");
    let told = || fs::read_to_string(bench.path().join("told-ca.pem")).unwrap();
    let (code, said) = examined(bench.path());
    assert!(
        code == Some(0) && said.contains("the first run makes it"),
        "{said}"
    );
    assert!(
        !bench.path().join("authority").exists(),
        "it was only looked at"
    );
    passes(bench.path());
    let first = told();
    passes(bench.path());
    assert_eq!(told(), first);
    let verify = ["verify", "-CAfile", "authority/ca.pem", "told-client.pem"];
    openssl(bench.path(), &verify);
    let key = bench.path().join("authority/ca.key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = examined(bench.path());
    assert!(code == Some(3) && said.contains("-> `chmod 600"), "{said}");
    let said = refused(bench.path());
    for words in ["rig.toml:4:", "others may read the key", "chmod 600"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_teams_own_authority_signs_and_one_that_does_not_fit_is_a_mistake() {
    for kind in ["ec", "rsa"] {
        let bench = bench("[authority]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n");
        let key = match kind {
            "ec" => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            _ => ["-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:65537"],
        };
        let of = |name: &str| {
            let files = [format!("{name}.key"), format!("{name}.pem")];
            let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30"];
            arguments.extend(["-subj", "/C=DE/O=Lamps/CN=Lamps CA", "-keyout", &files[0]]);
            arguments.extend(["-out", &files[1]]);
            arguments.extend(key);
            openssl(bench.path(), &arguments);
            let key = bench.path().join(&files[0]);
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        };
        of("own");
        passes(bench.path());
        openssl(
            bench.path(),
            &["verify", "-CAfile", "own.pem", "told-client.pem"],
        );
        let own = fs::read_to_string(bench.path().join("own.pem")).unwrap();
        assert_eq!(
            fs::read_to_string(bench.path().join("told-ca.pem")).unwrap(),
            own
        );
        of("other");
        fs::rename(bench.path().join("other.key"), bench.path().join("own.key")).unwrap();
        let said = refused(bench.path());
        for words in ["rig.toml:4:", "not the certificate's", "openssl x509"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

#[test]
fn half_an_authority_is_a_mistake_with_its_place() {
    for (authority, words) in [
        ("[authority]\n", "has no `keep`"),
        ("[authority]\ncertificate = \"a.pem\"\n", "has no `key`"),
        (
            "[authority]\nkeep = \"a\"\nkey = \"b\"\n",
            "leave `keep` out",
        ),
        ("[authority]\nkepe = \"a\"\n", "did you mean `keep`?"),
    ] {
        let said = refused(bench(authority).path());
        assert!(
            said.contains(words) && said.contains("rig.toml:4:"),
            "{words}: {said}"
        );
    }
}
