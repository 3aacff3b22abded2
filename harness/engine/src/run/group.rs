//! A worker's process group.

use std::fs;
use std::io;

/// The group of processes that a worker leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    id: libc::pid_t,
}

impl Group {
    /// The group whose leader is the child `pid`.
    pub(super) fn led_by(pid: u32) -> Self {
        Self {
            id: libc::pid_t::try_from(pid).expect("the kernel's process ids fit pid_t"),
        }
    }

    /// Sends `signal` to every member; an empty group is no error.
    pub(super) fn signal(self, signal: libc::c_int) {
        // SAFETY: kill takes plain numbers.
        unsafe { libc::kill(-self.id, signal) };
    }

    /// Whether no process is left, once the leader was waited for. Members that ended but nobody
    /// waited for are waited for here: this process adopts them, see [`adopt_orphans`].
    pub(super) fn is_empty(self) -> bool {
        // SAFETY: no status is wanted; the rest is plain numbers.
        while unsafe { libc::waitpid(-self.id, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
        // SAFETY: signal 0 only asks.
        unsafe { libc::kill(-self.id, 0) == -1 && errno() == libc::ESRCH }
    }

    /// Who is in the group, as `pid 4711 (name)`; ended members are left out.
    pub(super) fn members(self) -> Vec<String> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let mut members: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|pid| Some((pid, self.name_of_member(pid)?)))
            .collect();
        members.sort_unstable();
        members
            .into_iter()
            .map(|(pid, name)| format!("pid {pid} ({name})"))
            .collect()
    }

    /// The name of `pid` if it is a member that has not ended.
    fn name_of_member(self, pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // pid (name) state ppid pgrp …; the name may hold parentheses itself (proc(5)).
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1;
        let mut fields = tail.split_ascii_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        let group: libc::pid_t = fields.nth(1)?.parse().ok()?;
        (group == self.id && !ended).then(|| name.to_owned())
    }
}

/// From now on, processes whose parents ended become this process's children, so that it can wait
/// for what its workers leave behind, also where process 1 does not.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with plain numbers. It cannot fail on any kernel since 3.4, and a failure
    // would only make a leaked process look alive longer.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
}

/// Lets the calling process die when the thread of process `parent` that started it ends. For
/// `pre_exec`.
pub(super) fn die_with(parent: libc::pid_t) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl and getppid are async-signal-safe and take plain numbers.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before the line above.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
