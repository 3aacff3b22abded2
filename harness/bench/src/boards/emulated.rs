//! A machine, for as long as a benchmark needs it.

use std::path::{Path, PathBuf};

use board::Board;
use board::probe::{Attach, Limits, LogFormat, ProbeBoard, ProbeSettings};
use clock::Clock;
use factory::{Factory, Lab, Provisioning, Scheme};
use lab::qemu::{Cables, EMULATOR, Machine, MachineSettings};
use probe_rs::config::Registry;
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{Permissions, Session};
use trace::Trace;

use crate::setup::{Outcome, Setup};

/// An emulated board with power, and nothing on it.
pub struct Emulated {
    /// Its log, in the host's time.
    pub trace: Trace,
    /// What is emulated.
    pub machine: Machine,
}

impl Emulated {
    /// Starts one, whose flash is erased.
    pub async fn start(setup: &Setup) -> Outcome<Self> {
        Self::with_cables(setup, Cables::default(), Clock::start(1.0)).await
    }

    /// Starts one that is also connected to these, which keep the clock's time.
    pub async fn with_cables(setup: &Setup, cables: Cables, clock: Clock) -> Outcome<Self> {
        let trace = Trace::in_memory(clock);
        let settings = MachineSettings {
            device: "device".to_owned(),
            folder: setup.folder()?,
            qemu: EMULATOR.into(),
        };
        let mut machine = Machine::start(settings, trace.clone(), cables).await?;
        machine.power(true).await?;
        Ok(Self { trace, machine })
    }

    /// How a board with this image is reached.
    pub fn settings(&self, image: &Path) -> ProbeSettings {
        ProbeSettings {
            device: "device".to_owned(),
            selector: self.machine.selector().to_owned(),
            chip: self.machine.chip().to_owned(),
            target_description: Some(self.machine.target_description().to_owned()),
            image: image.to_owned(),
            log: LogFormat::Defmt,
            limits: Limits::default(),
            attach: Attach::Normal,
            speed_khz: None,
            factory: None,
            storage: None,
            unexplained_reset: board::RestartCause::Unknown,
        }
    }

    /// The whole firmware, started, in the host's time, waiting for a phone in this way.
    pub async fn firmware(&self, setup: &Setup, scheme: Scheme) -> Outcome<ProbeBoard> {
        let settings = self.settings(&firmware(setup)?);
        let mut board = ProbeBoard::new(settings, self.trace.clone())?;
        let born = Factory {
            lab: Some(Lab {
                time_factor: 1,
                // Nothing secret comes of it.
                entropy: (0..32).collect(),
            }),
            provisioning: Provisioning {
                scheme,
                ..Provisioning::default()
            },
            ..Factory::default()
        };
        board.write_factory(&born.encode()).await?;
        board.power_on().await?;
        Ok(board)
    }

    /// Does what blocks, with a session of probe-rs's own.
    pub async fn session<T: Send + 'static>(
        &self,
        work: impl FnOnce(Session) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let selector = self.machine.selector().to_owned();
        let chip = self.machine.chip().to_owned();
        let description = self.machine.target_description();
        tokio::task::spawn_blocking(move || {
            let mut registry = Registry::new();
            registry.add_target_family_from_yaml(description)?;
            let selector: DebugProbeSelector = selector.parse()?;
            let mut probe = Lister::new().open(selector)?;
            probe.select_protocol(WireProtocol::Swd)?;
            work(probe.attach_with_registry(chip, Permissions::default(), &registry)?)
        })
        .await?
    }
}

/// Runs what needs a runtime, on one thread as a worker has it.
pub fn on_runtime<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// The image of the whole firmware.
pub fn firmware(setup: &Setup) -> Outcome<PathBuf> {
    let image = setup
        .target
        .join("firmware/thumbv7em-none-eabi/release/mps2");
    if image.exists() {
        return Ok(image);
    }
    Err(format!(
        "{} is missing; `cargo xtask bench` builds it",
        image.display()
    )
    .into())
}
