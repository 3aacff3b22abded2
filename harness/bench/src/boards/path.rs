//! A whole scenario on the emulated board, beside the same on the native one.

use std::ffi::OsStr;

use super::emulated::firmware;
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row};
use crate::walls::{case, walls};

const SCENARIO: &str = "softap/bound_by_notify.yaml";
const SAMPLES: usize = 3;

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let case = case(setup, SCENARIO, &[])?;
    let image = firmware(setup)?;
    let on = |arguments: &[&OsStr]| -> Measured {
        walls(setup, &case, arguments, SAMPLES).map_err(|error| error.to_string())
    };
    let qemu = ["--board", "qemu", "--image"].map(OsStr::new);
    let qemu = on(&[&qemu[..], &[image.as_os_str()]].concat());
    Ok(vec![
        Row::new("board: happy path to bound, on qemu", qemu)
            .peer("the same on native", on(&[]))
            .note(
                "wall time of `proving run` of one case: flashing, boot, SoftAP, TLS by Mbed TLS on an \
                 emulated core, whose time runs up to ten times faster than the host's",
            ),
    ])
}
