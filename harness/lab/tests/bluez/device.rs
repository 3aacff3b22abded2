//! The firmware's BLE scheme, as a phone meets it.

use std::time::Duration;

use board::Board;
use btleplug::api::{Central, CentralEvent, Characteristic, Peripheral as _, WriteType};
use btleplug::platform::Peripheral;
use factory::{Ble, BluetoothStack, Factory, Scheme, Security};
use futures_util::{FutureExt, StreamExt};
use lab::air::Air;
use lab::native::{NativeBoard, NativeSettings};
use lab::wire::Wire;
use trace::LogLine;

use crate::phone::{Case, Phone};
use crate::world::World;

const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01];
const NAME: &str = "PROV_0ABC01";

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
];

/// A device that is provisioned over BLE, with power.
struct Device {
    board: NativeBoard,
    _air: Air,
    _folder: tempfile::TempDir,
}

impl Device {
    async fn start(world: &World, ble: Ble) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = NativeSettings {
            device: "lamp".to_owned(),
            folder: folder.path().to_owned(),
            executable: std::env::current_exe().expect("this binary"),
            arguments: vec!["__device".into()],
        };
        let air = Air::new(world.trace.clone());
        let (board_end, lab_end) = Wire::pair(&world.clock);
        world.ether.attach("lamp", MAC, lab_end);
        let link = air.attach("lamp");
        let mut board = NativeBoard::new(settings, world.trace.clone(), link).with_hci(board_end);
        let mut factory = Factory::default();
        factory.identity.mac = MAC;
        factory.provisioning.scheme = Scheme::Ble(ble);
        factory.provisioning.security = Security::V1 {
            pop: "abcd1234".into(),
        };
        let image = factory.encode();
        board.write_factory(&image).await.expect("written");
        board.power_on().await.expect("power");
        Self {
            board,
            _air: air,
            _folder: folder,
        }
    }

    async fn stop(mut self) {
        self.board.power_off().await.expect("no power");
    }
}

/// The characteristic of an endpoint, by the name beside it.
async fn endpoint(device: &Peripheral, name: &str) -> Characteristic {
    for characteristic in device.characteristics() {
        for descriptor in &characteristic.descriptors {
            if device.read_descriptor(descriptor).await.expect("read") == name.as_bytes() {
                return characteristic;
            }
        }
    }
    panic!("no {name}");
}

async fn ask(device: &Peripheral, name: &str, request: &[u8]) -> btleplug::Result<Vec<u8>> {
    let characteristic = endpoint(device, name).await;
    device
        .write(&characteristic, request, WriteType::WithResponse)
        .await?;
    device.read(&characteristic).await
}

fn logged(world: &World, text: &str) -> usize {
    let lines: Vec<LogLine> = world.events();
    lines.iter().filter(|line| line.text == text).count()
}

async fn endpoints(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let device = Device::start(&world, Ble::default()).await;
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
    let device = Device::start(&world, Ble::default()).await;
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
    let bluedroid = Ble {
        stack: BluetoothStack::Bluedroid,
        ..Ble::default()
    };
    let device = Device::start(&world, bluedroid).await;
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
    let device = Device::start(&world, Ble::default()).await;
    let phone = Phone::new(&world, &bus).await;
    for round in 1..=3 {
        let found = phone.connect(NAME).await;
        let characteristic = endpoint(&found, "proto-ver").await;
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
