//! The scripts of `.github/actions/proving`, run as a runner does.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PASSES: &str = "
name: It starts
world:
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 10s }
";
const FAILS: &str = "
name: It sings
world:
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { text: La la la }, within: 1s }
";

fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/actions/proving")
}

/// Runs `script` of the action in `folder`.
fn step(folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(action().join(script))
        .current_dir(folder)
        .env("GITHUB_OUTPUT", folder.join("outputs"))
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_action_runs_annotates_and_leaves_the_exit_code_to_its_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("passes.yaml"), PASSES).unwrap();
    fs::write(folder.join("fails.yaml"), FAILS).unwrap();
    let binary = [("PROVING_BINARY", env!("CARGO_BIN_EXE_proving"))];
    let output = step(folder, "binary.sh", &binary);
    assert!(output.status.success(), "{output:?}");
    let outputs = fs::read_to_string(folder.join("outputs")).unwrap();
    let path = outputs.trim().strip_prefix("path=").unwrap().to_owned();

    for (scenarios, code) in [("passes.yaml", 0), ("passes.yaml\nfails.yaml\n", 1)] {
        let run = [
            ("PROVING", path.as_str()),
            ("PROVING_BOARDS", "native\n"),
            ("PROVING_RIG", "rig.toml"),
            ("PROVING_SCENARIOS", scenarios),
            ("PROVING_FILTER", "all()"),
            ("PROVING_WAIT", "10m"),
            ("PROVING_OUT", "out"),
        ];
        let output = step(folder, "run.sh", &run);
        let log = said(&output);
        assert!(output.status.success(), "{output:?}");
        let outputs = fs::read_to_string(folder.join("outputs")).unwrap();
        let last = outputs.lines().last().unwrap();
        assert_eq!(last, format!("exit-code={code}"), "{log}");
        assert!(folder.join("out/junit.xml").is_file());
        let error = "::error title=failed%3A It sings on native,file=fails.yaml,line=7::";
        assert_eq!(log.contains(error), code == 1, "{log}");
    }
    let summary = fs::read_to_string(folder.join("summary.md")).unwrap();
    assert!(
        summary.contains("### Proving: 1 failed, 1 passed"),
        "{summary}"
    );
    assert!(
        summary.contains("| failed | It sings | native |"),
        "{summary}"
    );
}

#[test]
fn words_of_a_device_are_no_commands_of_the_runner() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let result = serde_json::json!({
        "type": "case_finished",
        "result": {
            "case": "A|B", "name": "A, B: C", "scenario": "a.yaml", "board": "dut",
            "verdict": "failed",
            "attempts": [{ "failure": { "message": "no\n::add-mask::x\r::error::100%", "place": null } }],
        },
    });
    fs::write(
        folder.join("messages"),
        format!("{result}\n{{\"type\":\"case_fin"),
    )
    .unwrap();
    let output = Command::new("python3")
        .arg(action().join("annotate.py"))
        .arg("messages")
        .current_dir(folder)
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        said(&output),
        "::error title=failed%3A A%2C B%3A C on dut,file=a.yaml::\
         no%0A::add-mask::x%0D::error::100%25\n1 failed\n"
    );
}

#[test]
fn no_input_of_the_action_stands_in_a_script() {
    let text = fs::read_to_string(action().join("action.yml")).unwrap();
    let scripts: Vec<&str> = text
        .lines()
        .filter(|line| line.trim_start().starts_with("run:"))
        .collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    for script in scripts {
        assert!(
            !script.contains("${{") && !script.ends_with('|'),
            "{script}"
        );
    }
}

#[test]
fn a_binary_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = step(folder.path(), "binary.sh", &[("PROVING_BINARY", "nowhere")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("::error::there is no program nowhere"));
}
