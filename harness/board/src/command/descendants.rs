//! The processes that a command started in its turn.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use clock::Clock;

/// The kernel ends a process that was killed when it is to run next, on a busy host too within this.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How often to look whether a process has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Processes that were killed, and end soon.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Killed {
    family: BTreeSet<u32>,
    group: Option<u32>,
}

impl Killed {
    /// Kills the process group `group` too.
    pub(crate) fn and_group(mut self, group: u32) -> Self {
        if let Ok(group) = libc::pid_t::try_from(group) {
            // SAFETY: killpg takes plain numbers.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
        self.group = Some(group);
        self
    }

    /// Waits until they have ended, and hold no port and no file any more.
    pub(crate) async fn end(self, clock: &Clock) {
        let _busy = clock.busy();
        let limit = clock.now() + END_LIMIT;
        while self.any_lives() && clock.now() < limit {
            clock.sleep(LOOK).await;
        }
    }

    fn any_lives(&self) -> bool {
        processes().any(|pid| {
            stat(pid).is_some_and(|stat| {
                let is_meant = self.family.contains(&pid) || self.group == Some(stat.group);
                // One that only its parent has not noticed yet has ended.
                is_meant && !matches!(stat.state, 'Z' | 'X')
            })
        })
    }
}

/// Kills the process `pid` and everything that came from it. Those that it left behind when they
/// had lost their parents are not found any more; a run's own sweep ends them.
pub(crate) fn kill_family(pid: u32) -> Killed {
    let mut family = BTreeSet::from([pid]);
    stop(pid);
    // A process that is stopped starts no other; each round finds what was started before.
    while let Some(found) = next_generation(&family) {
        found.iter().copied().for_each(stop);
        family.extend(found);
    }
    for member in &family {
        signal(*member, libc::SIGKILL);
    }
    Killed {
        family,
        group: None,
    }
}

/// The children of `family` that are not in it, if there are any.
fn next_generation(family: &BTreeSet<u32>) -> Option<Vec<u32>> {
    let children: Vec<u32> = processes()
        .filter(|pid| !family.contains(pid))
        .filter(|pid| stat(*pid).is_some_and(|stat| family.contains(&stat.parent)))
        .collect();
    (!children.is_empty()).then_some(children)
}

/// The ids of all processes.
fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// What the kernel tells of a process.
struct Stat {
    state: char,
    parent: u32,
    group: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // pid (name) state ppid pgrp …; the name may hold parentheses itself (proc(5)).
    let (_, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_ascii_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
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
