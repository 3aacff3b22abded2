//! The contracts of an attempt: rules on its devices that are always on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use contracts::{
    AccessPointFacts, Breach, CloudFacts, Contracts, Facts, LinkkitFacts, ServiceFacts, Sight,
    SignInFacts, SntpFacts, TelemetryFacts, Unable, Will, WillFacts,
};
use factory::{Factory, Scheme};
use language::Exception;
use trace::{ContractBroken, ContractsJudged, Nearest, Trace};

use super::problem::Missed;

/// Watches a trace for broken contracts.
///
/// A breach does not end the attempt: its steps say more about what the device did than the rule
/// alone. An attempt whose steps all pass fails by its first breach.
pub struct ContractWatch<'s> {
    trace: Trace,
    contracts: Contracts,
    exceptions: &'s [Exception],
    next: usize,
    first: Option<Breach>,
    began: Instant,
}

/// What the contracts say of an attempt whose steps all passed.
#[derive(Debug)]
pub enum Judged {
    /// All that was claimed holds.
    Sound,
    /// The first breach that the scenario does not except.
    Broken(Breach),
    /// A contract that cannot be relied on, where none was broken.
    Unable(Unable),
}

impl<'s> ContractWatch<'s> {
    /// Watches from the first event on. `exceptions` are the scenario's.
    pub fn new(trace: Trace, facts: &Facts, exceptions: &'s [Exception]) -> Self {
        Self {
            trace,
            contracts: Contracts::new(facts),
            exceptions,
            next: 0,
            first: None,
            began: Instant::now(),
        }
    }

    /// Watches for ever. Cancel safe.
    pub async fn watch(&mut self) -> std::convert::Infallible {
        loop {
            self.poll();
            self.trace.longer_than(self.next).await;
        }
    }

    /// Takes what has come since the last call, and says how every contract stands.
    pub fn end(mut self) -> Judged {
        self.poll();
        let breaches = self.contracts.passed(self.trace.clock().now());
        self.tell(breaches);
        let standings = self.contracts.standings();
        let exercised: BTreeMap<String, u64> = standings
            .map(|(contract, standing)| (contract.id.to_owned(), standing.held + standing.broken))
            .filter(|(_, times)| *times > 0)
            .collect();
        self.trace.emit(None, &ContractsJudged { exercised });
        match (self.first, self.contracts.unable(self.began.elapsed())) {
            (Some(breach), _) => Judged::Broken(breach),
            (None, Some(unable)) => Judged::Unable(unable),
            (None, None) => Judged::Sound,
        }
    }

    fn poll(&mut self) {
        for event in self.trace.events_from(self.next) {
            self.next += 1;
            let breaches = self.contracts.event(&event);
            self.tell(breaches);
        }
    }

    fn tell(&mut self, breaches: Vec<Breach>) {
        for breach in breaches {
            let contract = breach.contract;
            let exception = self
                .exceptions
                .iter()
                .find(|exception| exception.contract.value == contract.id);
            self.trace.emit(
                None,
                &ContractBroken {
                    contract: contract.id.into(),
                    says: contract.says.into(),
                    rule_source: contract.source.into(),
                    seen: breach.seen.clone(),
                    events: breach.events.clone(),
                    excepted: exception.map(|exception| exception.because.clone()),
                },
            );
            if exception.is_none() && self.first.is_none() {
                self.first = Some(breach);
            }
        }
    }
}

/// What a breach is to a report.
pub fn missed(breach: &Breach) -> Missed {
    let nearest = breach.events.last().map(|seq| Nearest {
        seq: *seq,
        lacks: breach.seen.clone(),
    });
    Missed {
        message: format!("{}; but: {}", breach.contract.says, breach.seen),
        nearest,
        instead: breach.events.clone(),
    }
}

/// What is known of the devices of a world by what they were told, and by the certificate that the
/// broker shows (DER). With several devices only what
/// holds for all of them is known.
pub fn facts<'f>(
    factories: impl IntoIterator<Item = &'f Factory>,
    shown: Option<&[u8]>,
    sees: BTreeSet<Sight>,
    access_points: Vec<AccessPointFacts>,
) -> Facts {
    let mut facts: Option<Facts> = None;
    let mut devices = 0;
    for factory in factories {
        let next = of_one(factory, shown);
        devices += 1;
        facts = Some(match facts {
            None => next,
            Some(known) => Facts {
                sees: BTreeSet::new(),
                provisioned: known.provisioned || next.provisioned,
                sntp: known.sntp.filter(|known| Some(known) == next.sntp.as_ref()),
                cloud: known
                    .cloud
                    .filter(|known| Some(known) == next.cloud.as_ref()),
                linkkit: known
                    .linkkit
                    .filter(|known| Some(known) == next.linkkit.as_ref()),
                service: known
                    .service
                    .filter(|known| Some(known) == next.service.as_ref()),
                ending: known
                    .ending
                    .filter(|known| Some(known) == next.ending.as_ref()),
                attempts: known.attempts.filter(|known| Some(*known) == next.attempts),
                telemetry: known
                    .telemetry
                    .filter(|known| Some(known) == next.telemetry.as_ref()),
                mac: None,
                access_points: None,
            },
        });
    }
    Facts {
        sees,
        // Several devices hear each other's networks.
        access_points: (devices == 1).then_some(access_points),
        ..facts.unwrap_or_default()
    }
}

fn of_one(factory: &Factory, shown: Option<&[u8]>) -> Facts {
    let millis = |ms: u32| Duration::from_millis(ms.into());
    let ending = ServiceFacts {
        stops_by_itself: !factory.provisioning.disable_auto_stop,
        told: millis(factory.provisioning.cleanup_delay_ms),
        untold: millis(factory.provisioning.auto_stop_ms)
            + millis(factory.provisioning.cleanup_delay_ms),
    };
    Facts {
        sees: BTreeSet::new(),
        provisioned: factory.network.is_some(),
        sntp: factory.sntp.as_ref().map(|sntp| SntpFacts {
            retry: millis(sntp.retry_ms),
        }),
        cloud: factory.cloud.as_ref().map(|cloud| CloudFacts {
            // RFC 6066 §3: an address is no server name.
            server_name: Some(cloud.host.clone()).filter(|host| host.parse::<IpAddr>().is_err()),
            tls: cloud.tls,
            shows_certificate: cloud.credentials.is_some(),
            trusts_broker_itself: shown == Some(&*cloud.authority),
            checks_dates: cloud.check_dates,
            checks_name: cloud.check_name,
            keep_alive: Duration::from_secs(cloud.keep_alive_s.into()),
            clean_session: factory.mqtt.clean_session,
            reconnect: millis(cloud.reconnect_ms),
            reconnect_max: millis(cloud.reconnect_max_ms),
            backs_off: factory.esp8266.is_none(),
            // The ESP8266's demo reads no answer, and its SDK waits a minute for a handshake.
            patience: (factory.esp8266.is_none()).then(|| millis(cloud.network_timeout_ms)),
            // Linkkit's is signed, and ThingsBoard gives out others.
            client_id: is_plain(factory).then(|| cloud.client_id.clone()),
            signs_in: is_plain(factory).then(|| SignInFacts {
                username: cloud.username.clone(),
                password_length: cloud.password.len() as u64,
            }),
            // The ESP8266's demo has one of its own.
            will: factory.esp8266.is_none().then(|| WillFacts {
                told: factory.mqtt.will.as_ref().map(|will| Will {
                    topic: will.topic.clone(),
                    payload: will.payload.clone(),
                    qos: will.qos.into(),
                    retain: will.retain,
                }),
            }),
        }),
        linkkit: factory.linkkit.as_ref().map(|linkkit| LinkkitFacts {
            token_life: millis(linkkit.profile.token_life_ms),
            reports: linkkit.profile.report_sends.into(),
            report_interval: millis(linkkit.profile.report_interval_ms),
            notifications: linkkit.profile.notify_count.into(),
            notify_step: millis(linkkit.profile.notify_step_ms),
            cipher: linkkit.profile.cipher_type.into(),
        }),
        service: matches!(factory.provisioning.scheme, Scheme::SoftAp).then(|| ending.clone()),
        ending: Some(ending),
        attempts: Some(factory.provisioning.conn_attempts.into()),
        telemetry: factory.telemetry.as_ref().map(|telemetry| TelemetryFacts {
            topic: telemetry.topic.clone(),
            payload: telemetry.payload.clone(),
            every: millis(telemetry.every_ms),
            qos: telemetry.qos.into(),
        }),
        mac: Some(mac_text(factory.identity.mac)),
        access_points: None,
    }
}

/// Whether a device connects as it was told, and not as its cloud has it.
fn is_plain(factory: &Factory) -> bool {
    factory.linkkit.is_none() && factory.thingsboard.is_none()
}

/// A MAC address as Linkkit spells it.
fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02X}")).join(":")
}
