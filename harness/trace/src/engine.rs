//! Events of the scenario engine: steps, faults, and how an attempt ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Engine:
    Started => "started",
    Setup => "setup",
    StepStarted => "step_started",
    StepEnded => "step_ended",
    Finished => "finished",
    Fault => "fault",
    ContractBroken => "contract_broken",
    ContractsJudged => "contracts_judged",
}

/// First event of every trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// [`crate::FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Unix time in s that the lab's clock showed at its start.
    pub epoch_s: u64,
}

/// What an attempt ran with: the tool, its host, and the board with its firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setup {
    /// Name and version of the tool, such as `proving 0.1.0`.
    pub tool: String,
    /// The host: its name, operating system, processor and number of cores.
    pub host: String,
    /// The board.
    pub board: BoardSetup,
}

/// A board of a run, and what it is flashed with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BoardSetup {
    /// What `--board` calls it.
    pub name: String,
    /// `native`, `qemu`, `probe`, `serial` or `process`.
    pub kind: String,
    /// How it is reached: selector of its probe, its port, or its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_by: Option<String>,
    /// Its chip, if the rig file names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<String>,
    /// The files of its firmware. None if the run flashes nothing: then only the device's log can
    /// tell what runs there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<FirmwareFile>,
}

/// A file of a firmware: an ELF, an image, or a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirmwareFile {
    /// Path.
    pub file: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The project that its description names, as ESP-IDF writes one into each application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The version that its description names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the ELF that it was made from, in hex; such a firmware prints the first digits of
    /// it when it boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elf_sha256: Option<String>,
}

/// Where something stands in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Path as the user gave it.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
}

/// A step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {
    /// From 1.
    pub step: usize,
    /// The step in a few words, such as `expect log "STA Got IP"`.
    pub label: String,
    /// Where it stands.
    pub place: Place,
}

/// A step is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepEnded {
    /// From 1.
    pub step: usize,
    /// Whether it did what it should.
    pub ok: bool,
}

/// Last event of a whole trace: how the attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// Never [`Verdict::Flaky`], which only several attempts can show.
    pub verdict: Verdict,
    /// Why, unless it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Why an attempt did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The step, from 1; none if it was not a step (a `never` at top level, the lab itself).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The step or clause in a few words.
    pub label: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// One sentence: what was wanted and what happened.
    pub message: String,
    /// The event that came nearest to what was wanted, by its `seq`, and what it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// What came instead: the `seq` of the last events of that source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<u64>,
    /// Whose fault, and why that is known: sound witnesses, or the unsound one.
    pub blame: String,
    /// What to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
    /// Names of the `catches` that the failed step or clause claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catches: Vec<String>,
}

/// An event that almost was the wanted one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nearest {
    /// `seq` of the event.
    pub seq: u64,
    /// What it lacks.
    pub lacks: String,
}

/// Something that the scenario breaks on purpose, at the moment when it starts or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The fault's name in the scenario language.
    pub name: String,
    /// True when it begins, false when it is taken back.
    pub on: bool,
    /// What exactly was done.
    pub detail: String,
}

/// How an attempt ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything happened as it should.
    Passed,
    /// The device's fault.
    Failed,
    /// The lab's or the host's fault.
    Broken,
    /// Failed, then passed under the same conditions.
    Flaky,
    /// Not run; something that it needs is missing.
    Skipped,
}

/// A contract was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContractBroken {
    /// The contract's id.
    pub contract: String,
    /// The rule in one sentence.
    pub says: String,
    /// Where the rule stands.
    pub rule_source: String,
    /// What was seen instead.
    pub seen: String,
    /// The events that show it, by `seq`.
    pub events: Vec<u64>,
    /// Why the scenario excepts it, if it does; then it fails nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<String>,
}

/// How all contracts stand at the end of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContractsJudged {
    /// Times that each contract was exercised, by id; those that were not are left out.
    pub exercised: BTreeMap<String, u64>,
}
