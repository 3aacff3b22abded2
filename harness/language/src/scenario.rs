//! A scenario, and the cases that its matrix makes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use trace::{Exited, Payload, Restarted, Source};

use super::clause::{Expect, Never, Wanted};
use super::duration;
use super::roles::Roles;
use super::span::Placed;
use super::step::Step;
use super::world::WorldSpec;

/// A world, steps and expectations.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, in a few words; unlike every other scenario's.
    pub name: Placed<String>,
    /// Words to select it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Variables and their values; the scenario is run once for each combination, with `${name}`
    /// replaced.
    #[serde(default)]
    pub matrix: Roles<Vec<Placed<Value>>>,
    /// What stands there.
    pub world: WorldSpec,
    /// What is done, and what is expected of it.
    pub steps: Vec<Placed<Step>>,
    /// What must not happen from the first event to the end of `settle`.
    #[serde(default)]
    pub never: Vec<Placed<Never>>,
    /// Contracts that the device may break here; see `proving contracts`.
    #[serde(default)]
    pub except: Vec<Exception>,
    /// Exits, panics and restarts of devices that no step asked for: without this, each fails the
    /// scenario.
    #[serde(default)]
    pub unasked: Option<Placed<Unasked>>,
    /// Device time after the last step through which `never` still holds; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub settle: Duration,
    /// Whether an emulated board keeps to the time of its host. Otherwise its time runs ahead, and what it
    /// computes takes so many times longer.
    #[serde(default)]
    pub real_time: bool,
}

/// What the scenario says of exits, panics and restarts that no step asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unasked {
    /// Those that the scenario expects of its devices, and that do not fail it. An `expect` of the
    /// event says the same.
    #[serde(default)]
    pub expected: Vec<Ending>,
    /// Bugs with which a device exits, panics or restarts.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// A way in which a run of the firmware ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exits or panics, and does not come back.
    Exit,
    /// It starts anew.
    Restart,
}

impl Scenario {
    /// Whether something must never be in a log at some level. Lines whose level nothing tells escape
    /// that.
    pub fn judges_levels(&self) -> bool {
        let in_steps = self.steps.iter().any(|step| match &step.value {
            Step::Expect(Expect::Clause(clause)) => {
                let is_never = matches!(clause.wanted, Wanted::Never(..));
                let mut patterns = clause.wanted.patterns().iter();
                is_never && patterns.any(|pattern| pattern.level.is_some())
            }
            _ => false,
        });
        let mut always = self.never.iter().map(|never| &never.value.pattern);
        in_steps || always.any(|pattern| pattern.level.is_some())
    }

    /// Whether it says that a device may end like this without being asked.
    pub fn expects(&self, ending: Ending) -> bool {
        let listed = self.unasked.as_ref().map(|unasked| &unasked.expected);
        listed.is_some_and(|listed| listed.contains(&ending))
            || self.steps.iter().any(|step| match &step.value {
                Step::Expect(Expect::Clause(clause)) => match &clause.wanted {
                    Wanted::Never(..) => false,
                    wanted => wanted.patterns().iter().any(|pattern| {
                        let kind = pattern.kind.as_ref().map(|kind| kind.value.as_str());
                        pattern.source == Source::Board && kind == Some(ending.event_kind())
                    }),
                },
                _ => false,
            })
    }
}

impl Ending {
    /// Kind of the board's event that tells it.
    fn event_kind(self) -> &'static str {
        match self {
            Self::Exit => Exited::KIND,
            Self::Restart => Restarted::KIND,
        }
    }
}

fn a_second() -> Duration {
    Duration::from_secs(1)
}

/// A contract that does not count in a scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The contract's id.
    pub contract: Placed<String>,
    /// Why it may be broken here.
    pub because: String,
}

/// A scenario with one combination of its matrix put in.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name, and values in the order of the matrix: `onboarding[security=v1,qos=0]`.
    pub id: String,
    /// Path of the scenario's file, as it was given.
    pub file: String,
    /// Variables and their values, in the order of the matrix.
    pub values: Vec<(String, String)>,
    /// The scenario, with all variables replaced.
    pub scenario: Scenario,
}

impl Case {
    /// The device that a step means: the one that it names, or the only one.
    pub fn device<'c>(&'c self, named: Option<&'c Placed<String>>) -> &'c str {
        named
            .map(|name| name.value.as_str())
            .or_else(|| self.scenario.world.devices.names().next())
            .unwrap_or_default()
    }

    /// The files that it was read from: the scenario, and those of its certificate profiles.
    pub fn read_from(&self) -> BTreeSet<PathBuf> {
        let world = &self.scenario.world;
        let folder = world.profiles.iter().map(|(file, _)| PathBuf::from(file));
        let named = world.profile_files.iter().cloned();
        let scenario = PathBuf::from(&self.file);
        folder.chain(named).chain([scenario]).collect()
    }

    /// Names of the transcripts that its steps compare a log with.
    pub fn transcripts(&self) -> impl Iterator<Item = &str> {
        let steps = self.scenario.steps.iter();
        steps.filter_map(|step| match &step.value {
            Step::Expect(Expect::Transcript(wanted)) => Some(wanted.name.value.as_str()),
            _ => None,
        })
    }

    /// Names of all bugs that some step or clause claims to catch, sorted.
    pub fn catches(&self) -> Vec<&str> {
        let steps = self.scenario.steps.iter().flat_map(|step| step.catches());
        let never = self.scenario.never.iter().flat_map(|never| &never.catches);
        let unasked = self.scenario.unasked.iter();
        let unasked = unasked.flat_map(|unasked| &unasked.catches);
        let claims = steps.chain(never).chain(unasked);
        let mut names: Vec<_> = claims.map(|name| name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
