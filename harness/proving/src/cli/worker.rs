//! The hidden subcommand that runs one attempt.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use report::ExitStatus;

use engine::{WORKER_COMMAND, attempt, run::Job};

/// Runs the attempt that the job asks for whose file is the only argument.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(job), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: {WORKER_COMMAND} JOB-FILE");
        return ExitCode::from(ExitStatus::Usage as u8);
    };
    match Job::read(Path::new(&job)) {
        Ok(job) => attempt::run(&job),
        Err(error) => {
            // The parent shows the end of standard error.
            eprintln!("{:?}", miette::Report::from_err(error));
            ExitCode::from(ExitStatus::Usage as u8)
        }
    }
}
