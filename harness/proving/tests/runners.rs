//! Runs that share boards: queueing, choosing by expression, boards that are not well.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod sandbox;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use board::lease::{Lease, Leases};
use serde_json::Value;
use tempfile::TempDir;

use finished::results;

const SCENARIO: &str = r#"
name: It starts
world:
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { tag: lamp, text: Provisioning started }, within: 20s }
"#;
/// A board that is a program, which starts at once.
const ONE: &str = "[boards.dut]\nkind = \"process\"\ncommand = [\"./device\"]\n";

/// A folder with a rig file, a scenario, a program as the device, and leases.
fn bench(rig: &str) -> TempDir {
    let folder = sandbox::folder();
    fs::write(folder.path().join("rig.toml"), rig).unwrap();
    fs::write(folder.path().join("log.yaml"), SCENARIO).unwrap();
    script(
        folder.path(),
        "device",
        "echo 'I (312) lamp: Provisioning started'\nsleep 60",
    );
    folder
}

/// A script in `folder` that can be started.
fn script(folder: &Path, name: &str, body: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nset -eu\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(bench: &Path, arguments: &[&str]) -> Command {
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench);
    command
        .args(["run", "log.yaml", "--message-format", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn proving(bench: &Path, arguments: &[&str]) -> Output {
    command(bench, arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The boards of `results`, in the order of their names.
fn boards(results: &[Value]) -> Vec<&str> {
    let mut boards: Vec<_> = results
        .iter()
        .map(|result| result["board"].as_str().unwrap())
        .collect();
    boards.sort_unstable();
    boards
}

/// Holds the only board of `bench`, for this process.
fn held(bench: &Path) -> Lease {
    let rig = board::rig::Rig::read(&bench.join("rig.toml")).unwrap();
    let identity = rig.boards["dut"].identity();
    let leases = Leases::in_folder(bench.join("runtime/proving")).unwrap();
    let until = SystemTime::now() + Duration::from_secs(600);
    leases.take(&identity, "another run", until).unwrap()
}

/// Reads standard error of `run` until it waits, and returns that line.
fn until_it_waits(run: &mut Child) -> String {
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().contains("waiting for"));
    thread::spawn(move || lines.for_each(drop));
    line.expect("it waits").unwrap()
}

fn end(run: &Child, signal: i32) {
    let pid = i32::try_from(run.id()).unwrap();
    // SAFETY: a signal to a child of ours that was not waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

#[test]
fn a_run_queues_for_a_board_and_says_whose_it_is() {
    let bench = bench(ONE);
    let lease = held(bench.path());
    let arguments = ["--board", "dut", "--wait", "60s"];
    let mut run = command(bench.path(), &arguments).spawn().unwrap();
    let line = until_it_waits(&mut run);
    let expected = format!(
        "waiting for dut: held by process {} (another run), for ",
        std::process::id()
    );
    assert!(line.starts_with(&expected), "{line}");
    drop(lease);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(results(&output)[0]["verdict"], "passed");
}

#[test]
fn a_run_that_waited_in_vain_ends_broken() {
    let bench = bench(ONE);
    let _lease = held(bench.path());
    let began = Instant::now();
    let output = proving(bench.path(), &["--board", "dut", "--wait", "1s"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(said(&output).contains("another run"), "{output:?}");
    assert_eq!(results(&output), Vec::<Value>::new());
}

#[test]
fn a_run_that_is_interrupted_while_it_waits_ends_at_once() {
    let bench = bench(ONE);
    let _lease = held(bench.path());
    let arguments = ["--board", "dut", "--wait", "1h"];
    let mut run = command(bench.path(), &arguments).spawn().unwrap();
    until_it_waits(&mut run);
    let began = Instant::now();
    end(&run, libc::SIGINT);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn of_two_runs_at_once_the_second_gets_the_board_of_the_first_even_if_that_is_killed() {
    for killed in [false, true] {
        let bench = bench(ONE);
        let start = "while [ ! -e go ]; do sleep 0.1; done\necho 'I (3) lamp: Provisioning started'\nsleep 60";
        script(bench.path(), "device", start);
        let device = bench.path().join("device");
        let rig = format!(
            "[boards.dut]\nkind = \"process\"\ncommand = [\"sh\", \"-c\", \"cd {} && exec ./device\"]\n",
            bench.path().display()
        );
        fs::write(bench.path().join("rig.toml"), rig).unwrap();
        assert!(device.is_file());
        let arguments = ["--board", "dut", "--wait", "60s"];
        let mut first = command(bench.path(), &arguments).spawn().unwrap();
        // It says that it has begun once it has the lease.
        let mut line = String::new();
        let mut out = BufReader::new(first.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let mut second = command(bench.path(), &arguments).spawn().unwrap();
        let waiting = until_it_waits(&mut second);
        let expected = format!("held by process {} (proving run log.yaml", first.id());
        assert!(waiting.contains(&expected), "{waiting}");
        if killed {
            end(&first, libc::SIGKILL);
        }
        fs::write(bench.path().join("go"), "").unwrap();
        thread::spawn(move || out.lines().for_each(drop));
        let code = first.wait().unwrap().code();
        assert_eq!(code, if killed { None } else { Some(0) });
        let output = second.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

const SEVERAL: &str = "\
[boards.left]\nkind = \"process\"\ncommand = [\"./device\"]\nfolder = \"left\"\n\
[boards.right]\nkind = \"process\"\ncommand = [\"./device\"]\nfolder = \"right\"\n\
[boards.lamp]\nkind = \"serial\"\nport = \"socket:lamp\"\nchip = \"esp32c3\"\n";

#[test]
fn an_expression_chooses_every_board_that_matches_once() {
    let bench = bench(SEVERAL);
    let arguments = ["--board", "kind=process & !chip=esp32c3", "--board", "left"];
    let output = proving(bench.path(), &arguments);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#?} {output:?}");
    assert_eq!(boards(&results), ["left", "right"]);
}

#[test]
fn an_expression_that_chooses_nothing_or_cannot_be_read_runs_nothing() {
    let bench = bench(SEVERAL);
    for (expression, code, words) in [
        (
            "chip=esp32c6 & can=power",
            4,
            [
                "no board of rig.toml matches",
                "lamp (kind=serial chip=esp32c3",
            ],
        ),
        (
            "chip=esp32c3 & cna=power",
            2,
            ["unknown key `cna`", "did you mean `can`?"],
        ),
        (
            "can=pwoer",
            2,
            ["unknown ability `pwoer`", "did you mean `power`?"],
        ),
    ] {
        let output = proving(bench.path(), &["--board", expression]);
        // The report breaks lines where they are full.
        let text = said(&output).replace(['\n', '│'], " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(results(&output), Vec::<Value>::new());
    }
}

#[test]
fn a_board_that_is_not_well_is_taken_out_and_the_others_go_on() {
    let sick = "[boards.sick]\nkind = \"process\"\ncommand = [\"./device\"]\nfolder = \"sick\"\n\
                health = { command = [\"./is-it-well\"] }\n";
    let bench = bench(&format!("{SEVERAL}{sick}"));
    script(
        bench.path(),
        "is-it-well",
        "echo asked >> asked\necho no answer >&2\nexit 1",
    );
    let arguments = ["--board", "left", "--board", "sick", "--repeat", "3"];
    let output = proving(bench.path(), &arguments);
    let results = results(&output);
    // Not all that was asked for was judged.
    assert_eq!(output.status.code(), Some(3), "{results:#?} {output:?}");
    let of = |name: &str| results.iter().find(|result| result["board"] == name);
    assert_eq!(of("left").unwrap()["verdict"], "passed");
    let reason = of("sick").unwrap()["skipped"].as_str().unwrap().to_owned();
    for word in ["sick is taken out", "its health check failed", "no answer"] {
        assert!(reason.contains(word), "{reason}");
    }
    assert!(said(&output).contains("sick is taken out of this run"));
    let asked = fs::read_to_string(bench.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 1, "once, not for each attempt");
}

/// A device on a socket that prints its first line again and again, as long as it is there.
fn talking_device(bench: &Path) {
    let listener = UnixListener::bind(bench.join("uart")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                while stream
                    .write_all(b"I (312) lamp: Provisioning started\n")
                    .is_ok()
                {
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
}

/// The rig of a board with a power switch that notes how it is switched.
const SWITCHED: &str = "\
[boards.dut]\nkind = \"serial\"\nport = \"socket:uart\"\nhealth = { command = [\"./is-it-well\"] }\n\
factory = { command = [\"true\", \"{file}\"] }\n\
[power.dut]\non = [\"./on\"]\noff = [\"./off\"]\nsettle_ms = 10\n";

#[test]
fn a_wedged_board_is_power_cycled_once_before_the_first_attempt() {
    let bench = bench(SWITCHED);
    talking_device(bench.path());
    script(bench.path(), "on", "echo on >> switched");
    script(bench.path(), "off", "echo off >> switched");
    // It is well once it has been off and on.
    script(bench.path(), "is-it-well", "grep -q off switched");
    let output = proving(bench.path(), &["--board", "dut"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#?} {output:?}");
    assert_eq!(results[0]["verdict"], "passed");
    let said = said(&output);
    let once = said.matches("its power is switched off and on, once");
    assert_eq!(once.count(), 1, "{said}");
    assert!(said.contains("dut is well after the power cycle"), "{said}");
    let switched = fs::read_to_string(bench.path().join("switched")).unwrap();
    assert!(switched.starts_with("off\non\n"), "{switched}");
}

#[test]
fn a_board_that_a_power_cycle_does_not_mend_is_cycled_no_second_time() {
    let bench = bench(SWITCHED);
    talking_device(bench.path());
    script(bench.path(), "on", "echo on >> switched");
    script(bench.path(), "off", "echo off >> switched");
    script(bench.path(), "is-it-well", "exit 1");
    let output = proving(bench.path(), &["--board", "dut"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(3), "{results:#?} {output:?}");
    let reason = results[0]["skipped"].as_str().unwrap();
    assert!(reason.ends_with("also after a power cycle"), "{reason}");
    let switched = fs::read_to_string(bench.path().join("switched")).unwrap();
    assert_eq!(switched, "off\non\n");
}

/// A board that is a program with a health check, and another without one beside it.
const ILL: &str = "\
[boards.ill]\nkind = \"process\"\ncommand = [\"./ill\"]\nfolder = \"ill-state\"\n\
health = { command = [\"./is-it-well\"] }\n\
[boards.left]\nkind = \"process\"\ncommand = [\"./device\"]\nfolder = \"left\"\n";

#[test]
fn a_board_that_falls_ill_in_a_run_is_taken_out_and_the_others_go_on() {
    let bench = bench(ILL);
    script(
        bench.path(),
        "ill",
        "echo 'I (3) lamp: Provisioning started'\nsleep 60",
    );
    // Well before the run and for the first attempt; then never again.
    script(
        bench.path(),
        "is-it-well",
        "echo asked >> asked\n[ $(wc -l < asked) -le 2 ] || { echo no answer >&2; exit 1; }",
    );
    let arguments = ["--board", "ill", "--board", "left", "--repeat", "4"];
    let output = proving(bench.path(), &arguments);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(3), "{results:#?} {output:?}");
    let of = |name: &str| results.iter().find(|result| result["board"] == name);
    let attempts = |name: &str| of(name).unwrap()["attempts"].as_array().unwrap().clone();
    assert_eq!(of("left").unwrap()["verdict"], "passed");
    assert_eq!(attempts("left").len(), 4);
    // The first passed, the second was broken by its health check, and the rest were not made.
    let verdicts: Vec<_> = attempts("ill")
        .iter()
        .map(|attempt| attempt["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["passed", "broken"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["ill is taken out of this run", "no answer"] {
        assert!(told.contains(word), "{told}");
    }
}

/// Two scenarios, so that the second has a case of its own to skip.
fn second_scenario(bench: &Path) {
    let second = SCENARIO.replace("It starts", "It starts again");
    fs::write(bench.join("again.yaml"), second).unwrap();
}

#[test]
fn cases_of_a_board_that_fell_ill_are_skipped_with_the_reason() {
    let bench = bench(ILL);
    second_scenario(bench.path());
    script(
        bench.path(),
        "ill",
        "echo 'I (3) lamp: Provisioning started'\nsleep 60",
    );
    script(
        bench.path(),
        "is-it-well",
        "echo asked >> asked\n[ $(wc -l < asked) -le 1 ] || { echo no answer >&2; exit 1; }",
    );
    let output = proving(bench.path(), &["again.yaml", "--board", "ill"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(3), "{results:#?} {output:?}");
    assert_eq!(results[0]["verdict"], "broken");
    assert_eq!(results[1]["verdict"], "skipped");
    let reason = results[1]["skipped"].as_str().unwrap();
    for word in [
        "ill is taken out of this run",
        "its health check failed",
        "no answer",
    ] {
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_board_that_fell_ill_is_power_cycled_once_and_goes_on_if_that_mends_it() {
    let bench = bench(SWITCHED);
    second_scenario(bench.path());
    talking_device(bench.path());
    script(bench.path(), "on", "echo on >> switched");
    script(bench.path(), "off", "echo off >> switched; rm -f sick");
    // It falls ill when it is asked the second time, at the start of the first attempt.
    script(
        bench.path(),
        "is-it-well",
        "echo asked >> asked\nif [ $(wc -l < asked) = 2 ]; then touch sick; fi\n[ ! -e sick ]",
    );
    let output = proving(bench.path(), &["again.yaml", "--board", "dut"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(3), "{results:#?} {output:?}");
    assert_eq!(results[0]["verdict"], "broken");
    assert_eq!(results[1]["verdict"], "passed", "{results:#?}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let cycles = told.matches("its power is switched off and on, once");
    assert_eq!(cycles.count(), 1, "{told}");
    assert!(told.contains("dut is well after the power cycle"), "{told}");
}

#[test]
fn a_run_that_is_interrupted_while_a_board_is_looked_at_ends_soon() {
    let bench = bench(ILL);
    second_scenario(bench.path());
    script(
        bench.path(),
        "ill",
        "echo 'I (3) lamp: Provisioning started'\nsleep 60",
    );
    script(
        bench.path(),
        "is-it-well",
        "echo asked >> asked\ncase $(wc -l < asked) in 1) exit 0;; 2) exit 1;; *) exec sleep 50;; esac",
    );
    let mut run = command(bench.path(), &["again.yaml", "--board", "ill"])
        .spawn()
        .unwrap();
    let asked = || fs::read_to_string(bench.path().join("asked")).unwrap_or_default();
    let began = Instant::now();
    while asked().lines().count() < 3 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it is not looked at"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    end(&run, libc::SIGINT);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(10));
}
