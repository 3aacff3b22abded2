//! A release is qualified, compared with an earlier one, and its evidence judged: by us, and by ssh-keygen.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Where a judge that is missing is a failure.
const REQUIRED: &str = "PROVING_JUDGES_REQUIRED";

const ONLINE: &str = "
name: It gets online
world:
  access_points: { home: {} }
  cloud: { broker: {} }
  devices: { device: { provisioning: { over: softap, security: v1 } } }
  phones: [alice]
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 10s }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { mqtt: session_opened, within: 30s }
";
const STARTS: &str = "
name: It starts
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 5s }
";

/// A folder with two scenarios.
struct Team(tempfile::TempDir);

impl Team {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        fs::write(folder.path().join("scenarios/online.yaml"), ONLINE).unwrap();
        fs::write(folder.path().join("scenarios/starts.yaml"), STARTS).unwrap();
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn proving(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn qualify(&self, arguments: &[&str]) -> Output {
        self.proving(&[&["qualify", "--seed", "1"], arguments].concat())
    }

    /// Exit code of a verification, and what it says.
    fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.proving(&[&["evidence", "verify"], arguments].concat());
        let text = said(&output) + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.at(path)).unwrap()).unwrap()
    }

    /// A key of ssh-keygen's; none if that is not here, which is said.
    fn key(&self, name: &str) -> Option<String> {
        let made = Command::new("ssh-keygen")
            .args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "lab@example",
                "-f",
                name,
            ])
            .current_dir(self.0.path())
            .status();
        let Ok(made) = made else {
            let message =
                "ssh-keygen is not installed: `cargo xtask setup` installs openssh-client";
            assert!(std::env::var_os(REQUIRED).is_none(), "{message}");
            eprintln!("skipped, because {message}");
            return None;
        };
        assert!(made.success());
        Some(name.to_owned())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The words of a message, without the frame and the line ends that it is printed with.
fn words(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_release_that_passes_is_qualified_and_its_evidence_is_whole() {
    let team = Team::new();
    let output = team.qualify(&[
        "--repeats",
        "3",
        "--out",
        "evidence",
        "--release",
        "lamp 2.3",
    ]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", told(&output));
    assert!(text.contains("lamp 2.3: QUALIFIED\n"), "{text}");
    assert!(
        text.contains("2 cases, 3 times each: 6 passed, 0 failed"),
        "{text}"
    );
    assert!(text.contains("never failed in 3: below 63 %"), "{text}");
    assert!(text.contains("unsigned: whoever changes a file"), "{text}");

    let record = team.json("evidence/qualification.json");
    assert_eq!(record["cases"][0]["rate_to_ppm"], 631_597);
    assert_eq!(
        record["setups"][0]["board"]["firmware"][0]["sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    assert_eq!(record["tool_sha256"].as_str().unwrap().len(), 64);
    let certificates = record["certificates_seen"].to_string();
    assert!(
        certificates.contains("broker: server") && certificates.contains("device: CN="),
        "{certificates}"
    );
    let kept = fs::read_to_string(team.at("evidence/scenarios/online.yaml")).unwrap();
    assert_eq!(kept, ONLINE);
    let summary = team.json("evidence/summary.json");
    let folder = summary["cases"][0]["attempts"][2]["folder"]
        .as_str()
        .unwrap();
    assert_eq!(folder, "traces/It_gets_online/3");
    assert!(
        team.at("evidence")
            .join(folder)
            .join("trace.jsonl")
            .is_file()
    );
    let page = fs::read_to_string(team.at("evidence/report.html")).unwrap();
    assert!(page.contains("lamp 2.3: QUALIFIED") && !page.contains("\"absent\":\"failed"));

    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("whole     11 files") && text.contains("unsigned"),
        "{text}"
    );
    // Nothing else stands beside it: no part of it is left.
    let names = fs::read_dir(team.0.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["evidence", "proving-out", "scenarios"]);
}

#[test]
fn a_release_that_fails_says_beside_the_earlier_one_what_is_new() {
    let team = Team::new();
    let good = team.qualify(&["--repeats", "3", "--out", "old"]);
    assert_eq!(good.status.code(), Some(0), "{}", told(&good));
    fs::remove_file(team.at("scenarios/starts.yaml")).unwrap();
    let mended = ONLINE.replace("It gets online", "It is new");
    fs::write(team.at("scenarios/new.yaml"), mended).unwrap();

    let arguments = [
        "--repeats",
        "3",
        "--out",
        "new",
        "--against",
        "old",
        "--bug",
        "match-reply-ignored",
    ];
    let output = team.qualify(&arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", told(&output));
    for line in [
        "gone            It starts",
        "new             It is new",
        "compared        1 case judged",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let why = "the bug match-reply-ignored is in the devices on purpose; 1 case is gone";
    assert!(text.contains(why), "{text}");

    let failing = [
        "--repeats",
        "3",
        "--out",
        "bad",
        "--against",
        "old",
        "--bug",
        "silent-hang",
    ];
    let output = team.qualify(&failing);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("newly failing   It gets online: failed 3 of 3, before 0 of 3"),
        "{text}"
    );
    assert!(text.contains("a rate of 29 to 100 %"), "{text}");
    let record = team.json("bad/qualification.json");
    assert_eq!(record["qualified"], false);
    assert_eq!(record["comparison"]["newly_failing"][0]["now"]["failed"], 3);
    assert_eq!(
        record["against"]["tool"],
        concat!("proving ", env!("CARGO_PKG_VERSION"))
    );

    // The other way round it is mended.
    let output = team.qualify(&["--repeats", "3", "--out", "again", "--against", "bad"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("fixed           It gets online: failed 0 of 3, before 3 of 3"),
        "{text}"
    );
}

#[test]
fn the_same_release_twice_differs_in_nothing() {
    let team = Team::new();
    for (out, seed) in [("old", "1"), ("new", "77")] {
        let output = team.proving(&["qualify", "--repeats", "4", "--seed", seed, "--out", out]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
    let output = team.qualify(&["--repeats", "4", "--out", "third", "--against", "old"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let comparison = team.json("third/qualification.json")["comparison"].clone();
    for (what, differences) in comparison.as_object().unwrap() {
        let expected = if what == "compared" {
            Value::from(2)
        } else {
            Value::from(Vec::<Value>::new())
        };
        assert_eq!(differences, &expected, "{what}");
    }
}

#[test]
fn another_log_of_a_case_that_passes_is_told_with_its_lines() {
    let team = Team::new();
    let only = "scenarios/online.yaml";
    let output = team.qualify(&["--repeats", "2", "--out", "old", only]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let bound = ONLINE.replace("broker: {}", "broker: {}, linkkit: {}");
    fs::write(team.at(only), bound).unwrap();
    let output = team.qualify(&["--repeats", "2", "--out", "new", "--against", "old", only]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "other scenario  scenarios/online.yaml: what it asks for has changed, too",
        "other log       It gets online",
        "              + I ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_cannot_become_evidence_is_told_before_anything_is_run() {
    let team = Team::new();
    fs::create_dir(team.at("there")).unwrap();
    fs::write(team.at("no-key"), "what\n").unwrap();
    for (arguments, why) in [
        (&["--out", "there"][..], "is there already"),
        (&["--out", "a", "--below", "5%"], "--repeats 59"),
        (
            &["--out", "a", "--sign-with", "no-key"],
            "no private key of OpenSSH",
        ),
        (
            &["--out", "a", "--sign-with", "nowhere"],
            "failed to read the key",
        ),
        (
            &["--out", "a", "--against", "scenarios"],
            "there is no manifest.json in it",
        ),
        (&["--out", "a", "--repeats", "0"], "0 is not in 1.."),
    ] {
        let output = team.qualify(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let text = words(&told(&output));
        assert!(text.contains(why), "{arguments:?}: {text}");
    }
    assert!(!team.at("proving-out").exists() && !team.at("a").exists());
}

#[test]
fn a_process_that_is_ended_leaves_no_evidence() {
    let team = Team::new();
    for (signal, code) in [("-KILL", None), ("-INT", Some(130))] {
        let mut running = Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(["qualify", "--repeats", "10000", "--out", "evidence"])
            .args(["--runs", signal.trim_start_matches('-')])
            .current_dir(team.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !team.at(signal.trim_start_matches('-')).exists() {
            std::thread::yield_now();
        }
        let sent = Command::new("kill")
            .args([signal, &running.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(running.wait().unwrap().code(), code);
        assert!(!team.at("evidence").exists());
    }
}

/// Evidence of a release that passes, signed by `key` if there is one.
fn evidence(team: &Team, key: Option<&str>) {
    let mut arguments = vec![
        "--repeats",
        "1",
        "--out",
        "evidence",
        "scenarios/starts.yaml",
    ];
    arguments.extend(key.iter().flat_map(|key| ["--sign-with", key]));
    let output = team.qualify(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn each_difference_has_a_word_and_an_exit_code_of_its_own() {
    let team = Team::new();
    evidence(&team, None);
    let page = team.at("evidence/report.html");
    let whole = fs::read(&page).unwrap();

    // Of the same size.
    let mut other = whole.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    fs::write(&page, other).unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (10, Some("changed   report.html")),
        "{text}"
    );
    let against = team.qualify(&["--out", "next", "--against", "evidence"]);
    assert_eq!(against.status.code(), Some(2));
    assert!(
        told(&against).contains("report.html was changed"),
        "{against:?}"
    );

    fs::remove_file(&page).unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (11, Some("missing   report.html")),
        "{text}"
    );

    fs::write(&page, whole).unwrap();
    fs::write(team.at("evidence/traces/more"), "x").unwrap();
    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(
        (code, text.lines().next()),
        (12, Some("added     traces/more")),
        "{text}"
    );
    fs::remove_file(team.at("evidence/traces/more")).unwrap();
    assert_eq!(team.verify(&["evidence"]).0, 0);
}

#[test]
fn evidence_that_leads_out_of_its_folder_is_refused_with_the_reason() {
    let team = Team::new();
    evidence(&team, None);
    let path = team.at("evidence/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let first = "\"path\": \"qualification.json\"";
    assert!(text.contains(first), "{text}");
    let huge = text.replacen("\"bytes\": ", "\"bytes\": 9999999999999", 1);
    let twice = text.replacen(first, "\"path\": \"report.html\"", 1);
    for (changed, why) in [
        (
            text.replacen(first, "\"path\": \"../x\"", 1),
            "`../x`, which leads out",
        ),
        (
            text.replacen(first, "\"path\": \"/etc/passwd\"", 1),
            "leads out of the folder",
        ),
        (
            text.replacen(first, "\"path\": \"a\\\\b\"", 1),
            "leads out of the folder",
        ),
        (twice, "names report.html twice"),
        (huge, "is said to have"),
        (
            text.replacen("\"version\": 1", "\"version\": 9", 1),
            "is of version 9",
        ),
        ("[".repeat(100_000), "is none"),
    ] {
        fs::write(&path, changed).unwrap();
        let (code, told) = team.verify(&["evidence"]);
        let told = words(&told);
        assert_eq!(code, 2, "{why}: {told}");
        assert!(told.contains(why), "{why}: {told}");
    }
    fs::write(&path, &text).unwrap();

    let page = team.at("evidence/report.html");
    let outside = team.at("outside.html");
    fs::rename(&page, &outside).unwrap();
    symlink(&outside, &page).unwrap();
    let (code, told) = team.verify(&["evidence"]);
    assert!(
        code == 2 && told.contains("report.html is a link"),
        "{told}"
    );
    fs::remove_file(&page).unwrap();
    fs::rename(&outside, &page).unwrap();
    symlink("..", team.at("evidence/up")).unwrap();
    let (code, told) = team.verify(&["evidence"]);
    assert!(code == 2 && told.contains("up is a link"), "{told}");
    assert_eq!(team.verify(&["scenarios"]).0, 2);
}

fn ssh_keygen_verifies(team: &Team, namespace: &str) -> bool {
    let manifest = fs::File::open(team.at("evidence/manifest.json")).unwrap();
    let output = Command::new("ssh-keygen")
        .args([
            "-Y",
            "verify",
            "-n",
            namespace,
            "-f",
            "allowed",
            "-I",
            "lab@example",
        ])
        .args(["-s", "evidence/manifest.json.sig"])
        .current_dir(team.0.path())
        .stdin(manifest)
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn ssh_keygen_accepts_our_signature_and_we_accept_its() {
    let team = Team::new();
    let Some(key) = team.key("key") else { return };
    evidence(&team, Some(&key));
    let public = fs::read_to_string(team.at("key.pub")).unwrap();
    let allowed = format!("lab@example namespaces=\"proving-evidence\" {public}");
    fs::write(team.at("allowed"), allowed).unwrap();
    assert!(ssh_keygen_verifies(&team, "proving-evidence"));
    assert!(!ssh_keygen_verifies(&team, "git"));
    let signed = [
        &["evidence", "--signed-by", "key.pub"][..],
        &["evidence", "--allowed-signers", "allowed"],
    ];
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(
            code == 0 && text.contains("signed    by lab@example (SHA256:"),
            "{text}"
        );
    }
    let (code, text) = team.verify(&["evidence"]);
    assert!(
        code == 0 && text.contains("name the key that you trust"),
        "{text}"
    );

    // Signed by the tool itself, also with a key of another kind beside.
    fs::remove_file(team.at("evidence/manifest.json.sig")).unwrap();
    let (code, text) = team.verify(signed[0]);
    assert!(code == 13 && text.contains("unsigned"), "{text}");
    let sign = |namespace: &str, key: &str| {
        let _ = fs::remove_file(team.at("evidence/manifest.json.sig"));
        let output = Command::new("ssh-keygen")
            .args([
                "-Y",
                "sign",
                "-n",
                namespace,
                "-f",
                key,
                "evidence/manifest.json",
            ])
            .current_dir(team.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    sign("proving-evidence", &key);
    for arguments in signed {
        assert_eq!(team.verify(arguments).0, 0);
    }
    sign("git", &key);
    let (code, text) = team.verify(signed[0]);
    assert!(code == 15 && text.contains("made for `git`"), "{text}");

    let other = team.key("other").unwrap();
    sign("proving-evidence", &other);
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(
            code == 14 && text.contains("signed    by another: SHA256:"),
            "{text}"
        );
    }

    // A manifest that was changed after it was signed.
    sign("proving-evidence", &key);
    let path = team.at("evidence/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replacen("\"tool\": \"proving", "\"tool\": \"Proving", 1),
    )
    .unwrap();
    for arguments in signed {
        let (code, text) = team.verify(arguments);
        assert!(code == 15 && text.contains("signature not valid"), "{text}");
    }
    assert!(!ssh_keygen_verifies(&team, "proving-evidence"));
}

#[test]
fn a_key_that_others_may_read_or_that_has_a_passphrase_signs_nothing() {
    let team = Team::new();
    let Some(key) = team.key("key") else { return };
    fs::set_permissions(team.at(&key), fs::Permissions::from_mode(0o644)).unwrap();
    let output = team.qualify(&["--out", "a", "--sign-with", &key]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("others may read it"), "{output:?}");
    fs::set_permissions(team.at(&key), fs::Permissions::from_mode(0o600)).unwrap();
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "four words of it", "-f", &key])
        .current_dir(team.0.path())
        .output()
        .unwrap();
    assert!(locked.status.success(), "{locked:?}");
    let output = team.qualify(&["--out", "a", "--sign-with", &key]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("it has a passphrase"), "{output:?}");
    assert!(!team.at("proving-out").exists());
}

/// What stands in a rig file in plain is not in the evidence.
#[test]
fn a_rig_is_described_without_its_secrets_and_its_authority_without_its_key() {
    let team = Team::new();
    fs::write(
        team.at("rig.toml"),
        "\
[boards.program]
kind = \"process\"
command = [\"sh\", \"-c\", \"echo 'I (1) app: here'; sleep 60\", \"--token=kaffeekanne\"]
environment = { API_TOKEN = \"teekanne\", LANG = \"C\" }

[authority]
keep = \"authority\"
",
    )
    .unwrap();
    let scenario = "
name: It says something
world: { devices: { device: { on_network: true } } }
steps:
  - power: on
  - expect: { log: { text: here }, within: 10s }
";
    fs::write(team.at("says.yaml"), scenario).unwrap();
    let output = team.qualify(&[
        "--repeats",
        "1",
        "--board",
        "program",
        "--out",
        "evidence",
        "says.yaml",
    ]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        said(&output),
        told(&output)
    );
    let rig = team.json("evidence/rig.json");
    let board = &rig["boards"]["program"];
    assert_eq!(board["environment"]["API_TOKEN"], "<removed>");
    assert_eq!(board["command"][3], "--token=<removed>");
    assert_eq!(board["environment"]["LANG"], "C");
    let authority = fs::read_to_string(team.at("evidence/certificates/authority.pem")).unwrap();
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"));
    let whole = Command::new("grep")
        .args(["-rlE", "kaffeekanne|teekanne|PRIVATE KEY"])
        .arg(team.at("evidence"))
        .output()
        .unwrap();
    assert_eq!(said(&whole), "");
}

#[test]
fn a_rate_that_is_asked_for_has_to_be_shown() {
    let team = Team::new();
    let output = team.qualify(&[
        "--repeats",
        "5",
        "--below",
        "46%",
        "--out",
        "a",
        "scenarios/starts.yaml",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let failing = [
        "--repeats",
        "5",
        "--below",
        "46%",
        "--out",
        "b",
        "--bug",
        "silent-hang",
    ];
    let output = team.qualify(&failing);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("not shown to fail in less than 46 %"),
        "{}",
        said(&output)
    );
}

/// The path is the same on every machine that the evidence is taken to.
#[test]
fn evidence_can_be_moved_and_opened() {
    let team = Team::new();
    evidence(&team, None);
    fs::create_dir(team.at("archive")).unwrap();
    fs::rename(team.at("evidence"), team.at("archive/2026")).unwrap();
    assert_eq!(team.verify(&["archive/2026"]).0, 0);
    let output = team.proving(&["trace", "open", "archive/2026", "--out", "page.html"]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(team.at("page.html")).unwrap();
    assert!(Path::new(said(&output).trim()).ends_with("page.html") && page.contains("It starts"));
}
