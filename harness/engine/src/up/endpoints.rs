//! Where everything of a world is, for other programs.

use std::net::SocketAddr;
use std::path::Path;

use lab::air::Protocol;
use language::{Case, Security};
use serde_json::{Map, Value, json};

use super::forward::{Forward, ForwardTo};
use crate::attempt::{BROKER_HOST, LabError, TIME_HOST, World};

/// A port of the host that leads to a device.
pub struct Forwarded {
    pub device: String,
    pub forward: Forward,
    pub address: SocketAddr,
}

/// What of the devices can be reached.
pub struct Reached<'r> {
    pub forwards: &'r [Forwarded],
    /// The socket of the only console.
    pub console: Option<&'r Path>,
    /// Where a Bluetooth controller is to be had.
    pub hci: Option<SocketAddr>,
    /// The D-Bus where a BlueZ is that has an adapter.
    pub dbus: Option<String>,
}

/// Every address, name, identity and certificate path, as JSON. It holds secrets: the user who asked
/// for this file wants to use them.
pub fn endpoints(
    world: &mut World,
    case: &Case,
    certificates: &Path,
    reached: &Reached<'_>,
) -> Result<String, LabError> {
    let file = |name: &str| certificates.join(name).display().to_string();
    let cloud = match world.cloud() {
        Err(_) => Value::Null,
        Ok(cloud) => json!({
            "broker": {
                "address": cloud.broker_address().to_string(),
                "server_name": BROKER_HOST,
                "authority": file(match cloud.own_authority() {
                    None => "ca.pem",
                    Some(_) => super::OWN_AUTHORITY,
                }),
                "client": { "certificate": file("client.pem"), "key": file("client.key.pem") },
                "bad_clients": {
                    "expired": {
                        "certificate": file("client-expired.pem"),
                        "key": file("client-expired.key.pem"),
                    },
                    "other_authority": {
                        "certificate": file("client-other-ca.pem"),
                        "key": file("client-other-ca.key.pem"),
                    },
                },
            },
            "time": { "address": cloud.time_address().to_string(), "name": TIME_HOST },
            "bind_api": cloud.account_api().map(|address| address.to_string()),
        }),
    };
    let access_points: Map<String, Value> = world
        .access_points()
        .map(|(role, values)| {
            let value = json!({ "ssid": values.ssid, "passphrase": values.passphrase });
            (role.to_owned(), value)
        })
        .collect();
    let mut devices = Map::new();
    for (name, device) in world.devices() {
        let values = &device.values;
        let security = case
            .scenario
            .world
            .devices
            .named(name)
            .map(|device| device.provisioning.security());
        let forwards: Vec<Value> = reached
            .forwards
            .iter()
            .filter(|forwarded| forwarded.device == name)
            .map(forward)
            .collect();
        let value = json!({
            "mac": hex::encode_upper(values.mac),
            "service_name": values.service_name(),
            "security": match security {
                Some(Security::None) => 0,
                Some(Security::V2 | Security::V2Patch0) => 2,
                _ => 1,
            },
            "pop": values.pop,
            "username": values.username,
            "password": values.password,
            "product_key": values.product_key,
            "device_name": values.device_name,
            "device_secret": values.device_secret,
            "forwards": forwards,
        });
        devices.insert(name.to_owned(), value);
    }
    let all = json!({
        "cloud": cloud,
        "access_points": access_points,
        "devices": devices,
        "hci": reached.hci.map(|address| address.to_string()),
        "dbus": reached.dbus,
        "console": reached.console.map(|path| path.display().to_string()),
    });
    Ok(format!("{all:#}\n"))
}

fn forward(forwarded: &Forwarded) -> Value {
    let forward = forwarded.forward;
    json!({
        "address": forwarded.address.to_string(),
        "protocol": match forward.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
        "to": match forward.to {
            ForwardTo::SoftAp => "softap",
            ForwardTo::Station => "sta",
        },
        "port": forward.port,
    })
}
