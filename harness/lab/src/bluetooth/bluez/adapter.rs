//! `org.bluez.Adapter1`: a phone's radio.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zbus::object_server::SignalEmitter;
use zbus::{ObjectPath, OwnedVariant, fdo};

use super::error::BluezError;
use super::request::{HostHandle, Request};

pub(super) struct Adapter {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) powered: bool,
    /// Whether the kernel keeps the radio off (rfkill).
    pub(super) blocked: Arc<AtomicBool>,
    pub(super) discovering: bool,
    pub(super) host: HostHandle,
}

impl Adapter {
    fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Refuses what an adapter without power cannot do.
    fn ready(&self) -> Result<(), BluezError> {
        match self.powered && !self.is_blocked() {
            true => Ok(()),
            false => Err(BluezError::NotReady("Resource Not Ready".to_owned())),
        }
    }

    async fn discover(&mut self, on: bool, emitter: &SignalEmitter<'_>) -> Result<(), BluezError> {
        self.ready()?;
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
        self.ready()?;
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
        self.powered && !self.is_blocked()
    }

    /// BlueZ 5.66 on Linux 6.1 names the error `org.bluez.Error.Failed`, which a property of zbus' cannot;
    /// its words are the same. On older kernels both say that it is blocked.
    #[zbus(property)]
    async fn set_powered(&mut self, on: bool) -> fdo::Result<()> {
        if on && self.is_blocked() {
            return Err(fdo::Error::Failed("Failed".to_owned()));
        }
        self.powered = on;
        Ok(())
    }

    #[zbus(property)]
    async fn discovering(&self) -> bool {
        self.discovering
    }
}
