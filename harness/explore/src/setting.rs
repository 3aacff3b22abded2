//! The world of a walk: what the device is, and what stands around it.

use std::fmt::Write;

use language::{Over, Security};
use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::spelling::word;

/// How a device is made, and which cloud it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Transport of its provisioning.
    #[serde(serialize_with = "word")]
    pub over: Over,
    /// Security of its provisioning.
    #[serde(serialize_with = "word")]
    pub security: Security,
    /// Whether its service stops by itself.
    pub auto_stop: bool,
    /// How often it tries to join; once if none.
    pub attempts: Option<u8>,
    /// Whether its application says what it is.
    pub app_info: bool,
    /// Whether its application has an endpoint of its own.
    pub custom: bool,
    /// Which endpoint loses its handler.
    pub unregistered: Unregistered,
    /// Its cloud.
    pub cloud: Cloud,
    /// What the broker shows.
    pub certificate: Certificate,
    /// What the device publishes.
    pub telemetry: Option<Telemetry>,
    /// Whether its MQTT sessions end with their connections.
    pub clean_session: bool,
    /// Whether it leaves a will.
    pub will: bool,
    /// Whether it takes a token of the phone.
    pub phone_token: bool,
    /// Whether the cloud takes a token for 45 s only.
    pub short_tokens: bool,
    /// Its own web server.
    pub server: Server,
}

/// Which endpoint loses its handler as soon as the service has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unregistered {
    /// None.
    Nothing,
    /// That of the application.
    Custom,
    /// `prov-scan`.
    Scan,
}

/// The cloud of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cloud {
    /// There is none: it stays on the LAN.
    None,
    /// A broker.
    Broker,
    /// A broker, and tokens that bind the device to accounts.
    Linkkit,
}

/// What the broker shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Certificate {
    /// A good one.
    Good,
    /// One whose end is past.
    Expired,
    /// One that has not begun.
    NotYetValid,
    /// One for another name.
    OtherName,
    /// One of an authority that the device does not know.
    OtherAuthority,
}

/// What a device publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Whether at QoS 1.
    pub acknowledged: bool,
    /// Whether every 20 s; else once in each session.
    pub goes_on: bool,
}

/// A device's own web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Server {
    /// There is none.
    None,
    /// For everybody.
    Open,
    /// For clients with a certificate only.
    Closed,
}

impl Setting {
    /// The plainest device: nothing but provisioning.
    pub fn plain() -> Self {
        Self {
            over: Over::Softap,
            security: Security::None,
            auto_stop: true,
            attempts: None,
            app_info: false,
            custom: false,
            unregistered: Unregistered::Nothing,
            cloud: Cloud::None,
            certificate: Certificate::Good,
            telemetry: None,
            clean_session: true,
            will: false,
            phone_token: false,
            short_tokens: false,
            server: Server::None,
        }
    }

    /// Whether the device goes on publishing while a session lasts.
    pub fn publishes_on(&self) -> bool {
        self.telemetry.is_some_and(|telemetry| telemetry.goes_on)
    }

    /// One that `chance` draws.
    pub fn drawn(chance: &mut Chance) -> Self {
        use Security::{None as Zero, V1, V1NoPop, V2, V2Patch0};
        let over = *chance
            .weighted(&[(5, Over::Softap), (4, Over::Ble), (2, Over::Console)])
            .unwrap_or(&Over::Softap);
        let security = *chance
            .weighted(&[(2, Zero), (4, V1), (1, V1NoPop), (4, V2), (1, V2Patch0)])
            .unwrap_or(&V1);
        let cloud = *chance
            .weighted(&[(3, Cloud::None), (4, Cloud::Broker), (4, Cloud::Linkkit)])
            .unwrap_or(&Cloud::None);
        let has_cloud = cloud != Cloud::None;
        let is_linkkit = cloud == Cloud::Linkkit;
        let bad = [
            Certificate::Expired,
            Certificate::NotYetValid,
            Certificate::OtherName,
            Certificate::OtherAuthority,
        ];
        let custom = chance.percent(40);
        let mut setting = Self {
            over,
            security,
            cloud,
            custom,
            auto_stop: chance.percent(70),
            attempts: chance.percent(20).then_some(3),
            app_info: chance.percent(30),
            unregistered: match chance.below(8) {
                0 if custom => Unregistered::Custom,
                1 => Unregistered::Scan,
                _ => Unregistered::Nothing,
            },
            certificate: match chance.percent(25) && has_cloud {
                true => chance.one_of(&bad).unwrap_or(Certificate::Expired),
                false => Certificate::Good,
            },
            telemetry: (chance.percent(70) && has_cloud).then(|| Telemetry {
                acknowledged: chance.percent(70),
                goes_on: chance.percent(60),
            }),
            clean_session: !(has_cloud && chance.percent(40)),
            will: has_cloud && chance.percent(30),
            phone_token: is_linkkit && chance.percent(20),
            short_tokens: is_linkkit && chance.percent(60),
            server: Server::None,
        };
        if chance.percent(20) {
            setting.server = match has_cloud && chance.percent(50) {
                true => Server::Closed,
                false => Server::Open,
            };
        }
        setting
    }

    /// The settings that are a bit simpler than this one, the simplest first.
    pub fn simpler(&self) -> Vec<Self> {
        let plain = Self::plain();
        let mut all = vec![plain.clone()];
        let changes: [&dyn Fn(&mut Self); 15] = [
            &|s| {
                s.cloud = Cloud::None;
                s.certificate = Certificate::Good;
                s.telemetry = None;
                s.clean_session = true;
                s.will = false;
                s.phone_token = false;
                s.short_tokens = false;
                if s.server == Server::Closed {
                    s.server = Server::Open;
                }
            },
            &|s| {
                if s.cloud == Cloud::Linkkit {
                    s.cloud = Cloud::Broker;
                    s.phone_token = false;
                    s.short_tokens = false;
                }
            },
            &|s| s.over = Over::Softap,
            &|s| s.security = Security::None,
            &|s| {
                if s.security != Security::None {
                    s.security = Security::V1;
                }
            },
            &|s| s.auto_stop = true,
            &|s| s.attempts = None,
            &|s| s.app_info = false,
            &|s| {
                s.custom = false;
                s.unregistered = Unregistered::Nothing;
            },
            &|s| s.certificate = Certificate::Good,
            &|s| s.telemetry = None,
            &|s| s.clean_session = true,
            &|s| s.will = false,
            &|s| {
                s.phone_token = false;
                s.short_tokens = false;
            },
            &|s| s.server = Server::None,
        ];
        for change in changes {
            let mut setting = self.clone();
            change(&mut setting);
            if setting != *self && !all.contains(&setting) {
                all.push(setting);
            }
        }
        all.retain(|setting| setting != self);
        all
    }

    /// The `world` of the scenario, with these phones.
    pub fn world(&self, phones: &[&str]) -> String {
        let mut text = String::from(
            "world:\n  access_points:\n    home: { channel: 6, rssi: -40 }\n    office: { channel: 1, rssi: -60 }\n",
        );
        // Writing to a String cannot fail.
        if self.cloud != Cloud::None {
            let certificate = match self.certificate {
                Certificate::Good => "",
                Certificate::Expired => "certificate: server-expired",
                Certificate::NotYetValid => "certificate: server-not-yet-valid",
                Certificate::OtherName => "certificate: server-wrong-name",
                Certificate::OtherAuthority => "certificate: server-other-ca",
            };
            let linkkit = match (self.cloud, self.short_tokens) {
                (Cloud::Linkkit, true) => ", linkkit: { token_life: 45s }",
                (Cloud::Linkkit, false) => ", linkkit: {}",
                _ => "",
            };
            let _ = writeln!(text, "  cloud: {{ broker: {{ {certificate} }}{linkkit} }}");
        }
        text.push_str("  devices:\n    device:\n");
        let _ = writeln!(text, "      provisioning: {{ {} }}", self.provisioning());
        let mut cloud = Vec::new();
        if !self.clean_session {
            cloud.push("clean_session: false".to_owned());
        }
        if self.will {
            cloud.push("will: { topic: lamp/state, payload: gone, qos: 1 }".to_owned());
        }
        if !cloud.is_empty() {
            let _ = writeln!(text, "      cloud: {{ {} }}", cloud.join(", "));
        }
        if let Some(telemetry) = self.telemetry {
            let every = if telemetry.goes_on {
                ", every: 20s"
            } else {
                ""
            };
            let qos = u8::from(telemetry.acknowledged);
            let _ = writeln!(
                text,
                "      telemetry: {{ topic: t, payload: '{{\"n\":%n}}', qos: {qos}{every} }}"
            );
        }
        match self.server {
            Server::None => {}
            Server::Open => text.push_str("      server: {}\n"),
            Server::Closed => text.push_str("      server: { client_certificate: required }\n"),
        }
        if !phones.is_empty() {
            let _ = writeln!(text, "  phones: [{}]", phones.join(", "));
        }
        text
    }

    fn provisioning(&self) -> String {
        let mut all = vec![
            format!("over: {}", self.over),
            format!("security: {}", self.security),
        ];
        if self.over == Over::Console {
            all.push("line_limit: 1024".into());
        }
        if !self.auto_stop {
            all.push("auto_stop: false".into());
        }
        if let Some(attempts) = self.attempts {
            all.push(format!("attempts: {attempts}"));
        }
        if self.app_info {
            all.push("app: { label: lamp, version: \"2.1\", capabilities: [dim, blink] }".into());
        }
        if self.custom {
            all.push("custom_endpoints: [custom-data]".into());
        }
        match self.unregistered {
            Unregistered::Nothing => {}
            Unregistered::Custom => all.push("unregister: [custom-data]".into()),
            Unregistered::Scan => all.push("unregister: [prov-scan]".into()),
        }
        if self.phone_token {
            all.push("phone_token: endpoint".into());
        }
        all.join(", ")
    }
}
