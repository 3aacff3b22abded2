//! The hidden subcommand that runs one attempt.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::run::Job;

/// The subcommand's name.
pub(super) const NAME: &str = "__worker";

/// Runs the attempt that the job asks for whose file is the only argument.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(job), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: {NAME} JOB-FILE");
        return ExitCode::from(report::ExitStatus::Usage as u8);
    };
    match Job::read(Path::new(&job)) {
        Ok(job) => crate::attempt::run(&job),
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ExitCode::from(report::ExitStatus::Usage as u8)
        }
    }
}
