//! A machine, and probe-rs in front of its probe.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clock::Clock;
use lab::qemu::{Cables, Machine, MachineSettings};
use probe_rs::config::Registry;
use probe_rs::flashing::{DownloadOptions, FlashError};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{Core, Permissions, Session};
use tempfile::TempDir;
use trace::Trace;

/// For what the emulated core does at once.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A machine whose flash is erased.
pub struct World {
    pub machine: Machine,
    _trace: Trace,
    _folder: TempDir,
}

impl World {
    pub async fn new(qemu: PathBuf) -> Self {
        let trace = Trace::in_memory(Clock::start(1.0));
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings(qemu, &folder);
        let machine = Machine::start(settings, trace.clone(), Cables::default()).await;
        Self {
            machine: machine.expect("a machine"),
            _trace: trace,
            _folder: folder,
        }
    }

    /// Attaches, does something, and leaves.
    pub async fn debug<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> T + Send + 'static,
    ) -> T {
        let selector = self.machine.selector().to_owned();
        blocking(move || work(&mut attach(&selector).expect("a target"))).await
    }

    /// Attaches, does something with the core, and leaves.
    pub async fn core<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core<'_>) -> T + Send + 'static,
    ) -> T {
        self.debug(|session| work(&mut session.core(0).expect("a core")))
            .await
    }

    /// A machine with power that runs the firmware for tests.
    pub async fn with_guest(&mut self) {
        self.machine.power(true).await.expect("power");
        self.debug(|session| {
            flash(session, 0, crate::guest::IMAGE).expect("flashed");
            let mut core = session.core(0).expect("a core");
            core.reset().expect("reset");
            crate::guest::until_started(&mut core);
        })
        .await;
    }
}

pub fn settings(qemu: PathBuf, folder: &TempDir) -> MachineSettings {
    MachineSettings {
        device: "lamp".to_owned(),
        folder: folder.path().to_owned(),
        qemu,
    }
}

/// Runs a test that needs the emulator.
pub fn with_machine(test: impl AsyncFnOnce(World)) {
    with_emulator(async |qemu| test(World::new(qemu).await).await);
}

/// Runs a test that needs the emulator.
pub fn with_emulator(test: impl AsyncFnOnce(PathBuf)) {
    let Some(qemu) = emulator() else {
        assert!(
            env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
            "qemu-system-arm is not installed"
        );
        println!("skipped, because qemu-system-arm is not installed");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(test(qemu));
}

fn emulator() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join("qemu-system-arm"))
        .find(|program| program.is_file())
}

/// Does something on a thread where waiting is allowed.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry
        .add_target_family_from_yaml(lab::qemu::TARGET_DESCRIPTION)
        .expect("a target description");
    registry
}

fn open(selector: &str) -> probe_rs::probe::Probe {
    let selector: DebugProbeSelector = selector.parse().expect("a selector");
    let mut probe = Lister::new().open(selector).expect("a probe");
    probe.select_protocol(WireProtocol::Swd).expect("SWD");
    probe
}

/// Attaches.
pub fn attach(selector: &str) -> Result<Session, probe_rs::Error> {
    open(selector).attach_with_registry(lab::qemu::CHIP, Permissions::default(), &registry())
}

/// Attaches while nRST is low.
pub fn attach_under_reset(selector: &str) -> Result<Session, probe_rs::Error> {
    let permissions = Permissions::default();
    open(selector).attach_under_reset_with_registry(lab::qemu::CHIP, permissions, &registry())
}

/// Erases, programs and verifies.
pub fn flash(session: &mut Session, address: u64, bytes: &[u8]) -> Result<(), FlashError> {
    let mut loader = session.target().flash_loader();
    loader.add_data(address, bytes)?;
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(session, options)
}

/// Waits until it is so.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
