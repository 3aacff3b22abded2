//! A UART of this host's own.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

/// A pseudo-terminal: the device's end, and the path of the port. Bytes pass as they are. A program that is
/// started gets neither end: one that had the port would look like its user.
pub fn pseudo_terminal() -> io::Result<(File, PathBuf)> {
    fn done(answer: libc::c_int) -> io::Result<()> {
        match answer {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
    let mut name = [0; 128];
    // SAFETY: the descriptor is open from the first call on and owned from there; `name` comes with its
    // length, and is ended by the call that fills it; the modes are read before they are used.
    unsafe {
        let fd = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        done(fd)?;
        let device = File::from(OwnedFd::from_raw_fd(fd));
        let fd = device.as_raw_fd();
        done(libc::grantpt(fd))?;
        done(libc::unlockpt(fd))?;
        match libc::ptsname_r(fd, name.as_mut_ptr(), name.len()) {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let mut modes: libc::termios = std::mem::zeroed();
        done(libc::tcgetattr(fd, &raw mut modes))?;
        libc::cfmakeraw(&raw mut modes);
        done(libc::tcsetattr(fd, libc::TCSANOW, &raw const modes))?;
        let path = CStr::from_ptr(name.as_ptr()).to_string_lossy();
        Ok((device, PathBuf::from(path.as_ref())))
    }
}
