//! What BlueZ keeps and forgets, and what becomes of its adapters.

use std::process::Stdio;
use std::time::Duration;

use btleplug::api::Peripheral as _;
use factory::Factory;
use futures_util::FutureExt;
use phone::{
    Blame, Ble, BleSettings, Bluetooth, ProvisioningClient, Settings, Tolerance, Transport, Wanted,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use zbus::{Connection, ObjectPath};

use crate::lamp::{ADDRESS, Lamp, NAME, POP};
use crate::phone::{Case, Phone};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    ("a_device_that_is_still_connected_is_found_at_once", |bus| {
        still_connected(bus).boxed_local()
    }),
    (
        "a_device_is_read_by_its_old_table_until_it_is_removed",
        |bus| outgrown(bus).boxed_local(),
    ),
    (
        "a_device_that_is_met_anew_is_read_by_the_table_that_it_has",
        |bus| met_anew(bus).boxed_local(),
    ),
    (
        "an_adapter_that_was_off_is_on_for_so_long_and_off_again",
        |bus| borrowed(bus).boxed_local(),
    ),
    (
        "an_adapter_that_a_killed_phone_left_on_is_off_again",
        |bus| left_on(bus).boxed_local(),
    ),
    ("an_adapter_that_goes_away_is_blamed_for_it", |bus| {
        pulled_out(bus).boxed_local()
    }),
    ("a_device_that_is_not_there_is_looked_for_once", |bus| {
        looked_for_once(bus).boxed_local()
    }),
];

/// The argument that makes this binary a phone that switches its adapter on and waits to be killed.
pub const LISTENER: &str = "__listener";

async fn ble(world: &World) -> Ble {
    ble_with(world, BleSettings::default()).await
}

async fn ble_with(world: &World, settings: BleSettings) -> Ble {
    let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
    let wanted = Wanted {
        name: Some(NAME.to_owned()),
        service: None,
    };
    Ble::new(bluetooth.expect("an adapter"), wanted, settings)
}

async fn client(world: &World) -> ProvisioningClient {
    let settings = Settings {
        pop: Some(POP.to_owned()),
        tolerance: Tolerance::FIELD,
        ..Settings::of("app")
    };
    let ble = Box::new(ble(world).await);
    ProvisioningClient::over(ble, settings, world.trace.clone())
}

async fn still_connected(bus: String) {
    let world = World::new();
    let lamp = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    let busy = world.clock.busy();
    let left = phone.connect(NAME).await;
    assert!(left.is_connected().await.expect("known"));
    drop(busy);
    // It is connected, so it does not advertise, and nobody hears it.
    let began = world.clock.now();
    let mut ble = ble(&world).await;
    ble.endpoints().await.expect("found");
    let took = world.clock.now().since(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
    ble.close().await;
    lamp.stop().await;
}

async fn outgrown(bus: String) {
    let world = World::new();
    let _phone = Phone::new(&world, &bus).await;
    let lamp = Lamp::start(&world, |_| {}).await;
    let mut old = ble(&world).await;
    let known = old.endpoints().await.expect("connected").expect("known");
    assert!(!known.contains(&"extra".to_owned()), "{known:?}");
    old.close().await;
    lamp.stop().await;

    let grown = Lamp::start(&world, |factory| {
        factory
            .provisioning
            .custom_endpoints
            .push("extra".to_owned());
    });
    let grown = grown.await;
    let mut new = ble(&world).await;
    let error = new.send("extra", b"hello").await.expect_err("not known");
    let advice = format!("`bluetoothctl remove {ADDRESS}` and try again");
    assert!(error.to_string().contains(&advice), "{error}");
    new.close().await;

    let node = ADDRESS.replace(':', "_");
    let device = ObjectPath::try_from(format!("/org/bluez/hci0/dev_{node}")).expect("a path");
    on_the_bus(&bus)
        .await
        .call_method(
            Some("org.bluez"),
            "/org/bluez/hci0",
            Some("org.bluez.Adapter1"),
            "RemoveDevice",
            &device,
        )
        .await
        .expect("removed");
    let mut again = ble(&world).await;
    let known = again.endpoints().await.expect("connected").expect("known");
    assert!(known.contains(&"extra".to_owned()), "{known:?}");
    again.close().await;
    grown.stop().await;
}

async fn met_anew(bus: String) {
    let world = World::new();
    let _phone = Phone::new(&world, &bus).await;
    let lamp = Lamp::start(&world, |_| {}).await;
    let mut old = ble(&world).await;
    old.endpoints().await.expect("connected").expect("known");
    old.close().await;
    lamp.stop().await;

    let extra = |factory: &mut Factory| {
        let endpoints = &mut factory.provisioning.custom_endpoints;
        endpoints.push("extra".to_owned());
    };
    let grown = Lamp::start(&world, extra).await;
    let anew = BleSettings {
        anew: true,
        ..BleSettings::default()
    };
    let mut new = ble_with(&world, anew).await;
    let known = new.endpoints().await.expect("connected").expect("known");
    assert!(known.contains(&"extra".to_owned()), "{known:?}");
    new.close().await;
    grown.stop().await;
}

async fn borrowed(bus: String) {
    let world = World::new();
    let _phone = Phone::new(&world, &bus).await;
    let _busy = world.clock.busy();
    let listen = async || {
        let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
        let bluetooth = bluetooth.expect("an adapter");
        let anything = Wanted::default();
        let found = bluetooth.search(&anything, Duration::from_secs(1));
        found.await.expect("it listens");
        assert!(is_powered(&bus).await);
        bluetooth
    };
    let on = listen().await;
    assert!(!on.was_off());
    on.close().await;
    assert!(is_powered(&bus).await);

    switch_off(&bus).await;
    let off = listen().await;
    assert!(off.was_off());
    let clone = off.clone();
    off.close().await;
    assert!(is_powered(&bus).await, "it is still used");
    clone.close().await;
    assert!(!is_powered(&bus).await);

    // Dropping does it, too, a little later.
    drop(listen().await);
    while is_powered(&bus).await {
        tokio::task::yield_now().await;
    }
}

/// What this binary does when it is started as [`LISTENER`].
pub fn listener() -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bluetooth = runtime.block_on(async {
        let bluetooth = Bluetooth::open(clock::Clock::start(1.0), None).await;
        let bluetooth = bluetooth.expect("an adapter");
        let anything = Wanted::default();
        let found = bluetooth.search(&anything, Duration::from_millis(500));
        found.await.expect("it listens");
        bluetooth
    });
    println!("was off: {}", bluetooth.was_off());
    loop {
        std::thread::park();
    }
}

async fn left_on(bus: String) {
    let world = World::new();
    let _phone = Phone::new(&world, &bus).await;
    let _busy = world.clock.busy();
    switch_off(&bus).await;
    let mut listener = Command::new(std::env::current_exe().expect("this binary"))
        .arg(LISTENER)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    let mut said = BufReader::new(listener.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).await.expect("a line");
    assert_eq!(line, "was off: true\n");
    listener.kill().await.expect("killed");
    assert!(is_powered(&bus).await, "nobody has put it back");

    let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
    let bluetooth = bluetooth.expect("an adapter");
    assert!(bluetooth.was_off());
    bluetooth.close().await;
    assert!(!is_powered(&bus).await);
}

async fn pulled_out(bus: String) {
    let world = World::new();
    let lamp = Lamp::start(&world, |_| {}).await;
    let phone = Phone::new(&world, &bus).await;
    let mut client = client(&world).await;
    client.establish().await.expect("a session");
    phone.stand_in.unplug(0);
    let error = client.scan().await.expect_err("it is gone");
    assert_eq!(error.blame(), Blame::Host, "{}", trace::in_full(&error));
    assert!(error.outcome().is_none(), "{}", trace::in_full(&error));
    let said = trace::in_full(&error);
    assert!(
        said.contains("adapter hci0 went away, or was switched off"),
        "{said}"
    );
    assert!(
        error.advice().contains("not at the device"),
        "{}",
        error.advice()
    );
    lamp.stop().await;
}

async fn looked_for_once(bus: String) {
    let world = World::new();
    let _phone = Phone::new(&world, &bus).await;
    let mut client = client(&world).await;
    let began = world.clock.now();
    let error = client.info().await.expect_err("there is no device");
    let error = trace::in_full(&error);
    let took = world.clock.now().since(began);
    assert!(error.contains("did not advertise within 20s"), "{error}");
    assert!(took < Duration::from_secs(22), "{took:?}");
}

async fn on_the_bus(bus: &str) -> Connection {
    let builder = zbus::connection::Builder::address(bus);
    builder.build().await.expect("on the bus")
}

#[zbus::proxy(
    interface = "org.bluez.Adapter1",
    default_service = "org.bluez",
    default_path = "/org/bluez/hci0"
)]
trait Adapter {
    #[zbus(property(emits_changed_signal = "false"))]
    fn powered(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn set_powered(&self, on: bool) -> zbus::Result<()>;
}

async fn is_powered(bus: &str) -> bool {
    let connection = on_the_bus(bus).await;
    let adapter = AdapterProxy::new(&connection).await.expect("there");
    adapter.powered().await.expect("known")
}

async fn switch_off(bus: &str) {
    let connection = on_the_bus(bus).await;
    let adapter = AdapterProxy::new(&connection).await.expect("there");
    adapter.set_powered(false).await.expect("switched");
}
