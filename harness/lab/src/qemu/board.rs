//! The emulated board as the harness sees it: a [`Machine`], and in front of its debug probe the
//! same [`ProbeBoard`] that a real board has.

use std::path::PathBuf;

use board::probe::{Attach, Limits, LogFormat, ProbeBoard, ProbeSettings};
use board::{Abilities, Board, BoardError, Exited, Power, PowerChanged};
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use trace::{Event, Trace};

use super::machine::{Cables, Machine, MachineSettings, Radio};
use crate::probe::ProbeFault;

/// How a board is off whose power was switched; the machine has darkened its radio then.
const SWITCHED_OFF: &str = "switched off";

/// An emulated board. Dropping it ends the emulator.
pub struct QemuBoard {
    // In this order: the debugger leaves before its probe goes.
    board: ProbeBoard,
    follower: JoinHandle<()>,
    machine: Machine,
}

impl QemuBoard {
    /// A board without power, whose flash holds what it held before, and on which the ELF file
    /// `image` is to run.
    pub async fn start(
        settings: MachineSettings,
        image: PathBuf,
        trace: Trace,
        cables: Cables,
    ) -> Result<Self, BoardError> {
        Self::start_within(settings, image, Limits::default(), trace, cables).await
    }

    /// The same with other limits, in the host's time, for what the probe does.
    pub async fn start_within(
        settings: MachineSettings,
        image: PathBuf,
        limits: Limits,
        trace: Trace,
        cables: Cables,
    ) -> Result<Self, BoardError> {
        let device = settings.device.clone();
        let machine = Machine::start(settings, trace.clone(), cables).await?;
        let settings = ProbeSettings {
            device: device.clone(),
            selector: machine.selector().to_owned(),
            chip: machine.chip().to_owned(),
            target_description: Some(machine.target_description().to_owned()),
            image,
            log: LogFormat::Defmt,
            limits,
            attach: Attach::Normal,
            speed_khz: None,
            factory: None,
            storage: None,
        };
        let board = ProbeBoard::new(settings, trace.clone())?
            .with_power_switch(Box::new(machine.power_switch()));
        let radio = machine.radio_switch();
        Ok(Self {
            follower: tokio::spawn(follow(trace, device, radio)),
            board,
            machine,
        })
    }

    /// The machine behind the probe.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Makes a fault of the probe the present one; none heals it.
    pub fn set_fault(&self, fault: Option<ProbeFault>) {
        self.machine.set_fault(fault);
    }
}

impl Drop for QemuBoard {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// Switches the radio off whenever the firmware has ended: an emulated controller would stay where
/// it is, as nobody in the air notices that nothing answers any more.
async fn follow(trace: Trace, device: String, radio: Radio) {
    let mut seen = trace.len();
    loop {
        trace.longer_than(seen).await;
        let events = trace.since(seen);
        seen += events.len();
        if events.iter().any(|event| has_ended(event, &device)) {
            radio.off();
        }
    }
}

fn has_ended(event: &Event, device: &str) -> bool {
    if event.device.as_deref() != Some(device) {
        return false;
    }
    let dark = |changed: PowerChanged| changed.power == Power::Off && changed.how != SWITCHED_OFF;
    event.payload().is_some_and(dark) || event.payload::<Exited>().is_some()
}

impl Board for QemuBoard {
    fn device(&self) -> &str {
        self.board.device()
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            scaled_time: false,
            bugs: false,
            ..self.board.abilities()
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        self.board.write_factory(image)
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.power_on()
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            // At once: the debugger would let the firmware go on until it has halted it.
            self.machine.power(false).await?;
            self.board.power_off().await
        })
    }

    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.cut_power_in_write(after)
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.reset()
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        self.board.read_storage()
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.erase_storage()
    }
}
