//! The cloud of a world: broker, stand-ins behind it, and their places on the air.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};

use cloud::{
    BadPacket, Broker, BrokerSettings, ClientCertificate, Devices, Down, EndedBy, Faults, Linkkit,
    LinkkitDevice, LinkkitSettings, MatchReply, Reply, Rules, Sntp, SntpFaults, TlsSettings,
    Unusable,
};
use pki::Pki;
use trace::{Trace, Witness, WitnessReport};

use super::factory_data::Meeting;
use super::problem::{LabError, with_sources};
use super::surroundings::Surroundings;
use super::values::DeviceValues;
use crate::language::{self, Answer, Certificate, Fault, PromptAnswer, Sessions, TimeAnswer};

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
        let mut faults = self.broker.faults();
        match fault {
            Fault::ConnectRefused(code) => faults.connack = on.then_some(code.value),
            Fault::SubscribeRefused(filter) => {
                let refused = &mut faults.refuse_subscriptions;
                refused.retain(|refused| *refused != filter.value);
                if on {
                    refused.push(filter.value.clone());
                }
            }
            Fault::TimeSilent => self.time.set_faults(SntpFaults {
                silent: on,
                ..self.time.faults()
            }),
            Fault::TimeAnswer(answer) => {
                let sound = SntpFaults {
                    silent: self.time.faults().silent,
                    ..SntpFaults::default()
                };
                self.time.set_faults(if on {
                    time_answer(*answer, sound)
                } else {
                    sound
                });
            }
            Fault::MatchReply(reply) => {
                if let Some(linkkit) = &self.linkkit {
                    linkkit.set_match_reply(if on {
                        match_reply(*reply)
                    } else {
                        MatchReply::Answer
                    });
                }
            }
            Fault::BrokerDown(sessions) => {
                faults.down = on.then_some(match sessions {
                    Sessions::SessionsKept => Down::KeepsSessions,
                    Sessions::SessionsLost => Down::LosesSessions,
                });
            }
            Fault::HandshakeStalled => faults.stall_handshake = on,
            Fault::ConnectAnswer(answer) => faults.connect = prompt_reply(*answer, on),
            Fault::SubscribeAnswer(answer) => faults.subscribe = reply(*answer, on),
            Fault::PublishAnswer(answer) => faults.publish = reply(*answer, on),
            Fault::PingAnswer(answer) => faults.ping = prompt_reply(*answer, on),
            Fault::MessagesWithheld => faults.withhold_messages = on,
            Fault::SingleBytes => faults.single_bytes = on,
            Fault::BadPacket(packet) => faults.bad_packet = on.then(|| bad_packet(*packet)),
            Fault::SessionEnded(by) => {
                if on {
                    self.broker.end_sessions(match by {
                        language::EndedBy::Reset => EndedBy::Reset,
                        language::EndedBy::Takeover => EndedBy::Takeover,
                    });
                }
            }
            Fault::AccessPointOff(_)
            | Fault::Isolation(_)
            | Fault::InternetOff(_)
            | Fault::BluetoothSilent
            | Fault::BluetoothDropAfter(_)
            | Fault::BluetoothSlow(_) => {}
        }
        self.broker.set_faults(faults);
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

fn time_answer(answer: TimeAnswer, sound: SntpFaults) -> SntpFaults {
    let sent_away = |code: &[u8; 4]| SntpFaults {
        kiss_of_death: Some(*code),
        ..sound
    };
    let unusable = |why| SntpFaults {
        unusable: Some(why),
        ..sound
    };
    match answer {
        TimeAnswer::Rate => sent_away(b"RATE"),
        TimeAnswer::Deny => sent_away(b"DENY"),
        TimeAnswer::Unsynchronised => unusable(Unusable::Unsynchronised),
        TimeAnswer::AnotherRequest => unusable(Unusable::AnotherRequest),
        TimeAnswer::CutShort => unusable(Unusable::CutShort),
        TimeAnswer::NoTime => unusable(Unusable::NoTime),
        TimeAnswer::Wrong(offset_s) => SntpFaults { offset_s, ..sound },
    }
}

fn prompt_reply(answer: PromptAnswer, on: bool) -> Reply {
    reply(
        match answer {
            PromptAnswer::Never => Answer::Never,
            PromptAnswer::Reset => Answer::Reset,
            PromptAnswer::After(delay) => Answer::After(delay),
        },
        on,
    )
}

fn reply(answer: Answer, on: bool) -> Reply {
    match answer {
        _ if !on => Reply::AtOnce,
        Answer::Never => Reply::Never,
        Answer::Reset => Reply::Reset,
        Answer::WrongId => Reply::WrongId,
        Answer::After(delay) => Reply::After(delay),
    }
}

fn bad_packet(packet: language::BadPacket) -> BadPacket {
    match packet {
        language::BadPacket::BadLength => BadPacket::BadLength,
        language::BadPacket::UnknownType => BadPacket::UnknownType,
        language::BadPacket::CutTopic => BadPacket::CutTopic,
        language::BadPacket::QosThree => BadPacket::QosThree,
        language::BadPacket::Oversized => BadPacket::Oversized,
        language::BadPacket::SecondConnack => BadPacket::SecondConnack,
        language::BadPacket::UnaskedPuback => BadPacket::UnaskedPuback,
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
