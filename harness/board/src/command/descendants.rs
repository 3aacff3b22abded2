//! The processes that a command started in its turn.

use std::collections::BTreeSet;
use std::fs;

/// Kills the process `pid` and everything that came from it. Those that it left behind when they
/// had lost their parents are not found any more; a run's own sweep ends them.
pub(crate) fn kill_family(pid: u32) {
    let mut family = BTreeSet::from([pid]);
    stop(pid);
    // A process that is stopped starts no other; each round finds what was started before.
    while let Some(found) = next_generation(&family) {
        found.iter().copied().for_each(stop);
        family.extend(found);
    }
    for member in family {
        signal(member, libc::SIGKILL);
    }
}

/// The children of `family` that are not in it, if there are any.
fn next_generation(family: &BTreeSet<u32>) -> Option<Vec<u32>> {
    let children: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| !family.contains(pid))
        .filter(|pid| parent(*pid).is_some_and(|parent| family.contains(&parent)))
        .collect();
    (!children.is_empty()).then_some(children)
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // pid (name) state ppid …; the name may hold parentheses itself (proc(5)).
    let (_, tail) = stat.rsplit_once(')')?;
    tail.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn stop(pid: u32) {
    signal(pid, libc::SIGSTOP);
}

fn signal(pid: u32, signal: libc::c_int) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: kill takes plain numbers.
        unsafe { libc::kill(pid, signal) };
    }
}
