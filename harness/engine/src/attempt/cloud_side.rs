//! The cloud of a world: broker, stand-ins behind it, and their places on the air.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};

use cloud::{
    Broker, BrokerSettings, ClientCertificate, Devices, EndedBy, Faults, Linkkit, LinkkitDevice,
    LinkkitSettings, MatchReply, Rules, Sntp, SntpFaults, TlsSettings,
};
use pki::Pki;
use trace::{Trace, Witness, WitnessReport};

use super::cloud_faults;
use super::factory_data::Meeting;
use super::problem::{LabError, with_sources};
use super::surroundings::Surroundings;
use super::values::DeviceValues;
use crate::language::{self, Certificate, Fault};

/// Certificate profile of a broker that no scenario breaks.
const GOOD: &str = "server";

/// Everything that a device meets on the internet.
pub struct CloudSide {
    broker: Broker,
    linkkit: Option<Linkkit>,
    time: Sntp,
    meeting: Meeting,
}

impl CloudSide {
    /// Starts everything where devices in these surroundings can reach it.
    pub async fn start(
        settings: &language::Cloud,
        devices: &BTreeMap<String, DeviceValues>,
        pki: &Pki,
        surroundings: &dyn Surroundings,
        trace: &Trace,
    ) -> Result<Self, LabError> {
        let good = Certificate::Named(GOOD.to_owned());
        let certificate = settings.broker.certificate.as_ref();
        let certificate = certificate.map_or(&good, |certificate| &certificate.value);
        let place = surroundings.meeting_place();
        let names: Vec<&str> = place.names.iter().map(String::as_str).collect();
        let tls = TlsSettings {
            client_certificate: match settings.broker.client_certificate {
                language::ClientCertificate::Required => ClientCertificate::Required,
                language::ClientCertificate::Optional => ClientCertificate::Optional,
                language::ClientCertificate::None => ClientCertificate::NotAsked,
            },
            ..TlsSettings::mutual(
                certificate.mint(pki, &names, &place.host)?,
                vec![pki.authority("ca")?],
            )
        };
        let known = Devices::default();
        for (name, values) in devices {
            known.know(&values.device_name, name);
        }
        let mut settings_of_broker = BrokerSettings::tls(tls);
        for listener in &mut settings_of_broker.listeners {
            listener.address = place.broker;
        }
        let broker = Broker::start(settings_of_broker, trace.clone(), known).await?;
        let time = Sntp::start_at(place.time, trace.clone(), SntpFaults::default()).await?;
        let meeting = surroundings.publish(broker.address(), time.address());
        let linkkit = match &settings.linkkit {
            Some(settings) => {
                let settings = linkkit_settings(settings, devices);
                Some(Linkkit::start(settings, &broker, trace.clone()).await?)
            }
            None => None,
        };
        Ok(Self {
            broker,
            linkkit,
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

    /// Where phones bind devices, if there is a Linkkit cloud.
    pub fn bind_api(&self) -> Option<SocketAddrV4> {
        match self.linkkit.as_ref()?.address() {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        }
    }

    /// Breaks or mends something of the cloud; faults of the air are none of its.
    pub fn set_fault(&self, fault: &Fault, on: bool) {
        if let Some(faults) = cloud_faults::of_time(fault, on, self.time.faults()) {
            self.time.set_faults(faults);
        }
        match fault {
            Fault::MatchReply(reply) => {
                if let Some(linkkit) = &self.linkkit {
                    linkkit.set_match_reply(if on {
                        match_reply(*reply)
                    } else {
                        MatchReply::Answer
                    });
                }
            }
            Fault::SessionEnded(by) if on => self.broker.end_sessions(match by {
                language::EndedBy::Reset => EndedBy::Reset,
                language::EndedBy::Takeover => EndedBy::Takeover,
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
            Err(error) => with_sources(&error),
        },
    };
    trace.emit(None, &report);
}

fn linkkit_settings(
    settings: &language::Linkkit,
    devices: &BTreeMap<String, DeviceValues>,
) -> LinkkitSettings {
    LinkkitSettings {
        devices: devices
            .iter()
            .map(|(name, values)| LinkkitDevice {
                device: name.clone(),
                product_key: values.product_key.clone(),
                device_name: values.device_name.clone(),
                device_secret: values.device_secret.clone(),
            })
            .collect(),
        rules: Rules {
            token_life: settings.token_life,
            ..Rules::default()
        },
        ..LinkkitSettings::default()
    }
}

fn match_reply(reply: language::MatchReply) -> MatchReply {
    match reply {
        language::MatchReply::Never => MatchReply::Never,
        language::MatchReply::WrongId => MatchReply::WrongId,
        language::MatchReply::EarlierId => MatchReply::EarlierId,
        language::MatchReply::Code(code) => MatchReply::Code(code),
        language::MatchReply::After(delay) => MatchReply::After(delay),
    }
}

/// What a code of the bind API means in the scenario language; none for refusals of other kinds.
pub fn bind_outcome(code: i64) -> Option<language::BindOutcome> {
    match cloud::linkkit::codes::outcome(code) {
        cloud::BindOutcome::Bound => Some(language::BindOutcome::Bound),
        cloud::BindOutcome::Unknown => Some(language::BindOutcome::Unknown),
        cloud::BindOutcome::Mismatched => Some(language::BindOutcome::Mismatched),
        cloud::BindOutcome::Expired => Some(language::BindOutcome::Expired),
        cloud::BindOutcome::AlreadyUsed => Some(language::BindOutcome::AlreadyUsed),
        cloud::BindOutcome::Refused => None,
    }
}
