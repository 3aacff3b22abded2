//! What BlueZ remembers of a device that it has met.

use zbus::{Connection, ObjectPath};

#[zbus::proxy(interface = "org.bluez.Adapter1", default_service = "org.bluez")]
trait Adapter1 {
    fn remove_device(&self, device: &ObjectPath<'_>) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.bluez.Device1", default_service = "org.bluez")]
trait Device1 {
    #[zbus(property(emits_changed_signal = "false"))]
    fn paired(&self) -> zbus::Result<bool>;
}

/// Removes the device of this address from what the adapter knows, unless they are paired: its table of
/// characteristics is then read again when it is met.
pub(super) async fn forget(adapter: &str, address: &str) -> zbus::Result<()> {
    let connection = Connection::system().await?;
    let adapter = format!("/org/bluez/{adapter}");
    let device = format!("{adapter}/dev_{}", address.replace(':', "_"));
    let device = ObjectPath::try_from(device)?;
    let known = Device1Proxy::new(&connection, device.clone()).await?;
    if known.paired().await? {
        return Ok(());
    }
    let adapter = Adapter1Proxy::new(&connection, adapter).await?;
    adapter.remove_device(&device).await
}
