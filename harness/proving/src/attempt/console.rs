//! What is typed at a device's console.

use super::problem::{LabError, Problem};
use super::world::World;
use crate::language::{Case, Console};

/// Takes the step.
pub async fn type_at(_case: &Case, _step: &Console, _world: &mut World) -> Result<(), Problem> {
    Err(Problem::Lab(LabError::Scenario("no console yet".into())))
}
