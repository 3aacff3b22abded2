//! What every implementer of [`Surroundings`] owes, asked of the lab and of a host's rig alike.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use board::rig::Rig;
use clock::Clock;
use lab::network_manager::{HostNetwork, NetworkManagerStandIn};
use lab::private_bus;
use language::{Fault, Known, Over, WorldSpec, parse};
use trace::{Source, Trace};

use super::{Enrollee, HostRig, Lab, Surroundings, Switched, VisitError};
use crate::attempt::LabError;
use crate::attempt::values::{AccessPointValues, Maker};

const WORLD: &str = "\
name: A world\n\
world:\n\
\x20 access_points: { home: {} }\n\
\x20 cloud: {}\n\
\x20 devices: { device: {} }\n\
\x20 phones: [alice]\n\
steps: [{ power: on }]\n";
const RIG: &str = "\
[boards.dut]\nkind = \"serial\"\nport = \"/dev/null\"\nconsole = \"log\"\n\
[phone]\nwifi = \"wlan1\"\nlan = \"lo\"\n\
[access_points.home]\nssid = \"lab\"\n\
[broker]\nbind = \"127.0.0.1\"\nnames = [\"lab.example\"]\n";
/// No call may take longer here, in lab time.
const BOUND: Duration = Duration::from_secs(60);
/// Set in the process that has a system bus of its own.
const OWN_BUS: &str = "PROVING_TEST_OWN_BUS";

fn world() -> WorldSpec {
    let cases = parse("world.yaml", WORLD, &Known::default()).expect("a scenario");
    cases[0].scenario.world.clone()
}

/// The device of that world as its owner knows it.
fn enrollee(world: &WorldSpec, trace: &Trace) -> Enrollee {
    let values = Maker::new(1).device("device", world, trace.secrets());
    let device = world.devices.named("device").expect("it is there");
    Enrollee::reference(device, &values)
}

/// The rules, in the order in which the engine asks. `heeds`: whether its devices heed what they are told.
async fn obeys(surroundings: &mut dyn Surroundings, world: &WorldSpec, trace: &Trace, heeds: bool) {
    assert_eq!(surroundings.are_devices_known(), heeds);
    // The broker is ours, unless a rig file leaves it to others.
    let external = surroundings.external_cloud().expect("no error");
    assert!(external.is_none(), "it is asked for no meeting place then");

    // An access point is there from then on, by its role alone.
    let (role, settings) = world.access_points.iter().next().expect("one");
    let made = AccessPointValues {
        ssid: "made".to_owned().into_bytes().into(),
        passphrase: "made up here".to_owned(),
    };
    let values = surroundings.access_point(role, settings, made).await;
    assert!(!values.expect("it is there").ssid.as_bytes().is_empty());
    let nowhere = surroundings.switch("nowhere", Switched::Power, false).await;
    assert!(nowhere.is_err(), "no such access point");

    // The meeting place is one, and devices are told of what was published there.
    let place = surroundings.meeting_place();
    assert_eq!(place, surroundings.meeting_place());
    assert!(
        place.names.contains(&place.host),
        "its certificate carries its name: {place:?}"
    );
    assert_eq!(place.broker.ip(), place.time.ip());
    let at = |port| SocketAddr::new(place.broker.ip(), port);
    let meeting = surroundings.publish(at(18_883), at(10_123));
    assert_eq!(meeting.broker.0, place.host);

    // A device has a console if one was laid, and only then.
    drop(surroundings.wires("device", [2, 0, 0, 0, 0, 2], Over::Softap));
    assert!(surroundings.console("device").is_none());
    let _typed = surroundings.wires("typed", [2, 0, 0, 0, 0, 4], Over::Console);
    assert!(surroundings.console("typed").is_some());
    assert!(surroundings.console("stranger").is_none());
    assert_eq!(surroundings.station_address("device"), None);
    let reference = enrollee(world, trace);
    let known = surroundings
        .enrollee(reference.clone())
        .await
        .expect("it is known");
    assert_eq!(known.over, reference.over);

    // A device that lets no phone in is its own fault, within a bound.
    let visit = surroundings.visit("alice", "device", &known, Duration::from_secs(5));
    let visited = trace.clock().timeout(BOUND, visit).await.expect("it ends");
    match visited {
        Err(VisitError::Device(_)) => {}
        Err(VisitError::Surroundings(error)) => panic!("not the device's: {error}"),
        Ok(_) => panic!("there is no such network"),
    }

    // A seat on the LAN is given, and given again once it was dropped.
    for _ in 0..2 {
        let seat = surroundings.lan("alice").await.expect("there is a LAN");
        assert!(seat.is_some());
    }

    // What cannot be done is refused, and nothing is changed.
    let before = trace.len();
    let refused = surroundings.set_bluetooth_fault(&["device"], &Fault::BluetoothSilent, true);
    assert!(matches!(refused, Err(LabError::Scenario(_))), "{refused:?}");
    assert_eq!(trace.len(), before);

    // Witnesses testify and do nothing else.
    surroundings.testify().await;
    let since = trace.events_from(before);
    assert!(
        since
            .into_iter()
            .all(|event| event.source == Source::Witness)
    );
    surroundings.end().await.expect("all is put back");
    // What is known of devices does not change in a case.
    assert_eq!(surroundings.are_devices_known(), heeds);
}

#[tokio::test]
async fn the_lab_obeys() {
    let (world, trace) = (world(), Trace::in_memory(Clock::start(1000.0)));
    let mut lab = Lab::start(&world, &trace).await.expect("a lab");
    obeys(&mut lab, &world, &trace, true).await;
}

/// In a process of its own, whose system bus is a private one.
#[test]
fn a_hosts_rig_obeys() {
    let name = "attempt::surroundings::conformance::a_hosts_rig_obeys";
    if std::env::var_os(OWN_BUS).is_none() {
        let bus = format!("unix:abstract=surroundings-{}", std::process::id());
        let own = std::env::current_exe().expect("this test");
        let output = Command::new(own)
            .args(["--exact", name, "--nocapture"])
            .env(OWN_BUS, "1")
            .env(board::SYSTEM_BUS, bus)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{output:?}"
        );
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(hosts_rig());
}

async fn hosts_rig() {
    let (world, trace) = (world(), Trace::in_memory(Clock::start(1.0)));
    let bus = std::env::var(board::SYSTEM_BUS).expect("set above");
    private_bus::start(&bus).expect("a bus");
    let network = |ssid: String, passphrase: Option<&str>| HostNetwork {
        ssid,
        passphrase: passphrase.map(str::to_owned),
        address: Some(Ipv4Addr::LOCALHOST),
    };
    let service = enrollee(&world, &trace).service_name;
    // The device's network wants a passphrase that its owner does not know.
    let networks = [
        network("office".to_owned(), None),
        network(service, Some("of another device")),
    ];
    let host = NetworkManagerStandIn::start(&trace, &bus, "wlan1", &networks);
    let host = host.await.expect("a stand-in");
    let rig = Rig::parse("rig.toml".as_ref(), RIG).expect("a rig");
    let board = rig.boards["dut"].clone();
    let alice = BTreeSet::from(["alice"]);
    let mut surroundings = HostRig::new(rig, board, (alice.clone(), alice), &trace);
    // What the rig file names no command for is refused as such.
    let settings = world.access_points.iter().next().expect("one").1;
    let made = AccessPointValues {
        ssid: "made".to_owned().into_bytes().into(),
        passphrase: String::new(),
    };
    let values = surroundings.access_point("home", settings, made).await;
    assert_eq!(values.expect("it is there").ssid.to_string(), "lab");
    let switched = surroundings.switch("home", Switched::Power, false).await;
    assert!(
        matches!(switched, Err(LabError::Scenario(_))),
        "{switched:?}"
    );
    obeys(&mut surroundings, &world, &trace, false).await;
    assert_eq!(
        host.connected_to().as_deref(),
        Some("office"),
        "the host is where it was"
    );
    let other = surroundings.lan("mallory").await.expect("no error");
    assert!(other.is_none(), "a phone that needs no seat gets none");
}
