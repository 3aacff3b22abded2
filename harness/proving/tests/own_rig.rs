//! Scenarios on the rig of `proving up --as-rig`: which can run there, and that those pass.
//!
//! All of them take real time. `cargo test -p proving --test own_rig -- --ignored` runs every one.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod imitated;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use board::rig::Rig;
use engine::run::{BoardModel, Case};
use language::read_all;
use regex::Regex;

use finished::results;
use imitated::Standing;

/// Cases of each area, chosen for how little time they take: together less than a minute and a half.
const OF_EVERY_AREA: [&str; 13] = [
    "The session ends with the connection[security=v2]",
    "Characteristics tell which endpoints they are",
    "Security 2 does not fit into a console line of 256 bytes",
    "Bound by query[profile=seed-2019,by=broadcast]",
    "A broker whose certificate is for an address alone",
    "A broker whose certificate the scenario describes[key_type=p-256]",
    "Telemetry received[qos=1]",
    "Power cut after apply[over=softap]",
    "A wrong proof of possession is refused over every transport[over=ble]",
    "A wrong proof of possession is refused over every transport[over=console]",
    "Access points are joined however they take a passphrase[auth=wpa3-psk]",
    "Provisioned over every transport[over=softap,security=v1]",
    "Provisioned over every transport[over=ble,security=v2]",
];

/// How many rigs stand side by side for all of the cases, each on a network of its own: what they do most
/// is wait.
const RIGS: usize = 8;

/// What can be missing there.
const MISSING: [&str; 13] = [
    r"own-air \(all that is on the air, and nothing else there, as in the lab\)",
    r"own-radio \(Bluetooth that can be disturbed, as in the lab\)",
    r"raw-attributes \(a phone with a channel of the Attribute Protocol, which BlueZ keeps to itself, as in the lab\)",
    r"torn-write",
    r"damaged-storage \(storage that can be written, as in the lab\)",
    r"a board for each device",
    r"a broker that is called mqtt\.proving\.example, as in the lab",
    r"a phone that joins a network within a second",
    r"a board whose TLS can ask for short records, such as qemu with MbedTLS \(`max_fragment`; rustls cannot\)",
    r"two phones at once on the LAN \(\w+ and \w+\)",
    r"two phones at once on one Wi-Fi interface \(\w+ and \w+\)",
    r"two phones at once on one Bluetooth adapter \(\w+ and \w+\)",
    r"`\[access_points\.\w+\]` in the rig file( for \w+(, \w+)*)?",
];

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// How many cases ended with each verdict, and the results of those that should not have ended so.
#[derive(Default)]
struct Verdicts {
    counts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

/// Runs the cases of these files or folders and of this filter.
fn run(standing: &Standing, paths: &[PathBuf], filter: &str) -> Verdicts {
    let rig = standing.rig_toml().display().to_string();
    let mut run = standing.proving(&["run", "--rig", &rig, "--board", "device"]);
    run.args(["--message-format", "json", "-E", filter]);
    let output = run.args(paths).output().unwrap();
    let mut verdicts = Verdicts::default();
    let results = results(&output);
    assert!(!results.is_empty(), "{output:?}");
    for result in results {
        let verdict = result["verdict"].as_str().unwrap().to_owned();
        if !["passed", "skipped"].contains(&&*verdict) {
            verdicts.wrong.push(format!("{result:#}"));
        }
        *verdicts.counts.entry(verdict).or_default() += 1;
    }
    verdicts
}

/// Gives this thread, and what it starts, a network with nothing but a loopback: phones of different rigs
/// want the same ports.
fn take_a_network() {
    // SAFETY: changes which network this thread is in, and touches no memory.
    let gave = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(gave, 0, "needs root: {}", io::Error::last_os_error());
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success());
}

#[test]
fn what_cannot_run_there_says_what_is_missing() {
    let standing = Standing::start(&[]);
    let file = standing.rig_toml();
    let rig = Rig::read(&file).unwrap();
    let model = BoardModel::real(&rig.boards["device"], &rig, &file);
    let cases = read_all(&[scenarios()], &language::known().unwrap()).unwrap();
    let all = cases.len();
    let mut one = MISSING.join("|");
    if cfg!(not(feature = "legacy")) {
        one += "|a program built with `--features legacy`";
    }
    let known = Regex::new(&format!("^needs ({one})(, ({one}))*$")).unwrap();
    let missing: Vec<String> = cases
        .into_iter()
        .filter_map(|case| Case::of(case, &model).skip)
        .collect();
    for why in &missing {
        assert!(known.is_match(why), "{why}");
    }
    for what in MISSING {
        let what = Regex::new(what).unwrap();
        assert!(missing.iter().any(|why| what.is_match(why)), "{what}");
    }
    let run = all - missing.len();
    assert!(run >= 110, "{run} of {all}");
}

#[test]
fn cases_of_every_area_pass() {
    let standing = Standing::start(&[]);
    let filter = OF_EVERY_AREA
        .map(|case| format!("name(={case})"))
        .join(" | ");
    let verdicts = run(&standing, &[scenarios()], &filter);
    let told = standing.told();
    assert!(
        verdicts.wrong.is_empty(),
        "{} {told:?}",
        verdicts.wrong.join("\n")
    );
    let all_passed = BTreeMap::from([("passed".to_owned(), OF_EVERY_AREA.len())]);
    assert_eq!(verdicts.counts, all_passed);
}

#[test]
#[ignore = "takes an hour of real time, as root; nightly"]
fn every_case_that_can_run_there_passes() {
    // What waits for an hour of device time does so here.
    let all = read_all(&[scenarios()], &language::known().unwrap()).unwrap();
    let short = all
        .into_iter()
        .filter(|case| !case.scenario.tags.iter().any(|tag| tag == "long"));
    let files: BTreeSet<PathBuf> = short.map(|case| case.file.into()).collect();
    // Each rig takes the next file as soon as it is free.
    let files = Mutex::new(files.into_iter());
    let next = || files.lock().unwrap().next();
    let verdicts: Vec<Verdicts> = thread::scope(|scope| {
        let rigs: Vec<_> = (0..RIGS)
            .map(|_| {
                scope.spawn(|| {
                    take_a_network();
                    let standing = Standing::start(&[]);
                    let files = std::iter::from_fn(next);
                    files
                        .map(|file| run(&standing, &[file], "all()"))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        rigs.into_iter()
            .flat_map(|rig| rig.join().unwrap())
            .collect()
    });
    let wrong: Vec<&str> = verdicts
        .iter()
        .flat_map(|verdicts| verdicts.wrong.iter().map(String::as_str))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let passed: usize = verdicts
        .iter()
        .filter_map(|verdicts| verdicts.counts.get("passed"))
        .sum();
    assert!(passed >= 110, "{passed}");
}

#[test]
fn a_rig_that_ends_leaves_nothing_behind() {
    for signal in ["INT", "TERM"] {
        let mut standing = Standing::start(&["--console-on", "uart"]);
        standing.rig_does(&["power", "on"]);
        let device = devices_of(&standing.rig());
        assert_eq!(device.len(), 1);
        standing.end(signal);
        assert!(!standing.rig().exists());
        assert_eq!(devices_of(&standing.rig()), [0; 0]);
    }
}

#[test]
fn a_rig_that_was_killed_is_built_anew_in_its_folder() {
    let mut standing = Standing::start(&[]);
    standing.rig_does(&["power", "on"]);
    standing.end("KILL");
    assert!(standing.rig_toml().exists());
    let mut up = Command::new(env!("CARGO_BIN_EXE_proving"));
    let up = up.args(["up", "--as-rig"]).arg(standing.rig());
    let before = fs::read_to_string(standing.rig_toml()).unwrap();
    let mut again = up.spawn().unwrap();
    let began = Instant::now();
    while fs::read_to_string(standing.rig_toml()).is_ok_and(|text| text == before)
        || !standing.rig_toml().exists()
    {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    // A second one finds the folder taken.
    let mut second = Command::new(env!("CARGO_BIN_EXE_proving"));
    let second = second.args(["up", "--as-rig"]).arg(standing.rig());
    let second = second.output().unwrap();
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another `proving"), "{said}");
    standing.rig_does(&["power", "on"]);
    let mut kill = Command::new("kill");
    kill.arg(again.id().to_string()).status().unwrap();
    assert!(again.wait().unwrap().success());
    assert_eq!(devices_of(&standing.rig()), [0; 0]);
}

#[test]
fn a_folder_with_files_of_others_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rig.toml"), "# of the user\n").unwrap();
    let mut up = Command::new(env!("CARGO_BIN_EXE_proving"));
    let up = up.args(["up", "--as-rig"]).arg(folder.path()).output();
    let up = up.unwrap();
    assert_eq!(up.status.code(), Some(3), "{up:?}");
    let said = String::from_utf8(up.stderr).unwrap();
    assert!(said.contains("`rig.toml`"), "{said}");
    let kept = fs::read_to_string(folder.path().join("rig.toml")).unwrap();
    assert_eq!(kept, "# of the user\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_component_that_is_left_out_prints_nothing() {
    let standing = Standing::start(&["--without-component", "app"]);
    let port = standing.rig().join("uart");
    let mut reader = Command::new("timeout");
    let reader = reader.arg("2").arg("cat").arg(&port);
    let reader = reader.stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    standing.rig_does(&["power", "on"]);
    let printed = reader.wait_with_output().unwrap().stdout;
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains("factory"), "{printed}");
    assert!(!printed.contains(") app: "), "{printed}");
}

#[test]
fn what_a_client_of_the_uart_has_left_unread_is_no_other_clients() {
    let standing = Standing::start(&[]);
    let open = || {
        let mut options = fs::OpenOptions::new();
        let uart = options.read(true).write(true);
        uart.open(standing.rig().join("uart")).unwrap()
    };
    let first = open();
    standing.rig_does(&["power", "on"]);
    std::thread::sleep(Duration::from_millis(300));
    drop(first);
    standing.rig_does(&["power", "off"]);
    let mut cat = Command::new("timeout");
    let cat = cat.arg("1").arg("cat").arg(standing.rig().join("uart"));
    let heard = cat.output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&heard), "");
}

#[test]
fn a_request_that_cannot_be_met_says_why() {
    let standing = Standing::start(&[]);
    for (words, why) in [
        (&["reset"][..], "a board without power cannot be reset"),
        (&["access-point", "attic", "power", "off"], "attic"),
        (&["fly"], "there is no request `fly`"),
    ] {
        let mut rig = Command::new(standing.rig().join("rig"));
        let output = rig.args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "{said}");
    }
    let left = fs::read_dir(standing.rig().join("control")).unwrap();
    assert_eq!(left.count(), 0);
}

/// The processes that are devices of the rig in this folder.
fn devices_of(rig: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_its = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("__device") && line.contains(&*rig.to_string_lossy())
    };
    ids.filter(is_its).collect()
}
