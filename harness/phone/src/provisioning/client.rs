//! The client: one phone, one device, one session.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use proto::version::Version;
use trace::Trace;
use trace::provisioning::{AttError, AttributeExchange};

use super::error::ProvisioningError;
use super::outcome::Outcome;
use super::settings::{Credentials, Knowledge, Settings};
use crate::security::Channel;
use crate::transport::{AttributeEnd, SoftAp, Transport, TransportKind, WireEnd};
use crate::{Dial, TransportError};
use trace::provisioning::OutcomeReached;

/// Provisions one device. Connects when it first has to.
pub struct ProvisioningClient {
    pub(super) transport: Box<dyn Transport>,
    pub(super) settings: Settings,
    pub(crate) trace: Trace,
    pub(super) version: Option<Version>,
    pub(super) channel: Option<Channel>,
    /// What was set last, to be set again where a session has to be begun anew.
    pub(super) credentials: Option<Credentials>,
}

impl ProvisioningClient {
    /// A client of the device at `address` over HTTP, with no connection yet.
    ///
    /// Secrets in `settings` are made known to the trace.
    pub fn new(
        dial: Arc<dyn Dial>,
        address: SocketAddrV4,
        settings: Settings,
        trace: Trace,
    ) -> Self {
        let clock = trace.clock().clone();
        let soft_ap = SoftAp::new(dial, address, clock, settings.request_timeout);
        Self::over(Box::new(soft_ap), settings, trace)
    }

    /// A client of the device that `transport` leads to.
    ///
    /// Secrets in `settings` are made known to the trace.
    pub fn over(transport: Box<dyn Transport>, settings: Settings, trace: Trace) -> Self {
        let secrets = [
            (Knowledge::Pop, &settings.pop),
            (Knowledge::Password, &settings.password),
        ];
        for (kind, secret) in secrets {
            if let Some(secret) = secret {
                keep_secret(&trace, kind, secret);
            }
        }
        Self {
            transport,
            settings,
            trace,
            version: None,
            channel: None,
            credentials: None,
        }
    }

    /// Tells the phone what it did not know.
    pub fn tell(&mut self, what: Knowledge, value: String) {
        keep_secret(&self.trace, what, &value);
        let place = match what {
            Knowledge::Pop => &mut self.settings.pop,
            Knowledge::Username => &mut self.settings.username,
            Knowledge::Password => &mut self.settings.password,
        };
        *place = Some(value);
    }

    /// Sends bytes over a connection of their own, where the transport has such; see [`Transport::wire`]. The
    /// error is none where it has not.
    pub async fn wire(
        &mut self,
        bytes: &[u8],
        pieces: (usize, Duration),
        within: Duration,
    ) -> Result<WireEnd, Option<TransportError>> {
        match self.transport.wire(bytes, pieces, within).await {
            Some(ended) => ended.map_err(Some),
            None => Err(None),
        }
    }

    /// Sends a PDU of the Attribute Protocol as it is, where the transport can; see [`Transport::attribute`]. The
    /// error is none where it cannot. A session is lost with its connection.
    pub async fn attribute(
        &mut self,
        pdu: &[u8],
        within: Duration,
    ) -> Result<AttributeEnd, Option<TransportError>> {
        let clock = self.trace.clock().clone();
        let began = clock.now();
        let end = match self.transport.attribute(pdu, within).await {
            Some(ended) => ended.map_err(Some)?,
            None => return Err(None),
        };
        let answer = match &end {
            AttributeEnd::Answered(answer) => Some(answer),
            AttributeEnd::Silent | AttributeEnd::Closed => None,
        };
        let took = clock.now().since(began).as_micros();
        self.trace.emit(
            self.settings.device.as_deref(),
            &AttributeExchange {
                phone: self.settings.phone.clone(),
                sent: hex::encode(pdu),
                answer: answer.map(hex::encode),
                error: answer.and_then(|answer| AttError::of(answer)),
                closed: end == AttributeEnd::Closed,
                took_us: u64::try_from(took).unwrap_or(u64::MAX),
            },
        );
        if end == AttributeEnd::Closed {
            self.forget();
        }
        Ok(end)
    }

    /// Which transport it speaks.
    pub fn transport(&self) -> TransportKind {
        self.transport.kind()
    }

    /// Where the device is, for people.
    pub fn peer(&self) -> String {
        self.transport.peer()
    }

    /// The names of the device's endpoints, where the transport can tell.
    pub async fn endpoints(&mut self) -> Result<Option<Vec<String>>, TransportError> {
        self.transport.endpoints().await
    }

    /// Goes through all steps that are left, and says how it ended.
    ///
    /// An error is something that no sound device does, or a phone that was told too little.
    pub async fn provision(
        &mut self,
        credentials: &Credentials,
    ) -> Result<Outcome, ProvisioningError> {
        let ended = self.all_steps(credentials).await;
        self.conclude(ended)
    }

    /// Traces how provisioning ended, for callers that take its steps one by one.
    pub fn conclude(
        &self,
        ended: Result<Outcome, ProvisioningError>,
    ) -> Result<Outcome, ProvisioningError> {
        let outcome = match ended {
            Ok(outcome) => outcome,
            Err(error) => error.outcome().ok_or(error)?,
        };
        self.trace.emit(
            self.settings.device.as_deref(),
            &OutcomeReached {
                phone: self.settings.phone.clone(),
                outcome: outcome.name().to_owned(),
                detail: outcome.to_string(),
            },
        );
        Ok(outcome)
    }

    async fn all_steps(&mut self, credentials: &Credentials) -> Result<Outcome, ProvisioningError> {
        if !self.is_established() {
            self.establish().await?;
        }
        self.set_config(credentials).await?;
        self.apply_config().await?;
        self.wait_for_outcome().await
    }

    /// Hangs up in order.
    pub async fn close(&mut self) {
        self.channel = None;
        self.transport.close().await;
    }

    /// Ends the connection, and goes on in the session on the next one: what no sound device allows.
    pub fn reconnect(&mut self) {
        self.transport.forget();
    }

    /// Ends connection and session, so that the next request is that of a stranger.
    pub fn forget(&mut self) {
        self.transport.forget();
        self.channel = None;
        self.version = None;
    }
}

fn keep_secret(trace: &Trace, what: Knowledge, value: &str) {
    if what != Knowledge::Username && !value.is_empty() {
        trace.secrets().add_numbered(what.name(), value);
    }
}
