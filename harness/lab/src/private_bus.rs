//! A D-Bus of the lab's own, where stand-ins for the host's services are.

pub(crate) mod linger;

use std::sync::mpsc;

use crate::bluetooth::StandInError;

/// A message bus inside this process; there is no way to the host's own buses.
///
/// libdbus, which Bluetooth on Linux goes through, takes the address of the system bus from
/// `DBUS_SYSTEM_BUS_ADDRESS` when it is first used and keeps it, so there is one private bus for
/// each process, and the variable must be set before it is read. The program that starts that process
/// sets it:
///
/// ```no_run
/// # use std::process::Command;
/// Command::new("worker").env("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=a-random-name");
/// // In the worker:
/// let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS")?;
/// lab::private_bus::start(&address)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An address in the abstract namespace leaves no file behind, and may be as long as it likes. Runs on
/// a thread of its own until the process ends.
pub fn start(address: &str) -> Result<(), StandInError> {
    let (ready, started) = mpsc::channel();
    let owned = address.to_owned();
    std::thread::Builder::new()
        .name("private bus".to_owned())
        .spawn(move || {
            zruntime::block_on(async move {
                match busd::bus::Bus::for_address(Some(&owned)).await {
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
    let started = started.recv().map_err(|_| StandInError::Gone)?;
    started.map_err(|why| StandInError::Bus {
        address: address.to_owned(),
        why,
    })
}
