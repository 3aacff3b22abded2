//! What the program writes for a team: the scenarios that it carries, and a repository to begin with.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use board::rig::Rig;

fn proving(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_proving"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_repository_that_begins_with_init_passes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let team = folder.path().join("lamp");
    let told = said(&proving(folder.path(), &["init", "lamp"]));
    assert!(told.contains("cd lamp; proving run"), "{told}");

    let run = said(&proving(&team, &["run"]));
    assert!(run.contains("1 passed, 0 failed"), "{run}");
    said(&proving(&team, &["check"]));
    let rig = Rig::read(&team.join("rig.toml")).unwrap();
    assert!(rig.boards.is_empty());
    let workflow = fs::read_to_string(team.join(".github/workflows/proving.yml")).unwrap();
    let version = concat!("actions/proving@v", env!("CARGO_PKG_VERSION"));
    assert!(workflow.contains(version) && !workflow.contains("{version}"));
}

#[test]
fn the_first_scenario_notices_a_device_that_does_not_come_to_its_broker() {
    let folder = tempfile::tempdir().unwrap();
    said(&proving(folder.path(), &["init"]));
    let output = proving(folder.path(), &["run", "--bug", "silent-hang"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn init_names_the_file_that_it_would_overwrite_and_writes_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rig.toml"), "# ours\n").unwrap();
    let output = proving(folder.path(), &["init"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("rig.toml"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_scenarios_that_are_written_out_are_those_of_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let told = said(&proving(folder.path(), &["scenarios", "export", "stock"]));
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let differs = Command::new("diff")
        .arg("--recursive")
        .args([&folder.path().join("stock"), &repository])
        .output()
        .unwrap();
    assert!(differs.status.success(), "{differs:?}");
    let count = told.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
    assert!(count > 200, "{told}");
    said(&proving(folder.path(), &["check", "stock"]));

    let again = said(&proving(folder.path(), &["scenarios", "export", "stock"]));
    assert!(again.contains("; 0 files written, "), "{again}");
    let own = folder.path().join("stock/softap/wrong_pop.yaml");
    fs::write(&own, "name: ours\n").unwrap();
    let output = proving(folder.path(), &["scenarios", "export", "stock"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(fs::read_to_string(own).unwrap(), "name: ours\n");
}
