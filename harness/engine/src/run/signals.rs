//! Signals as the dispatcher sees them: flags, and a socket that wakes it.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::low_level;

/// While this lives, SIGCHLD, SIGINT, SIGTERM, SIGHUP and SIGTSTP wake [`Signals::wait`] instead of
/// doing what they do by default.
pub(super) struct Signals {
    wake: UnixStream,
    end: Arc<AtomicBool>,
    pause: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        let (wake, write) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let mut signals = Self {
            wake,
            end: Arc::default(),
            pause: Arc::default(),
            registered: Vec::new(),
        };
        // A flag is set before the socket wakes the task that reads it.
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let flag = Arc::clone(&signals.end);
            signals
                .registered
                .push(signal_hook::flag::register(signal, flag)?);
        }
        let flag = Arc::clone(&signals.pause);
        signals
            .registered
            .push(signal_hook::flag::register(SIGTSTP, flag)?);
        for signal in [SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGTSTP] {
            let write = write.try_clone()?;
            signals
                .registered
                .push(low_level::pipe::register(signal, write)?);
        }
        Ok(signals)
    }

    /// Waits for a signal, at most for `longest`.
    pub(super) fn wait(&mut self, longest: Duration) {
        // Rounded up, so that a deadline is past when this returns.
        let ms = longest.as_micros().div_ceil(1000);
        let mut fd = libc::pollfd {
            fd: self.wake.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: `fd` is one valid pollfd. An error is EINTR: a signal, for which this waits.
        unsafe { libc::poll(&raw mut fd, 1, i32::try_from(ms).unwrap_or(i32::MAX)) };
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(count) if count > 0) {}
    }

    /// Whether SIGINT, SIGTERM or SIGHUP came since the last call.
    pub(super) fn take_end(&self) -> bool {
        self.end.swap(false, Ordering::AcqRel)
    }

    /// Whether SIGTSTP came since the last call.
    pub(super) fn take_pause(&self) -> bool {
        self.pause.swap(false, Ordering::AcqRel)
    }

    /// Stops this process until SIGCONT.
    pub(super) fn stop_here(&self) -> io::Result<()> {
        low_level::emulate_default_handler(SIGTSTP)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}
