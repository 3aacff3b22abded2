//! What reaches a real board behind a debug probe.

use std::fs;
use std::io;
use std::path::Path;

use board::probe::{Attach, Limits, LogFormat, ProbeSettings};
use board::rig::{ProbeLink, ProbeLog};
use serde::Deserialize;

use super::board_access::ReachError;

/// No target description is longer, in bytes.
const LONGEST_DESCRIPTION: u64 = 4 << 20;

/// What reaches a real board. `image` is the image that the user named.
pub(super) fn settings(
    name: &str,
    link: &ProbeLink,
    image: Option<&Path>,
) -> Result<ProbeSettings, ReachError> {
    #[cfg(not(feature = "all-chips"))]
    if link.target.is_none() {
        return Err(ReachError::NotBuilt);
    }
    let description = match &link.target {
        Some(path) => Some(description(path)?),
        None => None,
    };
    let chip = match (&link.chip, &link.target, &description) {
        (Some(chip), _, _) => chip.clone(),
        (None, Some(path), Some(text)) => only_chip(path, text)?,
        // The rig file is not read without one of them.
        (None, _, _) => String::new(),
    };
    Ok(ProbeSettings {
        device: name.to_owned(),
        selector: link.selector.clone(),
        chip,
        target_description: description,
        image: image
            .or(link.image.as_deref())
            .map(Path::to_owned)
            .unwrap_or_default(),
        log: match link.log {
            ProbeLog::Defmt => LogFormat::Defmt,
            ProbeLog::Text => LogFormat::Text,
        },
        limits: Limits::default(),
        attach: match link.under_reset {
            false => Attach::Normal,
            true => Attach::UnderReset,
        },
        speed_khz: link.speed_khz,
        factory: link.factory.clone(),
        storage: link.storage.clone(),
        unexplained_reset: board::RestartCause::Unknown,
    })
}

fn description(path: &Path) -> Result<String, ReachError> {
    let wrap = |source| ReachError::Target {
        path: path.to_owned(),
        help: "correct `target` in the rig file".to_owned(),
        source,
    };
    if fs::metadata(path).map_err(wrap)?.len() > LONGEST_DESCRIPTION {
        return Err(wrap(io::Error::other("longer than any target description")));
    }
    fs::read_to_string(path).map_err(wrap)
}

/// What of a target description is of interest here.
#[derive(Deserialize)]
struct Family {
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    name: String,
}

/// The chip of a target description that has one.
fn only_chip(path: &Path, text: &str) -> Result<String, ReachError> {
    let unclear = |why: String| ReachError::Target {
        path: path.to_owned(),
        help: "write `chip` beside `target` in the rig file".to_owned(),
        source: io::Error::other(why),
    };
    let family: Family =
        serde_saphyr::from_str(text).map_err(|error| unclear(error.to_string()))?;
    match &family.variants[..] {
        [only] => Ok(only.name.clone()),
        [] => Err(unclear("it has no chip".to_owned())),
        several => {
            let names: Vec<_> = several.iter().map(|chip| chip.name.as_str()).collect();
            Err(unclear(format!(
                "it has several chips: {}",
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_chip_of_a_description_needs_no_name() {
        let chip = only_chip(Path::new("x.yaml"), lab::qemu::TARGET_DESCRIPTION);
        assert_eq!(chip.expect("it has one"), lab::qemu::CHIP);
        for (text, expected) in [
            (
                "name: x\nvariants: [{ name: a }, { name: b }]\n",
                "several chips: a, b",
            ),
            ("name: x\nvariants: []\n", "no chip"),
            ("- 1\n", "target description x.yaml"),
        ] {
            let error = only_chip(Path::new("x.yaml"), text).expect_err(text);
            let said = format!("{error}: {:?}", std::error::Error::source(&error));
            assert!(said.contains(expected), "{said}");
        }
    }
}
