//! Requests to GATT characteristics, by way of the host's Bluetooth service.
//!
//! A request is written with response to its endpoint's characteristic; the answer is then read from
//! the same one. Long writes and reads are the host's business.

mod error;
mod memory;
mod names;
mod power;
mod search;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use btleplug::api::{CentralEvent, Characteristic, Peripheral as _, WriteType};
use btleplug::platform::{Peripheral, PeripheralId};
use clock::Clock;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::{FutureExt, Stream, StreamExt};

use super::{AttributeEnd, Transport, TransportError, TransportKind};
use names::{DESCRIPTION, Described};

pub use error::BleError;
pub use search::{Bluetooth, Found, Wanted};

/// No attribute is longer (Bluetooth Core 5.4, vol. 3, part F, §3.2.9).
const LONGEST: usize = 512;

/// How patient a phone is with a device's Bluetooth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BleSettings {
    /// How long the device is looked for, in lab time.
    pub search: Duration,
    /// How long connecting and finding the endpoints may take, in lab time.
    pub connect: Duration,
    /// How long one request may take once connected, in lab time.
    pub request: Duration,
    /// Whether to have the host forget the device before it is connected first. BlueZ keeps the table of
    /// a device that it has met, and the device may have another one by now.
    pub anew: bool,
}

impl Default for BleSettings {
    fn default() -> Self {
        Self {
            search: Duration::from_secs(20),
            connect: Duration::from_secs(30),
            request: Duration::from_secs(10),
            anew: false,
        }
    }
}

/// A way past the host's Bluetooth service, for bytes of the Attribute Protocol as they are. A host has none, as
/// its service keeps that protocol's channel to itself; a virtual one may.
pub trait AttributeBearer: Send + Sync {
    /// Sends one PDU on the link to the device with this address, most significant byte first, and gives what is
    /// answered: a response, or an error. None once the link has ended. The caller drops the future when it has waited
    /// for long enough; an answer that comes later must not be taken for that of another request.
    fn ask(&self, device: [u8; 6], pdu: Vec<u8>) -> BoxFuture<'_, Option<Vec<u8>>>;
}

/// A device's GATT service; found and connected when first asked.
pub struct Ble {
    bluetooth: Bluetooth,
    wanted: Wanted,
    settings: BleSettings,
    bearer: Option<Arc<dyn AttributeBearer>>,
    /// The device that was about to be connected; whatever comes between may leave it connected.
    begun: Option<Peripheral>,
    link: Option<GattLink>,
    /// Whether the next request is a stranger's.
    is_forgotten: bool,
}

/// A connection.
struct GattLink {
    peripheral: Peripheral,
    endpoints: BTreeMap<String, Endpoint>,
    events: Pin<Box<dyn Stream<Item = CentralEvent> + Send>>,
}

/// An endpoint's characteristic.
struct Endpoint {
    characteristic: Characteristic,
    /// What it says of itself.
    description: Option<String>,
}

impl Ble {
    /// The device that `wanted` describes.
    pub fn new(bluetooth: Bluetooth, wanted: Wanted, settings: BleSettings) -> Self {
        Self {
            bluetooth,
            wanted,
            settings,
            bearer: None,
            begun: None,
            link: None,
            is_forgotten: false,
        }
    }

    /// The same, with a way past the host's Bluetooth service.
    pub fn with_bearer(mut self, bearer: Arc<dyn AttributeBearer>) -> Self {
        self.bearer = Some(bearer);
        self
    }

    fn clock(&self) -> &Clock {
        self.bluetooth.clock()
    }

    /// The connection, a new one if there is none or it was to be forgotten.
    async fn link(&mut self) -> Result<&mut GattLink, BleError> {
        if std::mem::take(&mut self.is_forgotten) {
            self.hang_up().await;
        }
        let kept = self.link.take().and_then(GattLink::unless_ended);
        let link = match kept {
            Some(link) => link,
            None => self.connect().await?,
        };
        Ok(self.link.insert(link))
    }

    async fn find(&mut self) -> Result<Found, BleError> {
        let found = self.bluetooth.find(&self.wanted, self.settings.search);
        match found.await {
            Err(error @ BleError::NotFound { .. }) => Err(error),
            Err(error) => Err(self.bluetooth.unless_gone(error).await),
            found => found,
        }
    }

    async fn connect(&mut self) -> Result<GattLink, BleError> {
        let mut found = self.find().await?;
        if std::mem::take(&mut self.settings.anew) {
            let forgotten = memory::forget(self.bluetooth.name(), &found.address);
            let forgotten = {
                let _busy = self.clock().busy();
                self.clock().timeout(self.settings.request, forgotten).await
            };
            // What it remembers all the same is told where an endpoint is missed for it.
            if let Ok(Ok(())) = forgotten {
                found = self.find().await?;
            }
        }
        self.begun = Some(found.peripheral().clone());
        // What the host's Bluetooth service does is work of which the clock sees nothing.
        let _call = self.clock().call(self.bluetooth.name());
        let limit = self.settings.connect;
        let connecting = connect(&self.bluetooth, &found, self.wanted.service.as_ref());
        let connected = self.bluetooth.clock().timeout(limit, connecting).await;
        let connected = connected.unwrap_or(Err(BleError::Timeout {
            what: "connect",
            limit,
        }));
        match connected {
            Ok(link) => {
                self.begun = None;
                Ok(link)
            }
            Err(error) => {
                self.hang_up().await;
                Err(self.bluetooth.unless_gone(error).await)
            }
        }
    }

    async fn exchange(&mut self, endpoint: &str, request: &[u8]) -> Result<Vec<u8>, BleError> {
        if request.len() > LONGEST {
            return Err(BleError::TooLong {
                endpoint: endpoint.to_owned(),
                needed: request.len(),
                limit: LONGEST,
            });
        }
        let limit = self.settings.request;
        let clock = self.clock().clone();
        let service = self.bluetooth.name().to_owned();
        let link = self.link().await?;
        // What the host's Bluetooth service does is work of which the clock sees nothing, but what the
        // device does meanwhile may take long: to scan for networks, say.
        let _call = clock.call(&service);
        let ended = clock.timeout(limit, link.exchange(endpoint, request)).await;
        let ended = ended.unwrap_or(Err(BleError::Timeout {
            what: "answer",
            limit,
        }));
        match ended {
            Err(error @ (BleError::Disconnected | BleError::Timeout { .. })) => {
                let error = self.bluetooth.unless_gone(error).await;
                if !matches!(error, BleError::Timeout { .. }) {
                    self.link = None;
                }
                Err(error)
            }
            ended => ended,
        }
    }

    async fn ask(
        &mut self,
        bearer: &dyn AttributeBearer,
        pdu: &[u8],
        within: Duration,
    ) -> Result<AttributeEnd, BleError> {
        let clock = self.clock().clone();
        let service = self.bluetooth.name().to_owned();
        let device = self.link().await?.peripheral.address().into_inner();
        let _call = clock.call(&service);
        let asked = clock.timeout(within, bearer.ask(device, pdu.to_vec()));
        Ok(match asked.await {
            Ok(Some(answer)) => AttributeEnd::Answered(answer),
            Ok(None) => {
                self.link = None;
                AttributeEnd::Closed
            }
            Err(_) => AttributeEnd::Silent,
        })
    }

    /// The device to disconnect.
    fn take_peripheral(&mut self) -> Option<Peripheral> {
        let begun = self.begun.take();
        self.link.take().map(|link| link.peripheral).or(begun)
    }

    async fn hang_up(&mut self) {
        if let Some(peripheral) = self.take_peripheral() {
            let _busy = self.clock().busy();
            let ended = peripheral.disconnect();
            // If it does not want to, there is nothing more to be done.
            let _ = self.clock().timeout(self.settings.request, ended).await;
        }
    }
}

/// Connects and finds the endpoints. If that fails, the connection may be there all the same.
async fn connect(
    bluetooth: &Bluetooth,
    found: &Found,
    service: Option<&uuid::Uuid>,
) -> Result<GattLink, BleError> {
    let events = bluetooth
        .events()
        .await
        .map_err(|source| BleError::Adapter { source })?;
    let peripheral = found.peripheral();
    let failed = |source| BleError::Connect {
        name: found.shown(),
        source,
    };
    peripheral.connect().await.map_err(failed)?;
    peripheral.discover_services().await.map_err(failed)?;
    let endpoints = endpoints(peripheral, service).await;
    if endpoints.is_empty() {
        return Err(BleError::NoService {
            name: found.shown(),
        });
    }
    Ok(GattLink {
        peripheral: peripheral.clone(),
        endpoints,
        events,
    })
}

impl GattLink {
    /// None if the device has hung up meanwhile.
    fn unless_ended(mut self) -> Option<Self> {
        let id = self.peripheral.id();
        while let Some(Some(event)) = self.events.next().now_or_never() {
            if is_end(&event, &id) {
                return None;
            }
        }
        Some(self)
    }

    async fn exchange(&mut self, endpoint: &str, request: &[u8]) -> Result<Vec<u8>, BleError> {
        let Some(Endpoint { characteristic, .. }) = self.endpoints.get(endpoint) else {
            return Err(BleError::NoEndpoint {
                endpoint: endpoint.to_owned(),
                known: self.endpoints.keys().cloned().collect(),
                address: self.peripheral.address().to_string(),
            });
        };
        let peripheral = &self.peripheral;
        let asked = async {
            // Without a request it is a read without a write, of what may be left from another phone.
            if !request.is_empty() {
                peripheral
                    .write(characteristic, request, WriteType::WithResponse)
                    .await?;
            }
            peripheral.read(characteristic).await
        };
        let id = peripheral.id();
        let events = &mut self.events;
        let ended = async {
            while let Some(event) = events.next().await {
                if is_end(&event, &id) {
                    return;
                }
            }
            std::future::pending().await
        };
        // Some services never answer a call whose device has gone.
        match select(Box::pin(asked), Box::pin(ended)).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            Either::Left((Err(source), _)) => match peripheral.is_connected().await {
                Ok(true) => Err(BleError::Refused { source }),
                _ => Err(BleError::Disconnected),
            },
            Either::Right(((), _)) => Err(BleError::Disconnected),
        }
    }
}

fn is_end(event: &CentralEvent, id: &PeripheralId) -> bool {
    matches!(event, CentralEvent::DeviceDisconnected(ended) if ended == id)
}

/// The device's endpoints by name, of the service that offers a session.
async fn endpoints(
    peripheral: &Peripheral,
    service: Option<&uuid::Uuid>,
) -> BTreeMap<String, Endpoint> {
    let mut best = BTreeMap::new();
    for candidate in peripheral.services() {
        if service.is_some_and(|wanted| *wanted != candidate.uuid) {
            continue;
        }
        let mut described = Vec::new();
        for characteristic in candidate.characteristics {
            let descriptor = characteristic
                .descriptors
                .iter()
                .find(|descriptor| descriptor.uuid == DESCRIPTION);
            let description = match descriptor {
                // One that cannot be read is as good as none.
                Some(descriptor) => peripheral.read_descriptor(descriptor).await.ok(),
                None => None,
            };
            described.push(Described {
                uuid: characteristic.uuid,
                value: Endpoint {
                    description: description
                        .as_deref()
                        .map(|said| String::from_utf8_lossy(said).into_owned()),
                    characteristic,
                },
                description,
            });
        }
        let named = names::by_name(candidate.uuid, described);
        if named.contains_key(proto::endpoint::SESSION) {
            return named;
        }
        if service.is_some() {
            best = named;
        }
    }
    best
}

impl Transport for Ble {
    fn kind(&self) -> TransportKind {
        TransportKind::Ble
    }

    fn peer(&self) -> String {
        self.wanted.to_string()
    }

    fn send<'s>(
        &'s mut self,
        endpoint: &'s str,
        request: &'s [u8],
    ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>> {
        async move { Ok(self.exchange(endpoint, request).await?) }.boxed()
    }

    fn forget(&mut self) {
        self.is_forgotten = true;
    }

    fn characteristic(&self, endpoint: &str) -> Option<(String, Option<String>)> {
        let known = self.link.as_ref()?.endpoints.get(endpoint)?;
        Some((
            known.characteristic.uuid.to_string(),
            known.description.clone(),
        ))
    }

    fn attribute<'s>(
        &'s mut self,
        pdu: &'s [u8],
        within: Duration,
    ) -> BoxFuture<'s, Option<Result<AttributeEnd, TransportError>>> {
        async move {
            let bearer = self.bearer.clone()?;
            let asked = self.ask(&*bearer, pdu, within).await;
            Some(asked.map_err(TransportError::from))
        }
        .boxed()
    }

    fn endpoints(&mut self) -> BoxFuture<'_, Result<Option<Vec<String>>, TransportError>> {
        async move {
            let link = self.link().await?;
            Ok(Some(link.endpoints.keys().cloned().collect()))
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.hang_up().boxed()
    }
}

impl Drop for Ble {
    fn drop(&mut self) {
        // The host's service would keep the connection for ever.
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(peripheral), Ok(runtime)) = (self.take_peripheral(), runtime) {
            runtime.spawn(async move { peripheral.disconnect().await });
        }
    }
}
