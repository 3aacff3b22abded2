//! What every transport hands its requests to: security, and one handler for each endpoint (ESP-IDF
//! 5.5 `protocomm.c`).

use alloc::string::String;
use alloc::vec::Vec;

use embassy_time::Instant;
use embedded_storage_async::nor_flash::NorFlash;
use factory::Provisioning;
use proto::endpoint::{CONFIG, CTRL, PROTO_VER, SCAN, SESSION};
use rand_core::{CryptoRng, RngCore};

use super::handler::HandlerFailed;
use super::handler_parts::HandlerParts;
use super::machine::State;
use super::proto_ver::Version;
use super::table::{Created, Owner, Table};
use super::{app, config, ctrl, custom, now};
use crate::board::Radio;
use crate::bugs::{self, Bug};
use crate::security::Security;

const TAG: &str = "protocomm";

/// A request that no response answers: the transport says so in its own way, by closing the
/// connection, by an ATT error, or by silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such endpoint.
    NoEndpoint,
    /// The handshake went wrong.
    Handshake,
    /// The request was not encrypted in this session, or the response cannot be.
    Encryption,
    /// The endpoint's handler cannot make anything of it.
    Request,
}

/// The endpoints and what they share.
pub(crate) struct Endpoints<'s, R, F: NorFlash, N> {
    settings: &'s Provisioning,
    table: Table,
    /// Number of the session that security is in.
    session: Option<u32>,
    security: Security,
    random: N,
    parts: HandlerParts<'s, R, F>,
}

impl<'s, R: Radio, F: NorFlash, N: RngCore + CryptoRng> Endpoints<'s, R, F, N> {
    /// The endpoints of a service that starts now.
    pub(crate) fn new(
        settings: &'s Provisioning,
        random: N,
        parts: HandlerParts<'s, R, F>,
    ) -> Self {
        Self {
            settings,
            table: Table::new(settings, now()),
            session: None,
            security: Security::new(&settings.security)
                .with_patch_version(settings.security2_patch)
                .with_lenient_public_key(settings.lenient_srp_public_key),
            random,
            parts,
        }
    }

    /// Every endpoint that was created, whether it has a handler yet or not.
    pub(crate) fn created(&self) -> impl Iterator<Item = Created> {
        self.table.created()
    }

    /// Names of the endpoints that have a handler.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &str> {
        self.table.registered(now())
    }

    /// Whether an endpoint has a handler.
    pub(crate) fn exists(&self, endpoint: &str) -> bool {
        self.table.find(endpoint, now()).is_some()
    }

    /// A number for a session, of transports that choose one.
    pub(crate) fn session_number(&mut self) -> u32 {
        self.random.next_u32()
    }

    /// The transport's session is over: its keys are void.
    pub(crate) fn close_session(&mut self) {
        self.session = None;
        self.security.reset();
    }

    /// Answers a request that came in a transport's session. Another number than that of the last
    /// request begins a new session: keys of the last one are void.
    pub(crate) async fn dispatch(
        &mut self,
        session: u32,
        endpoint: &str,
        request: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        if self.session.replace(session) != Some(session) {
            self.security.reset();
        }
        let Some(owner) = self.table.find(endpoint, now()) else {
            log::error!(target: TAG, "No registered endpoint for {endpoint}");
            return Err(Refusal::NoEndpoint);
        };
        match endpoint {
            PROTO_VER => Ok(self.version().into_bytes()),
            SESSION => self.handshake(request).await,
            _ => self.encrypted(owner, endpoint, request).await,
        }
    }

    fn version(&self) -> String {
        let tells_patch = self.settings.security2_patch > 0;
        let version = Version {
            app_info: &self.settings.app_info,
            profile: self.parts.machine.borrow().profile(),
            security: self.security.version(),
            patch: tells_patch.then(|| self.security.patch_version()),
            pop: self.security.has_pop(),
        };
        version.json()
    }

    async fn handshake(&mut self, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        if self.parts.machine.borrow().is_cleaning_up(now()) {
            self.security.lose_pop(&mut self.random);
        }
        let begun = Instant::now();
        let response = self.security.handshake(request, &mut self.random).await;
        let took = begun.elapsed().as_millis();
        log::debug!(target: TAG, "security {} computed for {took} ms", self.security.version());
        if let Some(event) = self.security.take_event() {
            app::session(self.parts.machine.borrow().profile(), event);
        }
        response.map_err(|_| Refusal::Handshake)
    }

    async fn encrypted(
        &mut self,
        owner: Owner,
        endpoint: &str,
        request: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let request = self.security.decrypt(request).map_err(|_| {
            // ESP-IDF says "response", though it is the request.
            log::error!(target: TAG, "Decryption of response failed for endpoint {endpoint}");
            Refusal::Encryption
        })?;
        let response = match owner {
            Owner::Service => self.parts.answer(endpoint, &request).await,
            Owner::Application => {
                custom::answer(self.settings, endpoint, &request, &mut self.parts).await
            }
        };
        let response = response.map_err(|HandlerFailed| {
            // ESP-IDF says so where it has decrypted the request before.
            if self.security.encrypts() {
                log::error!(target: TAG, "Request handler for {endpoint} failed");
            }
            Refusal::Request
        })?;
        self.security.encrypt(&response).map_err(|_| {
            log::error!(target: TAG, "Encryption of response failed for endpoint {endpoint}");
            Refusal::Encryption
        })
    }

    /// The application has new credentials awaited after a failure.
    pub(crate) async fn reset_on_failure(&mut self) {
        // A refusal is in the log.
        let _ = ctrl::reset(self.parts.machine, &mut self.parts.storage).await;
    }
}

impl<R: Radio, F: NorFlash> HandlerParts<'_, R, F> {
    async fn answer(&mut self, endpoint: &str, request: &[u8]) -> Result<Vec<u8>, HandlerFailed> {
        match endpoint {
            CONFIG => {
                let response = config::answer(request, self.machine, &mut self.storage).await;
                self.changed.signal(());
                response
            }
            SCAN => {
                let awaiting = self.machine.borrow().state() == State::Started;
                let allowed = awaiting || bugs::is(Bug::ScanInAnyState);
                self.scanner.answer(request, allowed).await
            }
            CTRL => {
                let response = ctrl::answer(request, self.machine, &mut self.storage).await;
                self.changed.signal(());
                response
            }
            _ => Err(HandlerFailed),
        }
    }
}
