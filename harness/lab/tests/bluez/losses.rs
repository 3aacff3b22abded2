//! A phone provisions a device whose radio fails meanwhile.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lab::bluetooth::{BleLinkDropped, RadioFaults};
use phone::{
    Ble, BleSettings, Bluetooth, Credentials, Outcome, ProvisioningClient, ProvisioningError,
    Settings, Tolerance, Transport, Wanted,
};

use crate::lamp::{Lamp, NAME, PASSPHRASE, POP, SSID, logged};
use crate::phone::{Case, Phone};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    ("a_link_that_is_lost_anywhere_is_made_again", |bus| {
        lost(bus).boxed_local()
    }),
    ("a_slow_link_is_slow_and_nothing_else", |bus| {
        slow(bus).boxed_local()
    }),
    ("waiting_for_a_device_costs_no_time_of_the_host", |bus| {
        waited(bus).boxed_local()
    }),
    ("a_device_that_nobody_hears_is_not_found", |bus| {
        unheard(bus).boxed_local()
    }),
];

/// Provisions the device as an app does in the field.
async fn provision(world: &World, bus: &str) -> Result<Outcome, ProvisioningError> {
    let _phone = Phone::new(world, bus).await;
    let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
    let wanted = Wanted {
        name: Some(NAME.to_owned()),
        service: None,
    };
    let ble = Ble::new(
        bluetooth.expect("an adapter"),
        wanted,
        BleSettings::default(),
    );
    let settings = Settings {
        pop: Some(POP.to_owned()),
        tolerance: Tolerance::FIELD,
        ..Settings::of("app")
    };
    let mut client = ProvisioningClient::over(Box::new(ble), settings, world.trace.clone());
    let outcome = client.provision(&Credentials::new(SSID, PASSPHRASE)).await;
    client.close().await;
    outcome
}

fn assert_connected(outcome: &Result<Outcome, ProvisioningError>, when: &str) {
    assert!(
        matches!(outcome, Ok(Outcome::Connected(_))),
        "{when}: {outcome:?}"
    );
}

async fn lost(bus: String) {
    let mut after = 60;
    // Until provisioning needs no more bytes than that.
    loop {
        let world = World::new();
        let lamp = Lamp::start(&world, |_| {}).await;
        let faults = RadioFaults {
            drop_after: Some(after),
            ..RadioFaults::default()
        };
        world.ether.set_faults("lamp", faults);
        let outcome = provision(&world, &bus).await;
        assert_connected(&outcome, &format!("lost after {after} bytes"));
        assert_eq!(logged(&world, "Provisioning successful"), 1);
        lamp.stop().await;
        let lost = world.events::<BleLinkDropped>().len();
        if lost == 0 {
            break;
        }
        assert_eq!(lost, 1);
        after += 130;
    }
    assert!(after > 1000, "hardly anything went wrong: {after}");
}

async fn slow(bus: String) {
    let world = World::new();
    let lamp = Lamp::start(&world, |_| {}).await;
    let faults = RadioFaults {
        rssi: -92,
        latency: Duration::from_millis(50),
        bytes_per_second: Some(400),
        ..RadioFaults::default()
    };
    world.ether.set_faults("lamp", faults);
    let (began, host_began) = (world.clock.now(), Instant::now());
    let outcome = provision(&world, &bus).await;
    assert_connected(&outcome, "slow");
    let took = world.clock.now().since(began);
    assert!(took > Duration::from_secs(5), "{took:?}");
    println!(
        "{took:?} of lab time took {:?} of the host's",
        host_began.elapsed()
    );
    lamp.stop().await;
}

/// Only one answer is under way at a time, and takes seconds.
async fn waited(bus: String) {
    let world = World::new();
    let lamp = Lamp::start(&world, |_| {}).await;
    let _phone = Phone::new(&world, &bus).await;
    let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
    let wanted = Wanted {
        name: Some(NAME.to_owned()),
        service: None,
    };
    let settings = BleSettings::default();
    let mut ble = Ble::new(bluetooth.expect("an adapter"), wanted, settings);
    ble.endpoints().await.expect("connected");
    let faults = RadioFaults {
        latency: Duration::from_secs(2),
        ..RadioFaults::default()
    };
    world.ether.set_faults("lamp", faults);
    let (began, host_began) = (world.clock.now(), Instant::now());
    for _ in 0..5 {
        let answer = ble.send("proto-ver", b"---").await.expect("in time");
        assert!(!answer.is_empty());
    }
    let (lab, host) = (world.clock.now().since(began), host_began.elapsed());
    assert!(lab >= Duration::from_secs(40), "{lab:?}");
    assert!(host < lab / 2, "{lab:?} took {host:?}");
    world.ether.set_faults("lamp", RadioFaults::default());
    ble.close().await;
    lamp.stop().await;
}

async fn unheard(bus: String) {
    let world = World::new();
    let lamp = Lamp::start(&world, |_| {}).await;
    let faults = RadioFaults {
        unheard: true,
        ..RadioFaults::default()
    };
    world.ether.set_faults("lamp", faults);
    let outcome = provision(&world, &bus).await.expect("an outcome");
    assert!(
        matches!(&outcome, Outcome::Unreachable { why } if why.contains("did not advertise within")),
        "{outcome}"
    );
    world.ether.set_faults("lamp", RadioFaults::default());
    assert_connected(&provision(&world, &bus).await, "heard again");
    lamp.stop().await;
}
