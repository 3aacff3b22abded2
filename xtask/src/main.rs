//! Set-up, test and bench: what a developer and a CI runner call.

mod bench;
mod bugs;
mod command;
mod explore_bugs;
mod firmware;
mod fuzz;
mod mutants;
mod no_std;
mod on_target;
mod readme;
mod release;
mod requirements;
mod rig;
mod soak;
mod test;
mod transcript;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command> [--yes]

  setup    install what the tests need: shows the plan, then asks; --yes does not ask
  test     set up, then format, lint, build the images, test, run every scenario on the native board,
           every sixth case on the emulated one and the suites that run on the board itself, put every
           bug into the device, and run the rig of real parts; passes only if all of that does
  bugs     only the last: each bug must be caught where a scenario claims it
  explore-bugs
           how soon `proving explore` alone finds each of them: [BUG]... [--for TIME] [--seed N]
           [--seeds COUNT] [--proving FILE]; fails if fewer than 45 are found
  mutants  changes in the device's source that no scenario and no contract notices; goes on where it was left.
           --defects: only those of the list; --file PART, --sample N [--seed S], --shard K/N: only some;
           --explore TIME: asks `proving explore`, too, about what no case has noticed;
           --part: only the scenarios of its part; --contracts: counts what a contract says alone;
           --list, --table: runs none; --again OUTCOME: those that survived, say, once more;
           --proving FILE: with that build; --jobs N; --unchecked: not the device without a change first
  bench    the cost of the harness, beside its peers
  release  build the binary that is handed on, with the symbols of its backtraces beside it, into
           target/dist, and the archive of both; fails if the binary is too large
  rig      run cases against a real BlueZ, NetworkManager, hostapd and serial port: in a virtual machine
           of Debian packages, as root; --all [--shard K/N]: every scenario that fits, --checks: only what
           is no scenario, --bench: provisioning beside Espressif's client, -- ARGUMENTS: those of
           `proving run` instead of the cases; --proving FILE: with that build
  soak     repeat everything on a loaded machine, and kill runs at random moments
  readme   renew the output that README shows (--check: only compare)
  firmware build an image for a board: mps2, on-target, esp32c6, or all of them
  fuzz     hostile bytes for every target of fuzz/, 30 s each: [TARGET]... [--seconds N]
  transcript
           renew what the pinned probe-rs sends to a probe: fixtures/probe/attach.txt
  no-std   check the firmware for a Cortex-M
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    // In CI, as root, no user can be asked for a password.
    let yes = flag("--yes") || (std::env::var_os("CI").is_some() && requirements::is_root());
    let done = match arguments.first().map(String::as_str) {
        Some("setup") => requirements::install(yes),
        Some("test") => test::run_all(yes),
        Some("bugs") => bugs::run_all(),
        Some("explore-bugs") => explore_bugs::Plan::of(&arguments[1..]).and_then(|plan| plan.run()),
        Some("mutants") => mutants::mutants(&arguments[1..]),
        Some("bench") => bench::bench(yes),
        Some("release") => release::release(),
        Some("rig") => rig::Plan::of(&arguments[1..]).and_then(|plan| rig::rig(&plan)),
        // The machine of the rig starts these three.
        Some("rig-adapter") => rig::serve_adapter(),
        Some("rig-head") => rig::serve(arguments.get(1).map_or(".", String::as_str)),
        Some("rig-cases") => rig::run_inside(),
        Some("soak") => soak::soak(&arguments[1..]),
        Some("readme") => readme::readme(flag("--check")),
        Some("firmware") => firmware::build(arguments.get(1).map(String::as_str)),
        Some("fuzz") => fuzz::Plan::new(&arguments[1..]).and_then(|plan| fuzz::fuzz(&plan)),
        Some("transcript") => transcript::renew(),
        Some("no-std") => no_std::check(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
