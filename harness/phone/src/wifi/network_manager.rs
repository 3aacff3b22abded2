//! NetworkManager's objects on D-Bus, as far as a phone needs them (NetworkManager 1.42, D-Bus API
//! reference).

use std::collections::HashMap;

use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, Variant};

/// Settings of a connection: groups of names and values.
pub(crate) type Profile<'p> = HashMap<&'p str, HashMap<&'p str, Variant<'p>>>;

/// `NM_DEVICE_TYPE_WIFI`.
pub(crate) const WIFI: u32 = 2;
/// `NM_DEVICE_STATE_UNMANAGED`.
pub(crate) const UNMANAGED: u32 = 10;
/// `NM_DEVICE_STATE_UNAVAILABLE`.
pub(crate) const UNAVAILABLE: u32 = 20;
/// `NM_DEVICE_STATE_ACTIVATED`.
pub(crate) const ACTIVATED: u32 = 100;
/// `NM_DEVICE_STATE_FAILED`.
pub(crate) const FAILED: u32 = 120;
/// `NM_CHECKPOINT_CREATE_FLAG_DELETE_NEW_CONNECTIONS`.
pub(crate) const DELETE_NEW_CONNECTIONS: u32 = 0x02;
/// `NM_ROLLBACK_RESULT_OK`.
pub(crate) const ROLLED_BACK: u32 = 0;

/// Whether NetworkManager refused a checkpoint because the device is in another one.
pub(crate) fn is_included(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, Some(message), _) => {
            name.ends_with(".InvalidArguments") && message.contains("already included")
        }
        _ => false,
    }
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager"
)]
pub(crate) trait NetworkManager {
    /// Every checkpoint that there is.
    #[zbus(property(emits_changed_signal = "false"))]
    fn checkpoints(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    /// Whether Wi-Fi may be on.
    #[zbus(property(emits_changed_signal = "false"))]
    fn wireless_enabled(&self) -> zbus::Result<bool>;

    /// What polkit says of each action of this client's: `yes`, `auth` or `no`.
    fn get_permissions(&self) -> zbus::Result<HashMap<String, String>>;

    fn get_device_by_ip_iface(&self, iface: &str) -> zbus::Result<OwnedObjectPath>;

    fn add_and_activate_connection2(
        &self,
        connection: Profile<'_>,
        device: &ObjectPath<'_>,
        specific_object: &ObjectPath<'_>,
        options: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<(
        OwnedObjectPath,
        OwnedObjectPath,
        HashMap<String, OwnedVariant>,
    )>;

    fn checkpoint_create(
        &self,
        devices: &[ObjectPath<'_>],
        rollback_timeout: u32,
        flags: u32,
    ) -> zbus::Result<OwnedObjectPath>;

    fn checkpoint_adjust_rollback_timeout(
        &self,
        checkpoint: &ObjectPath<'_>,
        add_timeout: u32,
    ) -> zbus::Result<()>;

    fn checkpoint_rollback(
        &self,
        checkpoint: &ObjectPath<'_>,
    ) -> zbus::Result<HashMap<String, u32>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Device {
    #[zbus(property)]
    fn device_type(&self) -> zbus::Result<u32>;

    /// Asked anew each time: what is remembered may be older than an answer.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn ip4_config(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(signal)]
    fn state_changed(&self, new_state: u32, old_state: u32, reason: u32) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Device.Wireless",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Wireless {
    /// `NM80211Mode`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn mode(&self) -> zbus::Result<u32>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn active_access_point(&self) -> zbus::Result<OwnedObjectPath>;

    fn request_scan(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;

    fn get_all_access_points(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Checkpoint",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Checkpoint {
    #[zbus(property(emits_changed_signal = "const"))]
    fn devices(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.AccessPoint",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait AccessPoint {
    #[zbus(property(emits_changed_signal = "const"))]
    fn ssid(&self) -> zbus::Result<Vec<u8>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.IP4Config",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Ip4Config {
    #[zbus(property(emits_changed_signal = "false"))]
    fn address_data(&self) -> zbus::Result<Vec<HashMap<String, OwnedVariant>>>;
}
