//! The cloud of a world: broker, stand-ins behind it, and their places on the air.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};

use cloud::{
    Broker, BrokerSettings, ClientCertificate, Devices, EndedBy, Fake, Faults, HandshakeFaults,
    Newcomer, Sntp, SntpFaults, TlsSettings, Versions,
};
use language::{Certificate, Fault};
use pki::Pki;
use trace::{Trace, Witness, WitnessReport, in_full};

use super::cloud_faults;
use super::clouds;
use super::esp8266;
use super::factory_data::Meeting;
use super::old_tls;
use super::problem::LabError;
use super::surroundings::Surroundings;
use super::values::DeviceValues;

/// Certificate profile of a broker that no scenario breaks.
const GOOD: &str = "server";

/// Everything that a device meets on the internet.
pub struct CloudSide {
    broker: Broker,
    /// The cloud of a vendor behind the broker.
    fake: Option<Box<dyn Fake>>,
    /// DER of the certificate that the broker shows.
    shown: Vec<u8>,
    /// Who has signed that, if it is none of the run's authorities.
    own_authority: Option<pki::Authority>,
    time: Sntp,
    meeting: Meeting,
}

impl CloudSide {
    /// Starts everything where devices in these surroundings can reach it.
    pub async fn start(
        settings: &language::Cloud,
        world: &language::WorldSpec,
        devices: &BTreeMap<String, DeviceValues>,
        pki: &Pki,
        surroundings: &dyn Surroundings,
        trace: &Trace,
    ) -> Result<Self, LabError> {
        let mut all = world.devices.iter();
        let rsa_alone = all.any(|(_, device)| device.esp8266_nonos.is_some());
        let good = if rsa_alone { esp8266::SERVER } else { GOOD };
        let good = Certificate::Named(good.to_owned());
        let certificate = settings.broker.certificate.as_ref();
        let certificate = certificate.map_or(&good, |certificate| &certificate.value);
        let place = surroundings.meeting_place();
        let names: Vec<&str> = place.names.iter().map(String::as_str).collect();
        let old = settings.broker.old_tls.as_ref();
        let strength = old.and_then(|old| old.strength);
        let (identity, own_authority) = match strength {
            Some(strength) => {
                let age = old_tls::age(strength);
                let now = trace.clock().unix_now().as_secs();
                let (identity, authority) = old_tls::mint(age, &place.host, now)?;
                (identity, Some(authority))
            }
            None => (certificate.mint(pki, &names, &place.host)?, None),
        };
        let shown = identity.certificate_der().to_vec();
        let mut authorities = vec![pki.authority("ca")?];
        if rsa_alone {
            authorities.push(pki.authority(esp8266::AUTHORITY)?);
        }
        let tls = TlsSettings {
            client_certificate: match settings.client_certificate() {
                language::ClientCertificate::Required => ClientCertificate::Required,
                language::ClientCertificate::Optional => ClientCertificate::Optional,
                language::ClientCertificate::Any => ClientCertificate::Any,
                language::ClientCertificate::None => ClientCertificate::NotAsked,
            },
            versions: match settings.broker.handshake.version {
                None => Versions::All,
                Some(language::TlsVersion::Tls12) => Versions::Tls12,
                Some(language::TlsVersion::Tls13) => Versions::Tls13,
            },
            faults: handshake_faults(&settings.broker.handshake),
            legacy: old.map(old_tls::legacy),
            ..TlsSettings::mutual(identity, authorities)
        };
        let known = Devices::default();
        for (name, values) in devices {
            known.know(&values.device_name, name);
            if settings.thingsboard.is_some() {
                known.know(clouds::client_id(values), name);
            }
        }
        let mut settings_of_broker = match settings.broker.plain {
            true => BrokerSettings::plain(),
            false => BrokerSettings::tls(tls),
        };
        for listener in &mut settings_of_broker.listeners {
            listener.address = place.broker;
        }
        let broker = Broker::start(settings_of_broker, trace.clone(), known).await?;
        let time = Sntp::start_at(place.time, trace.clone(), SntpFaults::default()).await?;
        let meeting = surroundings.publish(broker.address(), time.address());
        let fake = clouds::start(settings, devices, &broker, pki, trace).await?;
        Ok(Self {
            broker,
            fake,
            shown,
            own_authority,
            time,
            meeting,
        })
    }

    /// Where devices find it.
    pub fn meeting(&self) -> &Meeting {
        &self.meeting
    }

    /// Where the broker listens on the host.
    pub fn broker_address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Where the time server listens on the host.
    pub fn time_address(&self) -> SocketAddr {
        self.time.address()
    }

    /// DER of the certificate that the broker shows.
    pub fn shown(&self) -> &[u8] {
        &self.shown
    }

    /// Who has signed the certificate that the broker shows, if it is none of the run's authorities.
    pub fn own_authority(&self) -> Option<&pki::Authority> {
        self.own_authority.as_ref()
    }

    /// A device has got its factory data.
    pub fn register(&self, newcomer: &Newcomer) {
        if let Some(fake) = &self.fake {
            fake.register(newcomer);
        }
    }

    /// Where the users of devices reach the cloud, if it is a vendor's.
    pub fn account_api(&self) -> Option<SocketAddrV4> {
        match self.fake.as_ref()?.account_api() {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        }
    }

    /// Calls a method of the device `name`; the number of the call, if the device listens.
    pub fn call(&self, name: &str, method: &str, params: serde_json::Value) -> Option<i64> {
        self.fake.as_ref()?.call(name, method, params)
    }

    /// Breaks or mends something of the cloud; faults of the air are none of its.
    pub fn set_fault(&self, fault: &Fault, on: bool) {
        if let Some(faults) = cloud_faults::of_time(fault, on, self.time.faults()) {
            self.time.set_faults(faults);
        }
        match fault {
            Fault::MatchReply(_) | Fault::CloudUnanswered => {
                if let (Some(fake), Some(fault)) = (&self.fake, clouds::fault(fault)) {
                    fake.set_fault(&fault, on);
                }
            }
            Fault::SessionEnded(by) if on => self.broker.end_sessions(match by {
                language::EndedBy::Reset => EndedBy::Reset,
                language::EndedBy::Takeover => EndedBy::Takeover,
                language::EndedBy::Reason(code) => EndedBy::Reason(*code),
            }),
            _ => {
                let faults = cloud_faults::of_broker(fault, on, self.broker.faults());
                self.broker.set_faults(faults);
            }
        }
    }

    /// Lets the cloud's witnesses speak.
    pub async fn testify(&self, trace: &Trace) {
        // What the scenario left down is no fault of the host's.
        self.broker.set_faults(Faults {
            down: None,
            ..self.broker.faults()
        });
        let broker = self.broker.listens().await;
        testimony(
            trace,
            Witness::Broker,
            "it accepts, answers and routes",
            broker,
        );
        let time = self.time.probe().await;
        testimony(trace, Witness::TimeServer, "it answers", time);
    }
}

fn handshake_faults(settings: &language::Handshake) -> HandshakeFaults {
    HandshakeFaults {
        record_size: settings.record_size.as_ref().map(|size| size.value),
        stops_after: settings.stops_after,
        alert_lost: settings.alert_lost,
    }
}

fn testimony<E: std::error::Error>(
    trace: &Trace,
    witness: Witness,
    sound: &str,
    probed: Result<(), E>,
) {
    let report = WitnessReport {
        witness,
        sound: probed.is_ok(),
        detail: match probed {
            Ok(()) => sound.to_owned(),
            Err(error) => in_full(&error),
        },
    };
    trace.emit(None, &report);
}
