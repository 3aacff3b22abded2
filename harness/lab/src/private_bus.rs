//! A D-Bus of the lab's own, where stand-ins for the host's services are.

pub(crate) mod linger;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use crate::bluetooth::StandInError;

/// A message bus inside this process, on a Unix socket; there is no way to the host's own buses.
///
/// libdbus, which Bluetooth on Linux goes through, takes the address of the system bus from
/// `DBUS_SYSTEM_BUS_ADDRESS` when it is first used and keeps it, so there is one private bus for
/// each process, and the variable must be set before anybody looks. Whoever starts that process
/// knows the path best:
///
/// ```no_run
/// # use std::path::Path;
/// # use std::process::Command;
/// let socket = Path::new("/tmp/attempt-1/bus");
/// Command::new("worker")
///     .env("DBUS_SYSTEM_BUS_ADDRESS", lab::private_bus::PrivateBus::address_of(socket));
/// // In the worker:
/// let bus = lab::private_bus::PrivateBus::start(socket)?;
/// # Ok::<(), lab::bluetooth::StandInError>(())
/// ```
///
/// The bus runs on a thread of its own until the process ends; its socket is removed when this is
/// dropped.
#[derive(Debug)]
pub struct PrivateBus {
    socket: PathBuf,
}

impl PrivateBus {
    /// The address of a bus whose socket is at `socket`, in the form of the variable. A Unix socket's
    /// path has at most 107 bytes.
    pub fn address_of(socket: &Path) -> String {
        let escaped: String = socket
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|byte| match byte {
                b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'/' | b'.' => {
                    char::from(*byte).to_string()
                }
                other => format!("%{other:02x}"),
            })
            .collect();
        format!("unix:path={escaped}")
    }

    /// Starts a bus whose socket is at `socket`; one that is left there from before is replaced.
    pub fn start(socket: &Path) -> Result<Self, StandInError> {
        // Not there is as good as removed; anything else shows when the bus listens.
        let _ = std::fs::remove_file(socket);
        let address = Self::address_of(socket);
        let (ready, started) = mpsc::channel();
        let failed = |why: String| StandInError::Bus {
            path: socket.display().to_string(),
            why,
        };
        std::thread::Builder::new()
            .name("private bus".to_owned())
            .spawn(move || {
                zruntime::block_on(async move {
                    match busd::bus::Bus::for_address(Some(&address)).await {
                        Ok(mut bus) => {
                            // The starter may have gone; the bus does no harm.
                            let _ = ready.send(Ok(()));
                            // Ends when it cannot accept any more, which its users notice.
                            let _ = bus.run().await;
                        }
                        Err(error) => {
                            let _ = ready.send(Err(format!("{error:#}")));
                        }
                    }
                });
            })
            .map_err(StandInError::Thread)?;
        started
            .recv()
            .map_err(|_| StandInError::Gone)?
            .map_err(failed)?;
        Ok(Self {
            socket: socket.to_owned(),
        })
    }

    /// Its address, for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        Self::address_of(&self.socket)
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        // Somebody else may have cleaned up the folder.
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_escapes_what_is_no_plain_character() {
        let address = PrivateBus::address_of(Path::new("/tmp/a b,c/bus"));
        assert_eq!(address, "unix:path=/tmp/a%20b%2cc/bus");
    }
}
