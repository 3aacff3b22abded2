//! What the stand-ins for BlueZ and NetworkManager refuse, by name and words. The same table is held against
//! the real ones in the machine of `cargo xtask rig`.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use futures_util::FutureExt;
use lab::network_manager::{HostNetwork, NetworkManagerStandIn};
use serde_json::Value;
use zbus::{Connection, DBusError, ObjectPath, OwnedObjectPath, Variant};

use crate::phone::{Case, Phone};
use crate::world::World;

const TABLE: &str = include_str!("../../../../fixtures/stand_ins/refusals.json");
const INTERFACE: &str = "wlan0";
const DEVICE: &str = "/org/freedesktop/NetworkManager/Devices/1";
const MANAGER: &str = "org.freedesktop.NetworkManager";
const MANAGER_PATH: &str = "/org/freedesktop/NetworkManager";

pub const CASES: &[(&str, Case)] = &[(
    "the_stand_ins_refuse_in_the_words_of_the_real_ones",
    |bus| refused(bus).boxed_local(),
)];

async fn refused(bus: String) {
    let world = World::new();
    let phone = Phone::new(&world, &bus).await;
    let networks = [HostNetwork {
        ssid: "home".to_owned(),
        passphrase: None,
        address: Some(Ipv4Addr::new(10, 0, 0, 2)),
    }];
    let _manager = NetworkManagerStandIn::start(&world.trace, &bus, INTERFACE, &networks)
        .await
        .expect("a stand-in");
    let builder = zbus::connection::Builder::address(bus.as_str());
    let connection = builder.build().await.expect("on the bus");
    let rows: Vec<Value> = serde_json::from_str(TABLE).expect("a table");
    let mut wrong = Vec::new();
    for row in &rows {
        let given = row["given"].as_str();
        let checkpoint = give(given, &phone, &connection).await;
        let filled = |text: &str| {
            text.replace("{device}", DEVICE)
                .replace("{interface}", INTERFACE)
                .replace("{checkpoint}", &checkpoint)
        };
        let said = call(&connection, row, &filled).await;
        take_back(given, &phone, &connection, &checkpoint).await;
        // Where the words are those of its D-Bus library, they are not told.
        let words = row["message"].as_str().map(&filled);
        // The library of the stand-ins names some of its own refusals as it sees fit.
        let name = row["stand_in"].as_str().or(row["error"].as_str());
        let wanted = (name.expect("a name").to_owned(), words);
        let told = (said.0, said.1.filter(|_| wanted.1.is_some()));
        if told != wanted {
            wrong.push(format!("{}: {told:?}, not {wanted:?}", row["what"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 10);
}

/// Makes so what has to be so before the call; the checkpoint, if there is one.
async fn give(given: Option<&str>, phone: &Phone, connection: &Connection) -> String {
    match given {
        None => {}
        Some("off") => power(connection, false).await,
        Some("blocked") => phone.stand_in.set_blocked(0, true),
        Some("checkpoint") => {
            let devices = [ObjectPath::try_from(DEVICE).expect("a path")];
            let body = (&devices[..], 30_u32, 0_u32);
            let made = connection
                .call_method(
                    Some(MANAGER),
                    MANAGER_PATH,
                    Some(MANAGER),
                    "CheckpointCreate",
                    &body,
                )
                .await
                .expect("a checkpoint");
            let path: OwnedObjectPath = made.body().deserialize().expect("a path");
            return path.as_str().to_owned();
        }
        Some(other) => panic!("nothing is known of {other:?}"),
    }
    String::new()
}

async fn take_back(given: Option<&str>, phone: &Phone, connection: &Connection, checkpoint: &str) {
    match given {
        Some("off") => power(connection, true).await,
        Some("blocked") => phone.stand_in.set_blocked(0, false),
        Some("checkpoint") => {
            let path = ObjectPath::try_from(checkpoint).expect("a path");
            connection
                .call_method(
                    Some(MANAGER),
                    MANAGER_PATH,
                    Some(MANAGER),
                    "CheckpointRollback",
                    &path,
                )
                .await
                .expect("rolled back");
        }
        _ => {}
    }
}

async fn power(connection: &Connection, on: bool) {
    let body = ("org.bluez.Adapter1", "Powered", Variant::from(on));
    let properties = Some("org.freedesktop.DBus.Properties");
    connection
        .call_method(
            Some("org.bluez"),
            "/org/bluez/hci0",
            properties,
            "Set",
            &body,
        )
        .await
        .expect("switched");
}

/// Makes the call of `row`; name and words of the refusal.
async fn call(
    connection: &Connection,
    row: &Value,
    filled: &impl Fn(&str) -> String,
) -> (String, Option<String>) {
    let text = |field: &str| filled(row[field].as_str().expect("a text"));
    let (service, path, method) = (text("service"), text("path"), text("method"));
    let (interface, member) = method.rsplit_once('.').expect("a method");
    let arguments = row["arguments"].as_array().expect("arguments");
    let kinds: Vec<&str> = arguments
        .iter()
        .filter_map(|one| one.as_object()?.keys().next().map(String::as_str))
        .collect();
    let value = |index: usize| &arguments[index][kinds[index]];
    let string = |index: usize| filled(value(index).as_str().expect("a text"));
    let object = |index: usize| ObjectPath::try_from(string(index)).expect("a path");
    let number =
        |index: usize| u32::try_from(value(index).as_u64().expect("a number")).expect("u32");
    macro_rules! asked {
        ($body:expr) => {
            connection
                .call_method(
                    Some(service.as_str()),
                    path.as_str(),
                    Some(interface),
                    member,
                    &$body,
                )
                .await
        };
    }
    let answered = match kinds[..] {
        [] => asked!(()),
        ["s"] => asked!(string(0)),
        ["o"] => asked!(object(0)),
        ["s", "s"] => asked!((string(0), string(1))),
        ["o", "u"] => asked!((object(0), number(1))),
        ["s", "s", "vb"] => {
            let on = value(2).as_bool().expect("on or off");
            asked!((string(0), string(1), Variant::from(on)))
        }
        ["ao", "u", "u"] => {
            let paths = value(0).as_array().expect("paths").iter();
            let paths: Vec<ObjectPath<'_>> = paths
                .map(|path| filled(path.as_str().expect("a path")))
                .map(|path| ObjectPath::try_from(path).expect("a path"))
                .collect();
            asked!((paths, number(1), number(2)))
        }
        ["wifi", "o", "o", "a{sv}"] => {
            let ssid = value(0).as_str().map(|name| name.as_bytes().to_vec());
            let wireless = ssid.map(|ssid| ("ssid", Variant::from(ssid)));
            let wireless: HashMap<&str, Variant<'_>> = wireless.into_iter().collect();
            let profile = HashMap::from([("802-11-wireless", wireless)]);
            let options: HashMap<&str, Variant<'_>> = HashMap::new();
            asked!((profile, object(1), object(2), options))
        }
        ref other => panic!("arguments of kinds that are not known: {other:?}"),
    };
    match answered {
        Err(zbus::Error::MethodError(name, words, _)) => (name.to_string(), words),
        Err(zbus::Error::FDO(error)) => (
            error.name().to_string(),
            error.description().map(str::to_owned),
        ),
        other => (format!("{other:?}"), None),
    }
}
