//! The emulated board as the harness sees it: a [`Machine`], and in front of its debug probe the
//! same [`ProbeBoard`] that a real board has.

use std::path::PathBuf;

use board::probe::{Attach, Limits, LogFormat, ProbeBoard, ProbeSettings};
use board::{Abilities, Board, BoardError, Exited, Power, PowerChanged, RestartCause, Restarted};
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
            // Nothing of the machine but its firmware resets it: no pin, no watchdog that is used.
            unexplained_reset: RestartCause::Software,
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
        let own = events
            .iter()
            .filter(|event| event.device.as_deref() == Some(device.as_str()));
        // A firmware that panicked and restarted has its radio already.
        if own.rev().find_map(|event| has_ended(event)) == Some(true) {
            radio.off();
        }
    }
}

/// Whether the event says that the firmware has ended, or that it runs; nothing, if neither.
fn has_ended(event: &Event) -> Option<bool> {
    if let Some(changed) = event.payload::<PowerChanged>() {
        return Some(changed.power == Power::Off && changed.how != SWITCHED_OFF);
    }
    match (event.payload::<Exited>(), event.payload::<Restarted>()) {
        (Some(_), _) => Some(true),
        (_, Some(_)) => Some(false),
        _ => None,
    }
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

    fn write_storage<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        self.board.write_storage(image)
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    #[tokio::test]
    async fn a_firmware_that_restarts_after_its_panic_keeps_its_radio() {
        let trace = Trace::in_memory(Clock::start(1.0));
        let exited = Exited {
            how: "panic".to_owned(),
            panic: Some("panicked at a.rs:1".to_owned()),
        };
        let restarted = Restarted {
            cause: RestartCause::Panic,
            said: "panicked at a.rs:1".to_owned(),
        };
        let ended = |trace: &Trace| {
            trace
                .since(0)
                .iter()
                .rev()
                .find_map(|event| has_ended(event))
        };
        assert_eq!(ended(&trace), None);
        trace.emit(Some("device"), &exited);
        assert_eq!(ended(&trace), Some(true));
        trace.emit(Some("device"), &restarted);
        assert_eq!(ended(&trace), Some(false));
        for (power, how, ends) in [
            (Power::Off, "cut in a write", true),
            (Power::Off, SWITCHED_OFF, false),
            (Power::On, "switched on", false),
        ] {
            let how = how.to_owned();
            trace.emit(Some("device"), &PowerChanged { power, how });
            assert_eq!(ended(&trace), Some(ends));
        }
    }
}
