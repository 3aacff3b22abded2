//! An emulated board behind a debug probe.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use board::BoardError;
use board::probe::{Attach, Limits, LogFormat, ProbeSettings};
use clock::Clock;
use lab::qemu::{Cables, EMULATOR, Machine, MachineSettings};
use tempfile::TempDir;
use tokio::sync::oneshot;
use trace::Trace;

use super::HardwareError;
use super::open::{Keep, QEMU};

/// An emulated board, on a thread of its own, until this is dropped.
pub(super) struct Emulated {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Its flash, if that is not kept.
    _folder: Option<TempDir>,
}

impl Drop for Emulated {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and has said so.
            let _ = thread.join();
        }
    }
}

/// What the machine says once it has power.
type Ready = Result<(String, String, &'static str), BoardError>;

/// An emulated board with power, and what reaches it.
pub(super) fn start(
    image: Option<&Path>,
    keep: Keep,
) -> Result<(Emulated, ProbeSettings), HardwareError> {
    let qemu = emulator()?;
    let temporary = match keep {
        Keep::Nothing => Some(TempDir::with_prefix("proving-qemu-").map_err(folder_error)?),
        Keep::Flash => None,
    };
    let folder = match &temporary {
        Some(folder) => folder.path().to_owned(),
        None => state_folder()?,
    };
    let settings = MachineSettings {
        device: QEMU.to_owned(),
        folder,
        qemu,
    };
    let (ready, made) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("board qemu".to_owned())
        .spawn(move || attend(settings, &ready, stopped))
        .map_err(|source| HardwareError::Io {
            what: "start a thread for the emulator".to_owned(),
            source,
        })?;
    let emulated = Emulated {
        stop: Some(stop),
        thread: Some(thread),
        _folder: temporary,
    };
    let (selector, chip, description) = made.recv().unwrap_or_else(|_| {
        Err(BoardError::Io {
            what: "start the emulator".to_owned(),
            source: io::ErrorKind::BrokenPipe.into(),
        })
    })?;
    let settings = ProbeSettings {
        device: QEMU.to_owned(),
        selector,
        chip,
        target_description: Some(description.to_owned()),
        image: image.map(Path::to_owned).unwrap_or_default(),
        log: LogFormat::Defmt,
        limits: Limits::default(),
        attach: Attach::Normal,
        speed_khz: None,
        factory: None,
        storage: None,
        unexplained_reset: board::RestartCause::Software,
    };
    Ok((emulated, settings))
}

/// Keeps the machine until no client wants it any more.
fn attend(settings: MachineSettings, ready: &mpsc::Sender<Ready>, stopped: oneshot::Receiver<()>) {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(BoardError::Io {
                what: "start the emulator".to_owned(),
                source: io::Error::other(error),
            }));
            return;
        }
    };
    runtime.block_on(async {
        let trace = Trace::in_memory(Clock::start(1.0));
        let mut machine = match Machine::start(settings, trace, Cables::default()).await {
            Ok(machine) => machine,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let told = match machine.power(true).await {
            Ok(()) => Ok((
                machine.selector().to_owned(),
                machine.chip().to_owned(),
                machine.target_description(),
            )),
            Err(error) => Err(error),
        };
        // The waiting client may be gone; then the sender of `stopped` is too.
        let _ = ready.send(told);
        let _ = stopped.await;
    });
}

/// Where the emulator is.
pub(in crate::cli) fn emulator() -> Result<PathBuf, HardwareError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(EMULATOR))
        .find(|program| program.is_file())
        .ok_or(HardwareError::NoEmulator(EMULATOR))
}

/// Where an emulated board's flash is kept between commands.
fn state_folder() -> Result<PathBuf, HardwareError> {
    let absolute = |name| {
        let folder = PathBuf::from(std::env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local").join("state")))
        .ok_or_else(|| folder_error(io::Error::other("neither XDG_STATE_HOME nor HOME is set")))?;
    let folder = state.join("proving").join(QEMU);
    fs::create_dir_all(&folder).map_err(folder_error)?;
    Ok(folder)
}

fn folder_error(source: io::Error) -> HardwareError {
    HardwareError::Io {
        what: "make a folder for the emulated board's flash".to_owned(),
        source,
    }
}
