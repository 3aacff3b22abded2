//! What a process holds, as the kernel knows it (proc(5)).

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use trace::Resources;

/// What the process of this number holds; none if it is gone, or this host has no `/proc`.
pub(super) fn of(process: u32) -> Option<Resources> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
    Some(Resources {
        memory_kib: field(&status, "RssAnon:")?,
        threads: field(&status, "Threads:")?,
        files: files as u64,
        storage_written: false,
    })
}

/// When a file was changed last, to be compared and nothing else.
pub(super) fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// The number behind a name in `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_holds_memory_threads_and_files() {
        let resources = of(std::process::id()).expect("it runs");
        assert!(resources.memory_kib > 0 && resources.threads > 0 && resources.files > 2);
    }

    #[test]
    fn a_process_that_is_gone_holds_nothing() {
        assert_eq!(of(u32::MAX), None);
    }
}
