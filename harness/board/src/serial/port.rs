//! The UARTs of a host.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use clock::Clock;
use futures_util::future::BoxFuture;
use tokio::net::{TcpStream, UnixStream};
use tokio_serial::{SerialPort, SerialStream};

use super::control::{Channel, ControlLines, Dial};
use super::usb;
use crate::error::PortError;
use crate::rig::{PortAddress, Wire};

/// What a server may take to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A UART of this host, or one that is served on a socket.
#[derive(Clone, Debug)]
pub struct HostPort {
    address: PortAddress,
    baud: u32,
}

impl HostPort {
    /// The port at `address`, which is opened later.
    pub fn new(address: PortAddress, baud: u32) -> Self {
        Self { address, baud }
    }

    /// Whether it is there, without opening it.
    pub fn is_there(&self) -> bool {
        match &self.address {
            PortAddress::Tty(path) | PortAddress::Socket(path) => path.exists(),
            PortAddress::Tcp(_) => true,
        }
    }

    fn tty(&self, path: &Path) -> Result<Box<dyn Channel>, PortError> {
        let port = self.port();
        if !path.exists() {
            let there = usb::attached().into_iter().map(|port| port.path);
            return Err(PortError::Missing {
                port,
                there: there.map(|path| path.display().to_string()).collect(),
            });
        }
        if !may_use(path) {
            let group = group_of(path).unwrap_or_else(|| "dialout".to_owned());
            return Err(PortError::Denied { port, group });
        }
        let builder = tokio_serial::new(path.to_string_lossy(), self.baud);
        match SerialStream::open(&builder) {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match (error.kind(), user_of(path)) {
                (_, Some(by)) => PortError::Busy { port, by },
                (tokio_serial::ErrorKind::NoDevice, None) => PortError::Busy {
                    port,
                    by: "another program".to_owned(),
                },
                _ if !is_tty(path) => PortError::NoPort { port },
                _ => PortError::Refused {
                    port,
                    why: error.to_string(),
                },
            }),
        }
    }
}

impl Dial for HostPort {
    fn port(&self) -> String {
        self.address.to_string()
    }

    fn dial<'d>(&'d self, clock: &'d Clock) -> BoxFuture<'d, Result<Box<dyn Channel>, PortError>> {
        Box::pin(async move {
            let not_served = |source| PortError::NotServed {
                port: self.port(),
                source,
            };
            let late = |_| not_served(io::ErrorKind::TimedOut.into());
            match &self.address {
                PortAddress::Tty(path) => self.tty(path),
                PortAddress::Socket(path) => {
                    let connected = clock.timeout(CONNECT_LIMIT, UnixStream::connect(path));
                    let stream = connected.await.map_err(late)?.map_err(not_served)?;
                    Ok(Box::new(stream) as Box<dyn Channel>)
                }
                PortAddress::Tcp(address) => {
                    let connected = clock.timeout(CONNECT_LIMIT, TcpStream::connect(address));
                    let stream = connected.await.map_err(late)?.map_err(not_served)?;
                    Ok(Box::new(stream) as Box<dyn Channel>)
                }
            }
        })
    }
}

impl Channel for SerialStream {
    fn control_lines(&mut self) -> Option<&mut dyn ControlLines> {
        Some(self)
    }
}

impl ControlLines for SerialStream {
    fn set(&mut self, wire: Wire, asserted: bool) -> io::Result<()> {
        let set = match wire {
            Wire::Dtr => self.write_data_terminal_ready(asserted),
            Wire::Rts => self.write_request_to_send(asserted),
        };
        set.map_err(io::Error::from)
    }
}

impl Channel for UnixStream {
    fn control_lines(&mut self) -> Option<&mut dyn ControlLines> {
        None
    }
}

impl Channel for TcpStream {
    fn control_lines(&mut self) -> Option<&mut dyn ControlLines> {
        None
    }
}

pub(super) fn may_use(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: `path` is a string that ends with a zero byte.
    unsafe { libc::access(path.as_ptr(), libc::R_OK | libc::W_OK) == 0 }
}

/// Whether it is a terminal of any kind, which ports are.
pub(super) fn is_tty(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_char_device())
}

/// The name of the group that owns a file.
pub(super) fn group_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let id = std::fs::metadata(path).ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

/// Another process that has `path` open, such as `minicom (process 4711)`. Those of other users
/// cannot be seen.
pub(super) fn user_of(path: &Path) -> Option<String> {
    let path = std::fs::canonicalize(path).ok()?;
    let own = std::process::id();
    let pids = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != own) {
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        let mut links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        if links.any(|link| link == path) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}
