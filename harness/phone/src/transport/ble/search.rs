//! Who advertises.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use btleplug::api::{
    Central, CentralEvent, CentralState, Manager as _, Peripheral as _, ScanFilter,
};
use btleplug::platform::{Adapter, Manager, Peripheral};
use clock::Clock;
use futures_util::Stream;
use uuid::Uuid;

use super::error::BleError;
use super::power::{self, Borrowed};

/// From one look at what was heard to the next.
const GLANCE: Duration = Duration::from_millis(200);
/// How long one scan lasts before the next begins. An adapter reports a device once in a scan, and Linux
/// drops reports that come before its discovery counts as begun (net/bluetooth/mgmt.c,
/// `mgmt_device_found`): such a device is heard in the next scan, which BlueZ begins after ten seconds only.
const SCAN: Duration = Duration::from_secs(3);
/// Prefix of the names that are looked for if no name is given.
const PREFIX: &str = "PROV_";
/// ESP-IDF's own service, and that of its example.
const SERVICES: [Uuid; 2] = [
    Uuid::from_u128(0x1775_244d_6b43_439b_877c_060f_2d9b_ed07),
    Uuid::from_u128(0x021a_9004_0382_4aea_bff4_6b3f_1c5a_dfb4),
];

/// An adapter of this host.
#[derive(Clone)]
pub struct Bluetooth {
    adapter: Adapter,
    name: String,
    clock: Clock,
    /// Only if it was off.
    borrowed: Option<Borrowed>,
}

/// Which device is meant. Without name and service: any that looks like an ESP-IDF device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The name that it advertises, or its address.
    pub name: Option<String>,
    /// The service that it advertises.
    pub service: Option<Uuid>,
}

/// A device that advertises.
#[derive(Clone, Debug)]
pub struct Found {
    /// The name in its scan response.
    pub name: Option<String>,
    /// Its address.
    pub address: String,
    /// How strong it was heard, in dBm.
    pub rssi: Option<i16>,
    /// Services that it advertises.
    pub services: Vec<Uuid>,
    peripheral: Peripheral,
}

impl Bluetooth {
    /// The adapter of this name, such as `hci0`; the first if no name is given. One that is off is
    /// switched on as soon as it is needed, and off again by [`Self::close`], or when the last clone
    /// is dropped. The tokio runtime on
    /// which this runs has to outlive whatever comes of it.
    pub async fn open(clock: Clock, name: Option<&str>) -> Result<Self, BleError> {
        let _busy = clock.busy();
        let failed = |source| BleError::Adapter { source };
        let manager = Manager::new().await.map_err(failed)?;
        let mut known = Vec::new();
        for adapter in manager.adapters().await.map_err(failed)? {
            let info = adapter.adapter_info().await.map_err(failed)?;
            // `hci0 (usb:v1D6Bp0246d0537)`
            let own = info.split_whitespace().next().unwrap_or_default();
            if name.is_none_or(|name| name == own) {
                let state = adapter.adapter_state().await.map_err(failed)?;
                let is_on = state == CentralState::PoweredOn;
                return Ok(Self {
                    adapter,
                    name: own.to_owned(),
                    borrowed: Borrowed::of(own, is_on, &clock).await,
                    clock: clock.clone(),
                });
            }
            known.push(own.to_owned());
        }
        Err(BleError::NoAdapter {
            wanted: name.map(str::to_owned),
            known,
        })
    }

    /// Whether it was off, so that it is switched on for as long as it is used.
    pub fn was_off(&self) -> bool {
        self.borrowed.is_some()
    }

    /// Puts the adapter's power back, if this is the last clone, and waits until that is done.
    pub async fn close(self) {
        let _busy = self.clock.busy();
        if let Some(borrowed) = self.borrowed {
            power::put_back(borrowed).await;
        }
    }

    /// Whether the adapter is still there and on.
    pub(super) async fn is_usable(&self) -> bool {
        let state = self.adapter.adapter_state().await;
        matches!(state, Ok(CentralState::PoweredOn))
    }

    /// `error`, unless the adapter is the cause of it.
    pub(super) async fn unless_gone(&self, error: BleError) -> BleError {
        match self.is_usable().await {
            true => error,
            false => BleError::AdapterGone {
                name: self.name.clone(),
            },
        }
    }

    /// Listens for `limit` of lab time, and tells who of those that are wanted has advertised; the
    /// strongest first.
    pub async fn search(&self, wanted: &Wanted, limit: Duration) -> Result<Vec<Found>, BleError> {
        let (mut found, _) = self.listen(wanted, limit, |_| false).await?;
        found.sort_by_key(|found| std::cmp::Reverse(found.rssi.unwrap_or(i16::MIN)));
        Ok(found)
    }

    /// Listens until the device that is wanted advertises.
    pub(super) async fn find(&self, wanted: &Wanted, limit: Duration) -> Result<Found, BleError> {
        let is_certain = wanted.name.is_some();
        let (found, heard) = self
            .listen(wanted, limit, |found| is_certain || found.len() == 1)
            .await?;
        let names = |found: &[Found]| found.iter().map(Found::shown).collect();
        match <[Found; 1]>::try_from(found) {
            Ok([found]) => Ok(found),
            Err(found) if found.is_empty() => Err(BleError::NotFound {
                wanted: wanted.to_string(),
                limit,
                heard: names(&heard),
            }),
            Err(found) => Err(BleError::Ambiguous {
                wanted: wanted.to_string(),
                found: names(&found),
            }),
        }
    }

    /// Those who are wanted, and the others. Ends early if there are any and `is_enough`.
    async fn listen(
        &self,
        wanted: &Wanted,
        limit: Duration,
        is_enough: impl Fn(&[Found]) -> bool,
    ) -> Result<(Vec<Found>, Vec<Found>), BleError> {
        let failed = |source| BleError::Adapter { source };
        self.start_scan().await?;
        let deadline = self.clock.now() + limit;
        let mut next_scan = self.clock.now() + SCAN;
        let heard = loop {
            let is_over = self.clock.now() >= deadline;
            let heard = {
                let _busy = self.clock.busy();
                self.heard(is_over).await.map_err(failed)
            };
            match heard {
                Ok(all) if !is_over => {
                    let (found, others) = wanted.among(all);
                    if !found.is_empty() && is_enough(&found) {
                        break Ok((found, others));
                    }
                }
                ended => break ended.map(|all| wanted.among(all)),
            }
            if self.clock.now() >= next_scan {
                self.stop_scan().await;
                self.start_scan().await?;
                next_scan = self.clock.now() + SCAN;
            }
            self.clock.sleep(GLANCE).await;
        };
        self.stop_scan().await;
        heard
    }

    async fn start_scan(&self) -> Result<(), BleError> {
        let _busy = self.clock.busy();
        // Not by service: on a filter, BlueZ withholds those whose service stands elsewhere.
        let everything = ScanFilter::default();
        match self.adapter.start_scan(everything).await {
            Ok(()) => Ok(()),
            // Of one that the kernel keeps off BlueZ says no more than that it failed.
            Err(source) => Err(self.unless_gone(BleError::Adapter { source }).await),
        }
    }

    /// Other listeners go on listening.
    async fn stop_scan(&self) {
        let _busy = self.clock.busy();
        let _ = self.adapter.stop_scan().await;
    }

    /// Who has been heard, or is connected: a device that is does not advertise. BlueZ remembers others
    /// from earlier, whose strength it does not know; they count only where `remembered` do.
    async fn heard(&self, remembered: bool) -> Result<Vec<Found>, btleplug::Error> {
        let mut heard = Vec::new();
        for peripheral in self.adapter.peripherals().await? {
            // It may be gone since.
            let Ok(Some(properties)) = peripheral.properties().await else {
                continue;
            };
            let is_here = properties.rssi.is_some() || remembered;
            if is_here || peripheral.is_connected().await.unwrap_or(false) {
                heard.push(Found {
                    name: properties.advertisement_name.or(properties.local_name),
                    address: properties.address.to_string(),
                    rssi: properties.rssi,
                    services: properties.services,
                    peripheral,
                });
            }
        }
        Ok(heard)
    }

    pub(super) async fn events(
        &self,
    ) -> Result<Pin<Box<dyn Stream<Item = CentralEvent> + Send>>, btleplug::Error> {
        self.adapter.events().await
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the adapter is called, such as `hci0`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Wanted {
    fn among(&self, all: Vec<Found>) -> (Vec<Found>, Vec<Found>) {
        all.into_iter().partition(|found| self.is(found))
    }

    fn is(&self, found: &Found) -> bool {
        let name = found.name.as_deref();
        if self.name.is_none() && self.service.is_none() {
            return name.is_some_and(|name| name.starts_with(PREFIX))
                || SERVICES.iter().any(|known| found.services.contains(known));
        }
        let named = self.name.as_deref().is_none_or(|wanted| {
            name == Some(wanted) || found.address.eq_ignore_ascii_case(wanted)
        });
        let serves = |wanted| found.services.contains(wanted);
        named && self.service.as_ref().is_none_or(serves)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.service) {
            (Some(name), _) => f.write_str(name),
            (None, Some(service)) => write!(f, "a device with the service {service}"),
            (None, None) => write!(f, "a device called {PREFIX}…"),
        }
    }
}

impl Found {
    /// For people.
    pub fn shown(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.address),
            None => self.address.clone(),
        }
    }

    pub(super) fn peripheral(&self) -> &Peripheral {
        &self.peripheral
    }
}
