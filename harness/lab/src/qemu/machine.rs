//! A machine: emulator, debug probe and cables.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;

use board::power::PowerSwitch;
use board::{BoardError, Power};
use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use trace::Trace;

use super::backend::{self, WireOrder};
use super::flash::Flash;
use super::process::{Event, UARTS};
use super::serial::Serial;
use super::wire::Wire;
use crate::air::RadioLink;
use crate::probe::{BackendError, Dap, Faults, ProbeFault, Server, SharedTarget, Supply};
use crate::wire::BoardEnd;

/// The chip's name in [`TARGET_DESCRIPTION`].
pub const CHIP: &str = "mps2-an386";
/// The chip and its flash algorithm as YAML, in the format of probe-rs.
pub const TARGET_DESCRIPTION: &str = include_str!("target.yaml");

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct MachineSettings {
    /// The device's name in the scenario.
    pub device: String,
    /// Where its flash is kept, as a file that only its owner can read.
    pub folder: PathBuf,
    /// The emulator, `qemu-system-arm`.
    pub qemu: PathBuf,
}

/// What leads from a machine to the lab; what is not plugged in leads nowhere.
#[derive(Clone, Default)]
pub struct Cables {
    /// From its radio to the air.
    pub link: Option<RadioLink>,
    /// From its console.
    pub console: Option<BoardEnd>,
    /// From its Bluetooth controller's interface.
    pub hci: Option<BoardEnd>,
}

/// An emulated board behind a debug probe; dropping it ends both.
pub struct Machine {
    handle: Handle,
    orders: UnboundedSender<WireOrder>,
    server: Server,
    selector: String,
    faults: Faults,
    wire: JoinHandle<()>,
    /// What the emulator says on standard error, and its sockets; removed last.
    _private: (File, TempDir),
}

type Target = Dap<backend::Machine>;

impl Machine {
    /// A machine without power, whose flash holds what it held before.
    pub async fn start(
        settings: MachineSettings,
        trace: Trace,
        cables: Cables,
    ) -> Result<Self, BoardError> {
        let failed = |what: String| move |source: io::Error| BoardError::Io { what, source };
        let clock = trace.clock().clone();
        let private = tempfile::Builder::new()
            .prefix("qemu-")
            .tempdir_in(&settings.folder)
            .map_err(failed("make a private folder".to_owned()))?;
        let opened =
            File::open(private.path()).map_err(failed("open a private folder".to_owned()))?;
        // A socket's path has room for 107 bytes, wherever the folder is.
        let short = format!("/proc/{}/fd/{}", std::process::id(), opened.as_raw_fd());
        let short = PathBuf::from(short);
        let path = settings
            .folder
            .join(format!("{}.flash", stem(&settings.device)));
        let flash = Flash::open(path.clone())
            .map_err(failed(format!("read the flash in {}", path.display())))?;
        let (events, happenings) = mpsc::channel();
        let (orders, obeyed) = unbounded_channel();
        let machine =
            backend::Machine::new(settings.qemu, short.clone(), flash, events, orders.clone());
        let faults = Faults::default();
        let target = Arc::new(Mutex::new(Dap::new(machine, faults.clone())));
        watch(&settings.device, happenings, Arc::downgrade(&target))
            .map_err(failed("start a thread".to_owned()))?;
        let server = Server::start(target.clone(), faults.clone())
            .map_err(failed("open a port for a debug probe".to_owned()))?;
        let [console, hci] = UARTS.map(|uart| short.join(uart));
        let serials = [
            Serial::new(console, cables.console),
            Serial::new(hci, cables.hci),
        ];
        let machine = Self {
            wire: tokio::spawn(Wire::new(trace, cables.link, serials, obeyed).run()),
            handle: Handle {
                device: settings.device,
                clock,
                target,
            },
            orders,
            selector: server.selector(),
            server,
            faults,
            _private: (opened, private),
        };
        let off = |target: &mut Target| {
            target.core().backend().start()?;
            target.supply(Supply::Off)
        };
        machine.handle.with("start the emulator", off).await?;
        Ok(machine)
    }

    /// What a debugger opens the probe by.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// The chip's name in [`Machine::target_description`].
    pub fn chip(&self) -> &str {
        CHIP
    }

    /// The chip and its flash algorithm as YAML, in the format of probe-rs.
    pub fn target_description(&self) -> &'static str {
        TARGET_DESCRIPTION
    }

    /// Switches the power. Without it the core stands and its memory is lost; with it the firmware
    /// starts. The debug port answers in any case.
    pub async fn power(&mut self, on: bool) -> Result<(), BoardError> {
        let supply = if on { Supply::On } else { Supply::Off };
        self.handle.switch(supply).await
    }

    /// The same as a switch for a [`board::probe::ProbeBoard`], which starts the firmware itself.
    pub fn power_switch(&self) -> MachineSwitch {
        MachineSwitch {
            handle: self.handle.clone(),
        }
    }

    /// Whether the core has power.
    pub async fn is_powered(&self) -> Result<bool, BoardError> {
        let look = |target: &mut Target| Ok(target.core().is_supplied());
        self.handle.with("look at the power", look).await
    }

    /// What switches the radio off when the firmware has ended.
    pub(super) fn radio_switch(&self) -> Radio {
        Radio {
            orders: self.orders.clone(),
        }
    }

    /// Makes a fault of the probe the present one; none heals it.
    pub fn set_fault(&self, fault: Option<ProbeFault>) {
        self.faults.set(fault);
        if fault == Some(ProbeFault::LinkDropped) {
            self.server.drop_link();
        }
    }

    /// What flash holds from `address` on, whether there is power or not.
    pub async fn read_flash(&self, address: u32, length: usize) -> Result<Vec<u8>, BoardError> {
        self.handle
            .with("read the flash", move |target| {
                target.core().backend().read_flash(address, length)
            })
            .await
    }

    /// Puts `bytes` into flash from `address` on, past the debug probe. There must be no power.
    pub async fn write_flash(&self, address: u32, bytes: Vec<u8>) -> Result<(), BoardError> {
        if self.is_powered().await? {
            return Err(BoardError::State {
                what: "write the flash",
                state: "on",
            });
        }
        self.handle
            .with("write the flash", move |target| {
                target.core().backend().write_flash(address, &bytes)
            })
            .await
    }
}

/// The switch of a [`Machine`]'s power. Switched on, the core stands at its reset vector until a
/// debugger lets it go.
#[derive(Clone)]
pub struct MachineSwitch {
    handle: Handle,
}

impl PowerSwitch for MachineSwitch {
    fn switch(&mut self, power: Power) -> BoxFuture<'_, Result<(), BoardError>> {
        let supply = match power {
            Power::On => Supply::Held,
            Power::Off => Supply::Off,
        };
        self.handle.switch(supply).boxed()
    }

    fn memory_stays_reachable(&self) -> bool {
        true
    }
}

/// What switches the radio off, until the next reset.
#[derive(Debug)]
pub(super) struct Radio {
    orders: UnboundedSender<WireOrder>,
}

impl Radio {
    pub(super) fn off(&self) {
        // Without a machine it is off.
        let _ = self.orders.send(WireOrder::Dark);
    }
}

/// A target, and where waiting for it is allowed.
#[derive(Clone)]
struct Handle {
    device: String,
    clock: Clock,
    target: SharedTarget<backend::Machine>,
}

impl Handle {
    async fn switch(&self, supply: Supply) -> Result<(), BoardError> {
        let what = match supply {
            Supply::Off => "switch the power off",
            Supply::Held | Supply::On => "switch the power on",
        };
        self.with(what, move |target| target.supply(supply)).await
    }

    /// Works with the target on a thread where waiting is allowed.
    async fn with<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Target) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BoardError> {
        let target = Arc::clone(&self.target);
        let _busy = self.clock.busy();
        let done = tokio::task::spawn_blocking(move || work(&mut lock(&target))).await;
        let failed = |source| BoardError::Io {
            what: format!("{what} of {}", self.device),
            source,
        };
        match done {
            Ok(outcome) => outcome.map_err(|error| failed(io::Error::other(error))),
            Err(error) => Err(failed(io::Error::other(error))),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.wire.abort();
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("device", &self.handle.device)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

/// Looks at the core whenever the emulator says that something happened: a firmware that resets
/// itself must start anew, whether a debugger looks or not.
fn watch(device: &str, events: Receiver<Event>, target: Weak<Mutex<Target>>) -> io::Result<()> {
    thread::Builder::new()
        .name(format!("watch {device}"))
        .spawn(move || {
            while events.recv().is_ok() {
                // What else is waiting is answered by the same look.
                while events.try_recv().is_ok() {}
                let Some(target) = target.upgrade() else {
                    return;
                };
                // The next user of the core meets the same error.
                let _ = lock(&target).core().poll();
            }
        })
        .map(drop)
}

fn lock(target: &Mutex<Target>) -> MutexGuard<'_, Target> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file name that is safe whatever the device is called.
fn stem(device: &str) -> String {
    let safe = |c: char| {
        if c.is_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    device.chars().map(safe).collect()
}
