//! The command line.

mod worker;

use std::process::ExitCode;

/// Everything that `proving` does, by its command line.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(name), Some(job)) if name == worker::NAME => worker::run(job.as_ref()),
        _ => ExitCode::from(report::ExitStatus::Usage as u8),
    }
}
