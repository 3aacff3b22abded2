//! The phones of a world: where they are, and what they have open.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use language::Over;
use phone::web::{WebConnection, WebSocket, WebTlsSessions};
use phone::{Dial, Listener, ListenerSettings, ProvisioningClient, ProvisioningError, Settings};
use trace::Trace;

use super::problem::{LabError, Problem};
use super::surroundings::{Enrollee, Stay, Surroundings, VisitError};

/// One phone. On the LAN of the first access point unless it is on a device's SoftAP.
pub struct Phone {
    name: String,
    /// Names of devices by their Linkkit device names.
    devices: BTreeMap<String, String>,
    /// Its place on the LAN, with an open ear for notifications; dropping it leaves the network.
    lan: Option<Listener>,
    /// The same place, for connections.
    seat: Option<Arc<dyn Dial>>,
    /// A connection to a web server that was kept open.
    web: Option<WebConnection>,
    websocket: Option<WebSocket>,
    /// TLS sessions with web servers.
    tls_sessions: WebTlsSessions,
    session: Option<PhoneSession>,
}

/// A provisioning session that was left open.
pub struct PhoneSession {
    /// The protocol's client.
    pub client: ProvisioningClient,
    /// Whether credentials were sent and not yet put to use.
    pub is_set: bool,
    /// The phone's place in the device's network; none where the transport is no network.
    stay: Option<Box<dyn Stay>>,
}

impl PhoneSession {
    /// Ends it, and leaves the device's network.
    pub async fn end(mut self) -> Result<(), LabError> {
        self.client.close().await;
        drop(self.client);
        match self.stay {
            Some(stay) => stay.leave().await,
            None => Ok(()),
        }
    }

    /// Its place in the device's network, where that is one for datagrams.
    pub fn dial(&self) -> Option<Arc<dyn Dial>> {
        self.stay.as_ref()?.dial()
    }

    /// Its client, once the session's security is established.
    pub async fn established(&mut self) -> Result<&mut ProvisioningClient, ProvisioningError> {
        if !self.client.is_established() {
            self.client.establish().await?;
        }
        Ok(&mut self.client)
    }
}

impl Phone {
    /// A phone that is nowhere yet.
    pub fn new(name: &str, devices: BTreeMap<String, String>) -> Self {
        Self {
            name: name.to_owned(),
            devices,
            lan: None,
            seat: None,
            web: None,
            websocket: None,
            tls_sessions: WebTlsSessions::default(),
            session: None,
        }
    }

    /// Leaves wherever it is for its LAN, if it has one.
    pub async fn go_home(
        &mut self,
        surroundings: &mut dyn Surroundings,
        trace: &Trace,
    ) -> Result<(), LabError> {
        self.hang_up().await?;
        if self.is_off_its_lan().await {
            self.forget_lan();
        }
        if self.seat.is_some() {
            return Ok(());
        }
        let Some(seat) = surroundings.lan(&self.name).await? else {
            return Ok(());
        };
        let settings = ListenerSettings {
            phone: self.name.clone(),
            answer_notifications: false,
            devices: self.devices.clone(),
        };
        self.seat = Some(seat.clone());
        if !surroundings.listens(&self.name) {
            return Ok(());
        }
        let listener = Listener::start(seat, settings, trace.clone()).await;
        let listener = listener.map_err(|source| LabError::Io {
            what: format!("listen for CoAP as {}", self.name),
            source,
        })?;
        self.lan = Some(listener);
        Ok(())
    }

    /// Whether its LAN is not there any more, or was away meanwhile.
    pub async fn is_off_its_lan(&self) -> bool {
        match &self.seat {
            Some(seat) => seat
                .udp(0)
                .await
                .is_err_and(|error| error.kind() == ErrorKind::NetworkDown),
            None => false,
        }
    }

    /// Joins its LAN again, which was away; what was open there is lost.
    pub async fn come_back(
        &mut self,
        surroundings: &mut dyn Surroundings,
        trace: &Trace,
    ) -> Result<(), LabError> {
        self.forget_lan();
        self.go_home(surroundings, trace).await
    }

    /// Leaves its LAN, with what is open there.
    fn forget_lan(&mut self) {
        self.lan = None;
        self.seat = None;
        self.web = None;
        self.websocket = None;
    }

    /// Ends its session, if it has one open.
    pub async fn hang_up(&mut self) -> Result<(), LabError> {
        match self.session.take() {
            Some(session) => session.end().await,
            None => Ok(()),
        }
    }

    /// Goes to where `device` is provisioned; no request is sent yet.
    pub async fn visit(
        &mut self,
        surroundings: &mut dyn Surroundings,
        trace: &Trace,
        (device, enrollee): (&str, &Enrollee),
        settings: Settings,
    ) -> Result<PhoneSession, VisitError> {
        self.hang_up().await?;
        if enrollee.over == Over::Softap && !surroundings.is_lan_apart() {
            self.forget_lan();
        }
        let limit = settings.request_timeout;
        let visit = surroundings
            .visit(&self.name, device, enrollee, limit)
            .await?;
        Ok(PhoneSession {
            client: ProvisioningClient::over(visit.transport, settings, trace.clone()),
            is_set: false,
            stay: visit.stay,
        })
    }

    /// Leaves a session open for later.
    pub fn keep(&mut self, session: PhoneSession) {
        self.session = Some(session);
    }

    /// The session that was left open.
    pub fn resume(&mut self) -> Option<PhoneSession> {
        self.session.take()
    }

    /// Its next request goes over a connection of its own, in the session that it had.
    pub fn reconnect(&mut self) -> Result<(), LabError> {
        let Some(session) = &mut self.session else {
            let what = format!("{} has no open session", self.name);
            return Err(LabError::Scenario(what));
        };
        session.client.reconnect();
        Ok(())
    }

    /// From now on it answers notifications, as an app does that has bound the device.
    pub fn acknowledge_notifications(&self) {
        if let Some(listener) = &self.lan {
            listener.answer_notifications(true);
        }
    }

    /// Its place on the LAN.
    pub fn seat(&self) -> Result<Arc<dyn Dial>, Problem> {
        self.seat.clone().ok_or_else(|| self.on_no_lan())
    }

    /// The connection to a web server that was kept open, which is gone then.
    pub fn web_connection(&mut self) -> Option<WebConnection> {
        self.web.take()
    }

    /// Keeps a connection to a web server for later, or closes the one that was kept.
    pub fn keep_web_connection(&mut self, connection: Option<WebConnection>) {
        self.web = connection;
    }

    /// Where it keeps its TLS sessions with web servers.
    pub fn tls_sessions(&self) -> WebTlsSessions {
        self.tls_sessions.clone()
    }

    /// The WebSocket that is open, which is gone then.
    pub fn websocket(&mut self) -> Option<WebSocket> {
        self.websocket.take()
    }

    /// Keeps a WebSocket for later.
    pub fn keep_websocket(&mut self, websocket: WebSocket) {
        self.websocket = Some(websocket);
    }

    fn on_no_lan(&self) -> Problem {
        Problem::Lab(LabError::Scenario(format!(
            "{} is on no LAN: the world has no access point that is on",
            self.name
        )))
    }

    /// Its ear on the LAN.
    pub fn listener(&self) -> Result<&Listener, Problem> {
        self.lan.as_ref().ok_or_else(|| self.on_no_lan())
    }
}
