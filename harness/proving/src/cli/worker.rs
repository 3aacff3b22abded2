//! The hidden subcommand that runs one attempt.

use std::path::Path;
use std::process::ExitCode;

use trace::{Failure, Finished, Trace, Verdict};

use crate::run::Job;

/// The subcommand's name.
pub(super) const NAME: &str = "__worker";

/// Runs the attempt that the job at `path` asks for.
pub(super) fn run(path: &Path) -> ExitCode {
    match Job::read(path) {
        Ok(job) => attempt(&job),
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ExitCode::from(report::ExitStatus::Usage as u8)
        }
    }
}

fn attempt(job: &Job) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only memory and an epoll");
    runtime.block_on(async {
        let trace = match Trace::create(clock::Clock::start(job.speed), &job.trace()) {
            Ok(trace) => trace,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        trace.emit(
            None,
            &Finished {
                verdict: Verdict::Broken,
                failure: Some(Failure {
                    step: None,
                    label: "the engine runs the scenario".to_owned(),
                    place: None,
                    message: "there is no engine yet".to_owned(),
                    nearest: None,
                    instead: Vec::new(),
                    blame: "the harness's".to_owned(),
                    diagnosis: None,
                    catches: Vec::new(),
                }),
            },
        );
        ExitCode::SUCCESS
    })
}
