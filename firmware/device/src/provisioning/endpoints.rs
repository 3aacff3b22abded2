//! What stands behind the paths: sessions, security, and one handler for each endpoint (ESP-IDF
//! 5.5 `protocomm.c`).

use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use embedded_storage_async::nor_flash::NorFlash;
use proto::endpoint::{CONFIG, CTRL, PROTO_VER, SCAN, SESSION};
use rand_core::{CryptoRng, RngCore};

use super::machine::{Machine, State};
use super::proto_ver::Version;
use super::scan::Scanner;
use super::server::{Reply, Service};
use super::session::{Belongs, Sessions};
use super::{app, config, ctrl};
use crate::board::Radio;
use crate::security::Security;
use crate::storage::Storage;

const TAG: &str = "protocomm";
/// The example application's own endpoint.
const CUSTOM: &str = "custom-data";

/// A request that no response answers: the transport closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// The endpoints and what they share.
pub(crate) struct Endpoints<'s, R, F: NorFlash, N> {
    pub(crate) sessions: Sessions,
    pub(crate) security: Security,
    pub(crate) random: N,
    pub(crate) machine: &'s RefCell<Machine>,
    /// Signalled after each request that the machine has seen.
    pub(crate) changed: &'s Signal<NoopRawMutex, ()>,
    pub(crate) scanner: &'s Scanner<'s, R>,
    pub(crate) storage: Storage<F>,
}

impl<R: Radio, F: NorFlash, N: RngCore + CryptoRng> Service for Endpoints<'_, R, F, N> {
    fn exists(&self, path: &str) -> bool {
        let name = path.strip_prefix('/');
        name.is_some_and(|name| [PROTO_VER, SESSION, CONFIG, SCAN, CTRL, CUSTOM].contains(&name))
    }

    async fn post(
        &mut self,
        socket: u32,
        path: &str,
        cookie: Option<&[u8]>,
        body: &[u8],
    ) -> Result<Reply, Failed> {
        let random = &mut self.random;
        let belongs = self.sessions.identify(socket, cookie, || random.next_u32());
        if belongs == Belongs::New {
            self.security.reset();
        }
        let name = path.strip_prefix('/').unwrap_or(path);
        let body = match name {
            PROTO_VER => self.version(),
            SESSION => self.handshake(body)?,
            name => self.encrypted(name, body).await?,
        };
        Ok(Reply {
            body,
            session: self.sessions.cookie_to_set(),
        })
    }

    fn closed(&mut self, socket: u32) {
        self.sessions.socket_closed(socket);
    }
}

impl<R: Radio, F: NorFlash, N: RngCore + CryptoRng> Endpoints<'_, R, F, N> {
    fn version(&self) -> Vec<u8> {
        let version = Version {
            security: self.security.version(),
            patch: self.security.patch_version(),
            pop: self.security.has_pop(),
        };
        version.json().into_bytes()
    }

    fn handshake(&mut self, body: &[u8]) -> Result<Vec<u8>, Failed> {
        let response = self.security.handshake(body, &mut self.random);
        if let Some(event) = self.security.take_event() {
            app::session(event);
        }
        response.map_err(|_| {
            log::error!(target: TAG, "Request handler for {SESSION} failed");
            Failed
        })
    }

    async fn encrypted(&mut self, name: &str, body: &[u8]) -> Result<Vec<u8>, Failed> {
        let request = self.security.decrypt(body).map_err(|_| {
            // ESP-IDF says "response", though it is the request.
            log::error!(target: TAG, "Decryption of response failed for endpoint {name}");
            Failed
        })?;
        let response = self.dispatch(name, &request).await.inspect_err(|_| {
            log::error!(target: TAG, "Request handler for {name} failed");
        })?;
        self.security.encrypt(&response).map_err(|_| {
            log::error!(target: TAG, "Encryption of response failed for endpoint {name}");
            Failed
        })
    }

    async fn dispatch(&mut self, name: &str, request: &[u8]) -> Result<Vec<u8>, Failed> {
        match name {
            CONFIG => {
                let now = Instant::now().as_millis();
                let (machine, storage) = (self.machine, &mut self.storage);
                let response = config::answer(request, now, machine, storage).await;
                self.changed.signal(());
                response
            }
            SCAN => {
                let allowed = self.machine.borrow().state() == State::Started;
                self.scanner.answer(request, allowed).await
            }
            CTRL => ctrl::answer(request, self.machine, &mut self.storage).await,
            CUSTOM => {
                let text = core::str::from_utf8(request).unwrap_or("(no text)");
                log::info!(target: "app", "Received data: {text}");
                Ok(b"SUCCESS\0".to_vec())
            }
            _ => Err(Failed),
        }
    }
}
