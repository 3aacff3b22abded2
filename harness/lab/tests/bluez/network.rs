//! A phone joins a SoftAP through the stand-in for NetworkManager.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lab::network_manager::{HostNetwork, HostWifiSwitched, NetworkManagerStandIn};
use phone::{JoinedWifi, WifiError, WifiSettings};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::phone::Case;
use crate::world::World;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 2);

pub const CASES: &[(&str, Case)] = &[
    ("a_soft_ap_is_joined_and_left", |bus| {
        joined(bus).boxed_local()
    }),
    ("a_wrong_passphrase_changes_nothing", |bus| {
        refused(bus).boxed_local()
    }),
    ("what_cannot_be_joined_is_said", |bus| {
        said(bus).boxed_local()
    }),
    (
        "a_phone_that_ends_without_leaving_leaves_nothing_behind",
        |bus| ended(bus).boxed_local(),
    ),
    ("a_phone_that_is_killed_leaves_nothing_behind", |bus| {
        killed(bus).boxed_local()
    }),
    ("what_a_killed_phone_has_left_is_taken_over", |bus| {
        followed(bus).boxed_local()
    }),
    ("what_another_program_keeps_is_left_alone", |bus| {
        kept(bus).boxed_local()
    }),
    (
        "a_phone_that_gives_up_joining_restores_what_was_before",
        |bus| dropped(bus).boxed_local(),
    ),
    ("a_phone_that_is_stopped_restores_what_was_before", |bus| {
        stopped(bus).boxed_local()
    }),
    ("nobody_joins_anything_without_being_told", |bus| {
        untold(bus).boxed_local()
    }),
];

async fn host(world: &World, bus: &str) -> NetworkManagerStandIn {
    let network = |ssid: &str, passphrase: Option<&str>, address| HostNetwork {
        ssid: ssid.to_owned(),
        passphrase: passphrase.map(str::to_owned),
        address,
    };
    let networks = [
        network(
            "home",
            Some("correct horse"),
            Some(Ipv4Addr::new(10, 0, 0, 2)),
        ),
        network("PROV_0ABC01", Some("abcd1234"), Some(ADDRESS)),
        network("PROV_MUTE", None, None),
    ];
    NetworkManagerStandIn::start(&world.trace, bus, "wlan0", &networks)
        .await
        .expect("a stand-in")
}

fn soft_ap(passphrase: &str) -> WifiSettings {
    WifiSettings {
        passphrase: Some(passphrase.to_owned()),
        ..WifiSettings::of("wlan0", "PROV_0ABC01")
    }
}

async fn joined(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let joined = JoinedWifi::join(&soft_ap("abcd1234"), &world.clock)
        .await
        .expect("joined");
    assert_eq!(joined.address(), ADDRESS);
    assert_eq!(host.connected_to().as_deref(), Some("PROV_0ABC01"));
    // The checkpoint is renewed as long as the phone is there.
    world.clock.sleep(Duration::from_secs(300)).await;
    assert_eq!(host.connected_to().as_deref(), Some("PROV_0ABC01"));
    joined.leave().await.expect("left");
    // NetworkManager answers when it begins to connect.
    assert_eq!(host.connected_to().as_deref(), Some("home"));
}

/// What the interface was connected to since `from`, one after the other.
fn switched(world: &World, from: usize) -> Vec<(Option<String>, String)> {
    let switched: Vec<HostWifiSwitched> = world.events();
    let switched = switched.into_iter().skip(from);
    switched
        .map(|switched| (switched.to, switched.why))
        .collect()
}

/// What is to be seen once a phone is gone that did not leave: home is lost once, and no more.
fn once_home_again() -> Vec<(Option<String>, String)> {
    vec![
        (None, "the checkpoint ran out".to_owned()),
        (Some("home".to_owned()), "connected as before".to_owned()),
    ]
}

async fn refused(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let error = JoinedWifi::join(&soft_ap("wrong horse"), &world.clock)
        .await
        .expect_err("refused");
    assert!(
        matches!(error, WifiError::Refused { reason: 7, .. }),
        "{error}"
    );
    assert_eq!(host.connected_to().as_deref(), Some("home"));
}

async fn said(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let join = async |settings: WifiSettings| {
        let failed = JoinedWifi::join(&settings, &world.clock).await;
        failed.expect_err("it cannot be").to_string()
    };
    let other = join(WifiSettings::of("wlan9", "PROV_0ABC01")).await;
    assert!(other.contains("has no interface wlan9"), "{other}");
    let mute = join(WifiSettings {
        join: Duration::from_secs(4),
        ..WifiSettings::of("wlan0", "PROV_MUTE")
    });
    let mute = mute.await;
    assert!(
        mute.contains("does the device's DHCP server run?"),
        "{mute}"
    );
    let absent = join(WifiSettings {
        search: Duration::from_secs(3),
        ..WifiSettings::of("wlan0", "PROV_NOBODY")
    });
    let absent = absent.await;
    assert!(
        absent.contains("has the device started its SoftAP"),
        "{absent}"
    );
    assert_eq!(host.connected_to().as_deref(), Some("home"));
}

/// A phone on a runtime of its own, which ends without a goodbye.
async fn ended(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let clock = world.clock.clone();
    let busy = world.clock.busy();
    let (done, joined) = tokio::sync::oneshot::channel();
    let phone = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let joined = runtime.block_on(JoinedWifi::join(&soft_ap("abcd1234"), &clock));
        // It does not leave: nothing runs any more when it ends.
        runtime.shutdown_background();
        drop(joined.expect("joined"));
        done.send(()).expect("somebody waits");
    });
    joined.await.expect("joined");
    phone.join().expect("it ended");
    drop(busy);
    world.clock.sleep(Duration::from_secs(90)).await;
    assert_eq!(host.connected_to().as_deref(), Some("home"));
    assert_eq!(switched(&world, 2), once_home_again());
}

/// What this binary does when it is started as [`PHONE`]: joins, says so, and waits to be killed.
pub fn phone() -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let joined = runtime.block_on(async {
        let clock = clock::Clock::start(1.0);
        JoinedWifi::join(&soft_ap("abcd1234"), &clock).await
    });
    let joined = joined.expect("joined");
    println!("joined {}", joined.address());
    loop {
        std::thread::park();
    }
}

/// The argument that makes this binary a phone.
pub const PHONE: &str = "__phone";

/// A phone in a process of its own, which has joined.
async fn elsewhere(host: &NetworkManagerStandIn) -> Child {
    let mut phone = Command::new(std::env::current_exe().expect("this binary"))
        .arg(PHONE)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let mut said = BufReader::new(phone.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).await.expect("a line");
    assert_eq!(line, format!("joined {ADDRESS}\n"));
    assert_eq!(host.connected_to().as_deref(), Some("PROV_0ABC01"));
    phone
}

async fn killed(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let busy = world.clock.busy();
    let mut phone = elsewhere(&host).await;
    phone.kill().await.expect("killed");
    let before = switched(&world, 0).len();
    drop(busy);
    world.clock.sleep(Duration::from_secs(90)).await;
    assert_eq!(host.connected_to().as_deref(), Some("home"));
    assert_eq!(switched(&world, before), once_home_again());
}

/// What a phone that was killed has left is what the next one goes back to.
async fn followed(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let busy = world.clock.busy();
    let mut phone = elsewhere(&host).await;
    phone.kill().await.expect("killed");
    let joined = JoinedWifi::join(&soft_ap("abcd1234"), &world.clock).await;
    let joined = joined.expect("joined at once");
    assert!(world.clock.now().since_start() < Duration::from_secs(15));
    assert_eq!(host.connected_to().as_deref(), Some("PROV_0ABC01"));
    joined.leave().await.expect("left");
    assert_eq!(host.connected_to().as_deref(), Some("home"));
    let before = switched(&world, 0).len();
    drop(busy);
    world.clock.sleep(Duration::from_secs(90)).await;
    assert_eq!(switched(&world, before), []);
}

/// What another program has kept is left alone.
async fn kept(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let other = zbus::connection::Builder::address(bus.as_str())
        .build()
        .await
        .expect("on the bus");
    let manager = "/org/freedesktop/NetworkManager";
    let device = zbus::ObjectPath::try_from("/org/freedesktop/NetworkManager/Devices/1");
    let arguments = (vec![device.expect("a path")], 600_u32, 0_u32);
    let name = "org.freedesktop.NetworkManager";
    other
        .call_method(
            Some(name),
            manager,
            Some(name),
            "CheckpointCreate",
            &arguments,
        )
        .await
        .expect("kept");
    let failed = JoinedWifi::join(&soft_ap("abcd1234"), &world.clock).await;
    let error = failed.expect_err("it is kept").to_string();
    assert!(
        error.contains("another program keeps a checkpoint of wlan0"),
        "{error}"
    );
    assert_eq!(host.connected_to().as_deref(), Some("home"));
    assert_eq!(switched(&world, 0), []);
}

/// A phone that is given up in the middle of joining goes back, too.
async fn dropped(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    let settings = WifiSettings::of("wlan0", "PROV_MUTE");
    let limit = Duration::from_secs(10);
    let joining = JoinedWifi::join(&settings, &world.clock);
    assert!(world.clock.timeout(limit, joining).await.is_err());
    // The bus takes time of the host, which the lab's clock does not tell.
    let began = Instant::now();
    while host.connected_to().as_deref() != Some("home") {
        assert!(began.elapsed() < Duration::from_secs(30), "it goes back");
        world.clock.sleep(Duration::from_millis(10)).await;
    }
    let why: Vec<String> = switched(&world, 0)
        .into_iter()
        .map(|(_, why)| why)
        .collect();
    assert!(why.contains(&"rolled back".to_owned()), "{why:?}");
}

async fn stopped(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    // It is joined, but never gives an address.
    let settings = WifiSettings::of("wlan0", "PROV_MUTE");
    let stop = async {
        while host.connected_to().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let joined = JoinedWifi::join_unless(&settings, &world.clock, stop).await;
    assert!(matches!(joined, Ok(Err(()))), "{joined:?}");
    assert_eq!(host.connected_to().as_deref(), Some("home"));
}

/// An interface of another kind, or of another name, is left alone, and so is the one that there is.
async fn untold(bus: String) {
    let world = World::new();
    let host = host(&world, &bus).await;
    for interface in ["", "eth0", "wlan1"] {
        let settings = WifiSettings::of(interface, "PROV_0ABC01");
        let failed = JoinedWifi::join(&settings, &world.clock).await;
        let error = failed.expect_err("there is no such interface").to_string();
        assert!(error.contains("has no interface"), "{error}");
    }
    world.clock.sleep(Duration::from_secs(90)).await;
    assert_eq!(host.connected_to().as_deref(), Some("home"));
    assert_eq!(world.events::<HostWifiSwitched>().len(), 0);
}
