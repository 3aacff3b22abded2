//! Bugs that can be put into the BLE scheme: each is seen, and without it nothing is.

use std::time::Duration;

use btleplug::api::{Central, CentralEvent, Peripheral as _, PeripheralProperties};
use btleplug::platform::Peripheral;
use factory::{AppInfo, Factory, Security};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use lab::bluetooth::BleAdvertisingSeen;
use phone::security::{Channel, Handshake, Step};
use phone::{
    Ble, BleSettings, Bluetooth, Credentials, Outcome, ProvisioningClient, Settings, Wanted,
};
use trace::LogLine;

use crate::lamp::{ADDRESS, Lamp, NAME, PASSPHRASE, POP, SSID, ask, endpoint, logged};
use crate::phone::{Case, Phone};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    ("a_wrong_service_in_the_advertisement_is_seen", |bus| {
        caught(bus, "wrong-service-advertised", service).boxed_local()
    }),
    ("a_missing_name_is_seen", |bus| {
        caught(bus, "name-not-advertised", name).boxed_local()
    }),
    ("a_device_that_is_silent_after_a_phone_is_seen", |bus| {
        caught(bus, "not-advertised-again", again).boxed_local()
    }),
    ("a_session_that_outlives_its_connection_is_seen", |bus| {
        caught(bus, "session-survives-disconnect", fresh).boxed_local()
    }),
    ("a_long_write_that_is_cut_off_is_seen", |bus| {
        caught(bus, "long-write-truncated", long_write).boxed_local()
    }),
    ("a_long_read_that_is_cut_off_is_seen", |bus| {
        caught(bus, "long-read-truncated", long_read).boxed_local()
    }),
    ("endpoints_without_names_are_seen", |bus| {
        caught(bus, "endpoint-name-missing", named).boxed_local()
    }),
    ("memory_that_is_kept_is_seen", |bus| {
        caught(bus, "memory-not-released", released).boxed_local()
    }),
    ("a_device_that_advertises_after_the_end_is_seen", |bus| {
        caught(bus, "advertised-after-the-end", silent).boxed_local()
    }),
];

/// That of [`factory::Ble::default`].
const SERVICE: &str = "021a9004-0382-4aea-bff4-6b3f1c5adfb4";
/// Longer than a device takes that advertises.
const SOON: Duration = Duration::from_secs(2);
/// Of a long write and a long read, of which an MTU of 256 needs two.
const LONG: usize = 400;

type Look = for<'s> fn(&'s Scene) -> LocalBoxFuture<'s, bool>;

/// A device with a bug or without, and a phone.
struct Scene {
    world: World,
    phone: Phone,
}

/// What `look` expects is so, unless the bug is in.
async fn caught(bus: String, bug: &str, look: Look) {
    for bugs in [vec![], vec![bug.to_owned()]] {
        let world = World::new();
        let busy = world.clock.busy();
        let lamp = Lamp::start(&world, |factory| {
            factory.bugs = bugs.clone();
            change(bug, factory);
        })
        .await;
        let phone = Phone::new(&world, &bus).await;
        let scene = Scene { world, phone };
        assert_eq!(look(&scene).await, bugs.is_empty(), "{bugs:?}");
        lamp.stop().await;
        drop(busy);
    }
}

/// What a look needs beside the bug.
fn change(bug: &str, factory: &mut Factory) {
    match bug {
        "long-write-truncated" => factory.provisioning.security = Security::None,
        "long-read-truncated" => {
            factory.provisioning.app_info.push(AppInfo {
                label: "lamp".to_owned(),
                version: "1".repeat(LONG / 2),
                capabilities: vec![],
            });
        }
        _ => {}
    }
}

impl Scene {
    /// The device, once it has told what is wanted; none if it does not do so soon.
    async fn find(&self, told: impl Fn(&PeripheralProperties) -> bool) -> Option<Peripheral> {
        let adapter = &self.phone.adapter;
        let mut events = adapter.events().await.expect("events");
        adapter
            .start_scan(Default::default())
            .await
            .expect("scanning");
        let search = async {
            while let Some(event) = events.next().await {
                let (CentralEvent::DeviceDiscovered(id) | CentralEvent::DeviceUpdated(id)) = event
                else {
                    continue;
                };
                let device = adapter.peripheral(&id).await.expect("discovered");
                let properties = device.properties().await.expect("there").expect("some");
                if properties.address.to_string() == ADDRESS && told(&properties) {
                    return Some(device);
                }
            }
            None
        };
        let found = self.world.clock.timeout(SOON, search).await;
        adapter.stop_scan().await.expect("stopped");
        found.ok().flatten()
    }

    async fn connect(&self) -> Peripheral {
        let found = self.find(|_| true).await.expect("there");
        found.connect().await.expect("connected");
        found.discover_services().await.expect("discovered");
        found
    }

    /// Provisions the device, and waits until its service has stopped.
    async fn provision(&self) {
        let clock = &self.world.clock;
        let bluetooth = Bluetooth::open(clock.clone(), None)
            .await
            .expect("an adapter");
        let wanted = Wanted {
            name: Some(NAME.to_owned()),
            service: None,
        };
        let ble = Ble::new(bluetooth, wanted, BleSettings::default());
        let settings = Settings {
            pop: Some(POP.to_owned()),
            ..Settings::of("app")
        };
        let trace = self.world.trace.clone();
        let mut client = ProvisioningClient::over(Box::new(ble), settings, trace);
        let outcome = client.provision(&Credentials::new(SSID, PASSPHRASE)).await;
        assert!(matches!(outcome, Ok(Outcome::Connected(_))), "{outcome:?}");
        client.close().await;
        while logged(&self.world, "Provisioning stopped") == 0 {
            clock.sleep(Duration::from_millis(10)).await;
        }
        clock.sleep(SOON).await;
    }
}

fn service(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let found = scene
            .find(|told| told.services.iter().any(|uuid| uuid.to_string() == SERVICE))
            .await;
        found.is_some()
    }
    .boxed_local()
}

fn name(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let named = |told: &PeripheralProperties| told.advertisement_name.as_deref() == Some(NAME);
        scene.find(named).await.is_some()
    }
    .boxed_local()
}

fn again(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let device = scene.connect().await;
        device.disconnect().await.expect("disconnected");
        let connected = scene.world.clock.timeout(SOON, device.connect()).await;
        matches!(connected, Ok(Ok(())))
    }
    .boxed_local()
}

async fn establish(device: &Peripheral) -> Channel {
    let mut handshake = Handshake::v1(POP);
    let mut request = handshake.start();
    loop {
        let answer = ask(device, "prov-session", &request)
            .await
            .expect("answered");
        match handshake.next(&answer).expect("the device's") {
            Step::Send(next) => request = next,
            Step::Done(channel) => return channel,
        }
    }
}

fn fresh(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let device = scene.connect().await;
        let mut channel = establish(&device).await;
        let request = channel.encrypt(b"hello").expect("encrypted");
        device.disconnect().await.expect("disconnected");
        device.connect().await.expect("connected");
        device.discover_services().await.expect("discovered");
        ask(&device, "custom-data", &request).await.is_err()
    }
    .boxed_local()
}

fn long_write(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let device = scene.connect().await;
        ask(&device, "custom-data", &[b'x'; LONG])
            .await
            .expect("answered");
        let received = format!("Received data: {}", "x".repeat(LONG));
        let lines: Vec<LogLine> = scene.world.events();
        assert!(lines.iter().any(|line| line.text.starts_with("Received")));
        lines.iter().any(|line| line.text == received)
    }
    .boxed_local()
}

fn long_read(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let device = scene.connect().await;
        let version = ask(&device, "proto-ver", b"---").await.expect("answered");
        version.len() > 255
    }
    .boxed_local()
}

fn named(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        let device = scene.connect().await;
        endpoint(&device, "proto-ver").await.is_some()
    }
    .boxed_local()
}

fn released(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        scene.provision().await;
        logged(&scene.world, "BTDM memory released") == 1
    }
    .boxed_local()
}

fn silent(scene: &Scene) -> LocalBoxFuture<'_, bool> {
    async move {
        scene.provision().await;
        let heard = || scene.world.events::<BleAdvertisingSeen>().len();
        let before = heard();
        let adapter = &scene.phone.adapter;
        adapter
            .start_scan(Default::default())
            .await
            .expect("scanning");
        scene.world.clock.sleep(SOON).await;
        adapter.stop_scan().await.expect("stopped");
        heard() == before
    }
    .boxed_local()
}
