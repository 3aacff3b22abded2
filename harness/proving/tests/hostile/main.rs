//! Whole runs in which the device, or the host, does its worst: each ends with an event, the right
//! verdict and a reason, in bounded time.
//!
//! This executable is also the worker and the device; hence it has its own `main`.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod device;
mod frame;
mod host;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use engine::run::{BoardModel, Case, Plan, Settings, run};
use libtest_mimic::{Arguments, Trial};
use report::{CaseResult, Message, Reporter, RunSummary, Silent};
use trace::{Event, Verdict};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|first| first.to_str()) {
        Some("__worker") => return host::worker(arguments.next().unwrap().to_str().unwrap()),
        Some(engine::DEVICE_COMMAND) => device::main(arguments),
        _ => {}
    }
    let mut trials: Vec<Trial> = HOSTILE
        .iter()
        .map(|row| {
            Trial::test(format!("a_device_called_{}_is_judged", row.device), || {
                judged(row);
                Ok(())
            })
        })
        .collect();
    for (name, trial) in [
        (
            "a_device_that_keeps_its_processor_busy_holds_nobody_up",
            a_device_that_keeps_its_processor_busy_holds_nobody_up as fn(),
        ),
        (
            "noise_on_the_air_is_told_and_harms_nobody",
            noise_on_the_air_is_told_and_harms_nobody,
        ),
        (
            "a_host_without_ports_or_files_breaks_the_attempt_with_the_reason",
            a_host_without_ports_or_files_breaks_the_attempt_with_the_reason,
        ),
        (
            "a_trace_that_cannot_be_written_to_its_end_never_passes",
            a_trace_that_cannot_be_written_to_its_end_never_passes,
        ),
        (
            "a_folder_that_cannot_be_made_breaks_its_case_and_no_other",
            a_folder_that_cannot_be_made_breaks_its_case_and_no_other,
        ),
        (
            "a_summary_that_cannot_be_written_is_an_error",
            a_summary_that_cannot_be_written_is_an_error,
        ),
    ] {
        trials.push(Trial::test(name, move || {
            trial();
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A device, and what is to become of it.
struct Row {
    device: &'static str,
    /// Step that must fail, from 1, or [`UNASKED`].
    step: usize,
    /// Stands in the failure's message.
    message: &'static str,
    /// Stands in the JSON of an event.
    event: &'static str,
}

/// No step of the scenario, but the rule that no device ends or restarts unasked.
const UNASKED: usize = 0;
const POWER: usize = 1;
const STARTED: usize = POWER + 1;
const PROVISION: usize = STARTED + 1;
const REPORTED: usize = PROVISION + 1;
const NOTIFIED: usize = REPORTED + 1;

const fn row(device: &'static str, step: usize, message: &'static str, event: &'static str) -> Row {
    Row {
        device,
        step,
        message,
        event,
    }
}

const HOSTILE: &[Row] = &[
    row(
        "tether-garbage",
        UNASKED,
        "exited unasked",
        "\"link\":\"tether\"",
    ),
    row(
        "restarts",
        UNASKED,
        "restarted unasked",
        "\"kind\":\"restarted\"",
    ),
    row("no-dhcp", PROVISION, "gave no address within", "leased"),
    row(
        "no-http",
        PROVISION,
        "bytes that are no HTTP response",
        "no HTTP response",
    ),
    row(
        "endless-head",
        PROVISION,
        "did not respond within",
        "did not respond",
    ),
    row("huge-length", PROVISION, "its body is too long", "too long"),
    row(
        "absurd-length",
        PROVISION,
        "Content-Length is",
        "Content-Length is",
    ),
    row(
        "chunked",
        PROVISION,
        "Transfer-Encoding",
        "Transfer-Encoding",
    ),
    row("no-protobuf", PROVISION, "", "\"failure\""),
    row("wrong-cipher", PROVISION, "", "\"failure\""),
    row("no-dns", REPORTED, "", "cannot resolve"),
    row("no-tls", REPORTED, "", "\"handshake\""),
    row("mqtt-length", REPORTED, "", "\"violation\""),
    row("mqtt-noise", REPORTED, "", "\"violation\""),
    row("mqtt-connack", REPORTED, "", "\"violation\""),
    row("mqtt-endless", REPORTED, "", "\"violation\""),
    row(
        "no-coap",
        NOTIFIED,
        "",
        "\"source\":\"coap\",\"kind\":\"garbage\"",
    ),
];

fn scenario(name: &str, device: &str) -> String {
    format!(
        "\
name: {name}
world:
  access_points: {{ home: {{}} }}
  cloud: {{ linkkit: {{ profile: seed-2019 }} }}
  devices: {{ {device}: {{ provisioning: {{ security: v2 }} }} }}
  phones: [alice]
steps:
  - power: on
  - expect: {{ log: {{ text: \"Provisioning started\" }}, within: 2s }}
  - provision: {{ phone: alice, join: home, outcome: connected, within: 60s }}
  - expect: {{ cloud: {{ linkkit: token_reported }}, within: 90s }}
  - expect: {{ coap: {{ to: alice, path: /sys/device/info/notify }}, within: 10s }}
except:
  - {{ contract: link-carries-no-garbage, because: \"the device sends garbage on purpose\" }}
"
    )
}

/// A folder with a plan in it.
struct Place {
    folder: tempfile::TempDir,
    plan: Plan,
}

impl Place {
    /// Scenarios of these names, each with a device of that name.
    fn new(scenarios: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let known = language::known().unwrap();
        let mut plan = Plan::default();
        for (name, device) in scenarios {
            let file = folder.path().join(format!("{name}.yaml"));
            fs::write(&file, scenario(name, device)).unwrap();
            let cases = language::read_file(&file, &known).unwrap();
            let cases = cases
                .into_iter()
                .map(|case| Case::of(case, &BoardModel::native()));
            plan.cases.extend(cases);
        }
        Self { folder, plan }
    }

    fn settings(&self) -> Settings {
        Settings {
            out: self.folder.path().join("out"),
            jobs: 2.try_into().unwrap(),
            // Of wall time; nothing here comes near.
            timeout: Duration::from_secs(100),
            ..Settings::new(std::env::current_exe().unwrap())
        }
    }

    fn run(&self) -> RunSummary {
        run(&self.plan, &self.settings(), &mut Silent).unwrap()
    }
}

fn events(case: &CaseResult) -> Vec<Event> {
    let events = trace::read(&case.attempts[0].trace()).unwrap();
    for event in &events {
        assert_eq!(trace::catalogue::lacking(event), None, "{event:?}");
    }
    events
}

fn shown(case: &CaseResult) -> String {
    let trace = fs::read_to_string(case.attempts[0].trace()).unwrap_or_default();
    let end = trace.lines().rev().take(40).collect::<Vec<_>>();
    let end: Vec<_> = end.into_iter().rev().collect();
    format!("{case:#?}\n{}", end.join("\n"))
}

fn judged(row: &Row) {
    let place = Place::new(&[(row.device, row.device)]);
    let summary = place.run();
    let case = &summary.cases[0];
    assert_eq!(case.verdict, Verdict::Failed, "{}", shown(case));
    let attempt = &case.attempts[0];
    let failure = attempt.failure.as_ref().unwrap();
    assert_eq!(failure.step.unwrap_or(UNASKED), row.step, "{}", shown(case));
    assert!(failure.message.contains(row.message), "{}", shown(case));
    assert!(failure.blame.starts_with("the device"), "{}", shown(case));
    let is_told = |event: &Event| serde_json::to_string(event).unwrap().contains(row.event);
    assert!(events(case).iter().any(is_told), "{}", shown(case));
    assert_eq!(attempt.leaked, Vec::<String>::new());
    assert_eq!(attempt.stderr_tail, Vec::<String>::new());
}

/// On a host that had no core left for it, the device is not blamed.
fn a_device_that_keeps_its_processor_busy_holds_nobody_up() {
    let place = Place::new(&[("spins", "spins"), ("floods", "floods")]);
    for case in &place.run().cases {
        let failure = case.attempts[0].failure.as_ref().unwrap();
        match case.verdict {
            Verdict::Failed => assert!(failure.blame.starts_with("the device")),
            Verdict::Broken => assert!(failure.blame.contains("Host"), "{}", shown(case)),
            _ => panic!("{}", shown(case)),
        }
        assert_eq!(failure.step, Some(STARTED), "{}", shown(case));
        assert!(
            failure.message.contains("did not come within 2s"),
            "{}",
            shown(case)
        );
    }
}

fn noise_on_the_air_is_told_and_harms_nobody() {
    let place = Place::new(&[("air-garbage", "air-garbage")]);
    let summary = place.run();
    let case = &summary.cases[0];
    assert_eq!(case.verdict, Verdict::Passed, "{}", shown(case));
    let is_garbage = |event: &&Event| event.is::<board::Garbage>();
    assert_eq!(events(case).iter().filter(is_garbage).count(), 4);
}

/// The reason of a broken case.
fn broken(case: &CaseResult) -> &str {
    assert_eq!(case.verdict, Verdict::Broken, "{}", shown(case));
    &case.attempts[0].failure.as_ref().unwrap().message
}

fn a_host_without_ports_or_files_breaks_the_attempt_with_the_reason() {
    let place = Place::new(&[("no-files-left", "lamp"), ("sound", "lamp")]);
    let summary = place.run();
    let reason = broken(&summary.cases[0]);
    assert!(reason.contains("Too many open files"), "{reason}");
    let sound = &summary.cases[1];
    assert_eq!(sound.verdict, Verdict::Passed, "{}", shown(sound));
}

fn a_trace_that_cannot_be_written_to_its_end_never_passes() {
    let place = Place::new(&[
        ("no-space-left", "lamp"),
        ("sound", "lamp"),
        ("file-limit", "lamp"),
    ]);
    let summary = place.run();
    let [full, sound, limited] = &summary.cases[..] else {
        panic!("{summary:#?}")
    };
    let reason = broken(full);
    assert!(reason.contains("File too large"), "{reason}");
    assert_eq!(sound.verdict, Verdict::Passed, "{}", shown(sound));
    assert_eq!(broken(limited), "the worker died of signal 25 (SIGXFSZ)");
}

/// Puts something in the way as soon as the run's folder is known.
struct InTheWay(fn(&Path));

impl Reporter for InTheWay {
    fn take(&mut self, message: &Message) -> std::io::Result<()> {
        if let Message::RunStarted { folder, .. } = message {
            (self.0)(folder);
        }
        Ok(())
    }
}

fn a_folder_that_cannot_be_made_breaks_its_case_and_no_other() {
    let place = Place::new(&[("blocked", "lamp"), ("sound", "lamp")]);
    let mut reporter = InTheWay(|folder| fs::write(folder.join("blocked"), "a file").unwrap());
    let summary = run(&place.plan, &place.settings(), &mut reporter).unwrap();
    let reason = broken(&summary.cases[0]);
    assert!(reason.contains("failed to create the folder"), "{reason}");
    assert!(reason.contains("Not a directory"), "{reason}");
    let sound = &summary.cases[1];
    assert_eq!(sound.verdict, Verdict::Passed, "{}", shown(sound));
}

fn a_summary_that_cannot_be_written_is_an_error() {
    let place = Place::new(&[("sound", "lamp")]);
    let mut reporter = InTheWay(|folder| fs::create_dir(folder.join("summary.json")).unwrap());
    let error = run(&place.plan, &place.settings(), &mut reporter).unwrap_err();
    assert!(error.to_string().ends_with("summary.json"), "{error}");
}
