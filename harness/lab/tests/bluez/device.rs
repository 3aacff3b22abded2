//! The firmware's BLE scheme, as a phone meets it.

use std::time::Duration;

use btleplug::api::{Central, CentralEvent, Peripheral as _};
use factory::{Ble, BluetoothStack, Scheme};
use futures_util::{FutureExt, StreamExt};

use crate::lamp::{Lamp, NAME, ask, endpoint, logged};
use crate::phone::{Case, Phone};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    ("a_device_shows_its_endpoints", |bus| {
        endpoints(bus).boxed_local()
    }),
    ("what_the_device_refuses_is_an_att_error", |bus| {
        refused(bus).boxed_local()
    }),
    (
        "with_bluedroid_what_it_refuses_ends_the_connection",
        |bus| killed(bus).boxed_local(),
    ),
    ("a_phone_that_goes_takes_its_session_with_it", |bus| {
        gone(bus).boxed_local()
    }),
    (
        "bytes_of_att_go_past_bluez_and_what_is_answered_comes_back",
        |bus| past_bluez(bus).boxed_local(),
    ),
];

async fn endpoints(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    let found = phone.connect(NAME).await;
    let mut uuids = Vec::new();
    for characteristic in found.characteristics() {
        let descriptor = characteristic.descriptors.first().expect("one");
        let name = found.read_descriptor(descriptor).await.expect("read");
        let name = String::from_utf8(name).expect("text");
        uuids.push((characteristic.uuid.to_string()[..8].to_owned(), name));
    }
    uuids.sort();
    let expected = [
        ("021aff4f", "prov-ctrl"),
        ("021aff50", "prov-scan"),
        ("021aff51", "prov-session"),
        ("021aff52", "prov-config"),
        ("021aff53", "proto-ver"),
        ("021aff54", "custom-data"),
    ];
    let shown: Vec<(&str, &str)> = uuids
        .iter()
        .map(|(id, name)| (&id[..], &name[..]))
        .collect();
    assert_eq!(shown, expected);
    let version = ask(&found, "proto-ver", b"---").await.expect("answered");
    assert!(
        String::from_utf8_lossy(&version).contains("\"sec_ver\":\t1"),
        "{version:?}"
    );
    assert_eq!(logged(&world, "BLE transport: Connected!"), 1);
    device.stop().await;
}

async fn refused(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    let found = phone.connect(NAME).await;
    for request in [vec![0xFF; 20], vec![0xFF; 400]] {
        let error = ask(&found, "prov-session", &request)
            .await
            .expect_err("no session");
        assert!(error.to_string().contains("ATT error: 0x04"), "{error}");
    }
    let long = ask(&found, "prov-session", &[1; 482])
        .await
        .expect_err("too long");
    assert!(long.to_string().contains("Invalid Length"), "{long}");
    // Nothing is nothing, and the connection is as good as before.
    ask(&found, "prov-session", &[]).await.expect("ignored");
    ask(&found, "proto-ver", b"---").await.expect("answered");
    device.stop().await;
}

async fn killed(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Lamp::start(&world, |factory| {
        factory.provisioning.scheme = Scheme::Ble(Ble {
            stack: BluetoothStack::Bluedroid,
            ..Ble::default()
        });
    })
    .await;
    let phone = Phone::new(&world, &bus).await;
    let found = phone.connect(NAME).await;
    let mut events = phone.adapter.events().await.expect("events");
    ask(&found, "prov-session", &[0xFF; 20])
        .await
        .expect_err("no session");
    while !matches!(
        events.next().await,
        Some(CentralEvent::DeviceDisconnected(_))
    ) {}
    assert_eq!(
        logged(&world, "Invalid content received, killing connection"),
        1
    );
    device.stop().await;
}

async fn gone(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    for round in 1..=3 {
        let found = phone.connect(NAME).await;
        let characteristic = endpoint(&found, "proto-ver").await.expect("there");
        let left = found.read(&characteristic).await.expect("read");
        assert_eq!(left, b"", "what the phone before has left");
        ask(&found, "proto-ver", b"---").await.expect("answered");
        found.disconnect().await.expect("disconnected");
        while logged(&world, "BLE transport: Disconnected!") < round {
            world.clock.sleep(Duration::from_millis(10)).await;
        }
    }
    device.stop().await;
}

async fn past_bluez(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    let way = phone.stand_in.raw_attributes(0).expect("it is there");
    assert!(phone.stand_in.raw_attributes(1).is_none());
    assert_eq!(way.ask([2; 6], vec![0x0A]).await, None, "nobody's address");
    let found = phone.connect(NAME).await;
    let address = found.address().into_inner();
    let send = |pdu: &[u8]| {
        let (way, clock, pdu) = (way.clone(), world.clock.clone(), pdu.to_vec());
        async move {
            let asked = clock.timeout(Duration::from_secs(1), way.ask(address, pdu));
            asked.await.ok().map(|answer| answer.expect("a link"))
        }
    };
    // Twice, as the device has one answer for each; and an empty PDU is answered by nothing.
    for _ in 0..2 {
        let error = send(&[0x0A, 3]).await.expect("an error");
        assert_eq!(error[..2], [0x01, 0x0A], "{error:02x?}");
        assert_eq!(send(&[]).await, None);
    }
    let name = send(&[0x0A, 3, 0]).await.expect("the device's name");
    assert_eq!(name[0], 0x0B);
    assert_eq!(name[1..], NAME.as_bytes()[..name.len() - 1]);
    // Nothing of that is BlueZ's, whose next request is answered by its own answer.
    let version = ask(&found, "proto-ver", b"---").await;
    let version = String::from_utf8(version.expect("answered")).expect("text");
    assert!(version.contains("\"sec_ver\":\t1"), "{version}");
    found.disconnect().await.expect("disconnected");
    assert_eq!(way.ask(address, vec![0x0A, 3, 0]).await, None);
    device.stop().await;
}
