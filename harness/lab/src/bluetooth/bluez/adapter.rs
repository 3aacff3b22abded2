//! `org.bluez.Adapter1`: a phone's radio.

use std::collections::HashMap;

use zbus::object_server::SignalEmitter;
use zbus::{ObjectPath, OwnedVariant};

use super::error::BluezError;
use super::request::{HostHandle, Request};

pub(super) struct Adapter {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) powered: bool,
    pub(super) discovering: bool,
    pub(super) host: HostHandle,
}

impl Adapter {
    async fn discover(&mut self, on: bool, emitter: &SignalEmitter<'_>) -> Result<(), BluezError> {
        if !self.powered {
            return Err(BluezError::NotReady("Resource Not Ready".to_owned()));
        }
        self.host
            .ask(|reply| Request::Discover { on, reply })
            .await?;
        if self.discovering != on {
            self.discovering = on;
            self.discovering_changed(emitter).await?;
        }
        Ok(())
    }
}

#[zbus::interface(name = "org.bluez.Adapter1")]
impl Adapter {
    /// Every device is reported, without regard to the filter; clients filter again.
    async fn set_discovery_filter(&self, _filter: HashMap<String, OwnedVariant>) {}

    async fn start_discovery(
        &mut self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), BluezError> {
        self.discover(true, &emitter).await
    }

    async fn stop_discovery(
        &mut self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), BluezError> {
        if !self.discovering {
            return Err(BluezError::Failed("No discovery started".to_owned()));
        }
        self.discover(false, &emitter).await
    }

    async fn remove_device(&self, device: ObjectPath<'_>) -> Result<(), BluezError> {
        let node = device.rsplit('/').next().unwrap_or_default().to_owned();
        self.host.ask(|reply| Request::Remove { node, reply }).await
    }

    #[zbus(property)]
    async fn address(&self) -> &str {
        &self.address
    }

    #[zbus(property)]
    async fn address_type(&self) -> &str {
        "public"
    }

    #[zbus(property)]
    async fn name(&self) -> &str {
        &self.name
    }

    #[zbus(property)]
    async fn alias(&self) -> &str {
        &self.name
    }

    /// What BlueZ 5.66 says of itself.
    #[zbus(property)]
    async fn modalias(&self) -> &str {
        "usb:v1D6Bp0246d0542"
    }

    /// Of BlueZ since 5.62; bleak looks for an adapter that can be a central.
    #[zbus(property)]
    async fn roles(&self) -> &[&str] {
        &["central"]
    }

    #[zbus(property)]
    async fn powered(&self) -> bool {
        self.powered
    }

    #[zbus(property)]
    async fn set_powered(&mut self, on: bool) {
        self.powered = on;
    }

    #[zbus(property)]
    async fn discovering(&self) -> bool {
        self.discovering
    }
}
