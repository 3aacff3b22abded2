//! Access points of the lab.

use std::net::Ipv4Addr;
use std::sync::Arc;

use airlink::AuthMode;
use clock::Clock;
use trace::Trace;

use super::dhcp::DhcpFaults;
use super::error::AirError;
use super::ethernet::Ethernet;
use super::frame::Mac;
use super::gateway::Gateway;
use super::names::Names;
use super::segment::{Owner, Port, Segment, SegmentFaults};
use super::stack::{Addressing, Seat, Stack, StackCore};

/// How an access point is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointSettings {
    /// At most 32 bytes.
    pub ssid: Vec<u8>,
    /// 8 to 63 characters, or the pre-shared key itself in 64 hex digits; empty for an open one.
    pub passphrase: String,
    /// 1..=13.
    pub channel: u8,
    /// How strong devices hear it, in dBm.
    pub rssi: i8,
    /// How it authenticates; without a passphrase it is open, unless it is an enterprise's.
    pub auth: AuthMode,
    /// Whether it keeps its name to itself until it is asked for it.
    pub hidden: bool,
    /// Every station that tries to join is refused for this reason; none if it is as it should be.
    pub refuses: Option<u16>,
    /// Whether stations reach the gateway only, not each other.
    pub isolation: bool,
    /// Network address of its /24; the gateway is its first host.
    pub subnet: Ipv4Addr,
}

impl Default for AccessPointSettings {
    /// WPA2 on channel 6, well heard, as a phone's hotspot addresses it.
    fn default() -> Self {
        Self {
            ssid: b"home".to_vec(),
            passphrase: "correct horse".to_owned(),
            channel: 6,
            rssi: -41,
            auth: AuthMode::Wpa2Psk,
            hidden: false,
            refuses: None,
            isolation: false,
            subnet: Ipv4Addr::new(192, 168, 43, 0),
        }
    }
}

/// What can be changed about an access point while the world runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessPointChange {
    /// Its power. Switched off, it takes a while until its stations notice.
    On(bool),
    /// Its passphrase; its stations have to join again.
    Passphrase(String),
    /// Whether stations reach the gateway only.
    Isolation(bool),
    /// How it gives addresses away.
    Dhcp(DhcpFaults),
    /// How strong devices hear it, in dBm. Below [`SENSITIVITY`] they do not, and notice after a while.
    Rssi(i8),
    /// Whether it answers stations that join; their radio does not tell either that it has not.
    AnswersJoins(bool),
    /// It sends its stations away for this 802.11 reason; 200 stands for beacons that they miss.
    Dismiss(u16),
    /// Whether there is a way out: names, and services behind them.
    Internet(bool),
    /// What is wrong with its frames.
    Faults(SegmentFaults),
}

impl AccessPointChange {
    /// In words, for the trace.
    pub(super) fn describe(&self) -> String {
        let on = |on: &bool| if *on { "on" } else { "off" };
        match self {
            Self::On(state) => format!("power {}", on(state)),
            Self::Passphrase(_) => "another passphrase".to_owned(),
            Self::Isolation(state) => format!("isolation {}", on(state)),
            Self::Dhcp(faults) => format!("{faults:?}"),
            Self::Rssi(rssi) => format!("{rssi} dBm"),
            Self::AnswersJoins(state) => format!("answers to joins {}", on(state)),
            Self::Dismiss(reason) => format!("stations lost, reason {reason}"),
            Self::Internet(state) => format!("internet {}", on(state)),
            Self::Faults(faults) => format!("{faults:?}"),
        }
    }
}

/// A signal that is weaker cannot be told from noise, in dBm: the ESP32's sensitivity at 1 Mbit/s is -98.
pub(super) const SENSITIVITY: i8 = -97;

/// A running access point.
pub(super) struct AccessPoint {
    pub(super) settings: AccessPointSettings,
    pub(super) on: bool,
    pub(super) answers_joins: bool,
    pub(super) bssid: Mac,
    pub(super) segment: Segment,
    way_out: WayOut,
}

/// Where stations get addresses and names from, and where they reach services.
enum WayOut {
    /// The access point itself.
    Gateway { gateway: Arc<Gateway>, stack: Stack },
    /// Whatever is on the Ethernet behind it.
    Ethernet(#[expect(dead_code, reason = "unplugs it when dropped")] Arc<Port>),
}

impl AccessPoint {
    pub(super) fn start(
        role: &str,
        settings: AccessPointSettings,
        bssid: Mac,
        trace: &Trace,
        clock: &Clock,
        names: &Arc<Names>,
    ) -> Self {
        let address = gateway_of(settings.subnet);
        let segment = Segment::new(clock.clone(), settings.isolation);
        segment.captured(trace, &format!("station {role}"));
        let gateway = Arc::new(Gateway::new(
            role,
            address,
            segment.clone(),
            trace.clone(),
            names.clone(),
        ));
        let seat = Seat {
            segment: &segment,
            owner: Owner::Gateway,
            mac: bssid,
            addressing: Addressing::Gateway(address),
        };
        let stack = Stack::start(clock, seat, gateway.clone());
        Self {
            settings,
            on: true,
            answers_joins: true,
            bssid,
            segment,
            way_out: WayOut::Gateway { gateway, stack },
        }
    }

    pub(super) fn bridged(
        settings: AccessPointSettings,
        bssid: Mac,
        clock: &Clock,
        ethernet: &Ethernet,
    ) -> Self {
        let segment = Segment::new(clock.clone(), settings.isolation);
        let port = ethernet.bridge(&segment, |_| {});
        Self {
            settings,
            on: true,
            answers_joins: true,
            bssid,
            segment,
            way_out: WayOut::Ethernet(port),
        }
    }

    /// Whether radios hear it.
    pub(super) fn is_heard(&self) -> bool {
        self.on && self.settings.rssi >= SENSITIVITY
    }

    /// As a radio hears it.
    pub(super) fn heard(&self) -> airlink::AccessPoint {
        airlink::AccessPoint {
            ssid: self.settings.ssid.clone(),
            bssid: self.bssid,
            channel: self.settings.channel,
            rssi: self.settings.rssi,
            auth: self.settings.auth,
        }
    }

    /// Its own address.
    pub(super) fn address(&self) -> Ipv4Addr {
        gateway_of(self.settings.subnet)
    }

    /// The gateway, to change it.
    pub(super) fn gateway_of(&self, role: &str) -> Result<&Gateway, AirError> {
        let bridged = || AirError::Bridged { role: role.into() };
        self.gateway()
            .map(|(gateway, _)| gateway)
            .ok_or_else(bridged)
    }

    /// The gateway and the stack that it is on; none of one that is bridged.
    pub(super) fn gateway(&self) -> Option<(&Gateway, &Arc<StackCore>)> {
        match &self.way_out {
            WayOut::Gateway { gateway, stack } => Some((gateway, stack.core())),
            WayOut::Ethernet(_) => None,
        }
    }
}

fn gateway_of(subnet: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = subnet.octets();
    Ipv4Addr::new(a, b, c, 1)
}
