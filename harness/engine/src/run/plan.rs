//! What to run, and how.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use board::lease::Leases;
use language::{Difference, Otherwise};
use serde::{Deserialize, Serialize};

use super::around::InRig;
use super::boards::{BoardKind, BoardModel, BrokenProbe};
use super::cases::Attempt;
use super::checkups::Recheck;
use super::pcap::Pcap;

/// A case of a scenario on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Unique in the plan; what reports call it.
    pub id: String,
    /// The language's identifier, for [`super::Job::case_id`].
    pub case_id: String,
    /// The scenario's name, for people.
    pub name: String,
    /// The scenario's file, as the user gave it.
    pub scenario: PathBuf,
    /// The values of the scenario's matrix in this case.
    pub bindings: BTreeMap<String, String>,
    /// What runs the firmware.
    pub board: String,
    /// What is missing to run it, such as `needs isolate`.
    pub skip: Option<String>,
    /// Why it is otherwise on this board.
    pub difference: Option<String>,
    /// Whether something must never be in a log at some level: lines whose level nothing tells escape
    /// that.
    pub judges_levels: bool,
    /// Whether the board has transcripts of its own.
    pub own_transcripts: bool,
    /// The image that the board is flashed with.
    pub image: Option<PathBuf>,
    /// The rig file in which the board stands.
    pub rig: Option<PathBuf>,
    /// Whether its phones use radios of this host.
    pub uses_host_radios: bool,
    /// What its phones use of this host, as leases call it: there is one of each, so that it runs beside
    /// no other case that uses it.
    pub phones: Vec<String>,
    /// Whether no other case can have the board at the same time.
    pub is_alone: bool,
    /// Wall time that the steps themselves wait for: nothing where time is scaled, all of it on a real
    /// board. An attempt may take so much longer.
    pub lasts: Duration,
    /// Whether it is run at the host's own speed, whatever speed is wanted.
    pub in_real_time: bool,
}

impl Case {
    /// `case` on a board of this model; skipped if that lacks something that the case needs.
    pub fn of(case: language::Case, board: &BoardModel) -> Self {
        // Others may have the host's radios while none of its own phones is there.
        let has_phones = !case.scenario.world.phones.is_empty();
        let rig = board.rig.as_ref().filter(|_| has_phones);
        Self {
            difference: None,
            own_transcripts: false,
            judges_levels: case.scenario.judges_levels(),
            skip: board.lacks(&case),
            image: board.image.clone(),
            rig: board.rig.as_ref().map(|rig| rig.file.clone()),
            uses_host_radios: (board.rig.as_ref()).is_some_and(InRig::uses_host_radios),
            phones: rig.map_or_else(Vec::new, InRig::phones),
            is_alone: board.is_single(),
            lasts: match board.kind {
                BoardKind::Native | BoardKind::Qemu => Duration::ZERO,
                BoardKind::Rig => case.lasts(),
            },
            // Elsewhere lab time waits for who computes.
            in_real_time: board.kind == BoardKind::Qemu && case.scenario.real_time,
            id: match board.kind {
                BoardKind::Native => case.id.clone(),
                BoardKind::Qemu | BoardKind::Rig => format!("{} on {}", case.id, board.name),
            },
            case_id: case.id,
            name: case.scenario.name.value,
            scenario: case.file.into(),
            bindings: case.values.into_iter().collect(),
            board: board.name.clone(),
        }
    }

    /// The same, but otherwise.
    #[must_use]
    pub fn differing(self, difference: Option<&Difference>) -> Self {
        let Some(difference) = difference else {
            return self;
        };
        let skipped = difference.otherwise == Otherwise::Skipped;
        Self {
            skip: self
                .skip
                .or_else(|| skipped.then(|| difference.because.clone())),
            difference: Some(difference.because.clone()),
            own_transcripts: difference.otherwise == Otherwise::Transcript,
            ..self
        }
    }
}

/// What to run: every case, `repeat` times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are started.
    pub cases: Vec<Case>,
    /// Attempts at each case; 0 counts as 1.
    pub repeat: u32,
}

impl Plan {
    /// At least 1.
    pub(super) fn attempts_per_case(&self) -> u32 {
        self.repeat.max(1)
    }

    /// Every attempt, in the order in which they are started.
    pub(super) fn attempts(&self) -> impl Iterator<Item = Attempt> {
        let numbers = 1..=self.attempts_per_case();
        (0..self.cases.len())
            .flat_map(move |case| numbers.clone().map(move |number| Attempt { case, number }))
    }
}

/// When boards are flashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flash {
    /// If another image is on them.
    #[default]
    Changed,
    /// Before each attempt.
    Always,
}

/// How to run it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program whose hidden subcommand `__worker FILE` runs an attempt.
    pub executable: PathBuf,
    /// What stands before the job's file on the worker's command line.
    pub arguments: Vec<OsString>,
    /// In which folder to make the run's.
    pub out: PathBuf,
    /// How many workers at the same time.
    pub jobs: NonZeroUsize,
    /// Wall time after which a worker is ended.
    pub timeout: Duration,
    /// Wall time between SIGTERM and SIGKILL, and what a worker gets to end after its verdict.
    pub grace: Duration,
    /// The seed of the first attempts; attempt n has `seed + n - 1`.
    pub seed: u64,
    /// Lab seconds per host second while no task is busy.
    pub speed: f64,
    /// Whether to renew transcripts.
    pub accept: bool,
    /// The bug to put into the devices.
    pub bug: Option<String>,
    /// The program that is the reference device on the native board; this one if none.
    pub device: Option<PathBuf>,
    /// The image that the user named in place of the boards' own; [`Case::image`] has it already.
    pub image: Option<PathBuf>,
    /// When boards are flashed.
    pub flash: Flash,
    /// How the debug probes of emulated boards are broken.
    pub probe_fault: Option<BrokenProbe>,
    /// How many more attempts a case gets that has failed, with the same seed; one that passes then is
    /// flaky.
    pub retries: u32,
    /// Flaky cases that do not make the run fail.
    pub allowed_flaky: usize,
    /// Cases whose verdict does not count, by their identifiers in the plan.
    pub quarantined: BTreeMap<String, report::Quarantine>,
    /// Whether packets are captured.
    pub pcap: Pcap,
    /// Whether to start nothing more once a case did not pass.
    pub fail_fast: bool,
    /// Whether a skipped case counts as failed.
    pub no_skips: bool,
    /// Where what phones use of this host is taken for a case; none if no other process uses it.
    pub leases: Option<Leases>,
    /// How boards of a rig are looked at after a broken attempt; none for not at all.
    pub recheck: Option<Recheck>,
}

/// Two cases at a time for each core: most of the time a case waits for its device.
fn jobs() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.saturating_add(cores.get())
}

impl Settings {
    /// Lab seconds per host second unless the user says otherwise.
    pub const SPEED: f64 = 1000.0;

    /// The settings of a plain `proving run`, with workers from `executable`.
    pub fn new(executable: PathBuf) -> Self {
        Self {
            executable,
            arguments: vec![crate::WORKER_COMMAND.into()],
            out: "proving-out".into(),
            jobs: jobs(),
            timeout: Duration::from_secs(120),
            grace: Duration::from_secs(5),
            seed: 0,
            speed: Self::SPEED,
            accept: false,
            bug: None,
            device: None,
            image: None,
            flash: Flash::default(),
            probe_fault: None,
            retries: 0,
            allowed_flaky: 0,
            quarantined: BTreeMap::new(),
            pcap: Pcap::Off,
            fail_fast: false,
            no_skips: false,
            leases: None,
            recheck: None,
        }
    }
}
