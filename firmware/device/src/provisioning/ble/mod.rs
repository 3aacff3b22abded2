//! The BLE scheme: a GATT service with a characteristic for each endpoint (ESP-IDF 5.5
//! `scheme_ble.c`, `protocomm_nimble.c`, `protocomm_ble.c`).
//!
//! A request is written, with response, to the endpoint's characteristic, and its answer is read
//! from there. What is longer than a packet comes as a long write and is read as a long read. One
//! phone is connected at a time; when it goes, so does its session.

mod advertisement;
mod guard;
mod pool;
mod table;
mod uuid;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::pending;
use core::mem::forget;

use bt_hci::cmd::controller_baseband::Reset;
use bt_hci_transport::{ReadHciError, Transport as HciTransport};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage_async::nor_flash::NorFlash;
use factory::{Ble, BluetoothStack};
use rand_core::{CryptoRng, RngCore};
use trouble_host::att::{AttClient, AttReq};
use trouble_host::prelude::{
    Advertisement, AdvertisementParameters, Advertiser, AttErrorCode, BleHostError, Connection,
    ConnectionEvent, ExternalController, GattConnection, GattConnectionEvent, GattEvent,
    HostResources, PacketPool, Peripheral, WriteEvent,
};

use super::endpoints::Endpoints;
use super::profile::Profile;
use super::{NotStarted, Transport, transport};
use crate::board::Radio;
use crate::bugs::{self, Bug};
use guard::{Ended, Guard};
use pool::Pool;
use table::{Characteristics, ENDPOINTS, Server, Values};

const TAG: &str = "protocomm_ble";
/// 0x100 in units of 0.625 ms.
const ADVERTISING_INTERVAL: Duration = Duration::from_millis(160);
/// How long a phone is given to notice that the service ends.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);
/// Bytes of a characteristic's value, with security 2 compiled in and without (`protocomm_ble.c`).
const LONGEST_VALUE: usize = 481;
const LONGEST_VALUE_WITHOUT_SECURITY2: usize = 257;
/// Commands to the controller at once.
const COMMANDS: usize = 8;
/// ATT_MTUs (NimBLE: `CONFIG_BT_NIMBLE_ATT_PREFERRED_MTU`; Bluedroid: `esp_ble_gatt_set_local_mtu`
/// in `protocomm_ble.c`), each with the four bytes of L2CAP's header.
const NIMBLE_PACKET: usize = 256 + 4;
const BLUEDROID_PACKET: usize = 500 + 4;

/// Flags of an Execute Write Request (Core 5.4 Vol 3 Part F §3.4.6.3); 0 cancels.
const EXECUTE: u8 = 1;
/// Of ATT_MTU, what is no value: opcode and handle of a Write Request, opcode of a Read Response.
const WRITE_HEADER: usize = 3;
const READ_HEADER: usize = 1;

type Stack<'s, H, P> = trouble_host::Stack<'s, ExternalController<H, COMMANDS>, P>;

/// What is on the air.
pub(super) struct Service {
    profile: Profile,
    settings: Ble,
    /// Bytes of a characteristic's value.
    limit: usize,
    name: String,
    data: Vec<u8>,
    response: Vec<u8>,
}

impl Service {
    /// The service of that name; refused if the name is too long for a scan response.
    pub(super) fn new(profile: Profile, name: &str, settings: &Ble) -> Result<Self, NotStarted> {
        let response = advertisement::scan_response(name, &settings.manufacturer_data);
        let Some(response) = response else {
            log::error!(
                target: profile.ble_tag(),
                "service name and manufacturer data are too long for a scan response"
            );
            return Err(NotStarted);
        };
        Ok(Self {
            profile,
            limit: match profile.has_security2() {
                true => LONGEST_VALUE,
                false => LONGEST_VALUE_WITHOUT_SECURITY2,
            },
            name: name.into(),
            data: advertisement::data(settings.service_uuid, settings.stack),
            response,
            settings: settings.clone(),
        })
    }

    /// Advertises until a phone connects.
    async fn advertise<'p, H, P>(
        &self,
        peripheral: &mut Peripheral<'p, ExternalController<H, COMMANDS>, P>,
    ) -> Result<Advertiser<'p, ExternalController<H, COMMANDS>, P>, BleHostError<H::Error>>
    where
        H: HciTransport<Error: From<ReadHciError<Infallible>>>,
        P: PacketPool,
    {
        let parameters = AdvertisementParameters {
            interval_min: ADVERTISING_INTERVAL,
            interval_max: ADVERTISING_INTERVAL,
            ..AdvertisementParameters::default()
        };
        let advertisement = Advertisement::ConnectableScannableUndirected {
            adv_data: &self.data,
            scan_data: &self.response,
        };
        peripheral.advertise(&parameters, advertisement).await
    }
}

/// Serves until `stopped`; a phone that is connected then is disconnected.
pub(super) async fn serve<H, R, F, N>(
    hci: H,
    service: &Service,
    endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
    stopped: impl Future<Output = ()>,
) where
    H: HciTransport<Error: From<ReadHciError<Infallible>>>,
    R: Radio,
    F: NorFlash,
    N: RngCore + CryptoRng,
{
    match service.settings.stack {
        BluetoothStack::NimBle => {
            serve_with::<Pool<NIMBLE_PACKET>, _, _, _, _>(hci, service, endpoints, stopped).await;
        }
        BluetoothStack::Bluedroid => {
            serve_with::<Pool<BLUEDROID_PACKET>, _, _, _, _>(hci, service, endpoints, stopped)
                .await;
        }
    }
}

async fn serve_with<P, H, R, F, N>(
    hci: H,
    service: &Service,
    endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
    stopped: impl Future<Output = ()>,
) where
    P: PacketPool,
    H: HciTransport<Error: From<ReadHciError<Infallible>>>,
    R: Radio,
    F: NorFlash,
    N: RngCore + CryptoRng,
{
    let mut resources = Box::new(HostResources::<P, 1, 1>::new());
    let left = Ended::new();
    let hci = Guard { hci, ended: &left };
    let stack = trouble_host::new(ExternalController::new(hci), &mut *resources).build();
    let mut runner = stack.runner();
    let limit = service.limit;
    let created: Vec<_> = endpoints.lock().await.created().collect();
    if created.len() > ENDPOINTS {
        log::error!(target: TAG, "no room for more than {ENDPOINTS} endpoints");
    }
    let mut values = Values::new(&service.name, created, limit);
    let (server, characteristics) = table::server::<P>(service.settings.service_uuid, &mut values);
    let phones = Phones {
        left: &left,
        host: service.settings.stack,
        limit,
        server: &server,
        characteristics: &characteristics,
        endpoints,
    };
    // A reset of the controller refuses whatever command the host has under way.
    let is_resetting = Cell::new(false);
    let work = async {
        let connected = RefCell::new(None);
        let serving = async {
            loop {
                phones.one(&stack, service, &connected).await;
            }
        };
        select(serving, stopped).await;
        if let Some(phone) = connected.take() {
            phone.disconnect();
            // A phone that does not answer is left to its supervision timeout.
            let _ = with_timeout(GOODBYE_LIMIT, ended(&phone)).await;
            transport(service.profile, Transport::Ble, false);
        }
        is_resetting.set(true);
        let silent = with_timeout(GOODBYE_LIMIT, fall_silent(&stack, service)).await;
        if !matches!(silent, Ok(Ok(()))) {
            log::error!(target: TAG, "the Bluetooth controller does not stop");
        }
    };
    let running = async {
        // An end is an error.
        if let Err(error) = runner.run().await
            && !is_resetting.get()
        {
            log::error!(target: TAG, "the Bluetooth host stopped: {error:?}");
        }
        pending::<()>().await;
    };
    select(work, running).await;
}

/// Ends whatever the controller does by itself: above all, advertising.
async fn fall_silent<H, P>(
    stack: &Stack<'_, H, P>,
    service: &Service,
) -> Result<(), BleHostError<H::Error>>
where
    H: HciTransport<Error: From<ReadHciError<Infallible>>>,
    P: PacketPool,
{
    if bugs::is(Bug::AdvertisedAfterTheEnd) {
        let mut peripheral = stack.peripheral();
        // Its drop would stop it.
        forget(service.advertise(&mut peripheral).await?);
        return Ok(());
    }
    stack.command(Reset::new()).await?;
    Ok(())
}

/// Ends with the connection.
async fn ended<P: PacketPool>(phone: &Connection<'_, P>) {
    while !matches!(phone.next().await, ConnectionEvent::Disconnected { .. }) {}
}

/// How phones are served.
struct Phones<'p, 's, 'v, P: PacketPool, R, F: NorFlash, N> {
    left: &'p Ended,
    host: BluetoothStack,
    limit: usize,
    server: &'p Server<'v, P>,
    characteristics: &'p Characteristics<'v>,
    endpoints: &'p Mutex<NoopRawMutex, Endpoints<'s, R, F, N>>,
}

impl<'v, P, R, F, N> Phones<'_, '_, 'v, P, R, F, N>
where
    P: PacketPool,
    R: Radio,
    F: NorFlash,
    N: RngCore + CryptoRng,
{
    /// Advertises until a phone connects, and serves it until it is gone.
    async fn one<'s, H>(
        &self,
        stack: &'s Stack<'_, H, P>,
        service: &Service,
        connected: &RefCell<Option<Connection<'s, P>>>,
    ) where
        H: HciTransport<Error: From<ReadHciError<Infallible>>>,
    {
        let mut peripheral = stack.peripheral();
        self.left.reset();
        let advertiser = match service.advertise(&mut peripheral).await {
            Ok(advertiser) => advertiser,
            Err(error) => {
                log::error!(target: TAG, "advertising failed: {error:?}");
                return Timer::after_secs(1).await;
            }
        };
        // Of a phone that leaves at once the host says nothing, and advertising has ended.
        let accepted = select(advertiser.accept(), self.left.wait()).await;
        let Either::First(Ok(connection)) = accepted else {
            return;
        };
        connected.replace(Some(connection.clone()));
        let Ok(connection) = connection.with_attribute_server(self.server) else {
            connected.take();
            return;
        };
        transport(service.profile, Transport::Ble, true);
        let stays = bugs::is(Bug::SessionSurvivesDisconnect);
        let session = match stays {
            true => 0,
            false => self.endpoints.lock().await.session_number(),
        };
        self.talk(&connection, session).await;
        connected.take();
        if !stays {
            self.endpoints.lock().await.close_session();
        }
        self.forget();
        transport(service.profile, Transport::Ble, false);
        if bugs::is(Bug::NotAdvertisedAgain) {
            pending::<()>().await;
        }
    }

    /// Answers a phone until it is gone.
    async fn talk(&self, connection: &GattConnection<'_, '_, P>, session: u32) {
        loop {
            let event = match connection.next().await {
                GattConnectionEvent::Disconnected { .. } => return,
                GattConnectionEvent::Gatt { event } => event,
                _ => continue,
            };
            let reply = match event {
                GattEvent::Write(write) => match self.write(connection, &write, session).await {
                    Outcome::Accepted => write.accept_unprocessed(),
                    Outcome::Refused(_) if is_command(&write.payload().incoming()) => {
                        // Its drop would answer, here and below.
                        drop(write.into_payload());
                        continue;
                    }
                    Outcome::Refused(code) => write.reject(code),
                    Outcome::Killed => {
                        drop(write.into_payload());
                        connection.raw().disconnect();
                        continue;
                    }
                },
                GattEvent::NotAllowed(other) if is_command(&other.payload().incoming()) => {
                    drop(other.into_payload());
                    continue;
                }
                event => match self.answerable(&event) {
                    Ok(()) => event.accept(),
                    Err(code) => event.reject(code),
                },
            };
            match reply {
                Ok(reply) => reply.send().await,
                Err(error) => log::error!(target: TAG, "no answer: {error:?}"),
            }
        }
    }

    /// Hands a request to its endpoint, and puts the answer where it will be read.
    async fn write(
        &self,
        connection: &GattConnection<'_, '_, P>,
        write: &WriteEvent<'_, '_, P>,
        session: u32,
    ) -> Outcome {
        let handle = write.handle();
        let Some(endpoint) = self.characteristics.endpoint(handle) else {
            return Outcome::Refused(AttErrorCode::WRITE_NOT_PERMITTED);
        };
        let (offset, mut request) = write.with_data(|offset, data| (offset, Vec::from(data)));
        if offset > 0 {
            return Outcome::Refused(AttErrorCode::INVALID_OFFSET);
        }
        if request.len() > self.limit {
            return Outcome::Refused(AttErrorCode::INVALID_ATTRIBUTE_VALUE_LENGTH);
        }
        if request.is_empty() && self.host == BluetoothStack::NimBle {
            return Outcome::Accepted;
        }
        let packet = usize::from(connection.raw().att_mtu());
        if bugs::is(Bug::LongWriteTruncated) {
            request.truncate(packet.saturating_sub(WRITE_HEADER));
        }
        let mut answer = {
            let mut endpoints = self.endpoints.lock().await;
            endpoints.dispatch(session, endpoint, &request).await
        };
        if let Ok(answer) = &mut answer
            && bugs::is(Bug::LongReadTruncated)
        {
            answer.truncate(packet.saturating_sub(READ_HEADER));
        }
        match (answer, self.host) {
            (Ok(answer), _) => match self.server.table().write(handle, 0, &answer) {
                Ok(()) => Outcome::Accepted,
                Err(_) => {
                    log::error!(target: TAG, "an answer of {} bytes has no room", answer.len());
                    Outcome::Refused(AttErrorCode::INSUFFICIENT_RESOURCES)
                }
            },
            (Err(_), BluetoothStack::NimBle) => Outcome::Refused(AttErrorCode::INVALID_PDU),
            (Err(_), BluetoothStack::Bluedroid) => {
                log::error!(target: TAG, "Invalid content received, killing connection");
                Outcome::Killed
            }
        }
    }

    /// Whether the host would answer a request as it should: it does not look whether a part of a long write can still
    /// become a value, nor at flags, and its errors about ranges name another request (trouble-host 0.8,
    /// `attribute_server.rs`).
    fn answerable(&self, event: &GattEvent<'_, '_, P>) -> Result<(), AttErrorCode> {
        let AttClient::Request(request) = event.payload().incoming() else {
            return Ok(());
        };
        match request {
            AttReq::PrepareWrite { offset, value, .. } => {
                let offset = usize::from(offset);
                if offset > self.limit {
                    return Err(AttErrorCode::INVALID_OFFSET);
                }
                if offset + value.len() > self.limit {
                    return Err(AttErrorCode::INVALID_ATTRIBUTE_VALUE_LENGTH);
                }
                Ok(())
            }
            AttReq::ExecuteWrite { flags } if flags > EXECUTE => Err(AttErrorCode::INVALID_PDU),
            AttReq::FindInformation {
                start_handle: start,
                end_handle: end,
            }
            | AttReq::FindByTypeValue {
                start_handle: start,
                end_handle: end,
                ..
            }
            | AttReq::ReadByGroupType { start, end, .. }
                if start == 0 || start > end =>
            {
                Err(AttErrorCode::INVALID_HANDLE)
            }
            _ => Ok(()),
        }
    }

    /// The next phone reads no answer to this one.
    fn forget(&self) {
        for handle in self.characteristics.handles() {
            // Every value has room for no bytes.
            let _ = self.server.table().write(handle, 0, &[]);
        }
    }
}

/// Whether nothing is answered, not even an error (Core 5.4 Vol 3 Part F §3.3.1).
fn is_command(pdu: &AttClient<'_>) -> bool {
    matches!(pdu, AttClient::Command(_))
}

/// What becomes of a write.
enum Outcome {
    Accepted,
    Refused(AttErrorCode),
    /// No answer: the connection is ended instead.
    Killed,
}
