//! The provisioning service (ESP-IDF 5.5 `wifi_provisioning`, `protocomm`).
//!
//! [`Provisioning`] is what the rest of the firmware holds on to; [`Provisioning::serve`] runs the
//! service from its start to its end. Transports ([`softap`], [`ble`], [`console`]) take
//! requests in and hand them to [`Endpoints::dispatch`], the same for all of them.

mod app;
mod ble;
mod config;
mod console;
mod ctrl;
mod custom;
mod endpoints;
mod handler;
mod handler_parts;
mod machine;
mod memory;
mod profile;
mod proto_ver;
mod scan;
mod softap;
mod table;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;

use bt_hci_transport::{ReadHciError, Transport as HciTransport};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::NorFlash;
use factory::{Factory, Scheme, Security};
use rand_core::{CryptoRng, RngCore};

pub(crate) use app::{Transport, transport};
pub(crate) use profile::Profile;

use crate::board::{AccessPoint, Mode, Radio};
use crate::bugs::{self, Bug};
use crate::handover::Handover;
use crate::station::{News, Station, until};
use crate::storage::Storage;
use endpoints::Endpoints;
use handler_parts::HandlerParts;
use machine::{Due, Machine};
use profile::Step;
use scan::Scanner;

/// Provisioning, as the rest of the firmware sees it.
pub(crate) struct Provisioning<'r, R> {
    factory: &'r Factory,
    radio: &'r R,
    handover: &'r Handover,
    machine: RefCell<Machine>,
    scanner: Scanner<'r, R>,
    /// The machine may have something else due.
    changed: Signal<NoopRawMutex, ()>,
    serving: Cell<bool>,
}

/// What the schemes run on.
pub(crate) struct Transports<C, H> {
    /// The SoftAP's stack.
    pub(crate) soft_ap: Stack<'static>,
    /// The UART, if there is one.
    pub(crate) console: Option<C>,
    /// The Bluetooth controller, if there is one.
    pub(crate) hci: Option<H>,
}

impl<'r, R: Radio> Provisioning<'r, R> {
    /// Provisioning by the rules of factory data; a phone's binding token goes to `handover`.
    pub(crate) fn new(factory: &'r Factory, radio: &'r R, handover: &'r Handover) -> Self {
        let settings = &factory.provisioning;
        let is_ble = matches!(settings.scheme, Scheme::Ble(_));
        Self {
            factory,
            radio,
            handover,
            machine: RefCell::new(Machine::new(settings.into())),
            scanner: Scanner::new(radio, !is_ble, Profile(settings.version)),
            changed: Signal::new(),
            serving: Cell::new(false),
        }
    }

    pub(crate) fn profile(&self) -> Profile {
        Profile(self.factory.provisioning.version)
    }

    /// Before anything else is done about provisioning.
    pub(crate) fn init(&self) {
        self.profile().announce(Step::Init);
        memory::release_at_init(self.profile(), &self.factory.provisioning.scheme);
    }

    /// There will be no provisioning any more until the next start.
    pub(crate) fn deinit(&self) {
        self.profile().announce(Step::Deinit);
        memory::release_at_deinit(self.profile(), &self.factory.provisioning.scheme);
    }

    /// What became of the station.
    pub(crate) fn hear(&self, news: News) {
        if !self.serving.get() {
            return;
        }
        let mut machine = self.machine.borrow_mut();
        let event = match news {
            News::Left { reason } => machine.station_left(reason),
            News::GotAddress {
                address,
                access_point,
            } => machine.got_address(now(), address.address(), access_point),
        };
        if let Some(event) = event {
            app::provisioning(machine.profile(), &event);
        }
        self.changed.signal(());
    }

    /// What a scan found.
    pub(crate) fn heard(&self, access_points: Vec<AccessPoint>) {
        self.scanner.heard(access_points);
    }

    /// Runs the service until provisioning is done. An error says why it did not even start.
    pub(crate) async fn serve<F, C, H>(
        &self,
        transports: Transports<C, H>,
        station: &Station<'_, R>,
        storage: Storage<F>,
        random: impl RngCore + CryptoRng,
    ) -> Result<(), NotStarted>
    where
        F: NorFlash,
        C: Read + Write,
        H: HciTransport<Error: From<ReadHciError<Infallible>>>,
    {
        let settings = &self.factory.provisioning;
        let profile = self.profile();
        app::starting(&settings.security);
        let name = service_name(self.factory);
        let transport = self.start(&name, transports).await?;
        self.serving.set(true);
        log::info!(target: profile.tag(), "Provisioning started with service name : {name} ");
        app::started(profile);
        app::show_code(&name, settings);

        let parts = HandlerParts {
            machine: &self.machine,
            changed: &self.changed,
            scanner: &self.scanner,
            storage,
            handover: self.handover,
        };
        let endpoints = Mutex::new(Endpoints::new(settings, random, parts));
        let stopped = self.follow(station, &endpoints);
        let served = async {
            match transport {
                Started::SoftAp(stack) => {
                    let mdns = settings.mdns.as_ref();
                    softap::serve(stack, profile, mdns, &endpoints, stopped).await;
                }
                Started::Console(uart, limit) => {
                    select(console::serve(uart, limit, &endpoints), stopped).await;
                }
                Started::Ble(hci, service) => {
                    ble::serve(hci, &service, &endpoints, stopped).await;
                }
            }
        };
        select(served, self.scanner.run()).await;

        self.serving.set(false);
        if let Scheme::SoftAp = settings.scheme {
            self.radio.stop_soft_ap().await;
        }
        self.radio.set_mode(Mode::Station).await;
        log::info!(target: profile.tag(), "Provisioning stopped");
        profile.announce(Step::End);
        self.deinit();
        Ok(())
    }

    /// Starts the transport that factory data asks for.
    async fn start<C, H>(
        &self,
        name: &str,
        transports: Transports<C, H>,
    ) -> Result<Started<C, H>, NotStarted> {
        let settings = &self.factory.provisioning;
        let profile = self.profile();
        if matches!(settings.security, Security::V2 { .. }) && !profile.has_security2() {
            log::error!(target: profile.tag(), "Unsupported protocomm security version 2");
            return Err(NotStarted);
        }
        match &settings.scheme {
            Scheme::SoftAp => {
                softap::start(self.radio, profile, name, &settings.service_key).await?;
                Ok(Started::SoftAp(transports.soft_ap))
            }
            Scheme::Console { line_limit } => {
                let Some(uart) = transports.console else {
                    log::error!(target: profile.tag(), "this board has no UART for the console");
                    return Err(NotStarted);
                };
                self.radio.set_mode(Mode::Station).await;
                Ok(Started::Console(uart, usize::from(*line_limit)))
            }
            Scheme::Ble(ble) => {
                let Some(hci) = transports.hci else {
                    log::error!(target: profile.ble_tag(), "this board has no Bluetooth controller");
                    return Err(NotStarted);
                };
                let service = ble::Service::new(profile, name, ble)?;
                self.radio.set_mode(Mode::Station).await;
                Ok(Started::Ble(hci, service))
            }
        }
    }

    /// Does what is due, until the service is to end.
    async fn follow<F: NorFlash, N: RngCore + CryptoRng>(
        &self,
        station: &Station<'_, R>,
        endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
    ) {
        loop {
            let due = self.machine.borrow_mut().due(now());
            match due {
                Some(Due::Connect(_)) if bugs::is(Bug::SilentHang) => bugs::hang(),
                Some(Due::Connect(credentials)) => station.connect(credentials),
                Some(Due::Disconnect) => station.disconnect(),
                Some(Due::Reset) => {
                    app::resetting();
                    endpoints.lock().await.reset_on_failure().await;
                }
                Some(Due::Stop) => return,
                None => self.pause().await,
            }
        }
    }

    /// Waits until something is due, or may be. A computation elsewhere, such as a TLS handshake, keeps all of
    /// this firmware from running, and a phone from its answer, where a chip's tasks would go on: it is no part
    /// of the clean-up delay, in which a phone reads that it has succeeded.
    async fn pause(&self) {
        let begun = now();
        let (moment, ends) = {
            let machine = self.machine.borrow();
            (machine.next_moment(), machine.is_cleaning_up(begun))
        };
        let look = ends.then_some(begun + LOOK);
        let moment = moment.into_iter().chain(look).min();
        let woken = select(until(moment), self.changed.wait()).await;
        if let (Either::First(()), Some(moment), true) = (woken, moment, ends) {
            let late = now().saturating_sub(moment);
            if late > LATE {
                self.machine.borrow_mut().postpone_stop(late);
            }
        }
    }
}

/// Length of a look at how long the clean-up delay was kept from running, in ms.
const LOOK: u64 = 100;
/// Later than this, in ms, a look was kept from running by a computation.
const LATE: u64 = 50;

/// A transport that has started.
enum Started<C, H> {
    SoftAp(Stack<'static>),
    /// The UART, and the longest line.
    Console(C, usize),
    /// The Bluetooth controller, and what is on the air.
    Ble(H, ble::Service),
}

/// The service cannot start with these settings; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotStarted;

/// ms since boot.
fn now() -> u64 {
    Instant::now().as_millis()
}

fn service_name(factory: &Factory) -> String {
    let name = &factory.provisioning.service_name;
    if !name.is_empty() {
        return name.clone();
    }
    let [.., a, b, c] = factory.identity.mac;
    format!("PROV_{a:02X}{b:02X}{c:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_named_after_the_mac_address_unless_it_has_a_name() {
        let mut factory = Factory::default();
        factory.identity.mac = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01];
        assert_eq!(service_name(&factory), "PROV_0ABC01");
        factory.provisioning.service_name = "kettle".into();
        assert_eq!(service_name(&factory), "kettle");
    }
}
