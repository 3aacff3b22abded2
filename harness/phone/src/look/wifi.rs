//! An interface, as NetworkManager tells of it.

use std::collections::BTreeMap;

use clock::Clock;
use zbus::Connection;

use super::{NoAnswer, answer, connection_to};
use crate::wifi::network_manager::{
    ACTIVATED, AccessPointProxy, CheckpointProxy, DeviceProxy, NetworkManagerProxy, UNAVAILABLE,
    UNMANAGED, WIFI, WirelessProxy,
};

const SERVICE: &str = "org.freedesktop.NetworkManager";
/// `NM_802_11_MODE_AP`.
const IS_ACCESS_POINT: u32 = 3;

/// What NetworkManager asks polkit about a phone that joins a device's network and goes back, without
/// `org.freedesktop.NetworkManager.` before it.
pub const WIFI_ACTIONS: [&str; 4] = [
    "network-control",
    "wifi.scan",
    "settings.modify.system",
    "checkpoint-rollback",
];

/// What NetworkManager tells of a Wi-Fi interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiLook {
    /// What polkit says of each of [`WIFI_ACTIONS`].
    pub permissions: BTreeMap<&'static str, Consent>,
    /// Whether NetworkManager lets any Wi-Fi be on.
    pub enabled: bool,
    /// The interface; none if NetworkManager has none of this name.
    pub interface: Option<WifiUse>,
}

/// What a Wi-Fi interface is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WifiUse {
    /// It is no Wi-Fi interface.
    OfAnotherKind,
    /// NetworkManager was told to leave it alone.
    Unmanaged,
    /// NetworkManager cannot use it: it is switched off, or wpa_supplicant does not run.
    Unavailable,
    /// It is an access point itself.
    AccessPoint,
    /// A program keeps a checkpoint of it.
    Kept,
    /// It is connected to this network, if its name is known.
    Connected(Option<String>),
    /// It is free.
    Free,
}

/// What polkit says of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// This user may.
    Yes,
    /// This user may, having typed a password.
    Password,
    /// This user may not.
    No,
    /// It did not say.
    Unknown,
}

/// The interface `name`.
pub async fn look_at_wifi(name: &str, clock: &Clock) -> Result<WifiLook, NoAnswer> {
    answer(SERVICE, clock, async {
        let connection = connection_to(SERVICE).await?;
        let looked = look(&connection, name).await;
        looked.map_err(|error| NoAnswer::of(SERVICE, error))
    })
    .await
}

async fn look(connection: &Connection, name: &str) -> zbus::Result<WifiLook> {
    let manager = NetworkManagerProxy::new(connection).await?;
    let told = manager.get_permissions().await?;
    let permissions = WIFI_ACTIONS.map(|action| {
        let said = told.get(&format!("{SERVICE}.{action}"));
        (action, consent(said.map_or("", String::as_str)))
    });
    let interface = match manager.get_device_by_ip_iface(name).await {
        Ok(path) => Some(use_of(connection, &manager, path).await?),
        // It has answered above, so that this is about the name.
        Err(_) => None,
    };
    Ok(WifiLook {
        permissions: permissions.into(),
        enabled: manager.wireless_enabled().await?,
        interface,
    })
}

async fn use_of(
    connection: &Connection,
    manager: &NetworkManagerProxy<'_>,
    path: zbus::OwnedObjectPath,
) -> zbus::Result<WifiUse> {
    let device = DeviceProxy::new(connection, path.clone()).await?;
    if device.device_type().await? != WIFI {
        return Ok(WifiUse::OfAnotherKind);
    }
    let state = device.state().await?;
    if state == UNMANAGED {
        return Ok(WifiUse::Unmanaged);
    }
    if state == UNAVAILABLE {
        return Ok(WifiUse::Unavailable);
    }
    let wireless = WirelessProxy::new(connection, path.clone()).await?;
    if wireless.mode().await? == IS_ACCESS_POINT {
        return Ok(WifiUse::AccessPoint);
    }
    for checkpoint in manager.checkpoints().await? {
        let checkpoint = CheckpointProxy::new(connection, checkpoint).await?;
        // One that ends meanwhile keeps nothing.
        if checkpoint
            .devices()
            .await
            .is_ok_and(|kept| kept.contains(&path))
        {
            return Ok(WifiUse::Kept);
        }
    }
    if state != ACTIVATED {
        return Ok(WifiUse::Free);
    }
    let access_point = async {
        let path = wireless.active_access_point().await?;
        AccessPointProxy::new(connection, path).await?.ssid().await
    };
    let ssid = access_point.await.ok();
    let ssid = ssid.map(|ssid| trace::Ssid::from(&*ssid).to_string());
    Ok(WifiUse::Connected(ssid))
}

fn consent(said: &str) -> Consent {
    match said {
        "yes" => Consent::Yes,
        "auth" => Consent::Password,
        "no" => Consent::No,
        _ => Consent::Unknown,
    }
}
