//! What phones do in a session besides provisioning.

use super::problem::{LabError, Problem};
use super::world::World;
use crate::language::{Case, Control, Custom, Scan};

fn not_yet() -> Problem {
    Problem::Lab(LabError::Scenario("phones cannot do this yet".into()))
}

/// Takes the step.
pub async fn scan(_case: &Case, _step: &Scan, _world: &mut World) -> Result<(), Problem> {
    Err(not_yet())
}

/// Takes the step.
pub async fn control(_case: &Case, _step: &Control, _world: &mut World) -> Result<(), Problem> {
    Err(not_yet())
}

/// Takes the step.
pub async fn custom(_case: &Case, _step: &Custom, _world: &mut World) -> Result<(), Problem> {
    Err(not_yet())
}
