//! Whole runs with real workers and devices.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use report::{AttemptResult, Message};
use trace::Verdict;

/// Stands in the environment of everything that a test starts.
const MARK: &str = "PROVING_TEST_MARK";

const PASSING: &str = "\
name: Power on
matrix: { security: [none, v1, v2] }
world: { devices: { device: { provisioning: { security: \"${security}\" } } } }
steps:
  - power: on
  - expect: { log: { text: \"Provisioning started\" }, within: 5s }
";

const FAILING: &str = "\
name: Never said
world: { devices: { device: { provisioning: { security: v1 } } } }
steps:
  - power: on
  - expect: { log: { text: \"Provisioning has started\" }, within: 5s }
";

const WAITING: &str = "\
name: Waits for a day
world: { devices: { device: { provisioning: { security: v1 } } } }
steps:
  - power: on
  - wait: 24h
";

/// A folder to run in, and one for temporary files.
struct Place {
    folder: tempfile::TempDir,
    temporary: tempfile::TempDir,
}

impl Place {
    fn new(scenarios: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        for (number, text) in scenarios.iter().enumerate() {
            fs::write(folder.path().join(format!("scenarios/{number}.yaml")), text).unwrap();
        }
        Self {
            folder,
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts `proving run` here.
    fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_proving"))
            .arg("run")
            .args(arguments)
            .current_dir(self.path())
            .env("TMPDIR", self.temporary.path())
            .env(MARK, self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    }

    /// Processes that were started here and still run.
    fn processes(&self) -> Vec<u32> {
        let mark = format!("{MARK}={}", self.path().display());
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
            .filter(|pid| {
                // Empty once the process has ended, even if nobody waited for it.
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == mark.as_bytes())
            })
            .collect()
    }

    fn assert_all_gone_within(&self, limit: Duration) {
        let start = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < limit, "still there: {left:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What stands here besides the scenarios and the output.
    fn assert_nothing_else_was_written(&self) {
        let names = |path: &Path| -> Vec<_> {
            let entries = fs::read_dir(path).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        let mut here = names(self.path());
        here.retain(|name| name != "scenarios" && name != "proving-out");
        assert!(here.is_empty(), "{here:?}");
        let temporary = names(self.temporary.path());
        assert!(temporary.is_empty(), "{temporary:?}");
    }
}

fn messages(output: &[u8]) -> Vec<Message> {
    let lines = output.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn a_run_tells_machines_what_happened_and_leaves_evidence() {
    let place = Place::new(&[PASSING, FAILING]);
    let child = place.start(&[
        "--message-format",
        "json",
        "--junit",
        "proving-out/junit.xml",
    ]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));

    let messages = messages(&output.stdout);
    let Some(Message::RunFinished { summary, exit: 1 }) = messages.last() else {
        panic!("{messages:#?}")
    };
    let counts = summary.counts();
    assert_eq!(
        (counts.passed, counts.failed, counts.broken),
        (3, 1, 0),
        "{summary:#?}"
    );
    let stored = fs::read(place.path().join(&summary.folder).join("summary.json")).unwrap();
    assert_eq!(
        serde_json::from_slice::<report::RunSummary>(&stored).unwrap(),
        **summary
    );
    for case in &summary.cases {
        let [attempt] = &case.attempts[..] else {
            panic!("{case:#?}")
        };
        let events = trace::read(&place.path().join(attempt.trace())).unwrap();
        assert!(events.last().unwrap().is::<trace::Finished>());
        for event in &events {
            assert_eq!(trace::catalogue::lacking(event), None, "{event:?}");
        }
    }
    let steps = messages
        .iter()
        .filter(|message| matches!(message, Message::StepStarted { .. }));
    assert_eq!(steps.count(), 8);

    let junit = fs::read_to_string(place.path().join("proving-out/junit.xml")).unwrap();
    assert!(
        junit.contains(r#"tests="4" failures="1" errors="0""#),
        "{junit}"
    );
    place.assert_all_gone_within(Duration::ZERO);
    place.assert_nothing_else_was_written();
}

#[test]
fn a_failure_says_where_and_how_to_see_it_again() {
    let place = Place::new(&[FAILING]);
    let output = place.start(&["--seed", "7"]).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for wanted in [
        "FAILED Never said",
        "scenarios/0.yaml:5:5 (step 2)",
        "nearest",
        "Provisioning started",
        "again    proving run scenarios/0.yaml -E 'name(=Never said)' --seed 7",
        "0 passed, 1 failed, 0 broken, 0 flaky, 0 skipped in ",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colours without a terminal");
}

/// What workers were told in the runs here, oldest run first, but for where to write.
fn jobs(place: &Path) -> Vec<serde_json::Value> {
    let runs = fs::read_dir(place.join("proving-out")).unwrap();
    let mut runs: Vec<_> = runs.map(|run| run.unwrap().path()).collect();
    runs.sort_by_key(|run| {
        fs::metadata(run.join("summary.json"))
            .unwrap()
            .modified()
            .unwrap()
    });
    let jobs = runs.iter().flat_map(|run| {
        let case = find(run, "1").unwrap();
        fs::read(case.join("job.json"))
    });
    jobs.map(|job| {
        let mut job: serde_json::Value = serde_json::from_slice(&job).unwrap();
        job.as_object_mut().unwrap().remove("out");
        job
    })
    .collect()
}

#[test]
fn the_command_for_another_attempt_makes_the_same_attempt() {
    const RIG: &str = "[boards.dut]\nkind = \"process\"\ncommand = [\"sleep\", \"60\"]\n";
    const SILENT: &str = "\
name: It's never said
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { text: \"Provisioning has started\" }, within: 1s }
";
    let device = env!("CARGO_BIN_EXE_proving");
    let native = ["--device", device, "--bug", "silent-hang", "--seed", "7"];
    let rig = ["--board", "dut", "--rig", "a rig.toml", "--speed", "20.5"];
    for options in [&native[..], &rig] {
        let place = Place::new(&[SILENT]);
        fs::write(place.path().join("a rig.toml"), RIG).unwrap();
        let bin = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(device, bin.path().join("proving")).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(bin.path().to_owned()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).unwrap();
        let shell = |command: &str| {
            let output = Command::new("sh")
                .args(["-c", command])
                .current_dir(place.path())
                .env("PATH", &path)
                .env("XDG_RUNTIME_DIR", runtime.path())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let quoted: Vec<_> = options.iter().map(|word| format!("'{word}'")).collect();
        let text = shell(&format!("proving run {}", quoted.join(" ")));
        let (_, again) = text.split_once("again    ").expect(&text);
        let again = again.lines().next().unwrap();
        shell(again);
        let jobs = jobs(place.path());
        assert_eq!(jobs.len(), 2, "{jobs:#?}");
        assert_eq!(jobs[0], jobs[1], "{again}");
    }
}

#[test]
fn a_worker_killed_from_outside_breaks_its_case_and_no_other() {
    let place = Place::new(&[WAITING, PASSING]);
    let child = place.start(&["--message-format", "json", "--jobs", "2", "--speed", "1"]);
    let worker = eventually("the first worker runs", || {
        let file = find(&place.path().join("proving-out"), "Waits_for_a_day")?;
        let trace = fs::read_to_string(file.join("1").join(AttemptResult::TRACE)).ok()?;
        trace.contains("wait").then_some(())?;
        worker_of(&place, "Waits_for_a_day")
    });
    // SAFETY: plain numbers.
    unsafe { libc::kill(worker, libc::SIGKILL) };
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let messages = messages(&output.stdout);
    let Some(Message::RunFinished { summary, .. }) = messages.last() else {
        panic!("{messages:#?}")
    };
    assert_eq!(summary.cases[0].verdict, Verdict::Broken);
    let failure = summary.cases[0].attempts[0].failure.as_ref().unwrap();
    assert_eq!(failure.message, "the worker died of signal 9 (SIGKILL)");
    assert_eq!(failure.step, Some(2));
    assert_eq!(summary.counts().passed, 3, "{summary:#?}");
    place.assert_all_gone_within(Duration::ZERO);
}

#[test]
fn ctrl_c_ends_devices_too_and_reports() {
    let place = Place::new(&[WAITING]);
    let child = place.start(&["--speed", "1", "--junit", "proving-out/junit.xml"]);
    eventually("worker and device run", || {
        (place.processes().len() >= 3).then_some(())
    });
    // SAFETY: plain numbers; nobody waited for the child yet.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("SKIPPED"), "{text}");
    assert!(text.trim_end().ends_with("(interrupted)"), "{text}");
    let junit = fs::read_to_string(place.path().join("proving-out/junit.xml")).unwrap();
    assert!(junit.contains("<skipped"), "{junit}");
    place.assert_all_gone_within(Duration::ZERO);
    place.assert_nothing_else_was_written();
}

#[test]
fn a_run_killed_at_any_of_50_moments_leaves_nothing_after_2_s() {
    for moment in 0..50 {
        let place = Place::new(&[PASSING, WAITING]);
        let mut child = place.start(&["--jobs", "4", "--repeat", "2"]);
        // Spread over start-up, boot, and the middle of the steps.
        std::thread::sleep(Duration::from_millis(moment * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        place.assert_all_gone_within(Duration::from_secs(2));
        place.assert_nothing_else_was_written();
    }
}

/// Waits until `found` has something.
fn eventually<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The folder called `name` somewhere below `folder`.
fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).ok()?.find_map(|entry| {
        let path = entry.ok()?.path();
        if path.file_name()? == name {
            Some(path)
        } else {
            find(&path, name)
        }
    })
}

/// The worker whose job is in a folder of this name.
fn worker_of(place: &Place, name: &str) -> Option<libc::pid_t> {
    place.processes().into_iter().find_map(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let is_worker = line.contains("__worker") && line.contains(name);
        is_worker.then(|| i32::try_from(pid).ok())?
    })
}

#[test]
fn what_the_broker_saw_stands_beside_what_a_faulty_device_says() {
    const TRUSTING: &str = "\
name: Broker of another authority
world:
  access_points: { home: {} }
  cloud: { broker: { certificate: server-other-ca } }
  devices: { device: {} }
  phones: [alice]
steps:
  - power: on
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { tls: { kind: handshake, where: { /ok: false } }, within: 15s }
";
    let place = Place::new(&[TRUSTING]);
    let arguments = ["--message-format", "json", "--bug", "authority-not-checked"];
    let output = place.start(&arguments).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let messages = messages(&output.stdout);
    let Some(Message::RunFinished { summary, .. }) = messages.last() else {
        panic!("{messages:#?}")
    };
    let failure = summary.cases[0].attempts[0].failure.as_ref().unwrap();
    let said = &failure.message;
    assert!(said.contains("the device says: "), "{said}");
    let (_, seen) = said.split_once("the broker saw: ").expect(said);
    assert!(
        seen.contains("handshake with its certificate `server-other-ca` succeeded"),
        "{said}"
    );
    assert!(seen.contains("CONNECT of `"), "{said}");
}
