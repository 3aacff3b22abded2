//! What a worker is told.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use trace::Setup;

use super::{BrokenProbe, Flash, Pcap};

/// One attempt at one case: all that a worker is told. The worker reads the scenario again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The scenario, as the user gave it.
    pub scenario_file: PathBuf,
    /// Which case of it, by the language's identifier.
    pub case_id: String,
    /// The values of the scenario's matrix in this case.
    pub bindings: BTreeMap<String, String>,
    /// The seed of the attempt's chances.
    pub seed: u64,
    /// Lab seconds per host second while no task is busy.
    pub speed: f64,
    /// Whether to renew transcripts instead of comparing them.
    pub accept: bool,
    /// The bug to put into the devices, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// The attempt's folder, which exists; the worker writes nowhere else.
    pub out: PathBuf,
    /// Whether the board has transcripts of its own.
    #[serde(default)]
    pub own_transcripts: bool,
    /// What runs the firmware, such as `native`.
    pub board: String,
    /// The program that is the reference device on the native board; this one if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<PathBuf>,
    /// The image that the board is flashed with; none for a board that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// The rig file in which the board stands; none for a board that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rig: Option<PathBuf>,
    /// What the run is made with on this board.
    pub setup: Setup,
    /// Whether the board is flashed anew although it has the image.
    #[serde(default)]
    pub flash: Flash,
    /// Whether phones use radios of this host, so that the worker has the host's system bus.
    #[serde(default)]
    pub uses_host_radios: bool,
    /// How the board's debug probe is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_fault: Option<BrokenProbe>,
    /// Whether packets are captured into [`Pcap::FILE`].
    #[serde(default)]
    pub pcap: Pcap,
}

impl Job {
    /// Name of the job's file in the attempt's folder.
    pub(crate) const FILE: &'static str = "job.json";

    /// Where the worker writes its trace.
    pub fn trace(&self) -> PathBuf {
        self.out.join(report::AttemptResult::TRACE)
    }

    /// Where factory data and flash of the boards are while the attempt runs. They hold secrets, so
    /// the folder is removed when the attempt has ended.
    pub fn boards(&self) -> PathBuf {
        self.out.join("boards")
    }

    /// Writes the job into its folder, and returns the file.
    pub fn write(&self) -> Result<PathBuf, JobError> {
        let path = self.out.join(Self::FILE);
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&path, text));
        match written {
            Ok(()) => Ok(path),
            Err(source) => Err(JobError { path, source }),
        }
    }

    /// Reads the job that `path` holds.
    pub fn read(path: &Path) -> Result<Self, JobError> {
        fs::read(path)
            .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from))
            .map_err(|source| JobError {
                path: path.to_owned(),
                source,
            })
    }
}

/// A job could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("failed to pass the job {}", path.display())]
pub struct JobError {
    path: PathBuf,
    source: io::Error,
}
