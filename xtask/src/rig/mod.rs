//! A rig of real parts in a virtual machine.
//!
//! Inside are a Debian kernel, BlueZ, NetworkManager, hostapd and a serial port, and `proving run` on the
//! rig file of a serial board. Outside is the board: `proving up --as-rig --sockets`. Between them are
//! HCI, Ethernet and a UART, and one shared folder.

mod adapter;
mod bench;
mod cases;
mod head;
mod image;
mod killed;
mod machine;
mod outside;
mod plan;
mod radios;
mod recipe;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, command, root, run, target};
use image::Image;
use machine::Machine;
use outside::Outside;

pub use adapter::serve as serve_adapter;
pub use cases::run_inside;
pub use head::serve;
pub use plan::Plan;

/// Starts the services of the machine and runs the cases.
const START: &str = include_str!("guest/start.sh");

/// Builds the machine if it is not there, boots it beside an imitated board, and runs what `plan` says
/// inside.
pub fn rig(plan: &Plan) -> Result<(), String> {
    let folder = folder();
    let proving = match &plan.proving {
        Some(path) => path.clone(),
        None => {
            run(cargo().args(["build", "--release", "--package", "proving"]))?;
            target().join("release/proving")
        }
    };
    let image = Image::of(&image_folder())?;
    let host = folder.join("host");
    share(&host, &proving, plan)?;
    let mut outside = Outside::start(&host)?;
    let mut machine = Machine::boot(&image, &folder)?;
    let passed = machine.follow(plan.limit());
    drop(machine);
    outside.end();
    passed
}

/// Why there can be no machine on this host, if that is so.
pub fn cannot() -> Option<String> {
    Image::cannot_be_had(&image_folder())
}

fn folder() -> PathBuf {
    target().join("rig")
}

fn image_folder() -> PathBuf {
    folder().join("image")
}

/// Fills the folder that the machine shares with this host.
fn share(host: &Path, proving: &Path, plan: &Plan) -> Result<(), String> {
    image::remove(host)?;
    for folder in ["bin", "out"] {
        let folder = host.join(folder);
        fs::create_dir_all(&folder).map_err(image::said("make", &folder))?;
    }
    run(command("strip")
        .arg("-o")
        .arg(host.join("bin/proving"))
        .arg(proving))?;
    let own = std::env::current_exe().map_err(|error| format!("failed to find xtask: {error}"))?;
    run(command("strip")
        .arg("-o")
        .arg(host.join("bin/xtask"))
        .arg(own))?;
    run(command("cp")
        .arg("-r")
        .arg(root().join("scenarios"))
        .arg(host.join("scenarios")))?;
    run(command("cp")
        .arg("-r")
        .arg(root().join("xtask/src/rig/scenarios"))
        .arg(host.join("rig-scenarios")))?;
    if plan.what == plan::What::Bench {
        bench::share(host)?;
    }
    let start = host.join("start.sh");
    fs::write(&start, START).map_err(image::said("write", &start))?;
    let written = host.join("plan");
    fs::write(&written, plan.written()).map_err(image::said("write", &written))
}
