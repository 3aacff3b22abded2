//! No secret of a run is stored or shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Planted as passphrase, wrong passphrase, wrong proof of possession and wrong password.
const CANARIES: [&str; 4] = [
    "canary-passphrase",
    "canary \"in\" quotes",
    "canary-pop-wrong",
    "canary-password-wrong",
];

const SCENARIO: &str = r#"
name: Canaries
matrix: { security: [none, v1, v2] }
world:
  access_points: { home: { passphrase: canary-passphrase } }
  cloud: { linkkit: {} }
  devices: { device: { provisioning: { security: "${security}" } } }
  phones: [alice]
steps:
  - power: on
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { log: { text: "Password : canary-passphrase" }, since: start, within: 0s }
  - expect: { cloud: { linkkit: token_reported }, capture: { token: /params/token }, within: 30s }
  - bind: { phone: alice, token: "${token}", outcome: bound }
  - expect: { log: { text: "this never comes" }, within: 1s }
"#;

const REFUSED: &str = r#"
name: Refused canaries
world:
  access_points: { home: {} }
  devices: { one: { provisioning: { security: v1 } }, two: { provisioning: { security: v2 } } }
  phones: [alice]
steps:
  - power: { device: one, turn: on }
  - power: { device: two, turn: on }
  - provision: { phone: alice, device: one, pop: canary-pop-wrong, outcome: session-refused }
  - provision: { phone: alice, device: two, password: canary-password-wrong, outcome: session-refused }
  - provision: { phone: alice, device: one, join: home, passphrase: 'canary "in" quotes', outcome: auth-error }
  - expect: { log: { text: "this never comes" }, within: 1s }
"#;

#[test]
fn canaries_are_in_no_file_and_no_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).expect("a folder");
    fs::write(scenarios.join("canaries.yaml"), SCENARIO).expect("written");
    fs::write(scenarios.join("refused.yaml"), REFUSED).expect("written");
    let mut shown = Vec::new();
    for format in ["human", "json"] {
        let output = Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(["run", "--junit", "junit.xml", "--message-format", format])
            .current_dir(folder.path())
            .output()
            .expect("proving runs");
        // The last step of each scenario fails on purpose: failures show most.
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        shown.extend(output.stdout);
        shown.extend(output.stderr);
    }
    // Tokens are secrets that the run makes: their names must stand where they would.
    let text = String::from_utf8_lossy(&shown).into_owned();
    let mut files = files_in(folder.path());
    files.retain(|file| !file.starts_with(&scenarios));
    assert!(files.len() > 10, "{files:?}");
    let mut named = false;
    for file in &files {
        let bytes = fs::read(file).expect("readable");
        assert_clean(
            &String::from_utf8_lossy(&bytes),
            &file.display().to_string(),
        );
        named |= bytes.windows(9).any(|window| window == b"<token 1>");
    }
    assert_clean(&text, "the output");
    assert!(named, "no trace names a token");
}

fn assert_clean(text: &str, place: &str) {
    for canary in CANARIES {
        let spellings = [
            canary.to_owned(),
            canary.replace('"', "\\\""),
            hex::encode(canary),
            hex::encode_upper(canary),
            STANDARD_NO_PAD.encode(canary),
        ];
        for spelling in spellings {
            assert!(!text.contains(&spelling), "{place} holds {spelling}");
        }
    }
    let token = regex::Regex::new(r#"token\W{1,12}[0-9A-F]{32}"#).expect("a good pattern");
    assert!(!token.is_match(text), "{place} holds a token");
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files
}
