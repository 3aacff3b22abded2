//! From exec to verdict of the smallest scenario there is.

use crate::figures::Figure;
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};

const SCENARIO: &str = "
name: Power on
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { tag: wifi_prov_mgr, text: Provisioning started }, within: 5s }
settle: 0s
";

/// One device fixture, one expectation.
const PEER: &str = "
def test_says_ready(dut, redirect):
    with redirect():
        print('ready')
    dut.expect('ready')
";

const SAMPLES: usize = 30;
const PEER_SAMPLES: usize = 10;

/// Wall time of `proving run FILE`.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let row = Row::new(
        "exec to verdict: power on, one expectation",
        ours(setup).map_err(|e| e.to_string()),
    )
    .target(Target::Below(100.0))
    .peer(
        "pytest-embedded: dut, one expect",
        peer(setup).map_err(|e| e.to_string()),
    )
    .note(
        "wall time of the command. Ours starts a worker, a native device with its radio and \
             flash, and judges; pytest-embedded starts no device at all, the test itself prints",
    );
    Ok(vec![row])
}

fn ours(setup: &Setup) -> Outcome<Figure> {
    let scenario = setup.file("power_on.yaml", SCENARIO)?;
    timed(&mut setup.run(&scenario)?)?;
    let samples = (0..SAMPLES).map(|_| Ok(timed(&mut setup.run(&scenario)?)?.0));
    Ok(Figure::of_times(samples.collect::<Outcome<Vec<_>>>()?)?)
}

fn peer(setup: &Setup) -> Outcome<Figure> {
    let test = setup.file("test_power_on.py", PEER)?;
    let command = || -> Outcome<_> {
        let mut command = setup.python()?;
        command.args(["-m", "pytest", "-q"]).arg(&test);
        Ok(timed(&mut command)?.0)
    };
    command()?;
    let samples = (0..PEER_SAMPLES).map(|_| command());
    Ok(Figure::of_times(samples.collect::<Outcome<Vec<_>>>()?)?)
}
