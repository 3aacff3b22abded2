//! An imitated rig: the reference device as a board of a rig file, for users without a board.
//!
//! The device runs on the lab's air. Its UART, its power, its radios and its LAN are offered in the
//! forms that a rig has, so that `proving run --rig DIR/rig.toml` on the other side cannot tell:
//!
//! | in the folder | what it is |
//! |---|---|
//! | `rig.toml` | the board `device` and what stands around it; written last |
//! | `rig` | the script behind every command of that file; it needs a POSIX shell and nothing else |
//! | `control/` | requests of the script and their answers ([`control`]) |
//! | `env` | variables that the run wants, to be sourced |
//! | `endpoints.json` | where everything is, for other programs |
//!
//! For a virtual machine on the other side, its ends are sockets: see [`sockets`].

mod access_points;
mod control;
mod described;
mod device;
mod ends;
mod folder;
mod host;
mod lan;
mod narration;
mod pty;
mod sockets;
mod soft_ap;
mod uart;

use std::path::Path;
use std::time::Duration;

use clock::Clock;
use lab::air::Air;
use lab::bluetooth::Ether;
use tokio::signal::unix::SignalKind;
use trace::Trace;

use super::{UpError, listen_for};
use control::Control;
use device::Device;
use ends::Opened;
use folder::Folder;
use sockets::Sockets;
use soft_ap::SoftApWatch;

/// Name of the board in the rig file, and of the device on the air.
const DEVICE: &str = "device";
/// How often requests and radios are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Where the device has its console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleOn {
    /// Where its log is, as ESP-IDF has it.
    #[default]
    Log,
    /// On a second UART.
    Uart,
}

/// How the rig is imitated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsRig {
    /// Where the device has its console.
    pub console: ConsoleOn,
    /// Log components (tags) whose lines do not appear on the UART.
    pub without_components: Vec<String>,
    /// Whether UART and radios are sockets in the folder, for a virtual machine with a Bluetooth, a
    /// Wi-Fi and a serial port of its own.
    pub sockets: bool,
}

/// What the parts of the rig share.
pub(super) struct Stage {
    pub trace: Trace,
    pub air: Air,
    pub ether: Ether,
}

/// Stands as a rig in `folder` until SIGINT or SIGTERM, and leaves nothing behind there.
pub fn up_as_rig(options: &AsRig, folder: &Path) -> Result<(), UpError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| UpError::Io {
            what: "start the runtime".into(),
            source,
        })?;
    runtime.block_on(async {
        // Before there is anything to leave behind.
        let mut interrupt = listen_for(SignalKind::interrupt())?;
        let mut terminate = listen_for(SignalKind::terminate())?;
        let told_to_end = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let folder = Folder::take(folder)?;
        let stood = stand(options, &folder, told_to_end).await;
        let cleared = folder.clear();
        stood.and(cleared)
    })
}

async fn stand(
    options: &AsRig,
    folder: &Folder,
    told_to_end: impl Future<Output = ()>,
) -> Result<(), UpError> {
    // Programs on the other side live in real time.
    let trace = Trace::passing(Clock::start_fixed(1.0));
    let stage = Stage {
        air: Air::new(trace.clone()),
        ether: Ether::new(trace.clone()),
        trace,
    };
    let sockets = match options.sockets {
        true => Some(Sockets::bind(&stage, folder)?),
        false => None,
    };
    let points = access_points::set_up(&stage, sockets.as_ref().map(Sockets::lan));
    let opened = match &sockets {
        Some(sockets) => sockets.open(&stage, &options.without_components, folder)?,
        None => host::open(&stage, options, folder).await?,
    };
    let Opened {
        uart,
        console,
        described,
        mut radios,
    } = opened;
    let mut device = Device::new(&stage, folder, uart, console, described.log.clone());
    described::write(folder, &points, &described)?;
    let control = Control::new(folder.control());
    let mut watch = SoftApWatch::new(&stage.trace);
    let standing = format!("up; see {}; ends on Ctrl-C", folder.rig_toml().display());
    narration::say(&standing);
    let serve = async {
        loop {
            while let Some(request) = control.next()? {
                let answer = device.obey(&request, &stage, &points).await;
                radios.power(device.is_on()).await?;
                control.answer(&request, answer)?;
            }
            if let Some(change) = watch.change(device.factory()) {
                radios.soft_ap(change).await?;
            }
            stage.trace.clock().sleep(LOOK).await;
        }
    };
    let served = tokio::select! {
        () = told_to_end => Ok(()),
        () = narration::narrate(stage.trace.clone()) => Ok(()),
        served = serve => served,
    };
    device.end().await;
    served
}
