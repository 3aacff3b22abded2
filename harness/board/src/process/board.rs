//! The board itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trace::Trace;

use super::run::{Running, Start, is_there};
use super::storage::Storage;
use crate::error::ProcessError;
use crate::rig::{ProcessLink, Text, Value};
use crate::state::PowerState;
use crate::{Abilities, Board, BoardError};

const KIND: &str = "process";
/// Longer than the kernel ever takes to end a process.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What a process board is made of.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The device's name in the scenario.
    pub device: String,
    /// The program, and how it is told of the attempt.
    pub link: ProcessLink,
    /// What it is told.
    pub values: BTreeMap<Value, String>,
    /// A folder of this attempt alone: for factory data, and for storage if the rig file names none.
    pub folder: PathBuf,
}

/// A program of this host as the device. Dropping it ends the program and all that it started.
///
/// A program that ends by itself leaves the board on, as one that crashes leaves a real board's power
/// on: [`Exited`](crate::Exited) tells its exit code or signal.
pub struct ProcessBoard {
    settings: ProcessSettings,
    storage: Storage,
    trace: Trace,
    power: PowerState,
    /// The program of the last start, if it was not ended.
    attended: Option<Attended>,
}

/// A process, which may have ended.
struct Attended {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl ProcessBoard {
    /// The board that `settings` describe, which is off, and whose log goes into `trace`.
    pub fn new(settings: ProcessSettings, trace: Trace) -> Self {
        let own = settings.folder.join(format!("{}.storage", settings.device));
        let folder = settings.link.folder.clone().unwrap_or(own);
        Self {
            storage: Storage::new(&folder),
            power: PowerState::off(&settings.device, trace.clone()),
            settings,
            trace,
            attended: None,
        }
    }

    /// Whether the program of `link` is there to be started.
    pub fn is_there(link: &ProcessLink) -> bool {
        is_there(&link.program())
    }

    fn factory(&self) -> PathBuf {
        let name = format!("{}.factory.bin", self.settings.device);
        self.settings.folder.join(name)
    }

    fn told(&self) -> Result<Start, ProcessError> {
        let mut values = self.settings.values.clone();
        values.insert(Value::Factory, self.factory().display().to_string());
        let link = &self.settings.link;
        let fill = |text: &Text| {
            let filled = text.fill(&values);
            filled.map_err(|value| ProcessError::NoValue { value })
        };
        let arguments = link.command.iter().skip(1).map(fill);
        let environment = link
            .environment
            .iter()
            .map(|(name, text)| Ok((name.clone(), fill(text)?)));
        Ok(Start {
            program: link.program(),
            arguments: arguments.collect::<Result<_, ProcessError>>()?,
            environment: environment.collect::<Result<_, ProcessError>>()?,
            folder: self.storage.path().to_owned(),
            log: link.log,
        })
    }

    fn start(&mut self, how: &str) -> Result<(), BoardError> {
        let start = self.told()?;
        self.storage.prepare()?;
        let running = Running::start(&start, &self.settings.device, &self.trace)?;
        self.power.starts(how);
        let (stop, stopped) = oneshot::channel();
        self.attended = Some(Attended {
            stop: Some(stop),
            task: tokio::spawn(running.attend(stopped)),
        });
        Ok(())
    }

    /// Ends the process, if there is one; on return it is gone.
    async fn stop(&mut self) -> Result<(), BoardError> {
        let Some(attended) = &mut self.attended else {
            return Ok(());
        };
        if let Some(stop) = attended.stop.take() {
            // A program that has ended by itself needs no telling.
            let _ = stop.send(());
        }
        let clock = self.trace.clock();
        let _busy = clock.busy();
        let ended = clock.timeout(KILL_LIMIT, &mut attended.task).await;
        ended
            .map_err(|_| BoardError::Timeout {
                what: format!("ending the program of {}", self.settings.device),
                limit_ms: KILL_LIMIT.as_millis() as u64,
            })?
            .ok();
        self.attended = None;
        Ok(())
    }
}

impl Board for ProcessBoard {
    fn device(&self) -> &str {
        &self.settings.device
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            power: true,
            torn_write: false,
            storage: true,
            scaled_time: false,
            bugs: false,
            short_records: false,
        }
    }

    fn write_factory<'b>(&'b mut self, image: &'b [u8]) -> BoxFuture<'b, Result<(), BoardError>> {
        Box::pin(async move {
            self.power.must_be_off("write factory data")?;
            let path = self.factory();
            write_private(&path, image).map_err(|source| BoardError::Io {
                what: format!("write factory data to {}", path.display()),
                source,
            })
        })
    }

    fn power_on(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("switch the power on")?;
            self.start("switched on")
        })
    }

    fn power_off(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.stop().await?;
            self.power.ends("switched off");
            Ok(())
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
            self.power.must_be_on("reset")?;
            self.stop().await?;
            self.start("reset")
        })
    }

    fn read_storage(&mut self) -> BoxFuture<'_, Result<Vec<u8>, BoardError>> {
        Box::pin(async {
            self.power.must_be_off("read the storage")?;
            self.storage.read()
        })
    }

    fn erase_storage(&mut self) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async {
            self.power.must_be_off("erase the storage")?;
            self.storage.erase()
        })
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        // The task owns the process, which is killed when it is dropped.
        self.task.abort();
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}
