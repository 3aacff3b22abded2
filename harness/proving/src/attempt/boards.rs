//! What runs the firmware of an attempt's devices.

use std::ffi::OsString;
#[cfg(feature = "probe")]
use std::time::Duration;

use board::Board;
#[cfg(feature = "probe")]
use board::probe::Limits;
use factory::Lab;
use lab::air::Link;
use lab::native::{NativeBoard, NativeSettings};
#[cfg(feature = "probe")]
use lab::probe::ProbeFault;
#[cfg(feature = "probe")]
use lab::qemu::{Cables, EMULATOR, MachineSettings, QemuBoard};
use lab::wire::BoardEnd;
use rand_core::{OsRng, RngCore};
use trace::Trace;

use super::problem::LabError;
use crate::cli::DEVICE_COMMAND;
#[cfg(feature = "probe")]
use crate::run::BrokenProbe;
use crate::run::{BoardKind, BoardModel, Job};

/// An emulated board is quicker than any real one; a probe that takes longer has gone wrong.
#[cfg(feature = "probe")]
const LIMITS: Limits = Limits {
    attach: Duration::from_secs(5),
    flash: Duration::from_secs(20),
    command: Duration::from_secs(5),
    boot: Duration::from_secs(5),
};
/// Bytes that seed the random source of a board without one.
const ENTROPY: usize = 32;

/// The board that `job` names.
pub fn model(job: &Job) -> Result<BoardModel, LabError> {
    BoardModel::named(&job.board)
        .ok_or_else(|| LabError::Scenario(format!("there is no board `{}`", job.board)))
}

/// What leads from a board to the lab.
pub struct Wires {
    /// From its radio to the air.
    pub link: Link,
    /// From its UART.
    pub console: Option<BoardEnd>,
    /// From its Bluetooth host to a controller.
    pub hci: Option<BoardEnd>,
}

/// A board for `device`, without power.
pub async fn make(
    device: &str,
    job: &Job,
    trace: &Trace,
    wires: Wires,
) -> Result<Box<dyn Board>, LabError> {
    match model(job)?.kind {
        BoardKind::Native => {
            let settings = NativeSettings {
                device: device.to_owned(),
                folder: job.boards(),
                executable: own_executable()?,
                arguments: vec![OsString::from(DEVICE_COMMAND)],
            };
            let mut board = NativeBoard::new(settings, trace.clone(), wires.link);
            if let Some(console) = wires.console {
                board = board.with_console(console);
            }
            if let Some(hci) = wires.hci {
                board = board.with_hci(hci);
            }
            Ok(Box::new(board))
        }
        BoardKind::Qemu => qemu(device, job, trace, wires).await,
    }
}

#[cfg(feature = "probe")]
impl From<BrokenProbe> for ProbeFault {
    fn from(fault: BrokenProbe) -> Self {
        match fault {
            BrokenProbe::LinkDropped => Self::LinkDropped,
            BrokenProbe::WaitForever => Self::WaitForever,
            BrokenProbe::Hung => Self::Hung,
            BrokenProbe::WrongIdcode => Self::WrongIdcode,
            BrokenProbe::LockedUp => Self::LockedUp,
            // In the middle of any image that is worth one.
            BrokenProbe::PowerLostInFlash => Self::PowerLostInFlash { after: 64 * 1024 },
        }
    }
}

#[cfg(feature = "probe")]
async fn qemu(
    device: &str,
    job: &Job,
    trace: &Trace,
    wires: Wires,
) -> Result<Box<dyn Board>, LabError> {
    let machine = MachineSettings {
        device: device.to_owned(),
        folder: job.boards(),
        qemu: EMULATOR.into(),
    };
    let Some(image) = job.image.clone() else {
        return Err(LabError::Scenario(
            "an emulated board needs an image".into(),
        ));
    };
    let cables = Cables {
        link: Some(wires.link),
        console: wires.console,
        hci: wires.hci,
    };
    let board = QemuBoard::start_within(machine, image, LIMITS, trace.clone(), cables).await?;
    board.set_fault(job.probe_fault.map(ProbeFault::from));
    Ok(Box::new(board))
}

#[cfg(not(feature = "probe"))]
async fn qemu(_: &str, _: &Job, _: &Trace, _: Wires) -> Result<Box<dyn Board>, LabError> {
    Err(LabError::Scenario(
        "this program was built without debug probes; build it with `--features probe`".into(),
    ))
}

/// What an emulated board needs to stand in for a real one; none for others.
pub fn lab_section(job: &Job) -> Result<Option<Lab>, LabError> {
    let model = model(job)?;
    if model.kind != BoardKind::Qemu {
        return Ok(None);
    }
    let mut entropy = vec![0; ENTROPY];
    OsRng.fill_bytes(&mut entropy);
    Ok(Some(Lab {
        time_factor: model.time_factor(job.speed),
        entropy,
    }))
}

/// This binary, which is also the device.
fn own_executable() -> Result<std::path::PathBuf, LabError> {
    std::env::current_exe().map_err(|source| LabError::Io {
        what: "find our own executable".into(),
        source,
    })
}
