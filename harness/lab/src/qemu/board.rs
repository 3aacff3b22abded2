//! The emulated board: a board behind a debug probe, whose supply can be switched.

use std::path::PathBuf;
use std::sync::Arc;

use board::power::PowerSwitch;
use board::probe::{Attach, Limits, LogFormat, ProbeBoard, ProbeSettings};
use board::{Abilities, Board, BoardError, Power};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use trace::Trace;

use super::{Machine, MachineSettings};
use crate::air::Link;

/// A device's image on an emulated board. Dropping it ends the emulator.
pub struct QemuBoard {
    // Dropped first: lets go of the probe before the probe goes.
    board: ProbeBoard,
    machine: Arc<Mutex<Machine>>,
}

impl QemuBoard {
    /// A board without power, with erased flash unless the settings' folder holds another.
    pub async fn start(
        settings: MachineSettings,
        image: PathBuf,
        trace: Trace,
        link: Link,
    ) -> Result<Self, BoardError> {
        let device = settings.device.clone();
        let machine = Machine::start(settings, trace.clone(), Some(link)).await?;
        let probe = ProbeSettings {
            device,
            selector: machine.selector().to_owned(),
            chip: machine.chip().to_owned(),
            target_description: Some(machine.target_description().to_owned()),
            image,
            log: LogFormat::Defmt,
            limits: Limits::default(),
            attach: Attach::Normal,
            speed_khz: None,
            factory: None,
            storage: None,
        };
        let machine = Arc::new(Mutex::new(machine));
        let supply = Supply(machine.clone());
        Ok(Self {
            board: ProbeBoard::new(probe, trace)?.with_power_switch(Box::new(supply)),
            machine,
        })
    }

    /// The machine, to break its probe.
    pub fn machine(&self) -> &Mutex<Machine> {
        &self.machine
    }
}

/// The machine's supply.
struct Supply(Arc<Mutex<Machine>>);

impl PowerSwitch for Supply {
    fn switch(&mut self, power: Power) -> BoxFuture<'_, Result<(), BoardError>> {
        async move { self.0.lock().await.power(power == Power::On).await }.boxed()
    }
}

impl Board for QemuBoard {
    fn device(&self) -> &str {
        self.board.device()
    }

    fn abilities(&self) -> Abilities {
        self.board.abilities()
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        self.board.write_factory(image)
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.power_on()
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        self.board.power_off()
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
