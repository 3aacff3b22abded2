//! Workers whose host gives them too little. Which way is their scenario's name.

use std::io;
use std::process::ExitCode;

use engine::run::Job;

/// Runs the job at `path`, after taking away what it is to lack.
pub fn worker(path: &str) -> ExitCode {
    let job = Job::read(path.as_ref()).unwrap();
    match job.case_id.as_str() {
        "no-files-left" => limit(libc::RLIMIT_NOFILE, 16),
        "no-space-left" => {
            // SAFETY: nothing but a disposition; a write that is too much then fails instead.
            unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
            limit(libc::RLIMIT_FSIZE, 20_000);
        }
        "file-limit" => limit(libc::RLIMIT_FSIZE, 20_000),
        _ => {}
    }
    engine::attempt::run(&job)
}

fn limit(resource: libc::__rlimit_resource_t, value: libc::rlim_t) {
    let limits = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: the struct lives through the call.
    let set = unsafe { libc::setrlimit(resource, &limits) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
