//! What the scenario engine appends: steps and how an attempt ended.

use serde::{Deserialize, Serialize};

use crate::{Payload, Source, Verdict};

/// Where something stands in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path as the user gave it.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
}

/// A step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStarted {
    /// From 1.
    pub step: usize,
    /// The step in a few words, such as `expect log "STA Got IP"`.
    pub label: String,
    /// Where it stands.
    pub place: Place,
}

impl Payload for StepStarted {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "step_started";
}

/// A step is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnded {
    /// From 1.
    pub step: usize,
    /// Whether it did what it should.
    pub ok: bool,
}

impl Payload for StepEnded {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "step_ended";
}

/// Last event of a whole trace: how the attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Never [`Verdict::Flaky`], which only several attempts can show.
    pub verdict: Verdict,
    /// Why, unless it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Payload for Finished {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "finished";
}

/// Why an attempt did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearest {
    /// Which event.
    pub seq: u64,
    /// What it lacks.
    pub lacks: String,
}
