//! The phones of a world: where they are, and what they have open.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use lab::air::{Air, AirError, PhoneSeat};
use phone::{
    Listener, ListenerSettings, ProvisioningClient, ProvisioningError, Settings, Transport,
};
use trace::Trace;

use super::problem::{LabError, Problem};

/// Where a device's provisioning service is, as ESP-IDF has it.
const SERVICE: &str = "192.168.4.1:80";

/// One phone. On the LAN of the first access point unless it is on a device's SoftAP.
pub struct Phone {
    name: String,
    /// Role of the access point whose LAN it is on.
    home: Option<String>,
    /// Names of devices by their Linkkit device names.
    devices: BTreeMap<String, String>,
    lan: Option<Lan>,
    session: Option<PhoneSession>,
}

/// A phone's place on the LAN, with an open ear for notifications.
struct Lan {
    listener: Listener,
    // Dropped last: leaves the network.
    _seat: Arc<PhoneSeat>,
}

/// A provisioning session that was left open.
pub struct PhoneSession {
    /// The protocol's client.
    pub client: ProvisioningClient,
    /// Whether credentials were sent and not yet put to use.
    pub is_set: bool,
    /// The phone's seat on the device's SoftAP; none where the transport is no network.
    _seat: Option<Arc<PhoneSeat>>,
}

impl PhoneSession {
    /// A session over a transport that takes the phone to no other network.
    pub fn over(transport: Box<dyn Transport>, settings: Settings, trace: &Trace) -> Self {
        Self {
            client: ProvisioningClient::over(transport, settings, trace.clone()),
            is_set: false,
            _seat: None,
        }
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
    pub fn new(name: &str, home: Option<String>, devices: BTreeMap<String, String>) -> Self {
        Self {
            name: name.to_owned(),
            home,
            devices,
            lan: None,
            session: None,
        }
    }

    /// Leaves wherever it is for its LAN, if it has one.
    pub async fn go_home(&mut self, air: &Air, trace: &Trace) -> Result<(), LabError> {
        self.hang_up().await;
        if self.lan.is_some() {
            return Ok(());
        }
        let Some(home) = &self.home else {
            return Ok(());
        };
        let seat = match air.join_access_point(&self.name, home).await {
            Ok(seat) => Arc::new(seat),
            // The scenario has switched it off; the phone simply is on no LAN then.
            Err(AirError::Off { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let listener = Listener::start(
            seat.clone(),
            ListenerSettings {
                phone: self.name.clone(),
                answer_notifications: false,
                devices: self.devices.clone(),
            },
            trace.clone(),
        )
        .await
        .map_err(|source| LabError::Io {
            what: format!("listen for CoAP as {}", self.name),
            source,
        })?;
        self.lan = Some(Lan {
            listener,
            _seat: seat,
        });
        Ok(())
    }

    /// Ends its session, if it has one open.
    pub async fn hang_up(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.client.close().await;
        }
    }

    /// Joins a device's SoftAP; no request is sent yet.
    pub async fn visit(
        &mut self,
        air: &Air,
        trace: &Trace,
        (soft_ap, key): (&str, &str),
        settings: Settings,
    ) -> Result<PhoneSession, AirError> {
        self.hang_up().await;
        self.lan = None;
        let seat = Arc::new(
            air.join_soft_ap(&self.name, soft_ap.as_bytes(), key)
                .await?,
        );
        let address: SocketAddrV4 = SERVICE.parse().expect("the constant is an address");
        Ok(PhoneSession {
            client: ProvisioningClient::new(seat.clone(), address, settings, trace.clone()),
            is_set: false,
            _seat: Some(seat),
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
        if let Some(lan) = &self.lan {
            lan.listener.answer_notifications(true);
        }
    }

    /// Its ear on the LAN.
    pub fn listener(&self) -> Result<&Listener, Problem> {
        self.lan.as_ref().map(|lan| &lan.listener).ok_or_else(|| {
            Problem::Lab(LabError::Scenario(format!(
                "{} is on no LAN: the world has no access point that is on",
                self.name
            )))
        })
    }
}
