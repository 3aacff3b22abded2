//! Espressif's client modules, of the Python environment of the judges.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::super::cases::SHARED;
use super::super::image::said;
use super::device::Label;
use super::{Turn, timed};
use crate::command::{command, run};
use crate::requirements::judges;

/// What it is called in the table.
pub const NAME: &str = "Espressif's modules over bleak or HTTP";
const SCRIPT: &str = include_str!("../../../../harness/bench/peers/rainmaker_provision.py");
/// What it needs of that environment; the interpreter is the machine's own.
const MODULES: [&str; 10] = [
    "_cffi_backend*",
    "bleak",
    "bleak-*.dist-info",
    "cffi",
    "cryptography",
    "dbus_fast",
    "esp_rainmaker_cli-*.dist-info",
    "google",
    "rmaker_tools",
    "typing_extensions.py",
];
const VERSIONS: &str = "\
import importlib.metadata, platform
from rmaker_tools.common import prov, security, transport
from rmaker_tools.common.transport import ble_cli, transport_ble
names = ('esp-rainmaker-cli', 'bleak')
told = [f'{name} {importlib.metadata.version(name)}' for name in names]
print(', '.join([*told, f'Python {platform.python_version()}']))";

/// Puts it into the folder that the machine shares with this host.
pub fn share(host: &Path) -> Result<(), String> {
    let peer = host.join("peer");
    fs::create_dir_all(&peer).map_err(said("make", &peer))?;
    let packages = judges().join("lib/python3.11/site-packages");
    let modules = MODULES.map(|module| format!("{}/{module}", packages.display()));
    // The shell knows what the stars stand for.
    let copy = format!("cp -r {} \"$0\"", modules.join(" "));
    run(command("sh").args(["-c", &copy]).arg(&peer)).map_err(|error| {
        format!(
            "{error}: the peer is missing or for another Python; `cargo xtask setup` installs it"
        )
    })?;
    let script = peer.join("rainmaker_provision.py");
    fs::write(&script, SCRIPT).map_err(said("write", &script))
}

/// What runs, once all of it was loaded.
pub fn versions() -> Result<String, String> {
    let (_, told) = timed(python().args(["-c", VERSIONS]))?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// Provisions the device with it.
pub fn turn(
    over: &str,
    security: &str,
    label: &Label,
    home: [&str; 2],
    poll_s: &str,
) -> Result<Turn, String> {
    let way = match over {
        "ble" => format!("{}@", label.name),
        _ => "192.168.4.1:80".to_owned(),
    };
    let mut provision = python();
    provision
        .arg(format!("{SHARED}/peer/rainmaker_provision.py"))
        .args([&way, security, &label.pop, &label.username, &label.pop])
        .args(home)
        .arg(poll_s);
    let (command, told) = timed(&mut provision)?;
    let told: Value = serde_json::from_slice(&told.stdout)
        .map_err(|error| format!("the peer tells no figures: {error}"))?;
    let ms = told["connected"].as_f64().ok_or("the peer tells no time")?;
    Ok(Turn {
        command,
        connected: Duration::from_secs_f64(ms / 1e3),
    })
}

fn python() -> Command {
    let mut python = Command::new("python3");
    python
        .current_dir(SHARED)
        .env("PYTHONPATH", format!("{SHARED}/peer"))
        // What is compiled once is not compiled again.
        .env("PYTHONPYCACHEPREFIX", "/tmp/pycache");
    python
}
