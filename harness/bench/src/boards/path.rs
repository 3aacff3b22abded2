//! A whole scenario on the emulated board, beside the same on the native one.

use std::path::Path;
use std::time::Duration;

use proving::language::{Case, read_file};

use super::emulated::firmware;
use crate::figures::Figure;
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row};

const SCENARIO: &str = "softap/bound_by_notify.yaml";
const SAMPLES: usize = 3;

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let file = setup.scenarios.join(SCENARIO);
    let cases = read_file(&file, &proving::cli::known()?)?;
    let case = cases.first().ok_or("the scenario has no case")?;
    let image = firmware(setup)?;
    let on = |board: &str| -> Measured {
        walls(setup, &file, case, board, &image).map_err(|error| error.to_string())
    };
    Ok(vec![
        Row::new("board: happy path to bound, on qemu", on("qemu"))
            .peer("the same on native", on("native"))
            .note(
                "wall time of `proving run` of one case: flashing, boot, SoftAP, TLS with 2048-bit RSA \
                 or P-256 by mbed TLS on an emulated core, at ten times its time",
            ),
    ])
}

fn walls(setup: &Setup, file: &Path, case: &Case, board: &str, image: &Path) -> Outcome<Figure> {
    let wall = || -> Outcome<Duration> {
        let mut command = setup.run(file)?;
        command.args(["-E", &format!("name(={})", case.id), "--board", board]);
        if board == "qemu" {
            command.arg("--image").arg(image);
        }
        Ok(timed(&mut command)?.0)
    };
    wall()?;
    let samples = (0..SAMPLES).map(|_| wall());
    Ok(Figure::of_times(samples.collect::<Outcome<Vec<_>>>()?)?)
}
