//! How the process ends.

use std::os::fd::AsRawFd;
use std::panic;

use crate::logging;

/// How the process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ExitCode {
    /// The tether was closed, or the firmware restarts.
    Done = 0,
    /// Not started as the lab starts it, or the lab sent garbage; standard error says what.
    Refused = 64,
    /// The power was cut in the middle of a write.
    Dark = 75,
    /// The firmware panicked.
    Panicked = 101,
}

/// Ends the process at once: no destructor runs, as when a chip loses power.
pub fn exit(code: ExitCode) -> ! {
    // SAFETY: takes no pointer and does not return.
    unsafe { libc::_exit(code as i32) }
}

/// Says why on standard error, and ends the process.
pub fn refuse(why: &str) -> ! {
    eprintln!("{why}");
    exit(ExitCode::Refused)
}

/// Has the kernel kill this process when the thread that spawned it ends.
pub fn end_with_parent() {
    // SAFETY: these options take integers only.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    // Had the parent died before, no signal would come. The tether knows who made it.
    if tether_maker().is_some_and(|maker| maker != parent()) {
        exit(ExitCode::Done);
    }
}

fn parent() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getppid() }
}

/// Process id of the process that made the socket on standard input.
fn tether_maker() -> Option<i32> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: both pointers are to locals, and `length` is the size of the first.
    let answer = unsafe {
        libc::getsockopt(
            std::io::stdin().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    (answer == 0 && credentials.pid > 0).then_some(credentials.pid)
}

/// Makes a panic an error in the device's log, text on standard error, and the end.
pub fn report_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        let message = info.payload_as_str().unwrap_or("no message");
        eprintln!("panicked{place}: {message}");
        logging::log_in_panic(&format!("panicked{place}: {message}"));
        exit(ExitCode::Panicked)
    }));
}
