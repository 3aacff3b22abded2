//! A run as it might have been, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use report::{AttemptResult, CaseResult, Conditions, FORMAT_VERSION, RunSummary};
use serde_json::{Value, json};
use trace::{
    BoardSetup, Event, Failure, Finished, FirmwareFile, Level, LogLine, Nearest, Payload, Place,
    Setup, Source, Started, StepEnded, StepStarted, Verdict, Witness, WitnessReport,
};

/// Where the run's folder seems to be in snapshots.
pub const FOLDER: &str = "proving-out/20260301T120000Z-4711";

/// A run's folder; its path is replaced by [`FOLDER`] in snapshots.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `text` with the folder's path replaced.
    pub fn plain(&self, text: &str) -> String {
        text.replace(&*self.path().to_string_lossy(), FOLDER)
    }

    /// The folder of an attempt, with `events` as its trace.
    pub fn attempt_folder(&self, name: &str, events: &[Event]) -> PathBuf {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let lines: Vec<_> = events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap() + "\n")
            .collect();
        fs::write(folder.join(AttemptResult::TRACE), lines.concat()).unwrap();
        folder
    }

    /// One case of every kind.
    pub fn summary(&self) -> RunSummary {
        let failed = self.attempt_folder("wrong_pop", &missed_expectation());
        let broken = self.attempt_folder("expired", &[]);
        let mut flaky = case("softap/flaky", Verdict::Flaky);
        flaky.attempts = vec![
            attempt("softap/flaky", 1, Verdict::Passed, self.path()),
            AttemptResult {
                failure: Some(failure()),
                ..attempt("softap/flaky", 2, Verdict::Failed, &failed)
            },
        ];
        let mut skipped = case("softap/isolated", Verdict::Skipped);
        skipped.skipped = Some("needs isolate".to_owned());
        let mut refused = case("softap/refused", Verdict::Failed);
        refused.skipped = Some("needs power".to_owned());
        RunSummary {
            version: FORMAT_VERSION,
            run: "20260301T120000Z-4711".to_owned(),
            folder: self.path().to_owned(),
            seed: 42,
            started_ms: 1_772_366_400_000,
            wall_ms: 3_210,
            interrupted: false,
            setups: vec![setup()],
            cases: vec![
                with_attempt(
                    case("softap/happy[security=v1]", Verdict::Passed),
                    self.path(),
                    |_| (),
                ),
                with_attempt(
                    case("softap/wrong_pop", Verdict::Failed),
                    &failed,
                    |attempt| {
                        attempt.failure = Some(failure());
                        attempt.lab_ms = Some(18_200);
                    },
                ),
                with_attempt(
                    case("broker/expired", Verdict::Broken),
                    &broken,
                    |attempt| {
                        attempt.failure = Some(dead_worker());
                        attempt.stderr_tail = vec![
                            "thread 'main' panicked at harness/lab/src/air.rs:17:9:".to_owned(),
                            "a frame of 0 bytes\x1b[2J".to_owned(),
                        ];
                        attempt.leaked = vec!["pid 4712 (proving)".to_owned()];
                    },
                ),
                flaky,
                skipped,
                refused,
            ],
            allowed_flaky: 0,
            quarantined: BTreeMap::new(),
        }
    }
}

pub fn case(id: &str, verdict: Verdict) -> CaseResult {
    let file = id.split('[').next().unwrap();
    CaseResult {
        difference: None,
        case: id.to_owned(),
        name: "A scenario".to_owned(),
        scenario: format!("scenarios/{file}.yaml").into(),
        board: "native".to_owned(),
        verdict,
        skipped: None,
        attempts: Vec::new(),
    }
}

fn with_attempt(
    mut case: CaseResult,
    folder: &Path,
    adjust: impl FnOnce(&mut AttemptResult),
) -> CaseResult {
    let mut attempt = attempt(&case.case, 1, case.verdict, folder);
    adjust(&mut attempt);
    case.attempts.push(attempt);
    case
}

pub fn attempt(case: &str, number: u32, verdict: Verdict, folder: &Path) -> AttemptResult {
    AttemptResult {
        booted: Vec::new(),
        case: case.to_owned(),
        attempt: number,
        verdict,
        seed: 41 + u64::from(number),
        bug: None,
        conditions: Conditions::default(),
        wall_ms: 1_240,
        lab_ms: None,
        folder: folder.to_owned(),
        failure: None,
        stderr_tail: Vec::new(),
        leaked: Vec::new(),
    }
}

fn place() -> Place {
    Place {
        file: "scenarios/softap/wrong_pop.yaml".to_owned(),
        line: 31,
        column: 5,
    }
}

/// The failure of [`missed_expectation`].
pub fn failure() -> Failure {
    Failure {
        step: Some(2),
        label: "expect log \"STA Got IP\" of app".to_owned(),
        place: Some(place()),
        message: "no such line came within 15 s of device time".to_owned(),
        nearest: Some(Nearest {
            seq: 5,
            lacks: "text is `STA lost IP`, without `STA Got IP`".to_owned(),
        }),
        instead: vec![6, 7],
        blame: "the device's: host, air and broker were sound from 3.000 s to 18.100 s".to_owned(),
        diagnosis: Some("the passphrase: the access point refused it (reason 15)".to_owned()),
        catches: vec!["wrong-reason-reported".to_owned()],
    }
}

fn dead_worker() -> Failure {
    Failure {
        step: None,
        label: "the worker runs to its verdict".to_owned(),
        place: None,
        message: "the worker died of signal 6 (SIGABRT)".to_owned(),
        nearest: None,
        instead: Vec::new(),
        blame: "the lab's or the host's: what a worker does says nothing about the device"
            .to_owned(),
        diagnosis: Some("worker.err and the end of the trace".to_owned()),
        catches: Vec::new(),
    }
}

/// A trace in which the second step misses what it waits for.
pub fn missed_expectation() -> Vec<Event> {
    let mut trace = Events::default();
    trace.engine(
        0,
        &Started {
            format: 1,
            epoch_s: 1_772_366_400,
        },
    );
    trace.engine(10, &step(1, "power on"));
    trace.engine(20, &StepEnded { step: 1, ok: true });
    trace.log(
        2_050_000,
        Level::Info,
        "wifi_prov_mgr",
        "Provisioning started with service name : PROV_1",
    );
    trace.engine(3_000_000, &step(2, "expect log \"STA Got IP\" of app"));
    trace.log(12_301_000, Level::Info, "app", "STA lost IP");
    trace.log(13_400_000, Level::Warn, "wifi", "auth\tfailed");
    trace.log(
        14_500_123,
        Level::Error,
        "app",
        "Disconnected. Reason : 15\x1b[31m\nretry",
    );
    trace.push(
        14_600_000,
        None,
        Source::Witness,
        WitnessReport::KIND,
        json!(WitnessReport {
            witness: Witness::Broker,
            sound: false,
            detail: "no answer for 2 s".to_owned(),
        }),
    );
    trace.push(
        14_700_000,
        Some("device"),
        Source::Tls,
        "handshake",
        json!({ "peer": "192.168.43.2", "alert": 48, "reason": "unknown CA", "chain": "A".repeat(200) }),
    );
    trace.engine(18_100_000, &StepEnded { step: 2, ok: false });
    trace.log(18_150_000, Level::Debug, "app", "after the miss");
    trace.engine(
        18_200_000,
        &Finished {
            verdict: Verdict::Failed,
            failure: Some(failure()),
        },
    );
    trace.0
}

fn step(step: usize, label: &str) -> StepStarted {
    StepStarted {
        step,
        label: label.to_owned(),
        place: place(),
    }
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Events {
    fn engine<P: Payload>(&mut self, lab_us: u64, payload: &P) {
        self.push(lab_us, None, P::SOURCE, P::KIND, json!(payload));
    }

    fn log(&mut self, lab_us: u64, level: Level, tag: &str, text: &str) {
        let line = LogLine {
            level,
            tag: tag.to_owned(),
            text: text.to_owned(),
            device_ms: Some(lab_us / 1000 - 2_000),
            place: None,
        };
        self.push(
            lab_us,
            Some("device"),
            LogLine::SOURCE,
            LogLine::KIND,
            json!(line),
        );
    }

    fn push(&mut self, lab_us: u64, device: Option<&str>, source: Source, kind: &str, data: Value) {
        self.0.push(Event {
            seq: self.0.len() as u64,
            lab_us,
            wall_us: 1_772_366_400_000_000 + lab_us,
            source,
            device: device.map(str::to_owned),
            kind: kind.to_owned().into(),
            data: data.into(),
        });
    }
}

/// What the native board's attempts ran with.
fn setup() -> Setup {
    Setup {
        tool: "proving 0.1.0".to_owned(),
        host: "rig-2: Linux 6.1.0 x86_64, 2 cores".to_owned(),
        board: BoardSetup {
            name: "native".to_owned(),
            kind: "native".to_owned(),
            firmware: vec![FirmwareFile {
                file: "/opt/proving".to_owned(),
                sha256: "a5".repeat(32),
                bytes: 4096,
                project: Some("lamp".to_owned()),
                version: Some("1.4.2".to_owned()),
                elf_sha256: None,
            }],
            ..BoardSetup::default()
        },
    }
}
