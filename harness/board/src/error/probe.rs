//! What can go wrong between the host and a chip.

use std::time::Duration;

use probe_rs::flashing::FlashError;
use probe_rs::probe::DebugProbeError;

use crate::defmt::ImageError;

/// A probe or its chip did not do what it was told. Every message says what to type or do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The selector cannot be read.
    #[error(
        "`{selector}` selects no probe: write VID:PID or VID:PID:SERIAL, as `proving boards` \
         prints it"
    )]
    Selector {
        /// What was written.
        selector: String,
    },
    /// Nothing is attached that the selector fits.
    #[error(
        "no probe fits the selector `{selector}`; attached: {attached}. Plug it in, or correct \
         `selector` in rig.toml"
    )]
    NoProbe {
        /// What was written.
        selector: String,
        /// What is there.
        attached: String,
    },
    /// Nothing answers at an address.
    #[error(
        "no probe answers at {address}: is it switched on, and is no other program connected to \
         it?"
    )]
    NoAnswer {
        /// Where.
        address: String,
        /// What the driver said.
        source: DebugProbeError,
    },
    /// The selector fits more than one.
    #[error(
        "the selector `{selector}` fits two probes, {first} and {second}: write one of them as \
         `selector` in rig.toml"
    )]
    Ambiguous {
        /// What was written.
        selector: String,
        /// One that it fits.
        first: String,
        /// Another one.
        second: String,
    },
    /// The operating system keeps the probe from us.
    #[error(
        "the probe {selector} may not be opened by this user: install probe-rs's udev rules \
         (https://probe.rs/docs/getting-started/probe-setup) and plug it in again"
    )]
    NotAllowed {
        /// Which probe.
        selector: String,
        /// What the driver said.
        source: DebugProbeError,
    },
    /// Another process has it.
    #[error(
        "the probe {selector} is taken by another process: end the debugger, `probe-rs` or \
         `proving` that uses it"
    )]
    Taken {
        /// Which probe.
        selector: String,
        /// What the driver said.
        source: DebugProbeError,
    },
    /// It cannot be opened for another reason.
    #[error("failed to open the probe {selector}: unplug it and plug it in again")]
    Open {
        /// Which probe.
        selector: String,
        /// What the driver said.
        source: DebugProbeError,
    },
    /// The chip is not known.
    #[error(
        "no chip is called `{chip}`{similar}: correct `chip` in rig.toml, or name a target description"
    )]
    UnknownChip {
        /// What was written.
        chip: String,
        /// Those that are called alike.
        similar: String,
    },
    /// The target description cannot be used.
    #[error(
        "the target description cannot be used: {why}. Correct the file that `target` in rig.toml \
         names"
    )]
    Description {
        /// Why.
        why: String,
    },
    /// The chip does not let itself be attached to.
    #[error(
        "the probe {selector} finds no {chip}: check its power and wires, switch its power off and \
         on in case its core is locked up, or write `reset = \"under-reset\"` in rig.toml"
    )]
    Attach {
        /// By which probe.
        selector: String,
        /// Which chip.
        chip: String,
        /// What probe-rs said.
        source: Box<probe_rs::Error>,
    },
    /// It does not answer.
    #[error(
        "the probe {selector} did not answer within {} ms while it was to {what}: unplug it and \
         plug it in again",
        limit.as_millis()
    )]
    Hung {
        /// Which probe.
        selector: String,
        /// What was attempted.
        what: String,
        /// The bound.
        limit: Duration,
    },
    /// Its answer was none that its driver knows.
    #[error(
        "the driver of the probe {selector} panicked when it was to {what}: unplug the probe and \
         plug it in again"
    )]
    DriverPanicked {
        /// Which probe.
        selector: String,
        /// What was attempted.
        what: String,
    },
    /// It was given up before.
    #[error(
        "the probe {selector} was given up before, when it was to {what}: unplug it, plug it in \
         again, and start once more"
    )]
    GivenUp {
        /// Which probe.
        selector: String,
        /// What it failed at.
        what: String,
    },
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The chip, or the way to it, failed.
    #[error(
        "failed to {what}: check the board's power and the probe's wires; a core that is locked up \
         needs its power switched off and on"
    )]
    Target {
        /// What was attempted, and on what.
        what: String,
        /// What probe-rs said.
        source: Box<probe_rs::Error>,
    },
    /// Flash was not written.
    #[error("failed to {what}: check that the chip's supply holds and that it is not protected")]
    Flash {
        /// What was attempted, and on what.
        what: String,
        /// What probe-rs said.
        source: Box<FlashError>,
    },
    /// After writing, something else is there.
    #[error(
        "{what} differs at {address:#010x} from what was written: run `proving flash --erase`, \
         and if it stays, the flash is worn or protected"
    )]
    Differs {
        /// What was written.
        what: String,
        /// The first byte that differs.
        address: u64,
    },
    /// A region is known neither from the image nor from settings.
    #[error(
        "{image} does not say where its {region} is: define `__{region}_start` and \
         `__{region}_end` in its linker script, or write `{region} = [0x3F0000, 0x400000]` with its \
         addresses in rig.toml"
    )]
    NoRegion {
        /// Which image.
        image: String,
        /// Which region.
        region: &'static str,
    },
    /// Factory data that do not fit.
    #[error(
        "the factory data have {bytes} bytes, and the board has {room} for them: make the region \
         larger, by `__factory_end` in the image's linker script or by `factory` in rig.toml"
    )]
    FactoryTooLarge {
        /// How many there are.
        bytes: usize,
        /// How many fit.
        room: u64,
    },
    /// The firmware does not come to life.
    #[error("{what}")]
    Firmware {
        /// What it did not do, and what to do.
        what: String,
    },
    /// Something is needed that the image does not have.
    #[error(
        "{image} has no symbol `{symbol}`, which is needed to {what}: define it in the firmware, \
         or leave out what needs it"
    )]
    NoSymbol {
        /// Which image.
        image: String,
        /// Which symbol.
        symbol: &'static str,
        /// What for.
        what: &'static str,
    },
}

/// Says what was attempted when probe-rs fails.
pub(crate) trait Attempting<T> {
    /// `what` reads after "failed to".
    fn attempting(self, what: impl FnOnce() -> String) -> Result<T, ProbeError>;
}

impl<T> Attempting<T> for Result<T, probe_rs::Error> {
    fn attempting(self, what: impl FnOnce() -> String) -> Result<T, ProbeError> {
        self.map_err(|source| ProbeError::Target {
            what: what(),
            source: Box::new(source),
        })
    }
}

impl<T> Attempting<T> for Result<T, FlashError> {
    fn attempting(self, what: impl FnOnce() -> String) -> Result<T, ProbeError> {
        self.map_err(|source| ProbeError::Flash {
            what: what(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::rig::Rig;

    /// What stands between backquotes and looks like a line of a rig file.
    fn lines(said: &str) -> Vec<&str> {
        said.split('`')
            .skip(1)
            .step_by(2)
            .filter(|quoted| quoted.contains(" = "))
            .collect()
    }

    #[test]
    fn every_line_that_an_error_says_to_write_is_one_that_a_rig_file_has() {
        let attach = ProbeError::Attach {
            selector: "1:2".to_owned(),
            chip: "x".to_owned(),
            source: Box::new(probe_rs::Error::NotImplemented("this")),
        };
        let no_region = |region| ProbeError::NoRegion {
            image: "a.elf".to_owned(),
            region,
        };
        for error in [attach, no_region("factory"), no_region("storage")] {
            let said = error.to_string();
            let lines = lines(&said);
            assert!(!lines.is_empty(), "{said}");
            for line in lines {
                let board = "[boards.a]\nkind = \"probe\"\nselector = \"1:2\"\nchip = \"x\"\n";
                let rig = Rig::parse(Path::new("rig.toml"), &format!("{board}{line}\n"));
                assert!(rig.is_ok(), "{line}: {rig:?}");
            }
        }
    }
}
