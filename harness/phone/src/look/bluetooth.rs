//! An adapter, as BlueZ tells of it.

use std::collections::BTreeMap;

use clock::Clock;
use zbus::fdo::ObjectManagerProxy;
use zbus::{Connection, OwnedVariant};

use super::{NoAnswer, answer, connection_to};

const SERVICE: &str = "org.bluez";
const ADAPTER: &str = "org.bluez.Adapter1";

/// What BlueZ tells of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterLook {
    /// Its address.
    pub address: String,
    /// Whether it is on.
    pub powered: bool,
    /// Whether some program listens by it for devices.
    pub discovering: bool,
}

/// The adapter `name`, or the names of those that are there instead.
pub async fn look_at_adapter(
    name: &str,
    clock: &Clock,
) -> Result<Result<AdapterLook, Vec<String>>, NoAnswer> {
    answer(SERVICE, clock, async {
        let connection = connection_to(SERVICE).await?;
        let mut adapters = adapters(&connection)
            .await
            .map_err(|error| NoAnswer::of(SERVICE, error))?;
        Ok(match adapters.remove(name) {
            Some(adapter) => Ok(adapter),
            None => Err(adapters.into_keys().collect()),
        })
    })
    .await
}

async fn adapters(connection: &Connection) -> zbus::Result<BTreeMap<String, AdapterLook>> {
    let objects = ObjectManagerProxy::new(connection, SERVICE, "/").await?;
    let objects = objects.get_managed_objects().await?;
    let mut adapters = BTreeMap::new();
    for (path, interfaces) in objects {
        let adapter = interfaces.iter().find(|(name, _)| name.as_str() == ADAPTER);
        let Some((_, properties)) = adapter else {
            continue;
        };
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        let is_so = |key: &str| {
            let value: Option<&OwnedVariant> = properties.get(key);
            value.is_some_and(|value| value.downcast_ref::<bool>().unwrap_or_default())
        };
        let address = properties.get("Address");
        let address = address.and_then(|address| address.downcast_ref::<String>().ok());
        let look = AdapterLook {
            address: address.unwrap_or_default(),
            powered: is_so("Powered"),
            discovering: is_so("Discovering"),
        };
        adapters.insert(name.to_owned(), look);
    }
    Ok(adapters)
}
