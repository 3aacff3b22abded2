//! What a device was told, and what its documents promise.

use std::collections::BTreeSet;
use std::time::Duration;

/// A part of the world of which a trace may tell everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The access points that the device can join, and their DHCP.
    Air,
    /// The broker and the cloud behind it.
    Broker,
    /// Every phone that can speak to the device.
    Phones,
    /// The device's own time: the lab's clock runs as the device's does. Not on an emulated board,
    /// whose time is scaled, so that a busy host stretches it.
    Clock,
}

/// What the rules may rely on. Everything is optional: what is unknown is not claimed.
///
/// The facts come from the profile and the factory data, never from the device's own code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Parts of the world in which nothing happens that the trace does not tell.
    pub sees: BTreeSet<Sight>,
    /// Whether it may know a network already at the first power-on.
    pub provisioned: bool,
    /// What it knows of the time server.
    pub sntp: Option<SntpFacts>,
    /// What it knows of the broker.
    pub cloud: Option<CloudFacts>,
    /// Its Linkkit profile.
    pub linkkit: Option<LinkkitFacts>,
    /// How it offers provisioning over a network of its own, if it does.
    pub service: Option<ServiceFacts>,
    /// When it ends its provisioning service, whatever the transport.
    pub ending: Option<ServiceFacts>,
    /// How often it may try to join before it says that it failed; 0 stands for once.
    pub attempts: Option<u64>,
    /// Its telemetry, if it was told to publish any.
    pub telemetry: Option<TelemetryFacts>,
    /// Its MAC address, as Linkkit spells it: in capital hex digits with colons.
    pub mac: Option<String>,
    /// Every access point that there is; none if there may be others.
    pub access_points: Option<Vec<AccessPointFacts>>,
}

/// When a device that offers provisioning ends its service, and the network of its own, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFacts {
    /// Whether it does so by itself.
    pub stops_by_itself: bool,
    /// From the answer that told a phone of success.
    pub told: Duration,
    /// From the address, if no phone asked.
    pub untold: Duration,
}

/// What a scan finds of an access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointFacts {
    /// Its role in the scenario.
    pub role: String,
    /// Its SSID, as events spell it.
    pub ssid: String,
    /// Its channel.
    pub channel: u8,
    /// Strength at the device in dBm.
    pub rssi: i8,
    /// How it authenticates, as ESP-IDF's `WifiAuthMode` calls it.
    pub auth: String,
}

/// What a device knows of the time server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SntpFacts {
    /// From a request without an answer to the next, at the least.
    pub retry: Duration,
}

/// What a device knows of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudFacts {
    /// The broker's name, which TLS asks for; none if it is an address.
    pub server_name: Option<String>,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whether it was given a certificate to show.
    pub shows_certificate: bool,
    /// Whether what it trusts is the broker's own certificate, which signs itself, and no authority.
    pub trusts_broker_itself: bool,
    /// Whether it verifies the dates of the broker's certificate.
    pub checks_dates: bool,
    /// Whether it verifies the name in the broker's certificate.
    pub checks_name: bool,
    /// Keep-alive that it is to use.
    pub keep_alive: Duration,
    /// Whether it begins clean MQTT sessions.
    pub clean_session: bool,
    /// Delay before it connects again after the first failure; doubled by each further one.
    pub reconnect: Duration,
    /// Longest such delay.
    pub reconnect_max: Duration,
    /// Whether its delays grow; those of the ESP8266's demo do not.
    pub backs_off: bool,
    /// How long it waits for an answer of the broker; none where it waits as it likes.
    pub patience: Option<Duration>,
    /// Its client id; none where it is made up of other things.
    pub client_id: Option<String>,
    /// How it signs in; none where that is made up of other things.
    pub signs_in: Option<SignInFacts>,
    /// What the broker is to publish when it vanishes; none where that is not known.
    pub will: Option<WillFacts>,
}

/// User name and password of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInFacts {
    /// Its user name; empty for none.
    pub username: String,
    /// Bytes of its password; 0 for none.
    pub password_length: u64,
}

/// The will that a device was told, if it was told one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WillFacts {
    /// The will.
    pub told: Option<Will>,
}

/// What a broker is to publish when a device vanishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Its quality of service.
    pub qos: u64,
    /// Whether it is retained.
    pub retain: bool,
}

/// What a device was told to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryFacts {
    /// Its topic.
    pub topic: String,
    /// Its payload, in which `%n` is the number of the message.
    pub payload: String,
    /// From one message to the next; zero if there is one in each session.
    pub every: Duration,
    /// Its quality of service.
    pub qos: u64,
}

/// A Linkkit profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkkitFacts {
    /// Life of a token from its report.
    pub token_life: Duration,
    /// Times that a token is reported at the most.
    pub reports: u64,
    /// From a report without an answer to the next.
    pub report_interval: Duration,
    /// Notifications of one token at the most.
    pub notifications: u64,
    /// From one notification to the next, at the least.
    pub notify_step: Duration,
    /// What it tells phones as `cipherType`.
    pub cipher: u64,
}
