//! What a firmware that is not the reference device's is told of the world.

use board::rig::{Firmware, HandOver, NvsTemplate};
use factory::Factory;

use super::problem::{LabError, with_sources};
use super::program;

/// The bytes that the board's factory data are for a device that `factory` describes; none if its
/// firmware is told nothing. Without a `firmware`, it is the reference firmware.
pub fn image(firmware: Option<&Firmware>, factory: &Factory) -> Result<Option<Vec<u8>>, LabError> {
    let Some(firmware) = firmware else {
        return Ok(Some(factory.encode()));
    };
    match &firmware.hand_over {
        HandOver::None => Ok(None),
        HandOver::Nvs(template) => nvs_image(&firmware.name, template, factory).map(Some),
    }
}

fn nvs_image(name: &str, template: &NvsTemplate, factory: &Factory) -> Result<Vec<u8>, LabError> {
    let mut values = program::told(factory);
    values.extend(program::files(factory));
    let wrong = |why: String| LabError::HandOver {
        firmware: name.to_owned(),
        why,
    };
    let mut rows = Vec::new();
    for row in &template.rows {
        let text = row.value.fill(&values).map_err(|missing| {
            wrong(format!(
                "`{}` wants `${{{missing}}}`, which the world of this case does not have",
                row.key
            ))
        })?;
        let made = nvs::Value::parse(row.of, &text)
            .and_then(|value| nvs::Row::new(&row.namespace, &row.key, value));
        rows.push(made.map_err(|error| wrong(with_sources(&error)))?);
    }
    nvs::image(&rows, template.size).map_err(|error| wrong(with_sources(&error)))
}
