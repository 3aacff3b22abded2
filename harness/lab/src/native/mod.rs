//! The board that runs the firmware as a host process.
//!
//! The process is the harness's own binary, started anew with a hidden argument; its standard input
//! is the tether ([`airlink::tether`]), a socket that carries frames, log and time. A task of its
//! own attends the device while it has power ([`attend`]).

mod attend;
mod child;
mod effort;
mod files;
mod inbox;
mod resources;
mod wires;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use board::state::{must_be_off, must_be_on};
use board::{Abilities, Board, BoardError, Power, PowerChanged};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trace::Trace;

use crate::air::RadioLink;
use crate::wire::BoardEnd;
use attend::Attendant;
use files::Files;
use wires::Wires;

/// Longer than the kernel ever takes to end a process.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What a native board is made of.
#[derive(Clone, Debug)]
pub struct NativeSettings {
    /// The device's name in the scenario.
    pub device: String,
    /// Where its factory data and flash are kept, as files that only their owner can read.
    pub folder: PathBuf,
    /// The binary that can be a device.
    pub executable: PathBuf,
    /// What makes it one: the arguments in front of the paths of factory data and flash.
    pub arguments: Vec<OsString>,
}

/// The firmware as a host process. Dropping it ends the process.
pub struct NativeBoard {
    settings: NativeSettings,
    files: Files,
    trace: Trace,
    link: RadioLink,
    wires: Wires,
    running: Option<Running>,
    /// The trace was told last that it is on.
    powered: bool,
    /// Since then its power was cut in a write, and the trace was told.
    dark: Arc<AtomicBool>,
}

/// A device with power.
#[derive(Debug)]
struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl NativeBoard {
    /// A board without power, with erased factory data and flash unless the folder holds others.
    pub fn new(settings: NativeSettings, trace: Trace, link: RadioLink) -> Self {
        Self {
            files: Files::new(&settings.folder, &settings.device),
            settings,
            trace,
            link,
            wires: Wires::default(),
            running: None,
            powered: false,
            dark: Arc::default(),
        }
    }

    /// With a wire to its UART.
    #[must_use]
    pub fn with_console(mut self, wire: BoardEnd) -> Self {
        self.wires.console = Some(wire);
        self
    }

    /// With a wire to its Bluetooth controller.
    #[must_use]
    pub fn with_hci(mut self, wire: BoardEnd) -> Self {
        self.wires.hci = Some(wire);
        self
    }

    fn is_on(&self) -> bool {
        self.powered && !self.dark.load(Ordering::Acquire)
    }

    /// Whether it is on and its firmware has not ended.
    fn runs(&self) -> bool {
        let attended = |running: &Running| !running.task.is_finished();
        self.is_on() && self.running.as_ref().is_some_and(attended)
    }

    fn must_be_off(&self, what: &'static str) -> Result<(), BoardError> {
        must_be_off(self.is_on(), what)
    }

    fn must_be_on(&self, what: &'static str) -> Result<(), BoardError> {
        must_be_on(self.is_on(), what)
    }

    fn start(&mut self, how: &str) -> Result<(), BoardError> {
        self.files.prepare()?;
        let attendant = Attendant::start(
            self.settings.clone(),
            self.files.clone(),
            self.trace.clone(),
            self.link.clone(),
            self.wires.clone(),
            Arc::clone(&self.dark),
        )?;
        self.dark.store(false, Ordering::Release);
        self.powered = true;
        self.power_changed(Power::On, how);
        let (stop, stopped) = oneshot::channel();
        self.running = Some(Running {
            stop: Some(stop),
            task: tokio::spawn(attendant.run(stopped)),
        });
        Ok(())
    }

    /// Ends the process, if there is one; on return it is gone.
    async fn stop(&mut self) -> Result<(), BoardError> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        if let Some(stop) = running.stop.take() {
            // No receiver is left if the device has ended by itself.
            let _ = stop.send(());
        }
        let clock = self.trace.clock();
        let _busy = clock.busy();
        let ended = clock.timeout(KILL_LIMIT, &mut running.task).await;
        ended.map(drop).map_err(|_| BoardError::Timeout {
            what: format!("ending the process of {}", self.settings.device),
            limit_ms: KILL_LIMIT.as_millis() as u64,
        })
    }

    fn power_changed(&self, power: Power, how: &str) {
        let how = how.to_owned();
        self.trace
            .emit(Some(&self.settings.device), &PowerChanged { power, how });
    }
}

impl Board for NativeBoard {
    fn device(&self) -> &str {
        &self.settings.device
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            power: true,
            torn_write: true,
            storage: true,
            scaled_time: true,
            bugs: true,
            short_records: false,
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        async {
            self.must_be_off("write factory data")?;
            self.files.write_factory(image)
        }
        .boxed()
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.must_be_off("switch the power on")?;
            self.start("switched on")
        }
        .boxed()
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.stop().await?;
            self.files.disarm_cut()?;
            if self.is_on() {
                self.power_changed(Power::Off, "switched off");
            }
            self.powered = false;
            Ok(())
        }
        .boxed()
    }

    fn cut_power_in_write(&mut self, after: u64) -> BoxFuture<'_, Result<(), BoardError>> {
        async move {
            let what = "cut the power in a write";
            self.must_be_on(what)?;
            if !self.runs() {
                return Err(BoardError::State {
                    what,
                    state: "on, but its firmware has ended",
                });
            }
            self.files.arm_cut(after)
        }
        .boxed()
    }

    fn reset(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.must_be_on("reset the board")?;
            self.stop().await?;
            self.start("reset")
        }
        .boxed()
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        async {
            self.must_be_off("read the storage")?;
            self.files.read_storage()
        }
        .boxed()
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        async {
            self.must_be_off("erase the storage")?;
            self.files.erase_storage()
        }
        .boxed()
    }

    fn write_storage<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        async {
            self.must_be_off("write the storage")?;
            self.files.write_storage(image)
        }
        .boxed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The task owns the process, which is killed when its handle is dropped.
        self.task.abort();
    }
}
