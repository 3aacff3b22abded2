//! Switching a real board's power.

use std::time::Duration;

use clock::Clock;
use futures_util::future::BoxFuture;

use crate::{BoardError, Power};

pub use crate::command::SwitchCommands;

/// What takes a board's power away and gives it back. Every call is bounded in time.
pub trait PowerSwitch: Send {
    /// Switches, and waits until the board is as it was switched.
    fn switch(&mut self, power: Power) -> BoxFuture<'_, Result<(), BoardError>>;

    /// Whether a debug probe reaches the memory of a board without power, as on an emulated one. If
    /// not, it is given power for that.
    fn memory_stays_reachable(&self) -> bool {
        false
    }
}

/// A switch that is commands.
pub struct CommandSwitch {
    commands: SwitchCommands,
    clock: Clock,
}

impl CommandSwitch {
    /// The switch that these commands work; `clock` bounds them.
    pub fn new(commands: SwitchCommands, clock: Clock) -> Self {
        Self { commands, clock }
    }
}

impl PowerSwitch for CommandSwitch {
    fn switch(&mut self, power: Power) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async move {
            let (template, wait) = match power {
                Power::On => (&self.commands.on, Duration::ZERO),
                Power::Off => (&self.commands.off, self.commands.discharge),
            };
            template.fill(&[]).run(&self.clock, &mut |_| {}).await?;
            self.clock.sleep(wait).await;
            Ok(())
        })
    }
}
