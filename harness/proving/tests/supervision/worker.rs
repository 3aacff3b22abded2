//! Workers that misbehave. Which way is the job's case.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use engine::run::Job;
use trace::{Event, Failure, Finished, Payload, Place, StepEnded, StepStarted, Verdict};

/// The job's folder gets a file of this name with a line for each process: its id.
pub const PIDS: &str = "pids";

/// Does what the job at `path` asks for.
pub fn run(path: &Path) -> ExitCode {
    let job = Job::read(path).unwrap();
    note_pid(&job.out, std::process::id());
    let mut trace = TraceFile::create(&job);
    if let Some(ms) = job.case_id.strip_prefix("slow-") {
        std::thread::sleep(Duration::from_millis(ms.parse().unwrap()));
        trace.verdict(Verdict::Passed);
        return ExitCode::SUCCESS;
    }
    match job.case_id.as_str() {
        "pass" => trace.verdict(Verdict::Passed),
        "fail" => trace.verdict(Verdict::Failed),
        "pass-on-even-seeds" if job.seed.is_multiple_of(2) => trace.verdict(Verdict::Passed),
        "pass-on-even-seeds" => trace.verdict(Verdict::Failed),
        "pass-on-second-attempt" if job.out.ends_with("2") => trace.verdict(Verdict::Passed),
        "pass-on-second-attempt" => trace.verdict(Verdict::Failed),
        "hang" => {
            trace.step(1, "wait for ever");
            sleep_for_ever()
        }
        "ignore-sigterm" => {
            ignore_sigterm();
            trace.step(1, "wait for ever");
            sleep_for_ever()
        }
        "hang-with-children" => {
            note_pid(&job.out, child(true));
            note_pid(&job.out, child(true));
            trace.step(1, "wait for ever");
            sleep_for_ever()
        }
        "leak" => {
            note_pid(&job.out, child(false));
            trace.verdict(Verdict::Passed);
        }
        "die-with-child" => {
            note_pid(&job.out, child(false));
            std::process::abort()
        }
        "panic" => {
            trace.step(1, "compute");
            trace.end_step(1);
            trace.step(2, "compute more");
            panic!("the answer is missing")
        }
        "killed" => {
            let pid = libc::pid_t::try_from(std::process::id()).unwrap();
            // SAFETY: plain numbers.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            sleep_for_ever()
        }
        "half-line" => trace.raw(br#"{"seq":1,"lab_us":5,"wall"#),
        "garbage" => trace.raw(b"this is no event\n"),
        "silent" => {}
        "linger" => {
            trace.verdict(Verdict::Passed);
            sleep_for_ever()
        }
        "exit-3-after-pass" => {
            trace.verdict(Verdict::Passed);
            return ExitCode::from(3);
        }
        "crash-after-fail" => {
            trace.verdict(Verdict::Failed);
            std::process::abort()
        }
        "chatter" => {
            let line = "x".repeat(1000);
            for _ in 0..2000 {
                println!("{line}");
                eprintln!("{line}");
            }
            trace.verdict(Verdict::Passed);
        }
        other => panic!("no such behaviour: {other}"),
    }
    ExitCode::SUCCESS
}

/// A child of this executable that sleeps, in this process's group; one that dies with this
/// process, as the devices do, or one that does not. Its process id.
fn child(dies_with_us: bool) -> u32 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("__sleep").stdin(Stdio::null());
    if dies_with_us {
        // SAFETY: prctl is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
    }
    #[expect(clippy::zombie_processes, reason = "leaving it behind is the point")]
    let child = command.spawn().unwrap();
    child.id()
}

/// What `child` runs.
pub fn sleep_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn ignore_sigterm() {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

fn note_pid(folder: &Path, pid: u32) {
    let path = folder.join(PIDS);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(format!("{pid}\n").as_bytes()).unwrap();
}

/// The process ids that workers noted anywhere below `folder`.
pub fn noted_pids(folder: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut pids = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pids.extend(noted_pids(&path));
        } else if path.ends_with(PIDS) {
            let text = fs::read_to_string(path).unwrap();
            pids.extend(text.lines().map(|line| line.parse::<u32>().unwrap()));
        }
    }
    pids
}

struct TraceFile {
    file: File,
    seq: u64,
    scenario: String,
}

impl TraceFile {
    fn create(job: &Job) -> Self {
        Self {
            file: File::create_new(job.trace()).unwrap(),
            seq: 0,
            scenario: job.scenario_file.display().to_string(),
        }
    }

    fn step(&mut self, step: usize, label: &str) {
        let place = Place {
            file: self.scenario.clone(),
            line: 10 + step as u64,
            column: 5,
        };
        let label = label.to_owned();
        self.emit(&StepStarted { step, label, place });
    }

    fn end_step(&mut self, step: usize) {
        self.emit(&StepEnded { step, ok: true });
    }

    fn verdict(&mut self, verdict: Verdict) {
        let failure = (verdict != Verdict::Passed).then(|| Failure {
            step: None,
            label: "expect log \"STA Got IP\"".to_owned(),
            place: None,
            message: "no such line came within 15 s".to_owned(),
            nearest: None,
            instead: Vec::new(),
            blame: "the device's: every witness was sound".to_owned(),
            diagnosis: None,
            catches: Vec::new(),
        });
        self.emit(&Finished { verdict, failure });
    }

    fn emit<P: Payload>(&mut self, payload: &P) {
        let event = Event {
            seq: self.seq,
            lab_us: self.seq * 1_000_000,
            wall_us: 0,
            source: P::SOURCE,
            device: None,
            kind: P::KIND.into(),
            data: serde_json::to_value(payload).unwrap().into(),
        };
        self.seq += 1;
        let line = serde_json::to_string(&event).unwrap() + "\n";
        self.raw(line.as_bytes());
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }
}
