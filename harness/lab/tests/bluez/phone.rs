//! What a phone does.

use std::time::Duration;

use btleplug::api::{
    Central, CentralEvent, CharPropFlags, Manager as _, Peripheral as _, ScanFilter, WriteType,
};
use btleplug::platform::{Adapter, Manager, Peripheral};
use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use lab::bluetooth::{BleConnected, BluezPhone, BluezStandIn, RadioFaults};
use phone::{Ble, BleSettings, Bluetooth, Transport, Wanted};

use crate::hosts::{NAME, advertise, hosts, serve};
use crate::world::World;

pub type Case = fn(String) -> LocalBoxFuture<'static, ()>;

pub const CASES: &[(&str, Case)] = &[
    ("a_device_is_found_and_tells_what_it_has", |bus| {
        found(bus).boxed_local()
    }),
    ("values_of_any_length_are_written_and_read", |bus| {
        exchanged(bus).boxed_local()
    }),
    ("a_device_that_disconnects_is_missed", |bus| {
        left(bus).boxed_local()
    }),
    ("a_phone_disconnects_and_comes_back", |bus| {
        came_back(bus).boxed_local()
    }),
    ("a_device_that_is_not_there_cannot_be_connected_to", |bus| {
        absent(bus).boxed_local()
    }),
    ("a_lost_link_is_noticed", |bus| lost(bus).boxed_local()),
    ("a_device_that_cannot_be_provisioned_is_hung_up_on", |bus| {
        useless(bus).boxed_local()
    }),
    ("a_phone_that_gives_up_connecting_hangs_up", |bus| {
        gave_up(bus).boxed_local()
    }),
];

/// A phone on the private bus.
pub struct Phone {
    pub stand_in: BluezStandIn,
    pub adapter: Adapter,
}

impl Phone {
    pub async fn new(world: &World, bus: &str) -> Self {
        let phones = [BluezPhone {
            name: "app".to_owned(),
            address: [0x02, 0, 0, 0, 0, 0x0A],
        }];
        let stand_in = BluezStandIn::start(&world.ether, &world.clock, bus, &phones)
            .await
            .expect("a stand-in");
        let manager = Manager::new().await.expect("a manager");
        let adapters = manager.adapters().await.expect("adapters");
        let [adapter] = &adapters[..] else {
            panic!("{} adapters", adapters.len());
        };
        Self {
            adapter: adapter.clone(),
            stand_in,
        }
    }

    /// Scans until the device is there with its name.
    pub async fn find(&self, name: &str) -> Peripheral {
        let mut events = self.adapter.events().await.expect("events");
        self.adapter
            .start_scan(ScanFilter::default())
            .await
            .expect("scanning");
        while let Some(event) = events.next().await {
            let (CentralEvent::DeviceDiscovered(id) | CentralEvent::DeviceUpdated(id)) = event
            else {
                continue;
            };
            // One of which an event is left may be gone.
            let Ok(device) = self.adapter.peripheral(&id).await else {
                continue;
            };
            let properties = device
                .properties()
                .await
                .expect("properties")
                .expect("some");
            if properties.advertisement_name.as_deref() == Some(name) {
                self.adapter.stop_scan().await.expect("stopped");
                return device;
            }
        }
        panic!("no device");
    }

    pub async fn connect(&self, name: &str) -> Peripheral {
        let device = self.find(name).await;
        device.connect().await.expect("connected");
        device.discover_services().await.expect("discovered");
        device
    }
}

async fn write(device: &Peripheral, value: &[u8]) -> btleplug::Result<()> {
    let characteristic = device.characteristics().pop_first().expect("one");
    device
        .write(&characteristic, value, WriteType::WithResponse)
        .await
}

async fn read(device: &Peripheral) -> btleplug::Result<Vec<u8>> {
    let characteristic = device.characteristics().pop_first().expect("one");
    device.read(&characteristic).await
}

/// Runs a device that serves whoever connects, and a phone until it is done.
async fn with_device(world: &World, phone_side: impl Future<Output = ()>) {
    hosts(world, async |device, _, _| {
        let device_side = async {
            loop {
                serve(advertise(device).await).await;
            }
        };
        match select(device_side, phone_side).await {
            Either::First(never) => never,
            Either::Second(()) => {}
        }
    })
    .await;
}

async fn found(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    world.ether.set_faults(
        "device",
        RadioFaults {
            rssi: -61,
            ..Default::default()
        },
    );
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let device = phone.find(NAME).await;
        let known = async || {
            let properties = device.properties().await;
            properties.expect("properties").expect("some")
        };
        // How strong it is, is known only while somebody listens.
        assert_eq!(known().await.rssi, None);
        let everything = ScanFilter::default();
        phone
            .adapter
            .start_scan(everything)
            .await
            .expect("scanning");
        while known().await.rssi.is_none() {
            tokio::task::yield_now().await;
        }
        let properties = known().await;
        phone.adapter.stop_scan().await.expect("stopped");
        assert_eq!(properties.address.to_string(), "24:0A:C4:00:00:01");
        assert_eq!(properties.local_name.as_deref(), Some(NAME));
        assert_eq!(properties.rssi, Some(-61));
        let services: Vec<String> = properties
            .services
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(services, ["07070707-0707-0707-0707-070707070707"]);
        assert!(!device.is_connected().await.expect("known"));

        device.connect().await.expect("connected");
        assert!(device.is_connected().await.expect("known"));
        device.discover_services().await.expect("discovered");
        assert_eq!(device.mtu(), 256);
        let characteristic = device.characteristics().pop_first().expect("one");
        assert_eq!(
            characteristic.uuid.to_string(),
            "08080808-0808-0808-0808-080808080808"
        );
        assert_eq!(
            characteristic.properties,
            CharPropFlags::READ | CharPropFlags::WRITE
        );
        let descriptor = characteristic.descriptors.first().expect("one");
        assert_eq!(descriptor.uuid.as_u128() >> 96, 0x2901);
        assert_eq!(
            device.read_descriptor(descriptor).await.expect("read"),
            b"echo"
        );
        assert_eq!(read(&device).await.expect("read"), b"");
        device.disconnect().await.expect("disconnected");
        assert!(!device.is_connected().await.expect("known"));
    })
    .await;
}

async fn exchanged(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let device = phone.connect(NAME).await;
        for length in [0, 1, 20, 253, 254, 400, 481, 511] {
            let value = vec![b'x'; length];
            write(&device, &value).await.expect("written");
            let expected = [&value[..], b"!"].concat();
            assert_eq!(read(&device).await.expect("read"), expected, "{length}");
        }
        let error = write(&device, &[0; 513]).await.expect_err("too long");
        assert!(error.to_string().contains("Invalid Length"), "{error}");
    })
    .await;
    let connected: Vec<BleConnected> = world.events();
    assert_eq!(connected[0].central, "app");
}

async fn left(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let device = phone.connect(NAME).await;
        let mut events = phone.adapter.events().await.expect("events");
        // The end may overtake the answer.
        let _ = write(&device, b"bye").await;
        loop {
            if let CentralEvent::DeviceDisconnected(id) = events.next().await.expect("an event") {
                assert_eq!(id, device.id());
                break;
            }
        }
        assert!(!device.is_connected().await.expect("known"));
        read(&device).await.expect_err("not connected");
    })
    .await;
}

async fn came_back(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        for _ in 0..3 {
            let device = phone.connect(NAME).await;
            write(&device, b"hello").await.expect("written");
            assert_eq!(read(&device).await.expect("read"), b"hello!");
            device.disconnect().await.expect("disconnected");
        }
    })
    .await;
    let connected: Vec<BleConnected> = world.events();
    assert_eq!(connected.len(), 3);
}

async fn absent(bus: String) {
    let world = World::new();
    let busy = world.clock.busy();
    hosts(&world, async |device, _, _| {
        let phone = async {
            let phone = Phone::new(&world, &bus).await;
            (phone.find(NAME).await, phone)
        };
        let (found, phone) = match select(advertise(device), phone).await {
            Either::First(_) => panic!("nobody connects"),
            Either::Second(found) => found,
        };
        drop(busy);
        let error = found.connect().await.expect_err("not there");
        assert!(
            error.to_string().contains("le-connection-abort-by-local"),
            "{error}"
        );
        drop(phone);
    })
    .await;
    assert!(world.clock.now().since_start() >= Duration::from_secs(20));
}

/// A client for provisioning, of a device that offers none.
async fn client(world: &World) -> Ble {
    let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
    let wanted = Wanted {
        name: Some(NAME.to_owned()),
        service: None,
    };
    Ble::new(
        bluetooth.expect("an adapter"),
        wanted,
        BleSettings::default(),
    )
}

async fn useless(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let mut ble = client(&world).await;
        let error = ble.endpoints().await.expect_err("nothing of use");
        assert!(error.to_string().contains(NAME), "{error}");
        let device = phone.find(NAME).await;
        assert!(!device.is_connected().await.expect("known"));
    })
    .await;
    assert_eq!(world.events::<BleConnected>().len(), 1);
}

async fn gave_up(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let mut ble = client(&world).await;
        let connected = async {
            while world.events::<BleConnected>().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        // The connection is there, what the device has is not known yet.
        match select(ble.endpoints(), connected).await {
            Either::First(ended) => panic!("so soon: {ended:?}"),
            Either::Second(()) => {}
        }
        ble.close().await;
        let device = phone.find(NAME).await;
        assert!(!device.is_connected().await.expect("known"));
    })
    .await;
}

async fn lost(bus: String) {
    let world = World::new();
    let busy = world.clock.busy();
    with_device(&world, async {
        let phone = Phone::new(&world, &bus).await;
        let device = phone.connect(NAME).await;
        world.ether.set_faults(
            "device",
            RadioFaults {
                drop_after: Some(150),
                ..Default::default()
            },
        );
        let mut events = phone.adapter.events().await.expect("events");
        drop(busy);
        let gone = async {
            while !matches!(
                events.next().await,
                Some(CentralEvent::DeviceDisconnected(_))
            ) {}
        };
        let (written, ()) = join(write(&device, &[1; 240]), gone).await;
        let error = written.expect_err("lost");
        assert!(error.to_string().contains("Not Connected"), "{error}");
    })
    .await;
}
