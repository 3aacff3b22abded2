//! What a case needs of board, rig and firmware: all that follows from its world, its steps and its
//! expectations.

use std::collections::BTreeSet;
use std::fmt;

use board::rig::Feature;
use trace::{Level, Source};

use super::clause::{Clause, Expect, Wanted};
use super::discover::DiscoverWay;
use super::fault::Fault;
use super::pattern::{Pattern, Vendor};
use super::power::PowerAction;
use super::scenario::Case;
use super::step::Step;
use super::world::{Device, IdfVersion, MemoryRelease, Over, Security};

/// Something that not every board, rig or firmware can do; the lab and the reference firmware can do
/// all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Take a board's power away.
    Power,
    /// Take it away in the middle of a write to storage.
    TornWrite,
    /// Erase a board's storage.
    Storage,
    /// Write to it what no device would.
    DamagedStorage,
    /// Keep an access point's clients apart.
    Isolate,
    /// Switch an access point off, or its way to the internet.
    SwitchAccessPoint,
    /// Disturb the Bluetooth radio.
    OwnRadio,
    /// A phone's own channel of the Attribute Protocol.
    RawAttributes,
    /// A phone that reaches a device's provisioning service, by whatever transport that has.
    Visit,
    /// A phone on the device's LAN.
    Lan,
    /// An air of the lab's own, in which everything is seen.
    OwnAir,
    /// A UART at which the console scheme is typed at.
    Console,
    /// A program that was built with OpenSSL.
    OldTls,
    /// A board whose TLS can ask for short records.
    ShortRecords,
    /// Something of the cloud that is seen or done only where that is ours.
    OwnCloud(CloudNeed),
    /// Something of the firmware.
    Firmware(FirmwareNeed),
}

/// Something of the cloud that a cloud of others does not show, or is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloudNeed {
    /// What the broker sees of TLS and MQTT.
    BrokerEvents,
    /// What the broker does wrong on purpose, a certificate of its own, and how it takes one of a device
    /// that is wrong.
    BrokerFaults,
    /// What the Linkkit cloud sees, its answers, and its API.
    Linkkit,
    /// What ThingsBoard sees, its answers, and its API.
    ThingsBoard,
    /// The time server.
    Time,
}

/// Something that not every firmware does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirmwareNeed {
    /// It is provisioned, by any transport.
    Provisioned,
    /// It is on its network from the start.
    OnNetwork,
    /// It is provisioned over this transport.
    Over(Over),
    /// Its sessions have this security.
    Security(Security),
    /// It behaves as this version.
    Version(IdfVersion),
    /// Its SoftAP has a passphrase.
    ServiceKey,
    /// It has this endpoint of the application's own.
    Endpoint(String),
    /// It shows the certificate that it is handed, and none without.
    Certificate,
    /// It can do this.
    Feature(Feature),
    /// It prints lines of this tag.
    Component(String),
    /// It prints lines of this level.
    Level(Level),
    /// It is built with this setting of the reference firmware's.
    Setting(&'static str),
    /// Its whole log is that of the reference firmware.
    Transcript,
}

impl Case {
    /// What this case needs; where it is missing, the case is skipped.
    pub fn needs(&self) -> BTreeSet<Need> {
        let mut needs = BTreeSet::new();
        for step in &self.scenario.steps {
            add_step(step, &mut needs);
        }
        for never in &self.scenario.never {
            needs.extend(cloud_of(&never.pattern).map(Need::OwnCloud));
        }
        let world = &self.scenario.world;
        if let Some(cloud) = &world.cloud {
            let is_old = cloud.broker.old_tls.is_some();
            needs.extend(is_old.then_some(Need::OldTls));
            let broker = &cloud.broker;
            let shakes = &broker.handshake;
            let is_broken = broker.plain
                || shakes.version.is_some()
                || shakes.record_size.is_some()
                || shakes.stops_after.is_some()
                || shakes.alert_lost;
            let shows = broker.certificate.is_some() || is_old || is_broken;
            needs.extend(shows.then_some(Need::OwnCloud(CloudNeed::BrokerFaults)));
        }
        let mut points = world.access_points.iter();
        let refuses = points.any(|(_, point)| point.refuses.is_some());
        needs.extend(refuses.then_some(Need::OwnAir));
        let devices = &world.devices;
        let is_visited = needs.contains(&Need::Visit);
        for (_, device) in devices.iter() {
            let mut firmware = BTreeSet::new();
            add_device(device, &mut firmware);
            let chip = device.esp8266_nonos.as_ref();
            let asks = chip.is_some_and(|chip| chip.max_fragment.is_some());
            needs.extend(asks.then_some(Need::ShortRecords));
            needs.extend(device.cloud.by_address.then_some(Need::OwnAir));
            if device.telemetry.is_some() && self.expects_what_is_published() {
                firmware.insert(FirmwareNeed::Feature(Feature::Telemetry));
            }
            // Whether a broker takes a certificate that is wrong, or none, is its own doing.
            if device.cloud.certificate.is_some() {
                needs.insert(Need::OwnCloud(CloudNeed::BrokerFaults));
            }
            needs.extend(firmware.into_iter().map(Need::Firmware));
        }
        if is_visited {
            needs.insert(Need::Firmware(FirmwareNeed::Provisioned));
        }
        needs
    }

    /// The transport by which a phone comes to the device that the world describes; none if any will do.
    pub fn transport(&self) -> Option<Over> {
        let mut devices = self.scenario.world.devices.iter();
        devices.find_map(|(_, device)| device.provisioning.over)
    }

    /// Whether some topic or payload is expected.
    fn expects_what_is_published(&self) -> bool {
        let is_of_one = |pattern: &Pattern| {
            let mut fields = pattern.fields.iter();
            pattern.source == Source::Mqtt
                && fields
                    .any(|field| field.pointer == "/topic" || field.pointer.starts_with("/payload"))
        };
        let mut steps = self.scenario.steps.iter();
        steps.any(|step| match &**step {
            Step::Expect(Expect::Clause(clause)) => clause.expected().iter().any(is_of_one),
            _ => false,
        })
    }
}

impl Clause {
    /// Every pattern in it.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.wanted.patterns().iter()
    }

    /// The patterns of events that must happen.
    fn expected(&self) -> &[Pattern] {
        match &self.wanted {
            Wanted::Never(..) => &[],
            Wanted::Count(_, count, _) if count.at_least == 0 => &[],
            wanted => wanted.patterns(),
        }
    }
}

fn add_device(device: &Device, needs: &mut BTreeSet<FirmwareNeed>) {
    use FirmwareNeed as Need;
    if device.on_network {
        needs.insert(Need::OnNetwork);
    }
    let settings = &device.provisioning;
    needs.extend(settings.over.map(Need::Over));
    needs.extend(settings.security.map(Need::Security));
    needs.extend(settings.version.map(Need::Version));
    needs.extend(settings.service_key.as_ref().map(|_| Need::ServiceKey));
    let endpoints = settings.custom_endpoints.iter();
    needs.extend(endpoints.map(|name| Need::Endpoint(name.value.clone())));
    if settings.mdns == Some(true) {
        needs.insert(Need::Feature(Feature::Mdns));
    }
    // Also none: it must not show one that is built in.
    if device.cloud.certificate.is_some() {
        needs.insert(Need::Certificate);
    }
    if device.thingsboard.is_some() {
        needs.insert(Need::Feature(Feature::ThingsBoard));
    }
    let set = [
        (!settings.auto_stop, "auto_stop"),
        (settings.attempts.is_some(), "attempts"),
        (
            settings.reset_after_failures.is_some(),
            "reset_after_failures",
        ),
        (
            settings.memory_release != MemoryRelease::default(),
            "memory_release",
        ),
        (
            settings.line_limit.is_some() && settings.over() == Over::Console,
            "line_limit",
        ),
        (settings.bluetooth.is_some(), "bluetooth"),
        (settings.app.is_some(), "app"),
        (settings.stop_endpoint.is_some(), "stop_endpoint"),
        (settings.phone_token.is_some(), "phone_token"),
        (!settings.unregister.is_empty(), "unregister"),
        (settings.stale_reason, "stale_reason"),
        (device.server.is_some(), "server"),
        (device.esp8266_nonos.is_some(), "esp8266_nonos"),
        (!device.cloud.tls, "tls"),
        (!device.cloud.check_dates, "check_dates"),
        (!device.cloud.check_name, "check_name"),
        (device.cloud.by_address, "by_address"),
        (!device.cloud.clean_session, "clean_session"),
        (device.cloud.keep_alive_s.is_some(), "keep_alive_s"),
        (device.cloud.will.is_some(), "will"),
        (
            device
                .telemetry
                .as_ref()
                .is_some_and(|it| it.every.is_some()),
            "every",
        ),
    ];
    let set = set.into_iter().filter(|(is_set, _)| *is_set);
    needs.extend(set.map(|(_, name)| Need::Setting(name)));
}

fn add_step(step: &Step, needs: &mut BTreeSet<Need>) {
    let of_firmware = |need| Need::Firmware(need);
    let can = |feature| Need::Firmware(FirmwareNeed::Feature(feature));
    match step {
        Step::Power(power) => match power.action {
            PowerAction::Off => needs.extend([Need::Power]),
            PowerAction::CutInWrite(_) => needs.extend([Need::TornWrite]),
            PowerAction::On | PowerAction::Reset => {}
        },
        Step::EraseStorage(_) => needs.extend([Need::Storage]),
        Step::DamageStorage(_) => needs.extend([Need::DamagedStorage]),
        Step::Console(_) => needs.extend([Need::Console]),
        Step::Fault(step) => add_fault(step.fault(), needs),
        Step::Provision(step) => {
            needs.insert(Need::Visit);
            let pop = step.pop.as_ref().map(|_| Security::V1);
            let password = step.password.as_ref().map(|_| Security::V2);
            let security = pop.or(password).map(FirmwareNeed::Security);
            needs.extend(security.map(of_firmware));
        }
        Step::ReadVersion(_) => needs.extend([Need::Visit]),
        Step::Scan(_) => needs.extend([Need::Visit, can(Feature::ProvScan)]),
        Step::Control(_) => needs.extend([Need::Visit, can(Feature::ProvCtrl)]),
        Step::Custom(_) | Step::Request(_) | Step::Wire(_) => needs.extend([Need::Visit]),
        Step::Attribute(_) => needs.extend([Need::Visit, Need::RawAttributes]),
        Step::Query(_) => needs.extend([
            Need::Lan,
            Need::OwnCloud(CloudNeed::Linkkit),
            can(Feature::Linkkit),
        ]),
        Step::Datagram(_) => needs.extend([Need::Lan]),
        // The host's own Wi-Fi carries a phone's requests there, and no datagrams.
        Step::Discover(step) if step.own_network => {
            needs.extend([Need::Visit, Need::OwnAir, can(Feature::Mdns)]);
        }
        Step::Discover(step) => {
            needs.extend([Need::Lan, can(Feature::Mdns)]);
            // The host's own responder has that port.
            if step.way != DiscoverWay::OneShot {
                needs.insert(Need::OwnAir);
            }
        }
        Step::Bind(_) => {
            needs.extend([Need::OwnCloud(CloudNeed::Linkkit), can(Feature::Linkkit)]);
        }
        Step::Claim(_) | Step::Unclaim(_) | Step::Call(_) => {
            needs.extend([
                Need::OwnCloud(CloudNeed::ThingsBoard),
                can(Feature::ThingsBoard),
            ]);
        }
        Step::Browse(_) | Step::WebSocket(_) => {
            needs.extend([Need::Lan, can(Feature::WebServer)]);
        }
        Step::Leave(_) | Step::Reconnect(_) | Step::Wait(_) => {}
        Step::Expect(Expect::Clause(clause)) => {
            let seen_by = |source| clause.patterns().any(|pattern| pattern.source == source);
            if seen_by(Source::Air) {
                needs.insert(Need::OwnAir);
            } else if seen_by(Source::Coap) {
                needs.insert(Need::Lan);
            }
            // Also what must not happen: it would not be seen.
            let clouds = clause.patterns().filter_map(cloud_of);
            needs.extend(clouds.map(Need::OwnCloud));
            clause.expected().iter().for_each(|p| add_pattern(p, needs));
        }
        Step::Expect(Expect::Transcript(_)) => {
            needs.extend([of_firmware(FirmwareNeed::Transcript)]);
        }
    }
}

fn add_fault(fault: &Fault, needs: &mut BTreeSet<Need>) {
    let can = |feature| Need::Firmware(FirmwareNeed::Feature(feature));
    let cloud = match fault {
        Fault::TimeSilent | Fault::TimeAnswer(_) => Some(CloudNeed::Time),
        fault if fault.is_of_broker() => Some(CloudNeed::BrokerFaults),
        Fault::MatchReply(_) => Some(CloudNeed::Linkkit),
        Fault::CloudUnanswered => Some(CloudNeed::ThingsBoard),
        _ => None,
    };
    needs.extend(cloud.map(Need::OwnCloud));
    needs.insert(match fault {
        Fault::Isolation(_) => Need::Isolate,
        Fault::AccessPointOff(_) | Fault::InternetOff(_) => Need::SwitchAccessPoint,
        Fault::TimeSilent | Fault::TimeAnswer(_) => can(Feature::Sntp),
        Fault::MatchReply(_) => can(Feature::Linkkit),
        Fault::CloudUnanswered => can(Feature::ThingsBoard),
        fault if fault.is_of_broker() => can(Feature::Mqtt),
        fault if fault.is_of_air() => Need::OwnAir,
        _ => Need::OwnRadio,
    });
}

/// Whose cloud sees events like this, if one does.
fn cloud_of(pattern: &Pattern) -> Option<CloudNeed> {
    match pattern.source {
        Source::Tls | Source::Mqtt => Some(CloudNeed::BrokerEvents),
        // A device tells phones of itself once its cloud has taken its token.
        Source::Cloud if pattern.vendor == Some(Vendor::ThingsBoard) => {
            Some(CloudNeed::ThingsBoard)
        }
        Source::Cloud | Source::Coap => Some(CloudNeed::Linkkit),
        Source::Sntp => Some(CloudNeed::Time),
        // Whose cloud it is makes no difference to these; a source that is new has to say so here.
        Source::Log
        | Source::Board
        | Source::Air
        | Source::Provisioning
        | Source::Web
        | Source::Engine
        | Source::Witness => None,
    }
}

/// What it takes that an event like this happens.
fn add_pattern(pattern: &Pattern, needs: &mut BTreeSet<Need>) {
    let mut firmware = |need| needs.insert(Need::Firmware(need));
    match pattern.source {
        Source::Log => {
            if let Some(tag) = &pattern.tag {
                firmware(FirmwareNeed::Component(tag.clone()));
            }
            if let Some(level) = pattern.level.filter(|level| *level > Level::Info) {
                firmware(FirmwareNeed::Level(level));
            }
        }
        Source::Tls | Source::Mqtt => {
            firmware(FirmwareNeed::Feature(Feature::Mqtt));
        }
        Source::Cloud if pattern.vendor == Some(Vendor::ThingsBoard) => {
            firmware(FirmwareNeed::Feature(Feature::ThingsBoard));
        }
        Source::Cloud | Source::Coap => {
            firmware(FirmwareNeed::Feature(Feature::Linkkit));
        }
        _ => {}
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::TornWrite => "torn-write",
            Self::Storage => "storage",
            Self::DamagedStorage => "damaged-storage",
            Self::Isolate => "isolate",
            Self::SwitchAccessPoint => "switch-access-point",
            Self::OwnRadio => "own-radio",
            Self::RawAttributes => "raw-attributes",
            Self::Visit => "phone",
            Self::Lan => "lan",
            Self::OwnAir => "own-air",
            Self::Console => "console",
            Self::OldTls => "a program built with `--features legacy`",
            Self::ShortRecords => {
                "a board whose TLS can ask for short records, such as qemu with MbedTLS (`max_fragment`; rustls cannot)"
            }
            Self::OwnCloud(need) => return need.fmt(f),
            Self::Firmware(need) => return need.fmt(f),
        })
    }
}

impl fmt::Display for CloudNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BrokerEvents => "broker-events",
            Self::BrokerFaults => "broker-faults",
            Self::Linkkit => "linkkit-cloud",
            Self::ThingsBoard => "thingsboard-cloud",
            Self::Time => "time-server",
        })
    }
}

/// What is needed, as it stands behind "needs".
impl fmt::Display for FirmwareNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provisioned => f.write_str("a firmware that is provisioned"),
            Self::OnNetwork => f.write_str("a firmware that is on its network already"),
            Self::Over(over) => write!(f, "a firmware that is provisioned over {over}"),
            Self::Security(security) => write!(f, "a firmware with security {security}"),
            Self::Version(version) => write!(f, "a firmware of {version}"),
            Self::ServiceKey => f.write_str("a firmware whose SoftAP has a passphrase"),
            Self::Endpoint(name) => write!(f, "a firmware with the endpoint {name}"),
            Self::Certificate => f.write_str("a firmware that is handed its certificate"),
            Self::Feature(feature) => write!(f, "a firmware that can {feature}"),
            Self::Component(tag) => write!(f, "log component {tag}"),
            Self::Level(level) => {
                let level = format!("{level:?}").to_ascii_lowercase();
                write!(f, "log lines of level {level}")
            }
            Self::Setting(name) => write!(f, "the reference firmware (for `{name}`)"),
            Self::Transcript => f.write_str("the reference firmware (for its transcript)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    /// What a case of this device and these steps needs, in words.
    fn needs(device: &str, steps: &str) -> Vec<String> {
        let text = format!(
            "name: Needs\nworld:\n  access_points: {{ home: {{}} }}\n  cloud: {{ linkkit: {{}} }}\n  \
             devices: {{ device: {device} }}\n  phones: [alice]\nsteps:\n  - power: on\n{steps}"
        );
        let known = crate::known().expect("our own");
        let cases = parse("needs.yaml", &text, &known).unwrap_or_else(|error| panic!("{error}"));
        cases[0].needs().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_left_out_is_not_needed() {
        let provision = "  - provision: { phone: alice, join: home, outcome: connected }\n";
        assert_eq!(
            needs("{}", provision),
            ["phone", "a firmware that is provisioned"]
        );
        assert_eq!(needs("{}", ""), [""; 0]);
    }

    #[test]
    fn the_world_says_how_the_firmware_is_provisioned_and_built() {
        let device = "{ provisioning: { over: ble, security: v2, version: '5.3', attempts: 3, custom_endpoints: [custom-data] } }";
        assert_eq!(
            needs(device, ""),
            [
                "a firmware that is provisioned over ble",
                "a firmware with security v2",
                "a firmware of ESP-IDF 5.3",
                "a firmware with the endpoint custom-data",
                "the reference firmware (for `attempts`)",
            ]
        );
    }

    #[test]
    fn a_wrong_secret_needs_the_security_that_has_one() {
        let step =
            "  - provision: { phone: alice, join: home, pop: x, outcome: session-refused }\n";
        assert!(needs("{}", step).contains(&"a firmware with security v1".to_owned()));
    }

    #[test]
    fn a_line_that_is_expected_needs_its_component_and_its_level() {
        let steps = "  - expect: { log: { tag: app, text: x }, within: 5s }\n  \
                     - expect: { log: { tag: wifi_prov_mgr, level: debug }, within: 5s }\n";
        assert_eq!(
            needs("{}", steps),
            [
                "log component app",
                "log component wifi_prov_mgr",
                "log lines of level debug"
            ]
        );
        let never = "  - expect: { never: [{ log: { tag: app, level: debug } }], for: 5s }\n  \
                     - expect: { log: { tag: app }, count: { at_most: 3 }, for: 5s }\n";
        assert_eq!(needs("{}", never), [""; 0]);
    }

    #[test]
    fn a_web_server_is_used_from_the_lan() {
        let steps = "  - browse: { phone: alice }\n  - websocket: { phone: alice, open: /ws }\n";
        assert_eq!(
            needs("{ server: {} }", steps),
            [
                "lan",
                "a firmware that can web-server",
                "the reference firmware (for `server`)"
            ]
        );
    }

    #[test]
    fn what_broker_and_cloud_see_the_firmware_must_be_able_to_do() {
        let steps = "  - expect: { cloud: { linkkit: token_reported }, within: 5s }\n  \
                     - expect: { mqtt: { kind: publish, where: { /topic: t } }, within: 5s }\n  \
                     - fault: { on: time_silent }\n  - scan: { phone: alice }\n";
        let device = "{ telemetry: { topic: t, payload: x } }";
        let can = needs(device, steps);
        for word in ["linkkit", "mqtt", "telemetry", "sntp", "prov-scan"] {
            let wanted = format!("a firmware that can {word}");
            assert!(can.contains(&wanted), "{wanted}: {can:?}");
        }
        let any = "  - expect: { mqtt: publish, within: 5s }\n";
        assert_eq!(
            needs(device, any),
            ["broker-events", "a firmware that can mqtt"]
        );
    }

    #[test]
    fn what_only_a_cloud_of_ours_sees_or_does_is_needed_also_where_it_must_not_happen() {
        for (steps, need) in [
            (
                "  - expect: { tls: handshake, within: 5s }\n",
                "broker-events",
            ),
            (
                "  - expect: { never: [{ mqtt: publish }], for: 5s }\n",
                "broker-events",
            ),
            (
                "  - expect: { mqtt: publish, count: { at_most: 0 }, for: 5s }\n",
                "broker-events",
            ),
            (
                "  - wait: 1s\nnever:\n  - { mqtt: publish }\n",
                "broker-events",
            ),
            (
                "  - fault: { on: { connect_refused: 3 } }\n",
                "broker-faults",
            ),
            ("  - fault: { on: time_silent }\n", "time-server"),
            (
                "  - expect: { cloud: { linkkit: token_reported }, within: 5s }\n",
                "linkkit-cloud",
            ),
            (
                "  - query: { phone: alice, by: broadcast, outcome: unanswered, within: 1s }\n",
                "linkkit-cloud",
            ),
        ] {
            let needed = needs("{}", steps);
            assert!(needed.contains(&need.to_owned()), "{steps}: {needed:?}");
        }
        let certificate = "{ cloud: { certificate: client-expired } }";
        assert!(needs(certificate, "").contains(&"broker-faults".to_owned()));
        let log = "  - expect: { log: { text: MQTT_EVENT_CONNECTED }, within: 5s }\n";
        assert_eq!(needs("{}", log), [""; 0]);
    }
}
