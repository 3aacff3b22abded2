//! The board itself.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use trace::Trace;

use super::HostPort;
use super::console::{LogConsole, Tap};
use super::control::{Dial, Hold, Wiring};
use super::flash::{Flashed, Job};
use super::journal::Journal;
use super::reader::PortReader;
use crate::command::{Command, CommandTemplate};
use crate::power::PowerSwitch;
use crate::rig::SerialLink;
use crate::state::PowerState;
use crate::{Abilities, Board, BoardError, Power};

const KIND: &str = "serial";
/// How long a board is held in reset.
const RESET_HOLD: Duration = Duration::from_millis(100);
/// What a board needs to start its loader.
const LOADER_START: Duration = Duration::from_millis(50);
/// A board's own USB port appears so long after its power.
const PORT_PATIENCE: Duration = Duration::from_secs(10);

/// A board with a UART.
///
/// Without a power switch, a board that is off is held in reset by its control line; without that
/// too, it cannot be off, and its log is merely not heard.
pub struct SerialBoard {
    device: String,
    link: SerialLink,
    switch: Option<Box<dyn PowerSwitch>>,
    dial: Arc<dyn Dial>,
    trace: Trace,
    journal: Journal,
    console: Option<Tap>,
    open: Option<PortReader>,
    power: PowerState,
    /// The images were flashed, or found to be there.
    flashed: bool,
    /// Whether the images are flashed although they were flashed last time.
    flashes_anew: bool,
}

impl SerialBoard {
    /// The board at `link`, which is off, and whose log goes into `trace` as that of `device`.
    pub fn new(
        device: &str,
        link: SerialLink,
        switch: Option<Box<dyn PowerSwitch>>,
        trace: Trace,
    ) -> Self {
        let dial = Arc::new(HostPort::new(link.port.clone(), link.baud));
        Self::with_dial(device, link, switch, dial, trace)
    }

    /// The same, with a UART that `dial` opens.
    pub fn with_dial(
        device: &str,
        link: SerialLink,
        switch: Option<Box<dyn PowerSwitch>>,
        dial: Arc<dyn Dial>,
        trace: Trace,
    ) -> Self {
        Self {
            device: device.to_owned(),
            journal: Journal::new(device, &dial.port(), link.elf.clone(), trace.clone()),
            link,
            switch,
            dial,
            console: None,
            open: None,
            power: PowerState::off(device, trace.clone()),
            trace,
            flashed: false,
            flashes_anew: false,
        }
    }

    /// The same board, which is flashed although the same images were flashed last time, if `anew`.
    #[must_use]
    pub fn flashing_anew(self, anew: bool) -> Self {
        Self {
            flashes_anew: anew,
            ..self
        }
    }

    /// Its console, which is where its log is. From now on what is the console's is no log line any
    /// more. To be called before the board is switched on.
    pub fn console(&mut self) -> LogConsole {
        let (tap, console) = Tap::pair();
        self.console = Some(tap);
        console
    }

    fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    fn wiring(&self) -> Wiring {
        Wiring {
            reset: self.link.reset,
            boot: self.link.boot,
        }
    }

    /// The open port.
    async fn opened(&mut self, patience: Duration) -> Result<&PortReader, BoardError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let sink = self.journal.sink();
                let dial = Arc::clone(&self.dial);
                let (wiring, log) = (self.wiring(), self.link.log);
                let console = self.console.clone();
                PortReader::open(dial, wiring, log, patience, self.clock(), console, sink).await?
            }
        };
        Ok(self.open.insert(open))
    }

    /// Closes the port for others.
    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.close().await;
        }
    }

    async fn hold(&mut self, hold: Hold) -> Result<(), BoardError> {
        Ok(self.opened(Duration::ZERO).await?.hold(hold).await?)
    }

    /// Holds the board in reset.
    async fn hold_in_reset(&mut self) -> Result<(), BoardError> {
        let hold = Hold {
            reset: true,
            boot: false,
        };
        self.hold(hold).await
    }

    /// Says that it is started, after all that was said before.
    async fn starts(&mut self, how: &str) {
        if let Some(open) = &self.open {
            open.divide().await;
        }
        self.journal.begins();
        self.power.starts(how);
    }

    /// Says that it is off, after all that was said before.
    fn ends(&mut self, how: &str) {
        self.journal.ends();
        self.power.ends(how);
    }

    /// Starts it by its control line. Everything that it says is heard.
    async fn pulse(&mut self, how: &str) -> Result<(), BoardError> {
        self.hold_in_reset().await?;
        self.clock().sleep(RESET_HOLD).await;
        self.starts(how).await;
        self.opened(Duration::ZERO).await?.listen_anew().await;
        self.hold(Hold::default()).await
    }

    /// Starts it by a command. If that needs the port, what the board says first is lost.
    async fn restart_by(&mut self, template: CommandTemplate, how: &str) -> Result<(), BoardError> {
        let command = self.fill(&template, None);
        // A port that cannot be opened is told before a start whose log would be lost.
        self.opened(Duration::ZERO).await?;
        self.starts(how).await;
        if template.mentions("port") {
            self.close().await;
            command.run(self.clock(), &mut |_| {}).await?;
            self.opened(PORT_PATIENCE).await?.listen(true).await;
        } else {
            self.opened(Duration::ZERO).await?.listen_anew().await;
            command.run(self.clock(), &mut |_| {}).await?;
        }
        Ok(())
    }

    async fn switch(&mut self, power: Power) -> Result<(), BoardError> {
        match &mut self.switch {
            Some(switch) => switch.switch(power).await,
            None => Ok(()),
        }
    }

    fn fill(&self, template: &CommandTemplate, file: Option<&str>) -> Command {
        let (port, baud) = (self.link.port.to_string(), self.link.baud.to_string());
        let mut values = vec![("port", port.as_str()), ("baud", baud.as_str())];
        values.extend(file.map(|file| ("file", file)));
        template.fill(&values)
    }

    /// Runs a command on the board, which has power meanwhile, with the port left to the command.
    async fn command(&mut self, command: &Command) -> Result<(), BoardError> {
        self.lend(false).await?;
        let result = command.run(self.clock(), &mut |_| {}).await;
        let back = self.take_back().await;
        // What a command that failed has left is why the board is not as it was.
        result?;
        back
    }

    /// Gives the board power, and its port to another program.
    async fn lend(&mut self, loader: bool) -> Result<(), BoardError> {
        if !self.power.is_on() {
            self.switch(Power::On).await?;
        }
        if loader {
            self.opened(PORT_PATIENCE).await?;
            for (reset, boot, pause) in [
                (true, true, RESET_HOLD),
                (false, true, LOADER_START),
                (false, false, Duration::ZERO),
            ] {
                self.hold(Hold { reset, boot }).await?;
                self.clock().sleep(pause).await;
            }
        }
        self.close().await;
        Ok(())
    }

    /// The board is as it was before [`Self::lend`].
    async fn take_back(&mut self) -> Result<(), BoardError> {
        if self.power.is_on() {
            self.opened(PORT_PATIENCE).await?.listen(true).await;
        } else if self.switch.is_some() {
            self.switch(Power::Off).await?;
        } else if self.link.reset.is_some() {
            self.opened(PORT_PATIENCE).await?;
            self.hold_in_reset().await?;
        }
        Ok(())
    }

    /// Flashes its images, unless the same were flashed last time and `anew` is false. `heard` gets
    /// each line that the command writes.
    pub async fn flash(
        &mut self,
        anew: bool,
        heard: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Flashed, BoardError> {
        let job = Job::new(&self.link)?;
        let flashed = if !anew && job.is_done() {
            job.skipped()
        } else {
            let loader = self
                .link
                .flash
                .as_ref()
                .is_some_and(|flash| flash.boot_mode);
            self.lend(loader).await?;
            let flashed = job.run(self.clock(), heard).await;
            let back = self.take_back().await;
            // What a flasher that failed has left is why the board is not as it was.
            let flashed = flashed?;
            back?;
            flashed
        };
        self.journal.flashed(&self.link, &flashed);
        self.flashed = true;
        Ok(flashed)
    }

    /// Flashes the images once, if there are any.
    async fn ensure_flashed(&mut self) -> Result<(), BoardError> {
        if !self.flashed && self.link.flash.is_some() {
            self.flash(self.flashes_anew, &mut |_| {}).await?;
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<(), BoardError> {
        if self.switch.is_some() {
            self.starts("power on").await;
            // A port that belongs to the board is there only once that has power.
            if let Ok(open) = self.opened(Duration::ZERO).await {
                open.listen_anew().await;
            }
            self.switch(Power::On).await?;
            self.opened(PORT_PATIENCE).await?.listen(true).await;
            return Ok(());
        }
        if self.link.reset.is_some() {
            return self.pulse("let go from reset").await;
        }
        if let Some(template) = self.link.reset_command.clone() {
            return self.restart_by(template, "restarted by a command").await;
        }
        self.opened(Duration::ZERO).await?;
        self.starts("only listened to: nothing in the rig switches or resets it")
            .await;
        self.opened(Duration::ZERO).await?.listen(true).await;
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), BoardError> {
        self.journal.drain().await;
        if let Some(open) = &self.open {
            open.listen(false).await;
        }
        if self.switch.is_some() {
            self.switch(Power::Off).await?;
            self.ends("power off");
        } else if self.link.reset.is_some() {
            self.hold_in_reset().await?;
            self.ends("held in reset");
        } else {
            self.ends("only not listened to: nothing in the rig switches or resets it");
        }
        Ok(())
    }
}

impl Board for SerialBoard {
    fn device(&self) -> &str {
        &self.device
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            power: self.switch.is_some(),
            torn_write: false,
            storage: self.link.storage.is_some(),
            scaled_time: false,
            bugs: false,
            short_records: false,
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        Box::pin(async move {
            let Some(template) = self.link.factory.clone() else {
                return Err(BoardError::Unable {
                    board: KIND,
                    what: "be given factory data until rig.toml has `factory.command` for it",
                });
            };
            self.power.must_be_off("write factory data")?;
            self.ensure_flashed().await?;
            let folder = private_folder()?;
            let file = folder.path().join("factory.bin");
            std::fs::write(&file, image).map_err(|source| BoardError::Io {
                what: format!("write factory data to {}", file.display()),
                source,
            })?;
            let command = self.fill(&template, Some(&file.display().to_string()));
            self.command(&command).await
        })
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("power on")?;
            if let Some(elf) = &self.link.elf {
                std::fs::File::open(elf).map_err(|source| BoardError::Io {
                    what: format!("read `elf`, {}", elf.display()),
                    source,
                })?;
            }
            self.ensure_flashed().await?;
            self.start().await
        })
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            match self.power.is_on() {
                true => self.stop().await,
                false => Ok(()),
            }
        })
    }

    fn cut_power_in_write(&mut self, _after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            Err(BoardError::Unable {
                board: KIND,
                what: "cut its power in the middle of a write",
            })
        })
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            let command = self.link.reset_command.clone();
            if self.link.reset.is_none() && command.is_none() {
                return Err(BoardError::Unable {
                    board: KIND,
                    what: "be reset until rig.toml has `reset` or `reset_command` for it",
                });
            }
            self.power.must_be_on("reset the board")?;
            match command {
                Some(template) if self.link.reset.is_none() => {
                    self.restart_by(template, "reset").await
                }
                _ => self.pulse("reset").await,
            }
        })
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        Box::pin(async {
            let Some(storage) = self.link.storage.clone() else {
                return Err(no_storage("have its storage read"));
            };
            self.power.must_be_off("read storage")?;
            let folder = private_folder()?;
            let file = folder.path().join("storage.bin");
            let command = self.fill(&storage.read, Some(&file.display().to_string()));
            self.command(&command).await?;
            std::fs::read(&file).map_err(|source| BoardError::Io {
                what: format!("read the storage that `{command}` should have written"),
                source,
            })
        })
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            let Some(storage) = self.link.storage.clone() else {
                return Err(no_storage("have its storage erased"));
            };
            self.power.must_be_off("erase storage")?;
            let command = self.fill(&storage.erase, None);
            self.command(&command).await
        })
    }
}

fn no_storage(what: &'static str) -> BoardError {
    BoardError::Unable { board: KIND, what }
}

/// A folder that only this user can look into, for what is handed to commands.
fn private_folder() -> Result<TempDir, BoardError> {
    TempDir::with_prefix("proving-").map_err(|source| BoardError::Io {
        what: "make a folder for temporary files".to_owned(),
        source,
    })
}
