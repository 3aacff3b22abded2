//! Runs on the emulated board: what passes, and what a broken probe ends in.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The image, if it and the emulator are there. Where the judges are required, so are they.
fn image(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let image = target.join("firmware/thumbv7em-none-eabi/release/mps2");
    let has_emulator = Command::new("qemu-system-arm")
        .arg("--version")
        .output()
        .is_ok();
    let missing = match (image.is_file(), has_emulator) {
        (true, true) => return Some(image),
        (false, _) => "there is no image: cargo xtask firmware mps2",
        (_, false) => "qemu-system-arm is not installed",
    };
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{missing}"
    );
    eprintln!("{test}: skipped, because {missing}");
    None
}

/// Exit code and messages of a run of one short case.
fn run(image: &Path, arguments: &[&str]) -> (i32, Vec<Value>) {
    let out = tempfile::tempdir().unwrap();
    let scenarios =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/softap/transcript.yaml");
    let output = Command::new(env!("CARGO_BIN_EXE_proving"))
        .args([
            "run",
            "--board",
            "qemu",
            "--message-format",
            "json",
            "--image",
        ])
        .arg(image)
        .arg("--out")
        .arg(out.path())
        .args(arguments)
        .arg(scenarios)
        .output()
        .unwrap();
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (output.status.code().unwrap(), messages.collect())
}

fn attempt(messages: &[Value]) -> &Value {
    let finished = messages
        .iter()
        .find(|message| message["type"] == "attempt_finished");
    &finished.unwrap()["result"]
}

#[test]
fn a_scenario_passes_on_the_emulated_board() {
    let Some(image) = image("a_scenario_passes_on_the_emulated_board") else {
        return;
    };
    let (code, messages) = run(&image, &[]);
    assert_eq!(
        (code, &attempt(&messages)["verdict"]),
        (0, &"passed".into()),
        "{messages:#?}"
    );
}

#[test]
fn every_fault_of_the_probe_ends_broken_within_its_bound() {
    let Some(image) = image("every_fault_of_the_probe_ends_broken_within_its_bound") else {
        return;
    };
    for (fault, expected) in [
        ("link-dropped", "is it switched on"),
        ("wait-forever", "check its power and wires"),
        ("hung", "unplug it and plug it in again"),
        ("wrong-idcode", "check its power and wires"),
        ("locked-up", "in case its core is locked up"),
        ("power-lost-in-flash", "check that the chip's supply holds"),
    ] {
        let began = Instant::now();
        let (code, messages) = run(&image, &["--probe-fault", fault]);
        let result = attempt(&messages);
        assert_eq!(
            (code, &result["verdict"]),
            (3, &"broken".into()),
            "{fault}: {result:#}"
        );
        let message = result["failure"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{fault}: {message}");
        let hint = result["failure"]["diagnosis"].as_str().unwrap();
        assert!(hint.contains("the debug probe"), "{fault}: {hint}");
        // Every call on the probe is bounded; an attempt makes a handful before it gives up.
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{fault}: {:?}",
            began.elapsed()
        );
        assert_eq!(result["leaked"], Value::Null, "{fault}: {result:#}");
        println!("{fault}: {:?}: {message}", began.elapsed());
    }
}
