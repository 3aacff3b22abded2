//! The provisioning service over SoftAP (ESP-IDF 5.5 `wifi_provisioning`, `protocomm`).
//!
//! [`Provisioning`] is what the rest of the firmware holds on to; [`Provisioning::serve`] runs the
//! service from its start to its end.

mod app;
mod config;
mod ctrl;
mod dhcp;
mod endpoints;
mod http;
mod machine;
mod proto_ver;
mod scan;
mod server;
mod session;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use embassy_futures::join::join3;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use embedded_storage_async::nor_flash::NorFlash;
use factory::Factory;
use rand_core::{CryptoRng, RngCore};

pub(crate) use app::transport;

use crate::board::{AccessPoint, Mode, Radio};
use crate::bugs::{self, Bug};
use crate::security::Security;
use crate::station::{News, Station, until};
use crate::storage::Storage;
use endpoints::Endpoints;
use machine::{Due, Machine};
use scan::Scanner;
use server::Server;
use session::Sessions;

const TAG: &str = "wifi_prov_mgr";
/// Stations at once (ESP-IDF 5.5 `scheme_softap.c`).
const MAX_STATIONS: u8 = 5;
const CHANNEL: u8 = 1;
/// Lengths of a SoftAP passphrase.
const KEY: core::ops::RangeInclusive<usize> = 8..=64;

/// Provisioning, as the rest of the firmware sees it.
pub(crate) struct Provisioning<'r, R> {
    radio: &'r R,
    machine: RefCell<Machine>,
    scanner: Scanner<'r, R>,
    /// The machine may have something else due.
    changed: Signal<NoopRawMutex, ()>,
    serving: Cell<bool>,
}

impl<'r, R: Radio> Provisioning<'r, R> {
    pub(crate) fn new(factory: &Factory, radio: &'r R) -> Self {
        Self {
            radio,
            machine: RefCell::new(Machine::new((&factory.provisioning).into())),
            scanner: Scanner::new(radio),
            changed: Signal::new(),
            serving: Cell::new(false),
        }
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
            app::provisioning(&event);
        }
        self.changed.signal(());
    }

    /// What a scan found.
    pub(crate) fn heard(&self, access_points: Vec<AccessPoint>) {
        self.scanner.heard(access_points);
    }

    /// Runs the service until provisioning is done. An error says why it did not even start.
    pub(crate) async fn serve<F: NorFlash>(
        &self,
        factory: &Factory,
        soft_ap: Stack<'static>,
        station: &Station<'_, R>,
        storage: Storage<F>,
        random: impl RngCore + CryptoRng,
    ) -> Result<(), NotStarted> {
        let settings = &factory.provisioning;
        app::starting(&settings.security);
        let name = service_name(factory);
        self.start_soft_ap(&name, &settings.service_key).await?;
        self.serving.set(true);
        log::info!(target: TAG, "Provisioning started with service name : {name} ");
        app::started(&name, &settings.security);

        let security = Security::new(&settings.security)
            .with_lenient_public_key(settings.lenient_srp_public_key);
        let endpoints = Mutex::new(Endpoints {
            sessions: Sessions::default(),
            security,
            random,
            machine: &self.machine,
            changed: &self.changed,
            scanner: &self.scanner,
            storage,
        });
        let server = Server::new(soft_ap, &endpoints);
        let background = join3(dhcp::serve(soft_ap), self.scanner.run(), async {
            self.follow(station).await;
            server.stop();
            core::future::pending::<()>().await;
        });
        match select(server.run(), background).await {
            Either::First(()) => {}
            Either::Second((_, never, ())) => never,
        }

        self.serving.set(false);
        self.radio.stop_soft_ap().await;
        self.radio.set_mode(Mode::Station).await;
        log::info!(target: TAG, "Provisioning stopped");
        Ok(())
    }

    async fn start_soft_ap(&self, name: &str, key: &str) -> Result<(), NotStarted> {
        if !key.is_empty() && !KEY.contains(&key.len()) {
            log::error!(
                target: "wifi_prov_scheme_softap",
                "Incorrect passphrase length for softAP: {} (Expected: Min - {}, Max - {})",
                key.len(),
                KEY.start(),
                KEY.end()
            );
            return Err(NotStarted);
        }
        self.radio.set_mode(Mode::Both).await;
        let ssid = name.as_bytes();
        self.radio
            .start_soft_ap(ssid, key, CHANNEL, MAX_STATIONS)
            .await;
        Ok(())
    }

    /// Does what is due, until the service is to end.
    async fn follow(&self, station: &Station<'_, R>) {
        loop {
            let due = self.machine.borrow_mut().due(now());
            match due {
                Some(Due::Connect(_)) if bugs::is(Bug::SilentHang) => bugs::hang(),
                Some(Due::Connect(credentials)) => station.connect(credentials),
                Some(Due::Stop) => return,
                None => {
                    let moment = self.machine.borrow().next_moment();
                    select(until(moment), self.changed.wait()).await;
                }
            }
        }
    }
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
