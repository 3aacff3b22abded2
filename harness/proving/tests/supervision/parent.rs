//! Runs of bad workers: in this process, or in one that can be signalled and killed.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use engine::run::{Case, Plan, Settings, run};
use report::{CaseResult, Json, Message, Reporter, RunSummary};
use trace::Verdict;

use crate::worker::noted_pids;

/// Keeps every message.
#[derive(Default)]
pub struct Recorder(pub Vec<Message>);

impl Reporter for Recorder {
    fn take(&mut self, message: &Message) -> std::io::Result<()> {
        self.0.push(message.clone());
        Ok(())
    }
}

/// Settings for workers of this executable, writing to `out`. A worker that is expected to hang
/// needs a shorter time-out.
pub fn settings(out: &Path) -> Settings {
    Settings {
        out: out.to_owned(),
        grace: Duration::from_millis(500),
        jobs: 4.try_into().unwrap(),
        ..Settings::new(std::env::current_exe().unwrap())
    }
}

/// A plan of these behaviours.
pub fn plan(behaviours: &[&str]) -> Plan {
    let case = |behaviour: &&str| Case {
        id: format!("bad/{behaviour}"),
        case_id: (*behaviour).to_owned(),
        name: format!("A worker that does {behaviour}"),
        scenario: "scenarios/bad.yaml".into(),
        bindings: [("security".to_owned(), "v1".to_owned())].into(),
        board: "native".to_owned(),
        skip: None,
        difference: None,
        own_transcripts: false,
        judges_levels: false,
        image: None,
        rig: None,
        uses_host_radios: false,
        phones: Vec::new(),
        lasts: Duration::ZERO,
        is_alone: false,
        in_real_time: false,
    };
    Plan {
        cases: behaviours.iter().map(case).collect(),
        repeat: 1,
    }
}

/// Runs `plan` here.
pub fn run_here(plan: &Plan, settings: &Settings) -> RunSummary {
    run(plan, settings, &mut Recorder::default()).unwrap()
}

/// Runs one behaviour here and returns how it ended.
pub fn one(behaviour: &str, adjust: impl FnOnce(&mut Settings)) -> CaseResult {
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(out.path());
    adjust(&mut settings);
    let summary = run_here(&plan(&[behaviour]), &settings);
    assert_all_gone(out.path(), Duration::ZERO);
    summary.cases.into_iter().next().unwrap()
}

/// The case is broken; the message and the whole reason of its first attempt.
pub fn broken(case: &CaseResult) -> &str {
    assert_eq!(case.verdict, Verdict::Broken, "{case:#?}");
    &case.attempts[0].failure.as_ref().unwrap().message
}

/// A run in a process of its own.
pub struct Parent {
    pub child: Child,
    out: tempfile::TempDir,
}

impl Parent {
    /// Starts a run of these behaviours and waits until `processes` of its processes are up.
    pub fn start(behaviours: &[&str], processes: usize) -> Self {
        let out = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("__parent")
            .arg(out.path())
            .args(behaviours)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let parent = Self { child, out };
        parent.eventually("its processes are up", || parent.pids().len() >= processes);
        parent
    }

    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: plain numbers; the child was not waited for, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// The workers and their children.
    pub fn pids(&self) -> Vec<u32> {
        noted_pids(self.out.path())
    }

    pub fn out(&self) -> &Path {
        self.out.path()
    }

    /// Waits until `holds`.
    pub fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The summary that the run left.
    pub fn summary(&self) -> RunSummary {
        let run = std::fs::read_dir(self.out())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let text = std::fs::read(run.path().join("summary.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // Both fail if the child was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `Parent` runs: the arguments are the output folder and the behaviours.
pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let settings = settings(Path::new(&arguments.next().unwrap()));
    let behaviours: Vec<_> = arguments.collect();
    let behaviours: Vec<_> = behaviours.iter().map(String::as_str).collect();
    let summary = run(
        &plan(&behaviours),
        &settings,
        &mut Json::new(std::io::stdout()),
    )
    .unwrap();
    ExitCode::from(summary.exit_status() as u8)
}

/// Every process that a worker below `out` noted is gone, at the latest after `within`.
pub fn assert_all_gone(out: &Path, within: Duration) {
    let start = Instant::now();
    for pid in noted_pids(out) {
        while is_alive(pid) {
            assert!(start.elapsed() < within, "process {pid} is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // An ended process that nobody waited for runs nothing (proc(5)).
    !stat
        .rsplit_once(')')
        .unwrap()
        .1
        .trim_start()
        .starts_with('Z')
}
