//! The host's radios in the middle of a phone's work: switched off, pulled out, or wrong about a device.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::cases::{SHARED, Tally, last_run, proving, proving_run, succeeds, traces};
use super::killed::{bluetooth, is_connected, is_powered, looked_at, switch_adapter, wifi, within};
use super::refusals::block;

/// Both cases of a device at one address have it.
const SEED: &str = "4711";
/// How long a device may take until it stands.
const STANDS: Duration = Duration::from_secs(90);
/// How long the host may take to be as it was.
const BACK: Duration = Duration::from_secs(30);

/// Everything about them; `all` of it takes a minute longer.
pub fn check_all(tally: &mut Tally, all: bool) {
    tally.check(
        "an adapter that is off is said to be switched on by `prov`, too, and is off again",
        || {
            switch_adapter("off")?;
            let scan =
                ended(proving().args(["prov", "--transport", "ble", "scan", "--for", "2s"]))?;
            scan.says("hci0 was off: it is on until this is done")?;
            (!is_powered())
                .then_some(())
                .ok_or("hci0 is still on after `prov`")?;
            switch_adapter("on")
        },
    );
    tally.check(
        "an adapter that the kernel keeps off is told with the command that lets it go",
        blocked,
    );
    tally.check(
        "a device whose table has grown is read by its old one, and the message names the cache",
        grown,
    );
    if all {
        tally.check(
            "a wrong passphrase of a device's network is told",
            wrong_key,
        );
        tally.check("a device's network that is not there is told", absent);
    }
    tally.check(
        "an adapter that goes away in a session is blamed for it, not the device",
        unplugged,
    );
}

fn blocked() -> Result<(), String> {
    block("block")?;
    within(BACK, "hci0 is off", || !is_powered())?;
    let looked = looked_at("ble").and_then(|mut run| ended(&mut run));
    let scan = ended(proving().args(["prov", "--transport", "ble", "scan", "--for", "2s"]));
    block("unblock")?;
    switch_adapter("on")?;
    for (said, what) in [(looked?, "a run"), (scan?, "prov")] {
        said.says("rfkill")
            .and_then(|()| said.ends_with(3))
            .map_err(|why| format!("{what}: {why}"))?;
    }
    Ok(())
}

fn grown() -> Result<(), String> {
    succeeds(looked_at("ble")?.args(["--seed", SEED]))?;
    let _stands = Stands::start("ble")?;
    let custom = || {
        let way = ["prov", "--transport", "ble", "--security", "0"];
        let mut custom = proving();
        custom
            .args(way)
            .args(["custom", "custom-data", "--data", "hello"]);
        ended(&mut custom)
    };
    let missed = custom()?;
    missed.says("no characteristic called \"custom-data\"")?;
    missed.says("BlueZ keeps a device's table")?;
    let advised = missed.text.split("bluetoothctl ").nth(1);
    let advised = advised.and_then(|rest| rest.split('`').next());
    let advised = advised.ok_or("no command is advised")?;
    println!("  advised: bluetoothctl {advised}");
    bluetooth(advised);
    let found = custom()?;
    found.says("SUCCESS")?;
    found.ends_with(0)
}

fn wrong_key() -> Result<(), String> {
    let stands = Stands::start("softap")?;
    let name = stands.network()?;
    let mut info = proving();
    info.args(["prov", "--transport", "softap", "--wifi", "wlan1"])
        .args([
            "--name",
            &name,
            "--service-key",
            "text:not-the-right-key",
            "info",
        ]);
    let refused = ended(&mut info)?;
    refused.says("(no secrets)")?;
    refused.ends_with(3)?;
    within(BACK, "wlan1 is at home", || wifi() == "connected:home")
}

fn absent() -> Result<(), String> {
    let mut info = proving();
    info.args(["prov", "--transport", "softap", "--wifi", "wlan1"])
        .args(["--name", "PROV_ABSENT", "info"]);
    let missed = ended(&mut info)?;
    missed.says("no network PROV_ABSENT was heard on wlan1")?;
    missed.ends_with(3)?;
    within(BACK, "wlan1 is at home", || wifi() == "connected:home")
}

fn unplugged() -> Result<(), String> {
    let mut run = proving_run(&["rig-scenarios/unplugged.yaml"])?;
    let run = Spoken::start(&mut run, "unplugged")?;
    let connected = within(STANDS, "the phone is with the device", is_connected);
    thread::sleep(Duration::from_secs(2));
    for process in adapters() {
        // Where it has ended already, there is nothing to kill.
        let _ = Command::new("kill").args(["-9", &process]).status();
    }
    let run = run.wait()?;
    plug_in()?;
    connected?;
    run.says("this host's Bluetooth adapter hci0 went away, or was switched off")?;
    run.says("1 broken")?;
    run.ends_with(3)?;
    succeeds(&mut looked_at("ble")?)
}

/// Has the machine an adapter again.
fn plug_in() -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let adapter = Command::new(own)
        .arg("rig-adapter")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    adapter.map_err(|error| format!("failed to start the adapter: {error}"))?;
    within(BACK, "hci0 is there and on", is_powered)
}

/// The processes that give this machine its adapter.
fn adapters() -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_adapter = |line: Vec<u8>| line.split(|byte| *byte == 0).nth(1) == Some(b"rig-adapter");
    processes
        .filter(|process| fs::read(process.path().join("cmdline")).is_ok_and(is_adapter))
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What a program has said, on both its outputs, and how it ended.
struct Ended {
    text: String,
    code: Option<i32>,
}

impl Ended {
    fn says(&self, what: &str) -> Result<(), String> {
        // Messages are broken into lines for people.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = self.text.replace('│', " ");
        let is_said = flat(&said).contains(&flat(what));
        is_said
            .then_some(())
            .ok_or_else(|| format!("it does not say {what:?}, but:\n{}", self.text))
    }

    fn ends_with(&self, code: i32) -> Result<(), String> {
        (self.code == Some(code)).then_some(()).ok_or_else(|| {
            format!(
                "it ends with {:?}, not {code}, and says:\n{}",
                self.code, self.text
            )
        })
    }
}

fn ended(command: &mut Command) -> Result<Ended, String> {
    Spoken::start(command, "spoken")?.wait()
}

/// A program whose words go to a file.
struct Spoken {
    child: Child,
    file: String,
}

impl Spoken {
    fn start(command: &mut Command, name: &str) -> Result<Self, String> {
        let file = format!("{SHARED}/out/{name}.log");
        let failed = |error: std::io::Error| format!("failed to start {name}: {error}");
        let out = File::create(&file).map_err(failed)?;
        let errors = out.try_clone().map_err(failed)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn();
        Ok(Self {
            child: child.map_err(failed)?,
            file,
        })
    }

    fn wait(mut self) -> Result<Ended, String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let said = fs::read(&self.file).map_err(|error| error.to_string())?;
        Ok(Ended {
            text: String::from_utf8_lossy(&said).into_owned(),
            code: status.code(),
        })
    }
}

/// A device that waits for a phone, by a run in the background; interrupted when dropped.
struct Stands(Spoken);

impl Stands {
    fn start(over: &str) -> Result<Self, String> {
        let filter = format!("name(over={over})");
        let run = ["rig-scenarios/stands.yaml", "-E", &filter, "--seed", SEED];
        let before = last_run().ok();
        let stands = Self(Spoken::start(&mut proving_run(&run)?, "stands")?);
        within(STANDS, "the device stands", || {
            let is_new = last_run().ok() != before;
            is_new && traces().is_ok_and(|trace| trace.contains("Provisioning started"))
        })?;
        Ok(stands)
    }

    /// The network of a device that has one.
    fn network(&self) -> Result<String, String> {
        let told = fs::read_to_string(format!("{SHARED}/rig/radio.json"));
        let told = told.map_err(|error| format!("failed to look at its network: {error}"))?;
        let told: serde_json::Value = serde_json::from_str(&told).map_err(|e| e.to_string())?;
        let name = told["soft_ap"]["ssid"].as_str();
        name.map(str::to_owned)
            .ok_or_else(|| "it has no network".to_owned())
    }
}

impl Drop for Stands {
    fn drop(&mut self) {
        let child = &mut self.0.child;
        // One that has ended needs none.
        let _ = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        let _ = child.wait();
    }
}
