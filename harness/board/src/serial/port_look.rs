//! A port, looked at without opening it: Linux raises control lines when a port is opened, which restarts
//! many boards.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::port::{group_of, is_tty, may_use, user_of};
use super::usb;

/// The kernel's driver of USB modems and of the ports that chips have themselves.
const ACM: &str = "cdc_acm";
/// Properties of udev's by which ModemManager leaves a port alone.
const LEFT_ALONE: [&str; 2] = ["E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1"];
/// The daemon, as the kernel cuts its name.
const MODEM_MANAGER: &str = "ModemManager";

/// What is known of a device file that should be a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortLook {
    /// Whether it is a character device, which ports are.
    pub is_port: bool,
    /// Whether this user may open it.
    pub permitted: bool,
    /// The group that it belongs to, if that has a name.
    pub group: Option<String>,
    /// The process that has it open, as far as this user can see.
    pub used_by: Option<String>,
    /// A name of it that stays the same whatever else is attached, if it was named by another.
    pub stable: Option<PathBuf>,
    /// Whether ModemManager runs and may open it, to ask whether it is a modem.
    pub may_be_probed: bool,
}

/// What is known of `path`; none if it is not there.
pub fn look_at_port(path: &Path) -> Option<PortLook> {
    let found = fs::metadata(path).ok()?;
    let device = fs::canonicalize(path).ok()?;
    Some(PortLook {
        is_port: is_tty(path),
        permitted: may_use(path),
        group: group_of(path),
        used_by: user_of(path),
        stable: stable(path, &device),
        may_be_probed: found.file_type().is_char_device()
            && is_acm(&device)
            && !is_left_alone(found.rdev())
            && modem_manager_runs(),
    })
}

/// A stable name, unless `path` is one.
fn stable(path: &Path, device: &Path) -> Option<PathBuf> {
    if path != device {
        // A link, which is what stable names are.
        return None;
    }
    let port = usb::attached()
        .into_iter()
        .find(|port| port.path == device)?;
    port.stable
}

fn is_acm(device: &Path) -> bool {
    let Some(name) = device.file_name() else {
        return false;
    };
    let driver = Path::new("/sys/class/tty").join(name).join("device/driver");
    fs::canonicalize(driver).is_ok_and(|driver| driver.ends_with(ACM))
}

/// Whether udev's database says so of the character device `number`.
fn is_left_alone(number: u64) -> bool {
    let (major, minor) = (libc::major(number), libc::minor(number));
    let known = fs::read_to_string(format!("/run/udev/data/c{major}:{minor}"));
    known.is_ok_and(|known| known.lines().any(|line| LEFT_ALONE.contains(&line)))
}

fn modem_manager_runs() -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let name = fs::read_to_string(process.path().join("comm"));
        name.is_ok_and(|name| name.trim() == MODEM_MANAGER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_looked_at_without_being_opened() {
        let (_device, path) = crate::serial::pseudo_terminal().expect("a pty");
        let look = look_at_port(&path).expect("it is there");
        assert!(
            look.is_port && look.permitted && !look.may_be_probed,
            "{look:?}"
        );
        assert_eq!(look_at_port(Path::new("/dev/ttyNowhere9")), None);
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(!look_at_port(file.path()).expect("it is there").is_port);
    }
}
