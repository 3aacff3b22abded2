//! A scenario, and the cases that its matrix makes of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::clause::Never;
use super::duration;
use super::roles::Roles;
use super::span::Placed;
use super::step::Step;
use super::world::World;

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
    pub world: World,
    /// What is done, and what is expected of it.
    pub steps: Vec<Placed<Step>>,
    /// What must not happen from the first event to the end of `settle`.
    #[serde(default)]
    pub never: Vec<Placed<Never>>,
    /// Contracts that the device may break here; see `proving contracts`.
    #[serde(default)]
    pub except: Vec<Exception>,
    /// Device time after the last step through which `never` still holds; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub settle: Duration,
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

    /// Names of all bugs that some step or clause claims to catch, sorted.
    pub fn catches(&self) -> Vec<&str> {
        let steps = self.scenario.steps.iter().flat_map(|step| step.catches());
        let never = self.scenario.never.iter().flat_map(|never| &never.catches);
        let mut names: Vec<_> = steps.chain(never).map(|name| name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
