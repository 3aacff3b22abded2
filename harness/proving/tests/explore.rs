//! `proving explore`, as a program: what it finds, what it writes, and that it walks the same again.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use engine::run::{BoardModel, Settings};
use explore::run::{Ended, Runner, difference};
use explore::walk::Walk;
use trace::Verdict;

fn proving() -> Command {
    Command::new(env!("CARGO_BIN_EXE_proving"))
}

fn explore(out: &Path, arguments: &[&str]) -> Output {
    let mut command = proving();
    command.arg("explore").args(arguments).arg("--out").arg(out);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The scenarios that were written.
fn scenarios(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    paths.sort();
    paths
}

#[test]
fn a_device_without_bugs_is_walked_without_a_finding() {
    let out = tempfile::tempdir().unwrap();
    let output = explore(out.path(), &["--seed", "1", "--walks", "24", "--for", "5m"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("24 walks in "), "{}", text(&output));
    assert!(scenarios(out.path()).is_empty());
}

#[test]
fn bugs_are_found_and_shrunk_to_scenarios_that_fail_alike() {
    for (bug, longest) in [
        ("second-credentials-accepted", 4),
        ("credentials-lost-on-restart", 5),
        ("scan-unsorted", 4),
    ] {
        let out = tempfile::tempdir().unwrap();
        let arguments = ["--seed", "1", "--for", "3m", "--fail-fast", "--bug", bug];
        let output = explore(out.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{bug}: {}", text(&output));
        let found = scenarios(out.path());
        assert_eq!(found.len(), 1, "{bug}: {}", text(&output));
        let walk = explore::kept::read_file(&found[0]).unwrap();
        assert!(walk.actions.len() <= longest, "{bug}: {:?}", walk.actions);
        let checked = proving().arg("check").arg(&found[0]).output().unwrap();
        assert!(checked.status.success(), "{bug}: {checked:?}");
        for (bug, code) in [(Some(bug), 1), (None, 0)] {
            let mut run = proving();
            run.arg("run")
                .arg(&found[0])
                .arg("--out")
                .arg(out.path().join("run"));
            run.args(bug.iter().flat_map(|bug| ["--bug", bug]));
            let run = run.output().unwrap();
            assert_eq!(run.status.code(), Some(code), "{bug:?}: {}", text(&run));
        }
    }
}

#[test]
fn kept_walks_are_gone_on_from() {
    let out = tempfile::tempdir().unwrap();
    let kept = out.path().join("kept");
    for seed in ["3", "4"] {
        let arguments = [
            "--seed",
            seed,
            "--walks",
            "8",
            "--keep",
            kept.to_str().unwrap(),
        ];
        let output = explore(out.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(!scenarios(&kept).is_empty());
    }
    let all = scenarios(&kept);
    let from = [
        "--seed",
        "5",
        "--walks",
        "4",
        "--from",
        all[0].to_str().unwrap(),
    ];
    let output = explore(out.path(), &from);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_scenario_of_others_is_not_gone_on_from() {
    let out = tempfile::tempdir().unwrap();
    let scenario =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/softap/wrong_pop.yaml");
    let arguments = ["--walks", "1", "--from", scenario.to_str().unwrap()];
    let output = explore(out.path(), &arguments);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("that `explore` has written"), "{told}");
}

/// Each walk is run twice: what sources tell must be the same, in the same order within each.
#[test]
fn a_walk_has_the_same_trace_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let executable = PathBuf::from(env!("CARGO_BIN_EXE_proving"));
    let settings = Settings {
        speed: 10_000.0,
        ..Settings::new(executable)
    };
    let mut runner = Runner::new(BoardModel::native(), settings, folder.path()).unwrap();
    let walks: Vec<Walk> = (0..12).map(|index| Walk::drawn(21, index)).collect();
    let mut twice = || -> Vec<Ended> {
        let ended = runner.run(&walks).unwrap();
        ended.into_iter().map(Option::unwrap).collect()
    };
    let (first, second) = (twice(), twice());
    let mut differ = Vec::new();
    for (index, (one, other)) in first.iter().zip(&second).enumerate() {
        assert_eq!(
            one.verdict,
            Verdict::Passed,
            "walk {index}: {:?}",
            one.failure
        );
        let difference = difference(&one.projection, &other.projection);
        differ.extend(difference.map(|difference| format!("walk {index}: {difference}")));
    }
    // Two phones, or a phone and a device, that act in the same moment may come in either order.
    assert!(differ.len() <= 1, "{differ:#?}");
}
