//! Runs that are killed in the middle: what they leave behind on the host, and what the next run finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::cases::{Tally, proving_run, succeeds, traces};

/// How long a run may take until its phone is where it is to be killed.
const ARRIVAL: Duration = Duration::from_secs(60);
/// How long the host's Wi-Fi may take to come home after that: the checkpoint runs out after 20 s, and
/// NetworkManager takes its time.
const HOME: Duration = Duration::from_secs(45);
/// How long it is watched after that, for whether it leaves home again.
const STAYS: Duration = Duration::from_secs(15);
/// How much longer the next look over Bluetooth may take than others: a device that is searched for in vain
/// takes 20 s.
const LATER: Duration = Duration::from_secs(12);
/// How long the adapter may take to be off, or on.
const PUT_BACK: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(200);

/// Everything about killed runs.
pub fn check_all(tally: &mut Tally) {
    tally.check(
        "a run that is killed in the device's network leaves the host at home, at once and for good",
        || {
            killed("softap", || wifi().starts_with("connected:proving "))?;
            let began = Instant::now();
            within(HOME, "wlan1 is at home", || wifi() == "connected:home")?;
            println!("  at home after {:.1} s", began.elapsed().as_secs_f64());
            let began = Instant::now();
            while began.elapsed() < STAYS {
                let now = wifi();
                if now != "connected:home" {
                    return Err(format!("wlan1 left home again: {now}"));
                }
                thread::sleep(LOOK);
            }
            Ok(())
        },
    );
    tally.check(
        "a run over SoftAP that follows a killed one at once passes",
        || {
            killed("softap", || wifi().starts_with("connected:proving "))?;
            succeeds(&mut looked_at("softap")?)
        },
    );
    tally.check(
        "the host is at home when a run over SoftAP has ended",
        || match wifi().as_str() {
            "connected:home" => Ok(()),
            other => Err(format!("wlan1 is {other}")),
        },
    );
    tally.check(
        "after a run that is killed in a Bluetooth session the next finds the device at once, and puts \
         back the power of the adapter that was off",
        || {
            switch_adapter("off")?;
            killed("ble", is_connected)?;
            if !is_powered() {
                return Err("a killed run cannot have switched the adapter off".into());
            }
            let took = look_from_off()?;
            // As the host is at this time.
            let usual = look_from_off()?;
            println!("  it takes {took:.1?}, and {usual:.1?} after a run that was not killed");
            if took > usual + LATER {
                return Err("it takes too long".into());
            }
            switch_adapter("on")
        },
    );
}

/// Has a run look at the device by an adapter that is off, and is off again afterwards; how long it took.
fn look_from_off() -> Result<Duration, String> {
    let began = Instant::now();
    succeeds(&mut looked_at("ble")?)?;
    let took = began.elapsed();
    if !traces()?.contains("hci0 was off: it is on until the case ends") {
        return Err("the trace does not say that the adapter was switched on".into());
    }
    within(PUT_BACK, "hci0 is off again", || !is_powered())?;
    Ok(took)
}

/// The case that only looks at the device.
pub fn looked_at(over: &str) -> Result<Command, String> {
    let filter = format!("name(over={over})");
    proving_run(&["rig-scenarios/looked_at.yaml", "-E", &filter])
}

/// Kills a run as soon as its phone is where `arrived` says.
fn killed(over: &str, arrived: impl Fn() -> bool) -> Result<(), String> {
    let filter = format!("name(over={over})");
    let mut run = proving_run(&["rig-scenarios/stays.yaml", "-E", &filter])?;
    let mut run = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("failed to start a run: {error}"))?;
    let there = within(ARRIVAL, "the phone is with the device", arrived);
    // Long enough for the session that follows.
    thread::sleep(Duration::from_secs(2));
    for process in provings() {
        // Those that are gone meanwhile need none.
        let _ = Command::new("kill")
            .args(["-9", &process])
            .stderr(Stdio::null())
            .status();
    }
    let _ = run.wait();
    there?;
    match provings().as_slice() {
        [] => Ok(()),
        left => Err(format!("processes are left: {left:?}")),
    }
}

/// Whether a device is connected over Bluetooth.
pub fn is_connected() -> bool {
    !bluetooth("devices Connected").trim().is_empty()
}

/// Whether the adapter is on.
pub fn is_powered() -> bool {
    bluetooth("show").contains("Powered: yes")
}

/// Switches the adapter on or off, as its user does.
pub fn switch_adapter(to: &str) -> Result<(), String> {
    bluetooth(&format!("power {to}"));
    within(PUT_BACK, &format!("hci0 is {to}"), || {
        is_powered() == (to == "on")
    })
}

/// The processes of this machine that are a `proving`.
fn provings() -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            let program: Option<PathBuf> = fs::read_link(process.path().join("exe")).ok();
            program.is_some_and(|program| {
                program.file_name() == Some(Path::new("proving").as_os_str())
            })
        })
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// State and connection of the host's Wi-Fi interface.
pub fn wifi() -> String {
    let asked = Command::new("nmcli")
        .args(["-t", "-f", "DEVICE,STATE,CONNECTION", "device"])
        .output();
    let said = asked.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned());
    let said = said.unwrap_or_default();
    let line = said.lines().find_map(|line| line.strip_prefix("wlan1:"));
    line.unwrap_or("not there").to_owned()
}

/// What bluetoothctl says to a command.
pub fn bluetooth(command: &str) -> String {
    let asked = Command::new("bluetoothctl")
        .args(command.split(' '))
        .stdin(Stdio::null())
        .output();
    let said = asked.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned());
    said.unwrap_or_default()
}

/// Waits until something is so.
pub fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > limit {
            return Err(format!("not within {} s: {what}", limit.as_secs()));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
