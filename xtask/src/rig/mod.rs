//! A rig of real parts in a virtual machine.
//!
//! Inside are a Debian kernel, BlueZ, NetworkManager, hostapd and a serial port, and `proving run` on the
//! rig file of a serial board. Outside is the board: `proving up --as-rig --sockets`. Between them are
//! HCI, Ethernet and a UART, and one shared folder.

mod cases;
mod head;
mod image;
mod killed;
mod machine;
mod outside;
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, command, root, run, target};
use image::Image;
use machine::Machine;
use outside::Outside;

pub use cases::run_inside;
pub use head::serve;

/// Starts the services of the machine and runs the cases.
const START: &str = include_str!("guest/start.sh");

/// Builds the machine if it is not there, boots it beside an imitated board, and runs cases inside.
pub fn rig(arguments: &[String]) -> Result<(), String> {
    let folder = target().join("rig");
    let proving = match option(arguments, "--proving") {
        Some(path) => PathBuf::from(path),
        None => {
            run(cargo().args(["build", "--release"]))?;
            target().join("release/proving")
        }
    };
    let image = Image::of(&folder.join("image"))?;
    let host = folder.join("host");
    share(&host, &proving, arguments)?;
    let mut outside = Outside::start(&host)?;
    let mut machine = Machine::boot(&image, &folder)?;
    let passed = machine.follow();
    outside.end();
    passed
}

fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|argument| argument == name)?;
    arguments.get(place + 1).map(String::as_str)
}

/// Fills the folder that the machine shares with this host.
fn share(host: &Path, proving: &Path, arguments: &[String]) -> Result<(), String> {
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
    let start = host.join("start.sh");
    fs::write(&start, START).map_err(image::said("write", &start))?;
    let plan = host.join("arguments");
    fs::write(&plan, arguments.join("\n")).map_err(image::said("write", &plan))
}
