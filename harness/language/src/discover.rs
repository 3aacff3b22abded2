//! A phone looks for a device by mDNS.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::captures::CaptureList;
use super::duration;
use super::roles::Roles;
use super::span::Placed;

/// A phone on the LAN looks for a device by mDNS: for a service of it (RFC 6763), or for its name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The kind of service, such as `_http._tcp`. Without it, `host` is looked for.
    pub service: Option<Placed<String>>,
    /// Name of the service's instance; any if left out.
    pub instance: Option<Placed<String>>,
    /// Name of the device on its LAN, such as `lamp.local`; any if left out.
    pub host: Option<Placed<String>>,
    /// Port of the service; any if left out.
    pub port: Option<Placed<u16>>,
    /// What the service must say of itself, by key.
    #[serde(default)]
    pub txt: Roles<String>,
    /// Whether the phone looks in the device's own network, which it joins, in place of the LAN; it stays there.
    #[serde(default)]
    pub own_network: bool,
    /// How the phone looks.
    #[serde(default)]
    pub way: DiscoverWay,
    /// Whether it must be found.
    #[serde(default)]
    pub outcome: DiscoverOutcome,
    /// How long the phone looks, in device time; five seconds if left out.
    #[serde(default = "five_seconds", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Taken from what was found: `/instance`, `/host`, `/address`, `/port`, `/txt/KEY`.
    #[serde(default)]
    pub capture: CaptureList,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// How a phone looks for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoverWay {
    /// It asks from a port of its own, and is answered alone (RFC 6762 §5.1).
    #[default]
    OneShot,
    /// It asks from port 5353, as most resolvers do, and the answer is for all (RFC 6762 §5.2).
    Continuous,
    /// It does not ask, and waits for what the device tells by itself when it comes to its network (RFC 6762 §8.3).
    Listening,
}

/// What comes of looking for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoverOutcome {
    /// It answers with all that was looked for.
    #[default]
    Found,
    /// It does not.
    NotFound,
}

impl Discover {
    /// What is wrong with it, if anything is, and what to write instead.
    pub(super) fn mistake(&self) -> Option<(&'static str, &'static str)> {
        let is_kind = |text: &str| {
            let mut labels = text.trim_end_matches(".local").split('.');
            let name = labels.next().is_some_and(|label| label.starts_with('_'));
            name && matches!(labels.next(), Some("_tcp" | "_udp")) && labels.next().is_none()
        };
        match (&self.service, &self.host) {
            (None, None) => Some((
                "what to look for is not said",
                "write `service: _http._tcp`, or `host: lamp.local`",
            )),
            (Some(service), _) if !is_kind(&service.value) => Some((
                "a kind of service has two labels, and the second is `_tcp` or `_udp`",
                "write `service: _http._tcp`",
            )),
            (_, Some(host)) if !host.value.trim_end_matches('.').ends_with(".local") => Some((
                "names that mDNS tells end with `.local`",
                "write `host: lamp.local`",
            )),
            (None, Some(_))
                if self.port.is_some() || self.instance.is_some() || !self.txt.is_empty() =>
            {
                Some((
                    "`port`, `instance` and `txt` are those of a service",
                    "write `service: _http._tcp`, too",
                ))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Known, Need, parse};

    /// A scenario in which alice looks for a device with these settings.
    fn scenario(settings: &str) -> String {
        format!(
            "name: Looks\nworld:\n  access_points: {{ home: {{}} }}\n  devices: {{ device: {{}} }}\n  \
             phones: [alice]\nsteps:\n  - discover: {{ phone: alice, {settings} }}\n"
        )
    }

    #[test]
    fn what_is_looked_for_is_a_service_or_a_host() {
        for sound in [
            "service: _http._tcp",
            "service: _esp_wifi_prov._tcp.local, instance: x, port: 80, capture: { at: /address }",
            "host: lamp.local, outcome: not-found, within: 2s",
        ] {
            let cases = parse("x.yaml", &scenario(sound), &Known::default());
            let cases = cases.unwrap_or_else(|error| panic!("{sound}: {error}"));
            let needs: Vec<_> = cases[0].needs().iter().map(ToString::to_string).collect();
            assert_eq!(needs, ["lan", "a firmware that can mdns"], "{sound}");
            assert_eq!(cases[0].phones_on_lan(), ["alice"].into(), "{sound}");
        }
        let visit = "service: _http._tcp, own_network: true, txt: { path: / }";
        let cases = parse("x.yaml", &scenario(visit), &Known::default()).expect("sound");
        let needs: Vec<_> = cases[0].needs().iter().map(ToString::to_string).collect();
        assert!(!needs.contains(&"lan".to_owned()), "{needs:?}");
        assert_eq!(cases[0].phones_on_lan(), [].into());
        let listens = "host: lamp.local, way: listening";
        let cases = parse("x.yaml", &scenario(listens), &Known::default()).expect("sound");
        assert!(cases[0].needs().contains(&Need::OwnAir));
        for (wrong, words) in [
            ("within: 1s", "what to look for is not said"),
            ("service: _http", "a kind of service has two labels"),
            ("service: http._tcp", "a kind of service has two labels"),
            ("service: _http._sctp", "a kind of service has two labels"),
            ("host: lamp", "names that mDNS tells end with `.local`"),
            (
                "host: lamp.local, port: 80",
                "`port`, `instance` and `txt` are those of a service",
            ),
            (
                "host: lamp.local, txt: { path: / }",
                "`port`, `instance` and `txt` are those of a service",
            ),
        ] {
            let mistakes = parse("x.yaml", &scenario(wrong), &Known::default());
            let mistakes = mistakes.expect_err(wrong);
            let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            assert!(
                said.iter().any(|said| said.contains(words)),
                "{wrong}: {said:?}"
            );
        }
    }
}
