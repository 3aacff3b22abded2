//! What runs the firmware of an attempt's devices.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use board::power::{CommandSwitch, PowerSwitch};

use board::probe::{Limits, ProbeBoard, ProbeSettings};
use board::process::ProcessBoard;
use board::rig::{BoardLink, Broker, ConsoleAt, Firmware, Rig, RigBoard, RigBroker};
use board::serial::{Dial, HostPort, SerialBoard};
use board::{Board, BoardError};
use factory::{Factory, Lab};
use lab::air::RadioLink;
use lab::native::{NativeBoard, NativeSettings};
use lab::probe::ProbeFault;
use lab::qemu::{Cables, EMULATOR, MachineSettings, QemuBoard};
use lab::wire::BoardEnd;
use rand_core::{OsRng, RngCore};
use trace::{Trace, in_full};

use super::board_access::{BoardAccess, board_access};
use super::console_port;
use super::problem::LabError;
use super::program;
use crate::DEVICE_COMMAND;
use crate::run::{BoardKind, BoardModel, BrokenProbe, Flash, Job};

/// An emulated board is quicker than any real one; a probe that takes longer has gone wrong.
const LIMITS: Limits = Limits {
    attach: Duration::from_secs(5),
    flash: Duration::from_secs(20),
    command: Duration::from_secs(5),
    boot: Duration::from_secs(5),
};
/// Bytes that seed the random source of a board without one.
const ENTROPY: usize = 32;

/// The board that a job names. The rig file is read for it once, at the beginning of an attempt, so
/// that all of the attempt sees the same rig.
pub struct Chosen {
    /// What the scenario may ask of it.
    pub model: BoardModel,
    /// The rig in which it stands and its section there, if it is a real one.
    pub real: Option<(Rig, RigBoard)>,
}

impl Chosen {
    /// The board of `job`.
    pub fn of(job: &Job) -> Result<Self, LabError> {
        let real = real(job)?;
        let model = match &real {
            Some((rig, board)) => {
                let file = job.rig.as_deref().unwrap_or(Path::new(""));
                BoardModel::real(board, rig, file)
            }
            None => BoardModel::named(&job.board)
                .ok_or_else(|| LabError::Scenario(format!("there is no board `{}`", job.board)))?,
        };
        Ok(Self { model, real })
    }

    /// Whether it runs the reference firmware, which heeds its factory data.
    pub fn is_reference(&self) -> bool {
        let real = self.real.as_ref();
        real.is_none_or(|(_, board)| {
            board.firmware.is_none() && !matches!(board.link, BoardLink::Process(_))
        })
    }

    /// Its firmware, if that is not the reference device's.
    pub fn firmware(&self) -> Option<&Firmware> {
        self.real.as_ref()?.1.firmware.as_ref()
    }
}

fn real(job: &Job) -> Result<Option<(Rig, RigBoard)>, LabError> {
    let Some(file) = &job.rig else {
        return Ok(None);
    };
    let mut rig = Rig::read(file).map_err(|error| LabError::Scenario(in_full(&error)))?;
    match rig.boards.get(&job.board).cloned() {
        Some(board) => {
            if matches!(board.link, BoardLink::Process(_)) {
                // It is on this host.
                rig.broker
                    .get_or_insert_with(|| RigBroker::Own(Broker::on_loopback()));
            }
            Ok(Some((rig, board)))
        }
        None => Err(LabError::Scenario(format!(
            "there is no board `{}` in {} any more",
            job.board,
            file.display()
        ))),
    }
}

/// What leads from a board to what stands around it.
pub struct Wires {
    /// From its radio to the air, where there is one.
    pub link: Option<RadioLink>,
    /// From its UART.
    pub console: Option<BoardEnd>,
    /// From its Bluetooth host to a controller.
    pub hci: Option<BoardEnd>,
}

/// A board for `device`, without power. A program is told what is in `factory`.
pub async fn make(
    device: &str,
    job: &Job,
    chosen: &Chosen,
    trace: &Trace,
    wires: Wires,
    factory: &Factory,
) -> Result<Box<dyn Board>, LabError> {
    match chosen.model.kind {
        BoardKind::Native => {
            let settings = NativeSettings {
                device: device.to_owned(),
                folder: job.boards(),
                executable: match &job.device {
                    Some(device) => device.clone(),
                    None => own_executable()?,
                },
                arguments: vec![OsString::from(DEVICE_COMMAND)],
            };
            let link = wires.link.ok_or_else(no_air)?;
            let mut board = NativeBoard::new(settings, trace.clone(), link);
            if let Some(console) = wires.console {
                board = board.with_console(console);
            }
            if let Some(hci) = wires.hci {
                board = board.with_hci(hci);
            }
            Ok(Box::new(board))
        }
        BoardKind::Qemu => qemu(device, job, trace, wires).await,
        BoardKind::Rig => in_rig(device, job, chosen, trace, wires, factory).await,
    }
}

/// A real board. Its radio is not the lab's.
async fn in_rig(
    device: &str,
    job: &Job,
    chosen: &Chosen,
    trace: &Trace,
    wires: Wires,
    factory: &Factory,
) -> Result<Box<dyn Board>, LabError> {
    let Some((_, board)) = &chosen.real else {
        return Err(LabError::Scenario("a real board needs a rig file".into()));
    };
    let clock = trace.clock();
    if let Some(check) = board.health_check() {
        let checked = check.run(clock, &mut |_| {}).await;
        checked.map_err(BoardError::from)?;
    }
    let mut on_the_log = None;
    match (&board.console, wires.console) {
        (Some(ConsoleAt::Log), wire) => on_the_log = wire,
        (Some(ConsoleAt::Port(console)), Some(wire)) => {
            let port = HostPort::new(console.port.clone(), console.baud);
            let channel = port.dial(clock).await.map_err(BoardError::from)?;
            tokio::spawn(console_port::carry(port, channel, wire, clock.clone()));
        }
        (Some(ConsoleAt::Port(_)) | None, _) => {}
    }
    let switch = board.power.clone().map(|commands| {
        Box::new(CommandSwitch::new(commands, clock.clone())) as Box<dyn PowerSwitch>
    });
    let reached = board_access(board, job.image.as_deref())
        .map_err(|error| LabError::Scenario(in_full(&error)))?;
    let anew = job.flash == Flash::Always;
    match reached {
        BoardAccess::Probe(settings) => {
            let settings = ProbeSettings {
                device: device.to_owned(),
                ..*settings
            };
            let board = ProbeBoard::new(settings, trace.clone())?.flashing_anew(anew);
            Ok(match switch {
                Some(switch) => Box::new(board.with_power_switch(switch)),
                None => Box::new(board),
            })
        }
        BoardAccess::Serial(link) => {
            let mut board = SerialBoard::new(device, *link, switch, trace.clone());
            if let Some(wire) = on_the_log {
                tokio::spawn(console_port::carry_on_the_log(board.console(), wire));
            }
            Ok(Box::new(board.flashing_anew(anew)))
        }
        BoardAccess::Process(link) => {
            let settings = program::settings(device, *link, factory, &job.boards())?;
            Ok(Box::new(ProcessBoard::new(settings, trace.clone())))
        }
    }
}

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
        link: Some(wires.link.ok_or_else(no_air)?),
        console: wires.console,
        hci: wires.hci,
    };
    let board = QemuBoard::start_within(machine, image, LIMITS, trace.clone(), cables).await?;
    board.set_fault(job.probe_fault.map(ProbeFault::from));
    Ok(Box::new(board))
}

/// What a board without a random source needs. A real one has its own, and is told nothing of time.
pub fn lab_section(job: &Job, model: &BoardModel) -> Option<Lab> {
    if model.kind == BoardKind::Native {
        return None;
    }
    let mut entropy = vec![0; ENTROPY];
    OsRng.fill_bytes(&mut entropy);
    Some(Lab {
        time_factor: model.time_factor(job.speed),
        entropy,
    })
}

fn no_air() -> LabError {
    LabError::Scenario("a virtual board needs the lab's air".to_owned())
}

/// This binary, which is also the device.
fn own_executable() -> Result<std::path::PathBuf, LabError> {
    std::env::current_exe().map_err(|source| LabError::Io {
        what: "find our own executable".into(),
        source,
    })
}
