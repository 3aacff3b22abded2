//! The cloud of a world: broker, stand-ins behind it, and their places on the air.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};

use cloud::{Broker, BrokerSettings, ClientCertificate, Devices, TlsSettings};
use lab::air::{Air, Protocol};
use pki::Pki;
use trace::{Trace, Witness, WitnessReport};

use super::factory_data::{BROKER_HOST, BROKER_PORT};
use super::problem::{LabError, with_sources};
use super::values::DeviceValues;
use crate::language::{self, BindOutcome, Fault};

/// Certificate profile of a broker that no scenario breaks.
const GOOD: &str = "server";

/// Everything that a device meets on the internet.
pub struct CloudSide {
    broker: Broker,
}

impl CloudSide {
    /// Starts everything on loopback and puts it on the air.
    pub async fn start(
        settings: &language::Cloud,
        devices: &BTreeMap<String, DeviceValues>,
        pki: &Pki,
        air: &Air,
        trace: &Trace,
    ) -> Result<Self, LabError> {
        let profile = settings
            .broker
            .certificate
            .as_ref()
            .map_or(GOOD, |profile| profile.value.as_str());
        let names = [BROKER_HOST, "localhost", "127.0.0.1"];
        let tls = TlsSettings {
            client_certificate: match settings.broker.client_certificate {
                language::ClientCertificate::Required => ClientCertificate::Required,
                language::ClientCertificate::Optional => ClientCertificate::Optional,
                language::ClientCertificate::None => ClientCertificate::NotAsked,
            },
            ..TlsSettings::mutual(
                pki.mint(profile, &names, BROKER_HOST)?,
                vec![pki.authority("ca")?],
            )
        };
        let known = Devices::default();
        for (name, values) in devices {
            known.know(&values.device_name, name);
        }
        let broker = Broker::start(BrokerSettings::tls(tls), trace.clone(), known).await?;
        air.publish(BROKER_HOST, BROKER_PORT, Protocol::Tcp, broker.address());
        Ok(Self { broker })
    }

    /// Where the broker listens on the host.
    pub fn broker_address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Where the time server listens on the host.
    pub fn time_address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Where phones bind devices, if there is a Linkkit cloud.
    pub fn bind_api(&self) -> Option<SocketAddrV4> {
        None
    }

    /// Breaks or mends something of the cloud.
    pub fn set_fault(&self, fault: &Fault, on: bool) {
        let mut faults = self.broker.faults();
        match fault {
            Fault::ConnectRefused(code) => faults.connack = on.then_some(code.value),
            Fault::SubscribeRefused(filter) => {
                faults.refuse_subscriptions.retain(|refused| *refused != filter.value);
                if on {
                    faults.refuse_subscriptions.push(filter.value.clone());
                }
            }
            _ => {}
        }
        self.broker.set_faults(faults);
    }

    /// Lets the cloud's witnesses speak.
    pub async fn testify(&self, trace: &Trace) {
        let probed = self.broker.probe().await;
        let report = WitnessReport {
            witness: Witness::Broker,
            sound: probed.is_ok(),
            detail: match probed {
                Ok(()) => "it accepts, answers and routes".into(),
                Err(error) => with_sources(&error),
            },
        };
        trace.emit(None, &report);
    }
}

/// What a code of the bind API means.
pub fn bind_outcome(_code: i64) -> Option<BindOutcome> {
    None
}
