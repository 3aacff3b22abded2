//! tshark at the captures of `proving run --pcap`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::peer::{is_there, run_within};

const PATIENCE: Duration = Duration::from_secs(180);
/// Provisioned over SoftAP in the clear, then MQTT with a client's certificate.
const SOFT_AP: [&str; 3] = [
    "scenarios/softap/bound_by_notify.yaml",
    "-E",
    "name(~security=none)",
];

/// A run's capture.
struct Captured {
    file: PathBuf,
    #[expect(dead_code, reason = "removed when dropped")]
    folder: tempfile::TempDir,
}

impl Captured {
    /// Of a run with these arguments; none if there is no tshark.
    fn of(arguments: &[&str]) -> Option<Self> {
        if !is_there("tshark", "tshark") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .args(["run", "--seed", "1", "--out"])
            .arg(folder.path())
            .arg("--pcap")
            .args(arguments);
        let said = run_within(PATIENCE, &mut command).well();
        assert!(said.stderr.contains("capture.pcapng beside each trace"));
        let file = find(folder.path()).unwrap();
        Some(Self { file, folder })
    }

    /// The fields of the packets that `filter` lets through, a line each.
    fn fields(&self, filter: &str, fields: &[&str]) -> Vec<String> {
        let mut command = self.tshark();
        command.args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let said = run_within(PATIENCE, &mut command).well();
        said.text().lines().map(str::to_owned).collect()
    }

    fn tshark(&self) -> Command {
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(&self.file);
        command
    }
}

/// The only capture below `folder`.
fn find(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => find(&path),
        false => (path.file_name().unwrap() == "capture.pcapng").then_some(path),
    })
}

#[test]
fn provisioning_is_http_and_steps_are_comments() {
    let Some(captured) = Captured::of(&SOFT_AP) else {
        return;
    };
    let requests = captured.fields(
        "http.request",
        &["frame.interface_name", "http.request.uri"],
    );
    assert!(
        requests.contains(&"SoftAP device\t/prov-config".to_owned()),
        "{requests:?}"
    );
    let comments = captured.fields("frame.comment", &["frame.comment"]);
    assert!(
        comments
            .iter()
            .any(|comment| comment.contains("step 1: power on")),
        "{comments:?}"
    );
    let steps = captured.fields("data-text-lines && !http", &["frame.interface_name"]);
    assert!(steps.iter().any(|name| name == "steps"), "{steps:?}");
    // Sequence numbers, acknowledgements and check sums are those of real stacks.
    let mut expert = captured.tshark();
    let said = run_within(PATIENCE, expert.args(["-q", "-z", "expert,error"])).well();
    assert!(!said.text().contains("Errors ("), "{}", said.text());
}

#[test]
fn mqtt_is_decrypted_only_with_the_secrets() {
    let mut arguments = SOFT_AP.to_vec();
    let Some(sealed) = Captured::of(&arguments) else {
        return;
    };
    assert!(!sealed.fields("tls.handshake", &["frame.number"]).is_empty());
    assert_eq!(
        sealed.fields("mqtt", &["frame.number"]),
        Vec::<String>::new()
    );

    arguments.push("--with-secrets");
    let Some(open) = Captured::of(&arguments) else {
        return;
    };
    let packets = open.fields("mqtt", &["frame.interface_name", "mqtt.msgtype"]);
    for message_type in ["1", "2", "3"] {
        let wanted = format!("station home\t{message_type}");
        assert!(
            packets.iter().any(|packet| packet.starts_with(&wanted)),
            "{packets:?}"
        );
    }
}

#[test]
fn bluetooth_is_hci_with_both_directions() {
    let scenario = [
        "scenarios/provisioning/factory_reset.yaml",
        "-E",
        "name(~over=ble)",
    ];
    let Some(captured) = Captured::of(&scenario) else {
        return;
    };
    let commands = captured.fields("bthci_cmd", &["frame.interface_name"]);
    assert!(
        commands.iter().any(|name| name == "HCI device"),
        "{commands:?}"
    );
    let events = captured.fields("bthci_evt", &["frame.interface_name"]);
    assert!(events.iter().any(|name| name == "HCI device"), "{events:?}");
    assert!(!captured.fields("btatt", &["frame.number"]).is_empty());
}
