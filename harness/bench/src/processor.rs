//! Processor time.

use std::time::Duration;

use crate::setup::Outcome;

/// Processor time of this process, all of its threads.
pub fn own() -> Duration {
    used_by(libc::RUSAGE_SELF)
}

/// Processor time of the children that have ended, and of theirs.
pub fn children() -> Duration {
    used_by(libc::RUSAGE_CHILDREN)
}

/// Processor time of the children that live, without theirs.
pub fn living_children() -> Outcome<Duration> {
    let mut children = String::new();
    // Each of our threads has its own.
    for thread in std::fs::read_dir("/proc/self/task")? {
        children += &std::fs::read_to_string(thread?.path().join("children"))?;
        children.push(' ');
    }
    children
        .split_whitespace()
        .map(|child| -> Outcome<Duration> {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat"))?;
            // Behind the name, which may hold anything: proc(5), utime and stime are fields 14 and 15.
            let (_, fields) = stat.rsplit_once(") ").ok_or("/proc has another form")?;
            let mut fields = fields.split(' ').skip(11);
            let mut ticks = || -> Outcome<u64> { Ok(fields.next().ok_or("too short")?.parse()?) };
            // A tick of the kernel's is 10 ms for programs.
            Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
        })
        .sum()
}

fn used_by(whom: libc::c_int) -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a local of the right type; zeroes are a value of it.
    let usage = unsafe {
        libc::getrusage(whom, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |value: libc::timeval| {
        Duration::from_secs(u64::try_from(value.tv_sec).unwrap_or_default())
            + Duration::from_micros(u64::try_from(value.tv_usec).unwrap_or_default())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}
