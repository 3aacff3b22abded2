//! The SoftAP scheme: HTTP on the device's own access point (ESP-IDF 5.5 `scheme_softap.c`,
//! `protocomm_httpd.c`).

mod dhcp;
mod server;
mod session;

use core::future::pending;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;
use factory::Mdns;
use rand_core::{CryptoRng, RngCore};

use super::NotStarted;
use super::endpoints::Endpoints;
use super::profile::Profile;
use crate::board::{Mode, Radio};
use crate::http::Head;
use crate::mdns;
use crate::network::SOFT_AP_ADDRESS;
use server::{BodyError, Reply, Server, Service, ServiceFailed};
use session::{Belongs, HttpSessions, TAG};

/// Stations at once.
const MAX_STATIONS: u8 = 5;
const CHANNEL: u8 = 1;
/// Lengths of a SoftAP passphrase.
const KEY: core::ops::RangeInclusive<usize> = 8..=64;

/// Becomes an access point, an open one if `key` is empty.
pub(super) async fn start<R: Radio>(
    radio: &R,
    profile: Profile,
    name: &str,
    key: &str,
) -> Result<(), NotStarted> {
    if !key.is_empty() && !KEY.contains(&key.len()) {
        log::error!(
            target: profile.softap_tag(),
            "Incorrect passphrase length for softAP: {} (Expected: Min - {}, Max - {})",
            key.len(),
            KEY.start(),
            KEY.end()
        );
        return Err(NotStarted);
    }
    radio.set_mode(Mode::Both).await;
    let ssid = name.as_bytes();
    radio.start_soft_ap(ssid, key, CHANNEL, MAX_STATIONS).await;
    Ok(())
}

/// Serves until `stopped` is over and every connection is closed.
pub(super) async fn serve<R: Radio, F: NorFlash, N: RngCore + CryptoRng>(
    stack: Stack<'static>,
    profile: Profile,
    announced: Option<&Mdns>,
    endpoints: &Mutex<NoopRawMutex, Endpoints<'_, R, F, N>>,
    stopped: impl Future<Output = ()>,
) {
    let web = Mutex::new(Web {
        sessions: HttpSessions::new(profile),
        endpoints,
    });
    let server = Server::new(stack, &web);
    let stop = async {
        stopped.await;
        server.stop();
        pending::<()>().await;
    };
    let neighbours = async {
        match announced {
            Some(settings) => {
                join(
                    dhcp::serve(stack),
                    mdns::serve(stack, settings, SOFT_AP_ADDRESS, &mdns::PROVISIONING),
                )
                .await;
            }
            None => {
                dhcp::serve(stack).await;
            }
        }
    };
    let background = join(neighbours, stop);
    match select(server.run(), background).await {
        Either::First(()) | Either::Second(_) => {}
    }
}

/// Which requests belong together, and who answers them.
struct Web<'e, 's, R, F: NorFlash, N> {
    sessions: HttpSessions,
    endpoints: &'e Mutex<NoopRawMutex, Endpoints<'s, R, F, N>>,
}

impl<R: Radio, F: NorFlash, N: RngCore + CryptoRng> Service for Web<'_, '_, R, F, N> {
    async fn exists(&self, path: &str) -> bool {
        match path.strip_prefix('/') {
            Some(name) => self.endpoints.lock().await.exists(name),
            None => false,
        }
    }

    async fn post(
        &mut self,
        socket: u32,
        head: &Head,
        body: Result<&[u8], BodyError>,
    ) -> Result<Reply, ServiceFailed> {
        let mut endpoints = self.endpoints.lock().await;
        let cookie = head.cookie.as_deref();
        let belongs = self
            .sessions
            .identify(socket, cookie, || endpoints.session_number());
        let session = self.sessions.number().ok_or(ServiceFailed)?;
        let body = body.map_err(|none| {
            match none {
                BodyError::Missing => log::error!(target: TAG, "Content length not found"),
                BodyError::TooLong => log::error!(
                    target: TAG,
                    "Request content length should be less than 4kb"
                ),
                BodyError::Cut => {}
            }
            ServiceFailed
        })?;
        // With its query, which no endpoint has: the server has found the endpoint by the path, the
        // handler looks for it by the whole URI.
        let endpoint = head.uri.strip_prefix('/').unwrap_or(&head.uri);
        let answered = endpoints.dispatch(session, endpoint, body).await;
        let body = answered.map_err(|_| {
            log::error!(target: TAG, "Data handler failed");
            ServiceFailed
        })?;
        Ok(Reply {
            body,
            session: (belongs == Belongs::New).then_some(session),
        })
    }

    fn closed(&mut self, socket: u32) {
        self.sessions.socket_closed(socket);
    }
}
